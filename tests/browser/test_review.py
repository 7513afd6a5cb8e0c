"""Reviewing suspected labels in the real App: one at a time, together, with the keyboard, to the end; screenshots."""

import re

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.runs.delete import delete_from_dataset
from lgca_plugin.runs.registry import decision_entries, register_run
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.browser.app import NO_APP
from tests.helpers.browser.review import ReviewPage
from tests.helpers.worlds.queue import GIVEN, SUGGESTED, SUSPECTS, triaged_birds

PAGE_SIZE = (1280, 800)
CHANGE, KEEP = f"Change to {SUGGESTED}", f"Keep {GIVEN}"
BUTTONS = (CHANGE, KEEP, "Another class …", "Can't tell", "Bad image")


@pytest.fixture
def triage(demo_images, demo_encoder):
    """Six suspects, the last four of the queue with the same picture; nobody doubts the labels of the other samples."""
    dataset = triaged_birds([demo_images[0], *[demo_images[1]] * 4, *demo_images[5:]], demo_encoder)
    dataset.persistent = True  # the App's server is another process
    rest = dataset.skip(SUSPECTS)
    for field in ("labels", "zs_clip", "zs_wca", "zs_lgca"):
        rest.set_values(f"{field}.label", [SUGGESTED] * len(rest))
    yield Triage.of(lgca.load_run(dataset, "zs"))
    fo.delete_dataset(dataset.name)


@pytest.fixture
def queue(triage):
    """Ids and files of the suspects, in the order of the review."""
    ids = list(ReviewQueue.of(triage.run).ids)
    return ids, [triage.run.dataset[id_].filename for id_ in ids]


def decisions(triage):
    triage.run.dataset.reload()
    return {row.sample_id: row.decision.value for row in triage.decisions()}


def tag(app, at, field):
    """The label of a field on a tile of the grid."""
    return app.page.locator("[data-cy=looker]").nth(at).locator(f"[data-cy=tag-{field}]")


def test_review__three_suspects_an_undo_a_group_and_the_end(app, triage, queue):
    (ids, files), dataset = queue, triage.run.dataset
    panel = ReviewPage(app)
    app.open_dataset(dataset.name)
    panel.open()
    panel.shows(files[0])
    panel.says(f"0 of {SUSPECTS} reviewed, 0 changed")
    assert all(panel.visible_at_once(name) for name in BUTTONS)
    assert panel.scrolled_by(400) == 0  # all of the card is seen at once
    assert panel.marked() == [dataset.values("id").index(ids[0])]
    panel.picture("card")

    panel.press(CHANGE)
    panel.shows(files[1])
    app.page.locator("[data-cy=action-toggle-sidebar]").first.click()  # small windows hide it beside a panel
    app.toggle_field("labels_corrected")
    tag(app, dataset.values("id").index(ids[0]), "labels_corrected").get_by_text(SUGGESTED).wait_for()
    panel.press(KEEP)
    panel.shows(files[2])
    panel.key("t")
    panel.says(f"3 of {SUSPECTS} reviewed, 1 changed")
    assert decisions(triage) == dict(zip(ids, ("accepted", "label right", "skipped"), strict=False))
    panel.key("u")
    panel.says(f"2 of {SUSPECTS} reviewed, 1 changed")
    assert decisions(triage) == dict(zip(ids, ("accepted", "label right"), strict=False))

    panel.press("Look at all")
    panel.says("4 pictures look alike")
    panel.picture("group")
    panel.press(f"Change all 4 to {SUGGESTED}")
    panel.says("All suspects are reviewed")
    assert decisions(triage) == {id_: "label right" if id_ == ids[1] else "accepted" for id_ in ids}
    panel.says(f"{SUSPECTS} of {SUSPECTS} reviewed, 5 changed")
    panel.picture("end")
    panel.press("Show all changes")
    app.page.locator("[data-cy=entry-counts]").get_by_text("5 samples").wait_for()
    panel.press("Show all pictures")
    app.page.locator("[data-cy=entry-counts]").get_by_text("12 samples").wait_for()
    panel.press("Export")
    app.page.get_by_role("dialog").get_by_text(f"0 of {SUSPECTS} suspects left to decide").first.wait_for()


@pytest.mark.thorough
def test_review__another_class_is_found_by_typing(app, triage, queue):
    ids, files = queue
    panel = ReviewPage(app)
    app.open_dataset(triage.run.dataset.name)
    panel.open()
    panel.shows(files[0])
    app.page.set_viewport_size({"width": 1280, "height": 520})
    assert panel.scrolled_by(400) > 0
    panel.press("Another class …")
    panel.focuses_the_list()
    assert panel.scrolled_by(0) == 0
    app.page.set_viewport_size({"width": 1280, "height": 800})
    app.page.keyboard.type("wood")
    panel.picture("another")
    app.page.get_by_role("option", name="woodpecker").click()
    panel.shows(files[1])
    triage.run.dataset.reload()
    assert [(row.sample_id, row.corrected) for row in triage.decisions()] == [(ids[0], "woodpecker")]


@pytest.mark.thorough
def test_review__beside_an_open_sample_the_next_suspect_is_opened(app, triage, queue):
    ids, files = queue
    panel = ReviewPage(app)
    app.open_dataset(triage.run.dataset.name)
    panel.open()
    panel.press("Why?")
    evidence = app.page.locator("[data-cy=modal] [data-cy=panel-content-lgca_evidence]")
    evidence.get_by_text("Given label: ").first.wait_for()
    tab = app.page.locator("[data-cy=modal] [data-cy=panel-tab-lgca_review]")
    tab.click()
    beside = ReviewPage(app, in_sample=True)
    beside.shows(files[0])
    beside.press(CHANGE)
    app.page.wait_for_url(f"**id={ids[1]}*")
    beside.shows(files[1])
    app.screenshot("review_sample")
    assert decisions(triage) == {ids[0]: "accepted"}


@pytest.mark.thorough
def test_review__light_and_wide(app, triage, queue):
    _, files = queue
    panel = ReviewPage(app)
    app.page.goto(f"{app.address}/{NO_APP}")
    app.page.evaluate("localStorage.setItem('mui-mode', 'light')")
    app.page.set_viewport_size({"width": 1600, "height": 1000})
    app.open_dataset(triage.run.dataset.name)
    panel.open()
    panel.shows(files[0])
    panel.picture("light")
    panel.press("Summary")
    panel.says(re.compile("suspects reviewed"))
    panel.picture("summary_light")


def test_review__without_a_triage_it_says_what_to_do(app, demo_images):
    dataset = fo.Dataset("review-nothing", persistent=True)
    try:
        labelled = [fo.Sample(filepath=str(one.path), truth=fo.Classification(label="a")) for one in demo_images[:2]]
        dataset.add_samples(labelled)
        app.open_dataset(dataset.name)
        panel = ReviewPage(app)
        panel.open()
        panel.says("No labels have been checked yet")
        panel.button("Find wrong labels").wait_for()
        panel.picture("nothing")
    finally:
        fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_review__goes_on_or_says_why_not_when_others_change_what_it_is_about(app, triage, queue):
    (ids, files), dataset = queue, triage.run.dataset
    panel = ReviewPage(app)
    app.open_dataset(dataset.name)
    panel.open()
    panel.shows(files[0])
    panel.press(CHANGE)
    panel.shows(files[1])

    dataset.reload()
    dataset.rename_sample_field("labels_corrected", "labels_v2")
    panel.press(CHANGE)
    panel.says("was renamed to 'labels_v2', so nothing can be decided: rename it back, or find wrong labels again")
    panel.shows(files[1])
    panel.picture("field_renamed")
    panel.press("Undo")
    panel.says("Nothing was undone: ")
    assert [row.decision.value for row in triage.decisions()] == ["accepted"]

    dataset.delete_sample_field("labels_v2")
    panel.press(KEEP)
    panel.says("Field 'labels_corrected' was gone and was made again with the label changed before")
    panel.shows(files[2])
    panel.picture("field_made_again")
    dataset.reload()
    assert dataset[ids[0]].labels_corrected.label == SUGGESTED

    entries, config = decision_entries(dataset, "zs"), triage.run.config
    delete_from_dataset(dataset, "zs", keep=["zs_decision"])
    register_run(dataset, "zs", config, entries)  # as a rescoring in place does
    panel.press(KEEP)
    panel.says("The labels have to be checked again")
    panel.picture("run_rescored")
    lgca.delete_run(dataset, "zs")
    panel.press("Find wrong labels")
    app.page.get_by_role("dialog").first.wait_for()
    app.page.keyboard.press("Escape")
    panel.says("Run “zs” is gone: it was deleted or renamed.")
    panel.picture("run_deleted")


@pytest.mark.thorough
def test_delete__says_in_its_form_that_a_field_is_read_only_and_counts_the_decisions(app, triage):
    dataset = triage.run.dataset
    triage.decide(list(ReviewQueue.of(triage.run).ids)[:2], "accepted")
    field = dataset.get_field("zs_clip")
    field.read_only = True
    field.save()
    app.open_dataset(dataset.name)
    app.open_operator("Delete a zero-shot run")
    form = app.page.get_by_role("dialog")
    app.choose("Run", "zs")
    form.get_by_text("Field 'zs_clip' is read-only, so the run can't be deleted: it has to be made writable").wait_for()
    app.screenshot("delete_read_only")
    app.page.keyboard.press("Escape")
    field.read_only = False
    field.save()
    app.open_operator("Delete a zero-shot run")
    app.choose("Run", "zs")
    form.get_by_text("2 decisions about labels and their tags go with it: export them first.").wait_for()
    app.screenshot("delete_decisions")
