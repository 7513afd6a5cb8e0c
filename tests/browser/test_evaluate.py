"""Evaluating a run in the real App, and the Model Evaluation panel on what came out; screenshots in artifacts/."""

import contextlib
import re

import fiftyone as fo
import pytest
from playwright.sync_api import TimeoutError as NotYet

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.workflows.evaluate import last_evaluation
from tests.helpers.worlds.birds import bird_dataset, classify_birds

PAGE_SIZE = 1600, 1200

LABEL = "Evaluate a zero-shot run"
METHODS = ("clip", "wca", "lgca")
COUNT = 60
UNLABELLED = 4


@pytest.fixture
def run(tmp_path, demo_encoder):
    """A run on drawn birds, a few of them without a label."""
    pictures = draw_images(tmp_path, count=COUNT, seed=7)
    labels = [None] * UNLABELLED + [picture.label for picture in pictures[UNLABELLED:]]
    truth = [picture.truth for picture in pictures]
    dataset = bird_dataset(pictures, persistent=True, ground_truth=labels, truth=truth)
    options = {"methods": METHODS, "regions": lgca.RegionConfig(crops=8), "ground_truth": "ground_truth"}
    yield classify_birds(dataset, demo_encoder, **options)
    fo.delete_dataset(dataset.name)


def submit(app, run):
    """Evaluates with the form as it is, and gives what was found."""
    page = app.page
    app.submit("Evaluate")
    page.get_by_text("which differences").or_(page.get_by_text("labelled images?")).first.wait_for(timeout=120_000)
    run.dataset.reload()
    return last_evaluation(lgca.load_run(run.dataset, run.key))


def open_evaluation(app, score):
    """Opens a method's evaluation in the panel, and sees its accuracy there."""
    page = app.page
    row, summary = page.get_by_text(score.eval_key, exact=True).last, page.get_by_text("Summary", exact=True).first
    for _ in range(10):
        if summary.is_visible():
            break
        if row.is_visible():  # a list that is just being drawn anew loses the click
            row.click()
        with contextlib.suppress(NotYet):
            summary.wait_for(timeout=12_000)
    summary.wait_for()
    page.get_by_role("row", name=re.compile("^Accuracy")).get_by_text(f"{score.accuracy:.3g}", exact=True).wait_for()


def go_back(app):
    """Leaves an evaluation for the panel's list."""
    app.page.get_by_test_id("ArrowBackIcon").click()
    app.page.get_by_text("3 Model Evaluations").wait_for()


@pytest.mark.thorough
def test_evaluate__from_the_form_to_the_model_evaluation_panel_and_again(app, run):
    page, dataset = app.page, run.dataset
    app.open_dataset(dataset.name)
    app.open_operator(LABEL)
    used = COUNT - UNLABELLED
    page.get_by_text(f"{used} of {COUNT} images are used, the same for all methods").wait_for()
    page.get_by_text(f"Left out: {UNLABELLED} without a label").wait_for()
    app.screenshot("evaluate_form")

    found = submit(app, run)
    assert found.samples == used
    dialog = page.get_by_role("dialog").last
    for pair in found.pairs:
        dialog.get_by_text(found.sentence(pair)).first.wait_for()
    app.screenshot("evaluate_done")
    app.close_dialog()
    page.get_by_text("3 Model Evaluations").wait_for()
    app.screenshot("evaluate_panel")
    open_evaluation(app, found.methods[METHODS[0]])
    go_back(app)
    open_evaluation(app, found.methods[METHODS[-1]])
    page.get_by_text("Confusion Matrices", exact=True).click()
    ticks = page.locator(".ytick text")
    ticks.filter(has_text=CLASSES[-1]).first.wait_for()
    upwards = [text for text in ticks.all_text_contents() if text in CLASSES]
    assert upwards == list(CLASSES[::-1])
    app.screenshot("evaluate_panel_matrix")

    app.open_operator(LABEL)
    page.get_by_text("images are used, the same for all methods").wait_for()
    app.choose("Labels to compare with", re.compile("^truth$"))
    page.get_by_text(f"{COUNT} of {COUNT} images are used").wait_for()
    page.get_by_text("Replaces this run's evaluation against ground_truth").wait_for()
    again = submit(app, run)  # the panel is open, on an evaluation that is replaced
    assert again.samples == COUNT
    app.close_dialog()
    page.get_by_text("3 Model Evaluations").wait_for()
    open_evaluation(app, again.methods[METHODS[-1]])
    app.screenshot("evaluate_panel_again")
