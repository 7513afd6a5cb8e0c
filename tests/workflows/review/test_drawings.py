"""The review of the demo's drawings, whose truth is known: what is expected of ten labels, and what is found."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import SEED, load_demo_dataset
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.queue import ReviewQueue

SEEDS = (SEED, 7, 8, 9, 10)


def review(run):
    """Goes through the queue ten by ten, deciding by the truth; returns what was expected each time, and found."""
    dataset, triage, outcomes = run.dataset, Triage.of(run), []
    truth = dict(zip(*dataset.values(["id", "truth.label"]), strict=True))
    wrong = dict(zip(*dataset.values(["id", "label_is_wrong"]), strict=True))
    while (first := (queue := ReviewQueue.of(run)).first_undecided()) is not None:
        expected, ten = queue.expectation(), [first, *queue.next_ids(first, 9)]
        assert expected.samples == len(ten)
        for id_ in ten:
            triage.decide(id_, "accepted" if wrong[id_] else "label right", label=truth[id_] if wrong[id_] else None)
        outcomes.append((expected, sum(wrong[id_] for id_ in ten)))
    after = dataset.match({"zs_suggestion.label": None}).sort_by("zs_label_quality").limit(10)
    outcomes.append((ReviewQueue.of(run).summary().beyond, sum(after.values("label_is_wrong"))))
    return outcomes


@pytest.mark.thorough
def test_review__the_intervals_hold_the_number_of_wrong_labels_about_as_often_as_stated(demo_encoder, tmp_path):
    outcomes, first_tens = [], []
    for seed in SEEDS:
        dataset = load_demo_dataset(f"review-{tmp_path.name}-{seed}", tmp_path / str(seed), seed=seed)
        run = lgca.classify(
            dataset,
            CLASSES,
            DESCRIPTIONS,
            run_key="zs",
            encoder=demo_encoder,
            ground_truth="ground_truth",
            budget="adaptive",
            progress=False,
        )
        run.triage(progress=False)
        own = review(run)
        outcomes += own
        first_tens.append(own[0])
        progress, summary = ReviewQueue.of(run).progress(), ReviewQueue.of(run).summary()
        assert progress.left == 0
        assert progress.changed == summary.changed == sum(block.found for block in summary.blocks)
        assert all((one.corrected or 0) > (one.given or 1) for one in summary.accuracy)
        dataset.delete()
    for expected, found in first_tens:
        assert expected.low <= found <= expected.high
        assert abs(expected.expected - found) <= 4
        assert expected.high - expected.low <= 7
    inside = [expected.low <= found <= expected.high for expected, found in outcomes]
    assert len(inside) >= 2 * len(SEEDS)
    assert sum(inside) >= 0.85 * len(inside), [(str(expected), found) for expected, found in outcomes]
