"""The field of corrected labels: which field may be one, and when and how it is filled with the given labels."""

import threading
from datetime import datetime, timedelta, timezone

import fiftyone as fo
import pytest
from bson import ObjectId

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.fiftyone_io import label_copy
from lgca_plugin.fiftyone_io.documents import CLOCK_SLACK
from lgca_plugin.fiftyone_io.fields import COMPUTED, DECISION, triage_field
from lgca_plugin.workflows.decisions.corrected_field import check_corrected_field
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.overview.table_cache import current_table
from lgca_plugin.workflows.triage.plan import check_triage
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, corrected, ids_of, stored

ALL_COPIED = [SUGGESTED] + [GIVEN] * 11
NONE_COPIED = [SUGGESTED] + [None] * 11


def labels(triage):
    return triage.run.dataset.values("labels_corrected.label")


def is_complete(triage):
    return triage.run.dataset.get_field("labels_corrected").info["lgca"]["complete"]


def test_field__without_given_labels_is_sparse(triage):
    triage.run.results["triage"].update(ground_truth=None, corrected_field="zs_corrected")
    triage.run.save()
    bare, dataset, ids = Triage.of(triage.run), triage.run.dataset, ids_of(triage)
    bare.decide(ids[3], "bad image")
    assert not dataset.has_field("zs_corrected")
    bare.decide(ids[:2], "accepted")
    assert dataset.values("zs_corrected.label") == [SUGGESTED] * 2 + [None] * 10
    assert dataset[ids[0]].zs_decision.given == GIVEN  # the label that the triage used
    bare.decide(ids[0], "label right")
    assert dataset.values("zs_corrected.label")[:2] == [None, SUGGESTED]
    bare.undo()
    assert dataset.values("zs_corrected.label")[:2] == [SUGGESTED] * 2
    bare.undo()
    assert dataset.values("zs_corrected.label") == [None] * 12


def test_field__samples_added_after_the_copy_get_their_label_when_decided(triage):
    triage.decide(ids_of(triage)[0], "skipped")
    late = fo.Sample(filepath="late.png", labels=fo.Classification(label=OTHER))
    triage.run.dataset.add_sample(late)
    assert corrected(triage, late.id) is None
    done = triage.decide(late.id, "bad image")
    assert done.without_prediction == 1
    assert str(done) == "bad image: 1 sample; 1 without a prediction of the run"
    assert corrected(triage, late.id) == OTHER
    triage.undo()
    assert stored(triage, late.id)["labels_corrected"] is None


def test_field__of_the_users_own_is_used_as_it_is(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    dataset.set_values("labels_corrected", [None] * 6 + [fo.Classification(label=OTHER)] * 6)
    triage.decide([ids[0], ids[7]], "accepted", label=CLASSES[5])
    assert labels(triage) == [CLASSES[5], *[None] * 5, OTHER, CLASSES[5], *[OTHER] * 4]
    triage.undo()
    assert labels(triage)[6:] == [OTHER] * 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("labels", "must not be the field of the given labels"),
        ("zs_clip", "is a field of run 'zs'"),
        ("zs_suggestion", "is a field of run 'zs'"),
        ("zs_decision", "is a field of run 'zs'"),
        ("filepath", "exists and is a StringField"),
        ("boxes", "exists and is a Detections"),
        ("a.b", "must be a field name"),
        ("_hidden", "must be a field name"),
    ],
)
def test_field__may_not_belong_to_anything_else(triage, name, message):
    triage.run.dataset.add_sample_field("boxes", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    with pytest.raises(lgca.ConfigError, match=message):
        check_corrected_field(triage.run.dataset, "zs", name, "labels")
    triage.run.results["triage"]["corrected_field"] = name
    with pytest.raises(lgca.ConfigError, match=message):
        Triage.of(triage.run).decide(ids_of(triage)[0], "accepted")


def test_copy__that_was_interrupted_is_finished(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "accepted")
    field = dataset.get_field("labels_corrected")
    field.info = {"lgca": {"copy_of": "labels", "complete": False}}
    field.save()
    dataset._sample_collection.update_many(
        {"_id": {"$in": [ObjectId(ids[7]), ObjectId(ids[8])]}}, {"$unset": {"labels_corrected": ""}}
    )
    triage.decide(ids[1], "skipped")
    assert labels(triage) == ALL_COPIED
    assert is_complete(triage)


def test_copy__samples_that_only_get_a_copy_are_not_read_again_by_a_panel(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    recent = now + timedelta(minutes=1)
    dataset._sample_collection.update_many({}, {"$set": {"last_modified_at": now - timedelta(hours=1)}})
    dataset._sample_collection.update_one({"_id": ObjectId(ids[7])}, {"$set": {"last_modified_at": recent}})
    triage.decide(ids[0], "accepted")
    stamps = [stored(triage, id_)["last_modified_at"] for id_ in ids]
    assert stamps[0] >= now - timedelta(milliseconds=1)
    assert now - timedelta(minutes=1) < stamps[1] < now - CLOCK_SLACK
    assert abs(stamps[7] - recent) < timedelta(milliseconds=1)  # changed since


@pytest.fixture
def gate(monkeypatch):
    """Copies of all labels wait in their thread until this is set."""
    opened = threading.Event()

    def copy(dataset, name, source, samples=None, real=label_copy.copy_labels):
        assert opened.wait(60)
        real(dataset, name, source, samples)

    monkeypatch.setattr(label_copy, "copy_labels", copy)
    yield opened
    opened.set()


@pytest.fixture
def large(triage):
    """The triage, as if the dataset were large: labels of other samples are copied in a thread."""
    return Triage(triage.run, large=0)


def test_copy__in_a_thread_is_not_waited_for_but_by_what_reads_the_field(large, gate):
    dataset, ids = large.run.dataset, ids_of(large)
    large.decide(ids[0], "accepted", wait=False)
    large.decide(ids[1], "skipped", wait=False)
    large.decide(ids[2], "accepted", wait=False)
    large.undo()
    assert labels(large) == [SUGGESTED, GIVEN, GIVEN] + [None] * 9
    assert not is_complete(large)
    assert len([thread for thread in threading.enumerate() if thread.name == "lgca-copy"]) == 1

    threading.Timer(0.2, gate.set).start()
    assert large.run.evaluate("labels_corrected", progress=False).samples == 12
    assert labels(large) == ALL_COPIED
    assert dataset.values("labels_corrected.origin") == [None] + ["web"] * 11
    assert is_complete(large)
    dataset.set_values("labels_corrected", [None] * 12)
    large.decide(ids[3], "skipped", wait=False)
    assert labels(large)[4:] == [None] * 8  # a complete copy is not made again


def compared_labels(triage):
    """The labels that a panel compares with."""
    table = current_table(triage.run, "labels_corrected")
    return [table.labels[place] for place in table.given["labels_corrected"]]


def triaged_labels(triage):
    """The labels that a triage would find."""
    triage.run.results["triage_fields"] = [triage_field("zs", name) for name in (*COMPUTED, DECISION)]
    triage.run.save()
    check_triage(triage.run, ground_truth="labels_corrected", corrected_field="again")
    return labels(triage)


@pytest.mark.parametrize("read", [compared_labels, triaged_labels])
def test_copy__in_a_thread_is_waited_for_by_panel_and_triage(large, gate, read):
    large.decide(ids_of(large)[0], "skipped", wait=False)
    threading.Timer(0.2, gate.set).start()
    assert read(large) == [GIVEN] * 12


def test_copy__that_fails_in_its_thread_is_made_by_the_next_decision(large, gate, monkeypatch, caplog):
    dataset, ids = large.run.dataset, ids_of(large)
    with monkeypatch.context() as patch:
        patch.setattr(gate, "wait", lambda _: False)
        large.decide(ids[0], "accepted", wait=False)
        label_copy.wait_for_copy(dataset, "labels_corrected")
    assert "could not all be copied to 'labels_corrected' yet" in caplog.text
    assert labels(large) == NONE_COPIED
    gate.set()
    large.decide(ids[1], "skipped", wait=False)
    label_copy.wait_for_copy(dataset, "labels_corrected")
    assert labels(large) == ALL_COPIED


@pytest.mark.parametrize("decision", ["label right", "bad crop", "skipped"])
def test_kept_label__replaces_a_corrected_one_from_before_the_runs_decisions(decision, triage):
    dataset, (first, other, *_) = triage.run.dataset, ids_of(triage)
    triage.decide(other, "accepted")  # makes the field
    dataset.set_values("labels_corrected.label", {first: OTHER}, key_field="id")
    triage.decide(first, decision)
    assert corrected(triage, first) == (OTHER if decision == "skipped" else GIVEN)
    triage.undo(sample_ids=first)
    assert (corrected(triage, first), corrected(triage, other)) == (OTHER, SUGGESTED)
