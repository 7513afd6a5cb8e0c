"""The queue of a review: its order, its progress, and that it follows decisions, deletions and a new triage."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.errors import ConfigError
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, SUSPECTS


@pytest.fixture
def ids(triage):
    return triage.suspects(decided=None).values("id")


def queue(triage):
    return ReviewQueue.of(triage.run)


def test_ids__are_the_suspects_of_the_triage_in_its_order(triage, ids):
    assert len(ids) == SUSPECTS
    assert list(queue(triage).ids) == ids
    triage.decide(ids[:2], "accepted")
    assert list(queue(triage).ids) == ids


def test_place__counts_from_one(triage, ids):
    places = [queue(triage).place(id_) for id_ in ids]
    assert places == [1, 2, 3, 4, 5, 6]
    assert queue(triage).place(triage.run.dataset.last().id) is None


def test_first_undecided__goes_on_after_a_sample_and_then_from_the_start(triage, ids):
    triage.decide([ids[0], ids[3]], "label right")
    found = queue(triage)
    assert found.first_undecided() == ids[1]
    assert found.first_undecided(after=ids[2]) == ids[4]
    assert found.first_undecided(after=ids[5]) == ids[1]
    assert found.first_undecided(after="no suspect") == ids[1]
    triage.decide(ids, "skipped")
    assert queue(triage).first_undecided(after=ids[2]) is None


def test_next_ids__are_those_without_a_decision(triage, ids):
    triage.decide(ids[2], "label right")
    found = queue(triage)
    assert found.next_ids(ids[0], 2) == (ids[1], ids[3])
    assert found.next_ids(ids[4], 9) == (ids[5],)
    assert found.next_ids(ids[5], 9) == ()


def test_progress__counts_each_decision_once(triage, ids):
    triage.decide(ids[0], "accepted")
    triage.decide(ids[1], "accepted", label=OTHER)
    triage.decide(ids[2], "accepted", label=GIVEN)
    triage.decide(ids[3], "label right")
    triage.decide(ids[4], "bad image")
    assert vars(queue(triage).progress()) == {
        "total": 6,
        "reviewed": 5,
        "changed": 2,
        "kept": 2,
        "bad_images": 1,
        "unsure": 0,
        "outside": 0,
    }
    triage.decide(ids[5], "skipped")
    progress = queue(triage).progress()
    assert (progress.unsure, progress.left, str(progress)) == (1, 0, "6 of 6 reviewed, 2 changed")


def test_progress__corrected_labels_that_became_the_given_ones_stay_finds(triage, ids):
    triage.decide(ids[:2], "accepted")
    dataset = triage.run.dataset
    dataset.select(ids[0]).set_values("labels", [dataset[ids[0]]["labels_corrected"]])
    assert queue(triage).progress().changed == 2
    assert queue(triage).summary().blocks[0].found == 2


def test_progress__follows_undo(triage, ids):
    triage.decide(ids[0], "accepted")
    assert queue(triage).progress().changed == 1
    triage.undo()
    assert queue(triage).progress().reviewed == 0


def test_of__leaves_out_samples_that_were_deleted(triage, ids):
    queue(triage)
    triage.run.dataset.delete_samples(ids[:2])
    assert list(queue(triage).ids) == ids[2:]


def test_of__sees_a_sample_deleted_while_another_was_added(triage, ids):
    queue(triage)
    triage.run.dataset.delete_samples(ids[:1])
    triage.run.dataset.add_sample(fo.Sample(filepath="/images/new.jpg"))
    assert list(queue(triage).ids) == ids[1:]


def test_of__leaves_out_suggestions_that_have_vanished_and_takes_in_new_ones(triage, ids):
    dataset = triage.run.dataset
    queue(triage)
    dataset.select(ids[0]).set_values("zs_suggestion", [None])
    new = dataset.last().id
    dataset.select(new).set_values("zs_suggestion", [fo.Classification(label=SUGGESTED)])
    dataset.select(new).set_values("zs_label_quality", [0.0])
    assert list(queue(triage).ids) == [new, *ids[1:]]


def test_of__a_new_triage_makes_a_new_queue(triage, ids):
    assert list(queue(triage).ids) == ids
    run = triage.run
    run.dataset.clear_sample_field("zs_label_quality")  # a triage that has judged labels would be kept
    run.triage("labels", progress=False)  # without stored embeddings no label can be judged
    assert queue(triage).ids == ()


def test_of__without_suspects_everything_is_empty(triage):
    triage.run.dataset.set_values("zs_suggestion", [None] * len(triage.run.dataset))
    found = queue(triage)
    assert (found.ids, found.first_undecided(), found.progress().total) == ((), None, 0)
    assert vars(found.expectation()) == {"samples": 0, "expected": 0.0, "low": 0, "high": 0, "confidence": 0.9}
    assert found.summary().blocks == ()


def test_of__a_run_that_was_not_triaged_is_refused(triage):
    triage.run.results.pop("triage")
    with pytest.raises(ConfigError, match="not been triaged"):
        ReviewQueue.of(triage.run)


def test_of__another_process_sees_the_same(triage, ids):
    triage.decide(ids[0], "accepted")
    again = lgca.load_run(fo.load_dataset(triage.run.dataset.name), "zs")
    assert ReviewQueue.of(again).progress().changed == 1
