"""The review panel's buttons and lists on a screen that is older than what the dataset holds."""

import pytest

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
    assert "Continue below the suspects" not in panel.shown.buttons
