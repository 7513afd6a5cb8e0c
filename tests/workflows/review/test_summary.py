"""The summary of a review: changes, accuracies as an evaluation has them, and finds along the queue."""

import random

import fiftyone as fo
import pytest

from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.worlds.overview import CLASSES, add, new_run, random_rows, triaged


@pytest.fixture
def run():
    """A triaged run on samples of every kind: failed, edited, without a label, with labels that are no classes."""
    made = new_run(CLASSES)
    rows = random_rows(120, seed=5)
    add(made, [{**row, "answers": [label or None for label in row["answers"]]} for row in rows])
    rng = random.Random(6)
    given = made.dataset.values("labels.label")
    others = [rng.choice([name for name in CLASSES if name != label]) for label in given]
    suggested = [other if rng.random() < 0.4 else None for other in others]
    triaged(made, {"quality": [rng.random() for _ in given], "suggested": suggested})
    yield made
    made.dataset.delete()


def decide(run, turns):
    """Decides about the first suspects, at random; returns what was accepted by id."""
    rng, accepted = random.Random(turns), {}
    triage = Triage.of(run)
    for id_ in ReviewQueue.of(run).ids[:turns]:
        decision = rng.choice(["accepted", "accepted", "label right", "skipped", "bad image"])
        label = rng.choice([None, *CLASSES]) if decision == "accepted" else None
        triage.decide(id_, decision, label=label)
        if decision == "accepted":
            accepted[id_] = label or run.dataset[id_]["zs_suggestion"].label
    return accepted


def test_summary__accuracies_are_those_of_an_evaluation_against_the_given_and_the_corrected_labels(run):
    decide(run, 20)
    summary = ReviewQueue.of(run).summary()
    given, corrected = run.evaluate("labels", progress=False), run.evaluate("labels_corrected", progress=False)
    assert (summary.given_field, summary.corrected_field) == ("labels", "labels_corrected")
    assert (summary.given_samples, summary.corrected_samples) == (given.samples, corrected.samples)
    assert [one.method for one in summary.accuracy] == list(given.methods)
    for one in summary.accuracy:
        assert one.given == pytest.approx(given.methods[one.method].accuracy)
        assert one.corrected == pytest.approx(corrected.methods[one.method].accuracy)
    assert any(one.given != one.corrected for one in summary.accuracy)


def test_summary__changes_are_those_of_a_loop_over_the_decisions(run):
    accepted = decide(run, 30)
    extra = next(id_ for id_ in run.dataset.values("id") if id_ not in ReviewQueue.of(run).ids)
    run.dataset.select(extra).set_values("labels", [fo.Classification(label="puffin")])
    Triage.of(run).decide(extra, "accepted", label=CLASSES[0])
    counts: dict[tuple[str | None, str], int] = {("puffin", CLASSES[0]): 1}
    for id_, label in accepted.items():
        own = run.dataset[id_]["labels"]
        was = None if own is None else own.label
        if was != label:
            counts[was, label] = counts.get((was, label), 0) + 1
    summary = ReviewQueue.of(run).summary()
    assert {(was, now): count for was, now, count in summary.changes} == counts
    assert [count for *_, count in summary.changes] == sorted(counts.values(), reverse=True)
    assert summary.changed == sum(counts.values())


def test_summary__blocks_say_where_in_the_queue_wrong_labels_were_found(run):
    accepted = decide(run, 23)
    queue = ReviewQueue.of(run)
    given = dict(zip(*run.dataset.values(["id", "labels.label"]), strict=True))
    finds = [place for place, id_ in enumerate(queue.ids, 1) if id_ in accepted and accepted[id_] != given[id_]]
    summary = queue.summary()
    assert [(one.first, one.last, one.reviewed) for one in summary.blocks] == [(1, 10, 10), (11, 20, 10), (21, 30, 3)]
    assert [one.found for one in summary.blocks] == [
        sum(one.first <= place <= one.last for place in finds) for one in summary.blocks
    ]
    assert summary.last_find == max(finds)


def test_summary__before_the_first_decision_there_is_no_corrected_label(run):
    summary = ReviewQueue.of(run).summary()
    assert (summary.changes, summary.blocks, summary.last_find, summary.corrected_samples) == ((), (), None, 0)
    assert all(one.corrected is None and one.given is not None for one in summary.accuracy)


def test_summary__beyond_is_about_the_next_labels_that_are_no_suspects(run):
    queue = ReviewQueue.of(run)
    assert queue.summary().beyond.samples == 10
    others = [id_ for id_ in run.dataset.values("id") if id_ not in queue.ids]
    run.dataset.select(others).set_values("zs_label_quality", [1.0] * len(others))
    assert ReviewQueue.of(run).summary().beyond.expected < 0.1
    run.dataset.select(others[3:]).set_values("zs_label_quality", [None] * len(others[3:]))
    run.dataset.select(others[:3]).set_values("zs_label_quality", [0.0] * 3)
    found = ReviewQueue.of(run).summary().beyond
    assert (found.samples, found.expected > 1.5) == (3, True)


def test_summary__without_given_labels_or_predictions_has_no_accuracies():
    made = new_run(CLASSES, ground_truth=None)
    add(made, [{"answers": [None] * 3}, {"answers": [None] * 3}])
    triaged(made, {}, ground_truth=None)
    summary = ReviewQueue.of(made).summary()
    assert (summary.given_field, summary.given_samples) == (None, 0)
    assert all(one.given is None and one.corrected is None for one in summary.accuracy)
    made.dataset.delete()
