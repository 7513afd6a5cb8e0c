"""Finding wrong labels by predictions that are there already, in the real App; screenshots in artifacts/."""

import re

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.runs import add_images
from tests.workflows.find.predicted import add_predictions


@pytest.fixture
def predicted(tmp_path):
    """Forty pictures, two of them with a wrong label, and two classifiers: one with logits, one with labels alone."""
    dataset = fo.Dataset("own-predictions-in-the-app", persistent=True, overwrite=True)
    add_images(dataset, draw_images(tmp_path / "birds", count=40, seed=51))
    for field, seed in (("resnet_predictions", 1), ("second_predictions", 5)):
        add_predictions(dataset, field, seed=seed, signal=5.5)
    second = [fo.Classification(label=label) for label in dataset.values("second_predictions.label")]
    dataset.set_values("second_predictions", second)
    dataset.delete_sample_field("truth")
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_find__by_predictions_from_the_form_to_review_and_compare(app, predicted):
    page = app.page
    app.open_dataset(predicted.name)
    app.open_operator("Find wrong labels")
    page.get_by_text("Predictions that are there", exact=True).click()
    page.get_by_text("Seconds: no model is loaded, and no picture is looked at").wait_for()
    app.screenshot("own_form")
    app.submit("Find wrong labels")
    page.get_by_text(re.compile(r"of 40 labels looks? wrong\.$")).first.wait_for(timeout=60_000)
    app.screenshot("own_answer")
    run = lgca.load_run(predicted, "voters")
    suspects = run.last_triage().suspects()
    assert len(suspects) > 0

    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Review labels").click()
    dialog.wait_for(state="hidden")
    page.get_by_role("button", name=re.compile("^Change to ")).first.wait_for()
    page.get_by_text(re.compile(r"resnet_predictions \(\d+% sure\)")).first.wait_for()
    app.screenshot("own_review")
    page.get_by_role("button", name=re.compile("^Change to ")).first.click()
    page.get_by_role("button", name=re.compile("^Undo")).first.wait_for()
    predicted.reload()
    assert run.last_triage().left()["accepted"] == 1

    app.open_panel("lgca_compare")
    page.get_by_text("Do the predictions agree?").wait_for()
    app.screenshot("own_compare")
    assert page.get_by_text("Misleading crops").count() == 0
    page.get_by_role("button", name="Evaluate").first.scroll_into_view_if_needed()
    app.screenshot("own_compare_end")
    assert np.isfinite(predicted.values("voters_label_quality")).all()
