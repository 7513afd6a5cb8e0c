"""Deciding about suspected labels in the real App, as a curator would; screenshots in artifacts/."""

import csv

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.worlds.birds import bird_dataset, classify_birds

DECIDE = "Decide on suspected labels"
UNDO = "Undo decisions on labels"
EXPORT = "Export decisions on labels"
COUNT, SUSPECTS = 24, 6


@pytest.fixture
def triage(tmp_path_factory, demo_encoder):
    """A triage of drawn birds."""
    pictures = draw_images(tmp_path_factory.mktemp("birds"), count=COUNT, seed=7)
    wrong = [CLASSES[(CLASSES.index(picture.truth) + 1) % len(CLASSES)] for picture in pictures[:SUSPECTS]]
    given = [*wrong, *(picture.truth for picture in pictures[SUSPECTS:])]
    dataset = bird_dataset(pictures, persistent=True, labels=given)
    run = classify_birds(dataset, demo_encoder, regions=lgca.RegionConfig(crops=8), ground_truth="labels")
    dataset.add_sample_field("birds_suggestion", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    dataset.add_sample_field("birds_suggestion.given", fo.StringField)
    suggestions = [
        fo.Classification(label=picture.truth, confidence=0.97 - 0.03 * at, given=label)
        for at, (picture, label) in enumerate(zip(pictures[:SUSPECTS], wrong, strict=True))
    ]
    dataset.set_values("birds_suggestion", [*suggestions, *[None] * (COUNT - SUSPECTS)])
    dataset.set_values("birds_label_quality", [0.01 * (at + 1) for at in range(COUNT)])
    run.results["triage"] = {
        "ground_truth": "labels",
        "methods": ["clip", "wca", "lgca"],
        "corrected_field": "labels_corrected",
        "cases": {},
        "suspects": SUSPECTS,
    }
    run.save()
    triage = Triage.of(run)
    triage.save_views()
    yield triage
    fo.delete_dataset(dataset.name)


def tile(app, at):
    return app.page.locator("[data-cy=looker]").nth(at)


def select(app, at):
    tile(app, at).hover()
    tile(app, at).click(position={"x": 18, "y": 18})


def wait_for_tiles(app, count):
    app.page.wait_for_function(f"document.querySelectorAll('[data-cy=looker]').length === {count}")


def open_queue(app, triage):
    app.open_dataset(triage.run.dataset.name, view="birds-suspected-label-errors")
    wait_for_tiles(app, SUSPECTS)


@pytest.mark.thorough
def test_queue__decided_samples_leave_it_come_back_and_are_downloaded(app, triage, tmp_path):
    page, dataset = app.page, triage.run.dataset
    ids = dataset.values("id")
    open_queue(app, triage)
    app.open_operator(DECIDE)
    page.get_by_text("Select samples in the grid first, or open one").wait_for()
    app.wait_until_refused("Decide")
    app.close_dialog()

    select(app, 0)
    select(app, 1)
    app.open_operator(DECIDE)
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("2 samples").wait_for()
    app.field("Right class").fill("puffin")
    page.get_by_text("'puffin' is right, though it is no class of the run").wait_for()
    app.screenshot("decide_new_class")
    app.field("Right class").fill("")
    page.get_by_text("is right, though it is no class of the run").wait_for(state="detached")
    app.field("Note").fill("the bill is thin")
    app.field("Your name").fill("anna")
    app.screenshot("decide_form")
    app.submit("Decide")
    page.get_by_text(f"Changed: 2 samples. {SUSPECTS - 2} of {SUSPECTS} suspects left to decide").wait_for()
    wait_for_tiles(app, SUSPECTS - 2)
    app.screenshot("decide_done")
    dataset.reload()
    rows = {row.sample_id: row for row in triage.decisions()}
    assert set(rows) == set(ids[:2])
    assert {(row.by, row.note) for row in rows.values()} == {("anna", "the bill is thin")}
    suggested = dataset.values("birds_suggestion.label")[:2]
    assert dataset.values("labels_corrected.label") == [*suggested, *dataset.values("labels.label")[2:]]

    app.open_operator(EXPORT)
    page.get_by_text(f"{SUSPECTS - 2} of {SUSPECTS} suspects left to decide.", exact=True).wait_for()
    app.screenshot("decide_export")
    with page.expect_download() as download:
        app.submit("Export")
    page.get_by_text("Decisions exported").wait_for()
    page.get_by_text("2 changed").wait_for()
    app.screenshot("decide_exported")
    download.value.save_as(tmp_path / "out.csv")
    assert download.value.suggested_filename.startswith("birds_decisions_")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [row["corrected"] for row in csv.DictReader(file)] == suggested
    app.close_dialog()

    app.open_operator(UNDO)
    page.get_by_text("changed: 2 samples, by anna").wait_for()
    app.screenshot("decide_undo")
    app.submit("Undo")
    page.get_by_text(f"Undone: 2 samples. {SUSPECTS} of {SUSPECTS} suspects left to decide").wait_for()
    wait_for_tiles(app, SUSPECTS)
    app.screenshot("decide_undone")
    dataset.reload()
    assert dataset.values("labels_corrected.label") == dataset.values("labels.label")


@pytest.mark.thorough
def test_queue__a_decision_in_a_samples_own_view_opens_the_next(app, triage):
    page, dataset = app.page, triage.run.dataset
    ids = dataset.values("id")
    open_queue(app, triage)
    tile(app, 0).click()
    modal = page.locator("[data-cy=modal]")
    modal.wait_for()
    page.wait_for_url(f"**id={ids[0]}*")
    page.get_by_text("fact_check").wait_for()  # the button's icon
    app.screenshot("decide_sample")
    page.get_by_text("fact_check").click()
    page.get_by_role("dialog").get_by_text("1 sample").wait_for()
    page.get_by_role("radio").nth(1).check()
    page.get_by_text("Right class").wait_for(state="detached")
    app.screenshot("decide_sample_form")
    app.submit("Decide")
    page.get_by_text(f"Kept: 1 sample. {SUSPECTS - 1} of {SUSPECTS} suspects left").wait_for(state="attached")
    page.wait_for_url(f"**id={ids[1]}*")
    modal.get_by_text("bird-001.jpg").wait_for()
    app.screenshot("decide_next_sample")
    dataset.reload()
    (row,) = triage.decisions()
    assert (row.sample_id, row.decision.value) == (ids[0], "label right")
