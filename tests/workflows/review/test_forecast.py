"""What a queue expects of its next labels: from the calibration of its run, and from the decisions that answer."""

import numpy as np
import pytest

from lgca_plugin.method.labels.expected_errors import error_probabilities, expected_errors
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.worlds.review import CLASSES, review_run

SHARES = {"clip": 0.03, "wca": 0.06, "lgca": 0.09}
QUALITY = [0.0001, 0.0005, 0.001, 0.01, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3]


@pytest.fixture
def world():
    """A run with a suspect of each quality, shuffled."""
    rows = [
        {"given": "tern", "answers": ["swan"] * 3, "suggested": "swan", "quality": quality}
        for quality in np.random.default_rng(0).permutation(QUALITY).tolist()
    ]
    run, _ = review_run(rows)
    run.results["triage"]["calibration"] = {name: {"wrong_share": share} for name, share in SHARES.items()}
    yield run
    run.dataset.delete()


def probabilities(qualities):
    return error_probabilities(np.array(qualities), wrong_share=0.06, classes=len(CLASSES))


def test_expectation__is_about_the_next_undecided_labels(world):
    found = ReviewQueue.of(world).expectation(4)
    assert found == expected_errors(probabilities(QUALITY[:4]), np.zeros(0), np.zeros(0, dtype=bool))
    assert ReviewQueue.of(world).expectation(400).samples == 12
    assert ReviewQueue.of(world).expectation(10**6, confidence=0.5).confidence == 0.5


def test_expectation__learns_from_decisions_that_answer_the_question(world):
    ids, triage = ReviewQueue.of(world).ids, Triage.of(world)
    triage.decide(ids[0], "accepted")
    triage.decide(ids[1], "label right")
    triage.decide(ids[2], "bad image")
    triage.decide(ids[3], "skipped")
    triage.decide(ids[4], "accepted", label="tern")  # which is the given one
    triage.decide(ids[5], "bad crop")
    found = ReviewQueue.of(world).expectation(3)
    decided = probabilities([QUALITY[at] for at in (0, 1, 4, 5)])
    assert found == expected_errors(probabilities(QUALITY[6:9]), decided, np.array([True, False, False, False]))


def test_expectation__labels_without_a_quality_count_as_any_other(world):
    ids = ReviewQueue.of(world).ids
    world.dataset.select(list(ids[:3])).set_values("zs_label_quality", [None] * 3)
    queue = ReviewQueue.of(world)
    assert queue.ids[-3:] == tuple(sorted(ids[:3]))
    expected = expected_errors(probabilities([*QUALITY[3:], *[1 / 3] * 3]), np.zeros(0), np.zeros(0, dtype=bool))
    assert queue.expectation(12) == expected


def test_expectation__is_at_the_temperature_of_the_ensemble(world):
    world.results["triage"]["ensemble"] = {"temperature": 0.6, "wrong_share": 0.1}
    surer = error_probabilities(np.array(QUALITY), wrong_share=0.1, classes=len(CLASSES), temperature=0.6)
    assert ReviewQueue.of(world).expectation(12) == expected_errors(surer, np.zeros(0), np.zeros(0, dtype=bool))


def test_expectation__of_a_triage_without_a_calibration(world):
    world.results["triage"].pop("calibration")
    assert 0 < ReviewQueue.of(world).expectation().expected < 10
