"""Look-alikes: undecided suspects of one pair of labels whose vectors are nearer than those of a class usually are."""

from itertools import combinations
from statistics import median

import numpy as np
import pytest

from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.review.look_alikes import MAX_LOOK_ALIKES
from tests.helpers.worlds.review import review_run, unit


@pytest.fixture
def world():
    made = []

    def make(rows, **options):
        run, ids = review_run(rows, **options)
        made.append(run.dataset)
        return run, ids

    yield make
    for dataset in made:
        dataset.delete()


def drawn(rng, **values):
    return {"given": "tern", "vector": rng.normal(size=5) + 0.7, "quality": 0.9, **values}


def distance(a, b):
    return 1 - float(unit(a["vector"]) @ unit(b["vector"]))


@pytest.mark.parametrize("seed", range(4))
def test_look_alikes__are_those_of_a_loop_over_all_pairs(world, seed):
    rng = np.random.default_rng(seed)
    rows = [drawn(rng, given="swan") for _ in range(9)]
    pairs = [("tern", "swan"), ("tern", "swan"), ("tern", "gull"), ("gull", "swan")]
    for at in range(16):
        given, suggested = pairs[at % 4] if at > 3 else pairs[0]
        rows.append(drawn(rng, given=given, suggested=suggested, quality=0.01 * at, answers=[suggested] * 3))
    run, ids = world(rows)
    limit = median(distance(a, b) for a, b in combinations(rows[:9], 2))
    for at in range(9, 25):
        same = [n for n in range(9, 25) if n != at and rows[n]["suggested"] == rows[at]["suggested"] == "swan"]
        same = [n for n in same if rows[n]["given"] == rows[at]["given"] and distance(rows[at], rows[n]) < limit]
        expected = [ids[at], *(ids[n] for n in sorted(same, key=lambda n: distance(rows[at], rows[n])))]
        if rows[at]["suggested"] == "swan":
            assert list(review_card(run, ids[at]).look_alikes) == expected


def burst(world, count):
    """Suspects that are nearly one picture, and two samples of the suggested class."""
    rng = np.random.default_rng(0)
    rows = [drawn(rng, given="swan"), drawn(rng, given="swan")]
    same = rng.normal(size=5)
    suspect = {"given": "tern", "suggested": "swan", "quality": 0.01, "answers": ["swan"] * 3}
    rows += [{**suspect, "vector": same + 1e-3 * rng.normal(size=5)} for _ in range(count)]
    run, ids = world(rows)
    return run, ids[2:]


def test_look_alikes__those_that_are_decided_drop_out(world):
    run, ids = burst(world, 5)
    assert set(review_card(run, ids[0]).look_alikes) == set(ids)
    Triage.of(run).decide(ids[1:3], "label right")
    assert set(review_card(run, ids[0]).look_alikes) == {ids[0], ids[3], ids[4]}
    Triage.of(run).decide(ids[0], "accepted")
    assert review_card(run, ids[0]).look_alikes[0] == ids[0]


def test_look_alikes__are_as_many_as_a_person_can_look_at(world):
    run, ids = burst(world, MAX_LOOK_ALIKES + 6)
    found = review_card(run, ids[4]).look_alikes
    assert (len(found), len(set(found)), found[0]) == (MAX_LOOK_ALIKES, MAX_LOOK_ALIKES, ids[4])


def test_look_alikes__without_vectors_is_the_sample_alone(world):
    rows = [{"given": "tern", "suggested": "swan", "quality": 0.1, "answers": ["swan"] * 3} for _ in range(3)]
    run, ids = world(rows)
    assert review_card(run, ids[1]).look_alikes == (ids[1],)


def test_look_alikes__where_neither_class_has_two_undoubted_samples_is_the_sample_alone(world):
    rng = np.random.default_rng(0)
    suspect = {"suggested": "swan", "quality": 0.01, "answers": ["swan"] * 3}
    run, ids = world([drawn(rng, **suspect) for _ in range(3)])
    assert review_card(run, ids[0]).look_alikes == (ids[0],)


def test_look_alikes__of_a_sample_that_is_no_suspect_are_none(world):
    run, ids = world([drawn(np.random.default_rng(0))])
    assert review_card(run, ids[0]).look_alikes == ()
