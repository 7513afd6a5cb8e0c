"""The review panel's buttons: their words, and what they do on a screen that is older than what the dataset holds."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.runs.delete import delete_from_dataset
from lgca_plugin.runs.registry import decision_entries, register_run, update_record
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.app.panels import PanelSession
from tests.helpers.app.review import EVENTS, URI, decisions, press_again
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, SUSPECTS

CHANGE = f"Change to {SUGGESTED}"


@pytest.fixture
def panel(triage):
    return PanelSession(URI, triage.run.dataset).load(EVENTS)


@pytest.fixture
def first(triage):
    """The first suspect's sample."""
    return triage.run.dataset[ReviewQueue.of(triage.run).ids[0]]


def test_button__a_long_name_is_cut_but_not_at_its_end(panel, first):
    name = "northern rough-winged swallow, a young one of subspecies 151"
    first.labels.label = name
    first.save()
    shown = panel.load(EVENTS).shown
    assert "Keep northern rough-winged swall…f subspecies 151" in shown.buttons
    assert name in shown.texts


def test_button__names_another_class_than_the_new_suggestion__nothing_is_decided(triage, panel, first):
    button = panel.shown.buttons[CHANGE]
    first.zs_suggestion.label = OTHER
    first.save()
    shown = press_again(panel, button)
    assert decisions(triage) == {}
    assert panel.notified == [
        ("warning", f"{first.filename} was checked again or relabelled meanwhile, so nothing was changed.")
    ]
    assert f"Change to {OTHER}" in shown.buttons
    panel.press(f"Change to {OTHER}")
    assert decisions(triage) == {first.id: ("accepted", OTHER)}


def test_button__names_another_class_than_the_new_given_label__nothing_is_decided(triage, panel, first):
    button = panel.shown.buttons[f"Keep {GIVEN}"]
    first.labels.label = OTHER
    first.save()
    assert f"Keep {OTHER}" in press_again(panel, button).buttons
    assert decisions(triage) == {}


def test_class_list__of_a_sample_that_is_no_suspect_any_more_is_not_taken_for_the_next_one(triage, panel, first):
    panel.press("Another class …")
    first.zs_suggestion = None
    first.save()
    panel.send("pick_class", value=OTHER)
    assert decisions(triage) == {}


def test_class_list__what_another_person_has_decided_since_it_was_opened_stays(triage, panel, first):
    panel.press("Another class …")
    triage.decide(first.id, "bad image", by="bob")
    panel.send("pick_class", value=OTHER)
    assert decisions(triage) == {first.id: ("bad image", None)}
    assert "was decided by bob" in panel.notified[0][1]


def test_card__of_a_label_that_was_corrected_by_hand_says_so(panel, first):
    first.labels.label = SUGGESTED
    first.save()
    shown = panel.send("on_change_view")
    assert "Somebody has changed the given label to the suggested one" in shown.words
    assert CHANGE not in shown.buttons
    assert f"Keep {SUGGESTED}" in shown.buttons


def test_states__suspects_that_were_deleted_are_not_taken_for_none(triage, panel):
    triage.run.dataset.delete_sample_field("zs_suggestion")
    shown = panel.send("on_load")
    assert "The suspects are gone" in shown.words
    assert f"{SUSPECTS} labels looked wrong" in shown.words
    assert panel.press("Find wrong labels")
    assert panel.prompted == [("lgca_find_wrong_labels", {})]


def test_below__where_no_label_is_left_nothing_is_offered(triage, panel):
    dataset = triage.run.dataset
    dataset.set_values("zs_label_quality", [None] * len(dataset))
    for _ in range(SUSPECTS):
        panel.press(f"Keep {GIVEN}")
    assert "Go on with other labels" not in panel.shown.buttons


def test_corrected_field__that_was_deleted_is_made_again_and_the_panel_says_so(triage, panel):
    dataset = triage.run.dataset
    panel.press(CHANGE)
    panel.press(CHANGE)
    dataset.delete_sample_field("labels_corrected")
    assert (
        "was deleted: the next decision makes it again, with all 2 labels changed so far"
        in panel.press("Summary").words
    )
    panel.send("go_on")
    shown = panel.press(f"Keep {GIVEN}")
    assert "Field 'labels_corrected' was gone and was made again with the 2 labels changed before" in shown.words
    assert "was made again" in panel.send("on_change_view").words  # as the App fires it by itself
    assert dataset.values("labels_corrected.label").count(SUGGESTED) == 2
    assert "was made again" not in panel.press(f"Keep {GIVEN}").words


def test_corrected_field__that_was_renamed_refuses_decisions_and_an_undo_that_can_be_tried_again(triage, panel, first):
    dataset = triage.run.dataset
    panel.press(CHANGE)
    before = triage.decisions(history=True)
    dataset.rename_sample_field("labels_corrected", "labels_v2")
    sentence = "was renamed to 'labels_v2', so nothing can be decided: rename it back, or find wrong labels again"
    shown = panel.press(CHANGE)
    assert sentence in shown.words and "Nothing was decided: " in shown.words
    assert sentence in panel.send("on_change_view").words
    shown = panel.press("Undo")
    assert sentence in shown.words and "Nothing was undone: " in shown.words
    assert triage.decisions(history=True) == before
    assert "was renamed to “labels_v2”: rename it back" in panel.press("Summary").words
    dataset.rename_sample_field("labels_v2", "labels_corrected")
    panel.press("Undo")
    assert decisions(triage) == {} and dataset[first.id].labels_corrected.label == GIVEN


def test_run__that_was_deleted_is_not_taken_for_another_one_with_the_same_suspects(triage, panel):
    dataset, button = triage.run.dataset, panel.shown.buttons[CHANGE]
    for part in ("suggestion", "label_quality", "clip"):
        dataset.clone_sample_field(f"zs_{part}", f"second_{part}")
    settings = {"run": dataset.get_run_info("zs").config.run, "fields": ["second_clip", "second_error"]}
    dataset.register_run("second", dataset.init_run(package="fiftyone-lgca", **settings))
    update_record(lgca.load_run(dataset, "second"), triage=triage.report)
    lgca.delete_run(dataset, "zs")
    shown = press_again(panel, button)
    assert "Run “zs” is gone: it was deleted or renamed." in shown.words
    assert panel.notified == [("warning", "Nothing was changed: run “zs” can't be reviewed any more.")]
    assert lgca.load_run(dataset, "second").last_triage().decisions() == []


def test_run__that_was_scored_again_is_not_said_to_have_no_wrong_labels(triage, panel):
    dataset, button = triage.run.dataset, panel.shown.buttons[CHANGE]
    entries = decision_entries(dataset, "zs") or {"decided": {"ground_truth": "labels"}}
    config = triage.run.config
    delete_from_dataset(dataset, "zs", keep=["zs_decision"])
    register_run(dataset, "zs", config, entries)  # as a rescoring in place by another person does
    shown = press_again(panel, button)
    assert "The labels have to be checked again" in shown.words
    assert "Nothing looks wrong" not in shown.words
    assert "Find wrong labels" in shown.buttons
    assert panel.notified[-1][1].endswith("was checked again or relabelled meanwhile, so nothing was changed.")


def test_run__that_was_renamed_is_named(triage, panel):
    dataset, button = triage.run.dataset, panel.shown.buttons[CHANGE]
    dataset.rename_run("zs", "kept")
    shown = press_again(panel, button)
    assert "The labels can't be reviewed" in shown.words
    assert "its fields and decisions are still called 'zs': rename it back" in shown.words
    assert "zs_decision" not in dataset.get_field_schema()


def test_undo__is_gone_with_the_decisions_of_a_run_that_was_deleted_and_made_again(triage, panel):
    assert "Undo" in panel.press(CHANGE).buttons
    triage.run.dataset.clear_sample_field("zs_decision")
    assert "Undo" not in panel.load(EVENTS).shown.buttons
    assert "Undo" in panel.press(CHANGE).buttons and "Undo" not in panel.press("Undo").buttons
