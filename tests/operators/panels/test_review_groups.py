"""The review panel's groups of look-alikes: shown whole, and decided together."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.card import review_card
from tests.helpers.app.panels import PanelSession
from tests.helpers.app.review import EVENTS, URI, click_picture, decisions, file_of, pictures, press_again
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, ids_of, triaged_birds

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture
def triage(demo_images, demo_encoder):
    """Six suspects that look alike: more so than the samples of the suggested class, which nobody doubts."""
    dataset = triaged_birds(demo_images, demo_encoder)
    rest = dataset.skip(6)
    for field in ("labels", "zs_clip", "zs_wca", "zs_lgca"):
        rest.set_values(f"{field}.label", [SUGGESTED] * len(rest))
    yield Triage.of(lgca.load_run(dataset, "zs"))
    dataset.delete()


@pytest.fixture
def group(triage):
    """A panel at a suspect with look-alikes, and their ids."""
    found = {id_: review_card(triage.run, id_).look_alikes for id_ in ids_of(triage)[:6]}
    id_ = max(found, key=lambda one: len(found[one]))
    assert len(found[id_]) > 2
    panel = PanelSession(URI, triage.run.dataset).load(EVENTS)
    panel.send("go_to", sample=id_)
    return panel, list(found[id_])


def test_group__is_shown_whole_and_decided_together(triage, group):
    panel, ids = group
    shown = panel.press("Look at all")
    assert sorted(pictures(shown)) == sorted(file_of(triage, id_) for id_ in ids)
    label = f"Change all {len(ids)} to {SUGGESTED}"
    button = shown.buttons[label]
    panel.press(label)
    assert decisions(triage) == dict.fromkeys(ids, ("accepted", SUGGESTED))
    assert len({row.action for row in triage.decisions()}) == 1
    press_again(panel, button)
    assert len(triage.decisions(history=True)) == len(ids)
    panel.press("Undo")
    assert decisions(triage) == {}


def test_group__a_picture_that_is_clicked_on_is_left_out(triage, group):
    panel, ids = group
    panel.press("Look at all")
    click_picture(panel, file_of(triage, ids[1]))
    panel.press(f"Keep all {len(ids) - 1} as {GIVEN}")
    assert set(decisions(triage)) == {*ids} - {ids[1]}


def test_group__one_by_one_leads_back_to_the_card(triage, group):
    panel, ids = group
    panel.press("Look at all")
    assert f"Change to {SUGGESTED}" in panel.press("One by one").buttons
    assert pictures(panel.shown)[0] == file_of(triage, ids[0])


def test_group__a_picture_whose_suggestion_has_changed_since_is_left_out(triage, group):
    panel, ids = group
    button = panel.press("Look at all").buttons[f"Change all {len(ids)} to {SUGGESTED}"]
    sample = triage.run.dataset[ids[1]]
    sample.zs_suggestion.label = OTHER
    sample.save()
    press_again(panel, button)
    assert decisions(triage) == dict.fromkeys({*ids} - {ids[1]}, ("accepted", SUGGESTED))


def test_card__an_example_is_shown_large_beside_the_picture_in_question(triage):
    panel = PanelSession(URI, triage.run.dataset).load(EVENTS)
    every = pictures(panel.shown)
    shown = click_picture(panel, every[1])
    assert pictures(shown) == every[:2]
    assert pictures(panel.press("All examples")) == every
    click_picture(panel, every[1])
    assert len(pictures(panel.press(f"Keep {GIVEN}"))) > 2  # the next suspect has all of its own
