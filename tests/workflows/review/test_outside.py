"""Suspects whose label is no class of the run: their card, their place in the queue, what is expected of the others."""

from typing import Any

import pytest

from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.review.queue import ReviewQueue
from lgca_plugin.workflows.review.reason import seen_sentence
from tests.helpers.worlds.review import review_run


@pytest.fixture
def world():
    rows: list[dict[str, Any]] = [
        {"given": "tern", "answers": ["gull", "swan", "swan"], "suggested": "swan", "quality": 0.3},
        {"given": "swan", "answers": ["swan"] * 3},
        {"given": "Swan", "answers": ["tern"] * 3, "suggested": "swan", "quality": 0.0},
        {"given": "dodo\n", "answers": ["gull", "tern", "tern"], "suggested": "tern", "quality": 0.0},
        {"given": "gull", "answers": ["tern"] * 3, "suggested": "tern", "quality": 0.1},
    ]
    run, ids = review_run(rows)
    yield run, ids
    run.dataset.delete()


def test_outside__card_says_that_the_label_is_no_class_and_what_is_nearest(world):
    run, ids = world
    cards = [review_card(run, id_) for id_ in ids]
    assert [card.outside for card in cards] == [False, False, True, True, False]
    assert [card.nearest for card in cards] == [None, None, "swan", None, None]
    assert cards[2].reason == (
        "“Swan” is not among the classes of this run; nearest: “swan”. All 3 methods see “tern”."
    )
    assert cards[3].reason == (
        r"“dodo\n” is not among the classes of this run. "
        "1 of 3 methods sees “gull”, 2 see “tern”."
    )
    assert [cards[at].reason for at in (0, 4)] == [
        "2 of 3 methods see “swan”, 1 sees “gull”.",
        "All 3 methods see “tern”.",
    ]


def test_outside__is_first_in_the_queue_and_says_nothing_about_the_others(world):
    run, ids = world
    queue = ReviewQueue.of(run)
    assert set(queue.ids[:2]) == {ids[2], ids[3]} and queue.ids[2:] == (ids[4], ids[0])
    assert queue.progress().outside == 2
    before = queue.expectation()
    assert before.samples == 2
    triage = Triage.of(run)
    triage.decide(ids[2], "accepted")
    triage.decide(ids[3], "label right")
    after = ReviewQueue.of(run)
    assert after.expectation() == before and after.progress().outside == 0
    run.dataset.select(ids[4]).set_values("labels.label", ["puffin"])  # changed after the triage
    assert ReviewQueue.of(run).expectation().samples == 1 and review_card(run, ids[4]).outside


def test_seen_sentence__is_what_the_methods_see_whatever_is_suggested():
    assert seen_sentence(["tern"]) == "The method sees “tern”."
    assert seen_sentence(["tern", "gull"]) == "1 of 2 methods sees “tern”, 1 sees “gull”."
    assert seen_sentence([]) == ""
