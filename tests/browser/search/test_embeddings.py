"""FiftyOne's Embeddings panel on a run's stored vectors, in the real App; a screenshot in artifacts/."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.worlds.birds import bird_dataset, classify_birds

PAGE_SIZE = 1600, 1000


@pytest.fixture
def run(tmp_path, demo_encoder):
    pictures = draw_images(tmp_path, count=48, seed=3)
    dataset = bird_dataset(pictures, persistent=True, truth=[picture.truth for picture in pictures])
    yield classify_birds(dataset, demo_encoder, regions=lgca.RegionConfig(crops=8))
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_embeddings_panel__draws_every_picture_as_a_point_coloured_by_its_class(app, run):
    run.visualize("birds_map", projection="pca")
    page = app.page
    app.open_dataset(run.dataset.name)
    app.open_panel("Embeddings")
    panel = page.locator("[data-cy=panel-content-Embeddings]")
    panel.get_by_text("birds_map").click()
    panel.get_by_text("48 points").wait_for()
    panel.get_by_role("button", name="Color by").click()
    page.get_by_role("option", name="truth.label").click()
    panel.get_by_text("oystercatcher").wait_for()  # in the legend
    app.screenshot("embeddings")
