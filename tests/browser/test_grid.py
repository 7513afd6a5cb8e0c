"""The grid and the sidebar after a run, in a page that is never reloaded; screenshots in artifacts/."""

import re

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.worlds.birds import bird_dataset, classify_birds

PAGE_SIZE = 1280, 900
COUNT = 48


@pytest.fixture
def run(demo_encoder, tmp_path):
    """A run on drawn birds, three of them with a wrong label."""
    pictures = draw_images(tmp_path, count=COUNT, seed=3)
    labels = [picture.truth for picture in pictures]
    labels[:3] = [next(label for label in labels if label != wrong) for wrong in labels[:3]]
    dataset = bird_dataset(pictures, persistent=True, ground_truth=labels)
    yield classify_birds(dataset, demo_encoder, regions=lgca.RegionConfig(crops=14), ground_truth="ground_truth")
    fo.delete_dataset(dataset.name)


def pills(page):
    """The fields that the pictures in the grid show."""
    tags = page.evaluate("[...document.querySelectorAll('[data-cy^=tag-]')].map(tag => tag.dataset.cy)")
    return {tag.removeprefix("tag-") for tag in tags}


@pytest.mark.thorough
def test_grid__shows_suspects_as_a_question_and_groups_come_and_go_without_a_reload(app, run):
    page, dataset = app.page, run.dataset
    app.open_dataset(dataset.name)
    page.locator("[data-cy=sidebar-group-BIRDS]").wait_for()
    page.evaluate("window.samePage = true")
    page.locator("[data-cy=tag-ground_truth]").first.wait_for()
    assert pills(page) == {"ground_truth"}
    app.open_panel("Histograms")
    app.open_operator("Triage a zero-shot run")
    page.get_by_text(f"are compared on {COUNT} samples").first.wait_for()
    app.submit("Triage")
    page.get_by_text(re.compile("triaged in")).first.wait_for(timeout=120_000)
    app.close_dialog()
    question = page.locator("[data-cy=tag-birds_suspect]").first
    question.wait_for()
    assert re.fullmatch(r".+ → .+\?", question.inner_text())
    assert pills(page) == {"ground_truth", "birds_suspect"}
    assert question.evaluate("tag => tag.scrollWidth <= tag.clientWidth"), "the suggestion is not cut off"
    app.screenshot("grid_1280_dark")

    app.toggle_field("birds_lgca")
    page.locator("[data-cy=tag-birds_lgca]").first.wait_for()
    colors = {
        field: page.locator(f"[data-cy=tag-{field}]").first.evaluate("tag => tag.style.backgroundColor")
        for field in ("ground_truth", "birds_suspect", "birds_lgca")
    }
    assert len(set(colors.values())) == 3
    page.set_viewport_size({"width": 1600, "height": 1000})  # last: a grid that is laid out anew misses ticks
    app.screenshot("grid_1600_dark")

    app.open_operator("Delete a zero-shot run")
    app.choose("Run", "birds")
    page.get_by_role("checkbox").last.check()
    app.submit("Delete")
    page.locator("[data-cy=sidebar-group-BIRDS]").wait_for(state="detached")
    assert page.evaluate("window.samePage"), "the page was reloaded"
