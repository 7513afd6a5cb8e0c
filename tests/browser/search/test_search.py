"""FiftyOne's own search on a run's stored vectors, in the real App; screenshots in artifacts/."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.worlds.birds import bird_dataset, classify_birds

PAGE_SIZE = 1600, 1000
LABEL = "Search or map the pictures of a zero-shot run"
WORDS = "a great egret"


@pytest.fixture
def run(tmp_path, demo_encoder):
    pictures = draw_images(tmp_path, count=48, seed=3)
    dataset = bird_dataset(pictures, persistent=True, truth=[picture.truth for picture in pictures])
    yield classify_birds(dataset, demo_encoder, regions=lgca.RegionConfig(crops=8))
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_search__by_words_from_the_form_to_the_pictures_in_the_grid(app, run):
    page = app.page
    app.open_dataset(run.dataset.name)
    app.open_operator(LABEL)
    page.get_by_text("What pictures are compared by").wait_for()
    app.wait_until_ready("Create")
    app.screenshot("search_form")
    app.submit("Create")
    page.get_by_text("Search 'birds_search' is there").wait_for()
    app.close_dialog()
    page.get_by_role("button", name="New Search").click()
    page.get_by_placeholder("Enter a text prompt...").fill(WORDS)
    page.get_by_role("button", name="Search", exact=True).last.click()
    page.get_by_text("Run this operation synchronously").click()
    page.get_by_text("Showing 1 of 1 searches").wait_for()
    run.dataset.reload()
    found = run.dataset.sort_by_similarity(WORDS, k=25, brain_key="birds_search").values("truth.label")
    page.get_by_text("25 samples").wait_for()
    page.locator("[data-cy=looker]").first.get_by_text(found[0]).first.wait_for()
    shown = [looker.inner_text() for looker in page.locator("[data-cy=looker]").all()]
    assert [label in text for label, text in zip(found[:6], shown, strict=False)] == [True] * 6
    app.screenshot("search")
