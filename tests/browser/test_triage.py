"""Triaging a run in the real App, as a person would; screenshots in artifacts/."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.worlds.birds import bird_dataset, classify_birds

PAGE_SIZE = 1600, 1200

LABEL = "Triage a zero-shot run"
COUNT = 72


@pytest.fixture
def run(demo_encoder, tmp_path):
    """A run on drawn birds."""
    pictures = draw_images(tmp_path, count=COUNT, seed=7)
    dataset = bird_dataset(pictures, persistent=True, ground_truth=[picture.label for picture in pictures])
    yield classify_birds(dataset, demo_encoder, regions=lgca.RegionConfig(crops=14), ground_truth="ground_truth")
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_triage__from_the_form_to_the_queue_on_the_grid(app, run):
    page, dataset = app.page, run.dataset
    app.open_dataset(dataset.name)
    app.open_operator(LABEL)
    page.get_by_text(f"CLIP, WCA and LGCA are compared on {COUNT} samples").first.wait_for()
    app.screenshot("triage_form")
    field = app.field("Field for corrected labels")
    field.fill("ground_truth")
    page.get_by_text("The field for corrected labels must not be the field of the given labels").first.wait_for()
    app.wait_until_refused("Triage")
    field.fill("checked")
    page.get_by_text("The field for corrected labels must not be").first.wait_for(state="detached")
    app.submit("Triage")
    page.get_by_text(f"{COUNT} samples triaged in").first.wait_for(timeout=120_000)
    page.get_by_text("labels look wrong").first.wait_for()
    app.screenshot("triage_done")

    dataset.reload()
    triage = lgca.load_run(dataset, "birds").last_triage()
    suspects = triage.suspects()
    assert len(suspects) == triage.report["suspects"] > 0
    assert triage.report["corrected_field"] == "checked"
    app.close_dialog()
    page.get_by_text(f"{len(suspects)} samples").first.wait_for()
    tiles = page.locator("[data-cy=looker]")
    tiles.nth(len(suspects) - 1).wait_for()
    assert tiles.count() == len(suspects)
    worst = suspects.first()
    pill = tiles.first.locator("[data-cy=tag-birds_suspect]")
    pill.wait_for()
    assert pill.inner_text() == worst.birds_suspect.label
    app.screenshot("triage_queue")
    tiles.first.click()
    page.locator("[data-cy=modal]").locator("[data-cy=birds_suggestion-field]").wait_for()
    app.picture_of(page.locator("[data-cy=modal]"))  # when it no longer changes
    app.screenshot("triage_sample")
