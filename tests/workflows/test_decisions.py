"""Decisions about suspected labels: written whole, replaced, undone, counted and exported, with nothing lost."""

import csv
import getpass
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import fiftyone as fo
import pytest
from bson import ObjectId
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.fiftyone_io import label_copy
from lgca_plugin.fiftyone_io.documents import CLOCK_SLACK
from lgca_plugin.fiftyone_io.fields import COMPUTED, DECISION, triage_field
from lgca_plugin.runs.saved_views import delete_views
from lgca_plugin.workflows.decisions.corrected_field import check_corrected_field
from lgca_plugin.workflows.decisions.decisions import Decision
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.overview.table_cache import current_table
from lgca_plugin.workflows.triage.plan import check_triage
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, SUSPECTS, triaged_birds

TAGS = {
    "accepted": "lgca:corrected",
    "label right": "lgca:confirmed",
    "bad crop": "lgca:bad crop",
    "bad image": "lgca:bad image",
    "skipped": "lgca:skipped",
}


@pytest.fixture(scope="module")
def original(demo_encoder, demo_images):
    """Twelve drawings with a triaged run; the first six are suspects."""
    dataset = triaged_birds(demo_images, demo_encoder)
    yield dataset
    dataset.delete()


@pytest.fixture
def triage(original):
    copy = original.clone()
    yield Triage.of(lgca.load_run(copy, "zs"))
    copy.delete()


@pytest.fixture
def bare(triage):
    """A triage without given labels."""
    triage.run.results["triage"].update(ground_truth=None, corrected_field="zs_corrected")
    triage.run.save()
    return Triage.of(triage.run)


def raw(triage, id_):
    return dict(triage.run.dataset._sample_collection.find_one({"_id": ObjectId(id_)}))


def ids_of(triage):
    return triage.run.dataset.values("id")


def label_of(triage, id_, name="labels_corrected"):
    return (raw(triage, id_).get(name) or {}).get("label")


def test_decide__an_accepted_suggestion_goes_to_a_copy_of_the_labels(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    given = dataset.values("labels")
    before = datetime.now(timezone.utc)
    done = triage.decide(ids[:2], "accepted", by="anna", note="$both are redder")
    assert (done.samples, done.replaced, done.gone, done.without_prediction) == (2, 0, 0, 0)
    assert str(done) == "accepted: 2 samples"
    assert dataset.values("labels") == given
    assert dataset.values("labels_corrected.label") == [SUGGESTED] * 2 + [GIVEN] * 10
    assert dataset.values("labels_corrected.origin") == [None] * 2 + ["web"] * 10
    assert len(set(dataset.values("labels_corrected.id"))) == 12
    assert dataset.get_field("labels_corrected").document_type is fo.Classification

    sample = dataset[ids[0]]
    decision = sample.zs_decision
    assert (decision.label, decision.given, decision.suggested) == ("accepted", GIVEN, SUGGESTED)
    assert (decision.corrected, decision.by, decision.note) == (SUGGESTED, "anna", "$both are redder")
    assert decision.action == done.action
    assert before - timedelta(milliseconds=1) <= decision.at.replace(tzinfo=timezone.utc) <= datetime.now(timezone.utc)
    (event,) = decision.history
    assert event["before"]["label"] == GIVEN and event["before"]["origin"] == "web"
    assert event["tagged"] is True and event["undoes"] is None
    assert sample.tags == ["mine", "lgca:corrected"]
    assert dataset[ids[2]].zs_decision is None
    assert "__lgca" not in raw(triage, ids[0])


def test_decide__last_modified_at_moves_and_samples_in_memory_see_it(triage):
    sample = triage.run.dataset.first()
    before = sample.last_modified_at
    triage.decide(sample.id, "skipped")
    sample.reload()
    assert sample.last_modified_at > before
    assert sample.zs_decision.by == getpass.getuser()


@pytest.mark.parametrize("decision", ["label right", "bad crop", "bad image", "skipped"])
def test_decide__other_decisions_leave_the_label(triage, decision):
    first = ids_of(triage)[0]
    triage.decide(first, Decision(decision))
    assert label_of(triage, first) == GIVEN
    assert raw(triage, first)["tags"] == ["mine", TAGS[decision]]
    triage.undo()
    assert raw(triage, first)["tags"] == ["mine"]


def test_decide__a_decision_that_replaces_an_accepted_one_brings_the_label_back(triage):
    first = ids_of(triage)[0]
    triage.decide(first, "accepted")
    done = triage.decide(first, "accepted", label=OTHER)
    assert done.replaced == 1
    assert "1 with an earlier decision, now replaced" in str(done)
    assert label_of(triage, first) == OTHER
    triage.decide(first, "label right")
    found = raw(triage, first)
    assert found["labels_corrected"] == found["labels"]
    assert found["tags"] == ["mine", "lgca:confirmed"]
    for expected in (OTHER, SUGGESTED, GIVEN):
        triage.undo()
        assert label_of(triage, first) == expected
    found = raw(triage, first)
    assert found["labels_corrected"] == found["labels"]
    assert found["tags"] == ["mine"]
    assert found["zs_decision"]["label"] == "undone"
    assert len(found["zs_decision"]["history"]) == 6


def test_decide__without_given_labels_the_field_is_sparse(bare):
    dataset, ids = bare.run.dataset, ids_of(bare)
    bare.decide(ids[3], "bad image")
    assert not dataset.has_field("zs_corrected")
    bare.decide(ids[:2], "accepted")
    assert dataset.values("zs_corrected.label") == [SUGGESTED] * 2 + [None] * 10
    assert dataset[ids[0]].zs_decision.given == GIVEN  # what the triage went by
    bare.decide(ids[0], "label right")
    assert dataset.values("zs_corrected.label")[:2] == [None, SUGGESTED]
    bare.undo()
    assert dataset.values("zs_corrected.label")[:2] == [SUGGESTED] * 2
    bare.undo()
    assert dataset.values("zs_corrected.label") == [None] * 12


def test_decide__samples_added_after_the_copy_get_their_label_when_decided(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "skipped")
    late = fo.Sample(filepath="late.png", labels=fo.Classification(label=OTHER))
    dataset.add_sample(late)
    assert label_of(triage, late.id) is None
    done = triage.decide(late.id, "bad image")
    assert done.without_prediction == 1
    assert str(done) == "bad image: 1 sample; 1 without a prediction of the run"
    assert label_of(triage, late.id) == OTHER
    triage.undo()
    assert raw(triage, late.id)["labels_corrected"] is None


def test_decide__a_copy_that_was_broken_off_is_finished(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "accepted")
    made = dataset.get_field("labels_corrected")
    made.info = {"lgca": {"copy_of": "labels", "complete": False}}
    made.save()
    dataset._sample_collection.update_many(
        {"_id": {"$in": [ObjectId(ids[7]), ObjectId(ids[8])]}}, {"$unset": {"labels_corrected": ""}}
    )
    triage.decide(ids[1], "skipped")
    assert dataset.values("labels_corrected.label") == [SUGGESTED] + [GIVEN] * 11
    assert dataset.get_field("labels_corrected").info["lgca"]["complete"] is True


@pytest.fixture
def gate(monkeypatch):
    """Has copies of all labels made in a thread, where they wait until this is set."""
    opened = threading.Event()

    def copy(dataset, name, source, samples=None, real=label_copy.copy_labels):
        if samples is None:
            assert opened.wait(60)
        real(dataset, name, source, samples)

    monkeypatch.setattr("lgca_plugin.workflows.decisions.corrected_field.LARGE", 0)
    monkeypatch.setattr("lgca_plugin.workflows.decisions.corrected_field.copy_labels", copy)
    monkeypatch.setattr(label_copy, "copy_labels", copy)
    yield opened
    opened.set()


def test_decide__need_not_wait_for_the_labels_of_all_others(triage, gate):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "accepted", wait=False)
    triage.decide(ids[1], "skipped", wait=False)
    triage.decide(ids[2], "accepted", wait=False)
    triage.undo()
    assert dataset.values("labels_corrected.label") == [SUGGESTED, GIVEN, GIVEN] + [None] * 9
    assert dataset.get_field("labels_corrected").info["lgca"]["complete"] is False
    assert len([thread for thread in threading.enumerate() if thread.name == "lgca-copy"]) == 1

    threading.Timer(0.2, gate.set).start()
    evaluation = triage.run.evaluate("labels_corrected", progress=False)  # waits for what it is about
    assert evaluation.samples == 12
    assert dataset.values("labels_corrected.label") == [SUGGESTED] + [GIVEN] * 11
    assert dataset.values("labels_corrected.origin") == [None] + ["web"] * 11
    assert dataset.get_field("labels_corrected").info["lgca"]["complete"] is True
    dataset.set_values("labels_corrected", [None] * 12)
    triage.decide(ids[3], "skipped", wait=False)
    assert dataset.values("labels_corrected.label")[4:] == [None] * 8  # what is whole is not copied again


def test_decide__a_panel_that_compares_with_the_field_waits_for_it(triage, gate):
    triage.decide(ids_of(triage)[0], "accepted", wait=False)
    threading.Timer(0.2, gate.set).start()
    table = current_table(triage.run, "labels_corrected")
    given = [table.labels[place] for place in table.given["labels_corrected"]]
    assert given == [SUGGESTED] + [GIVEN] * 11


def test_decide__a_triage_against_the_field_waits_for_it(triage, gate):
    triage.run.results["triage_fields"] = [triage_field("zs", name) for name in (*COMPUTED, DECISION)]
    triage.run.save()
    triage.decide(ids_of(triage)[0], "skipped", wait=False)
    threading.Timer(0.2, gate.set).start()
    request = check_triage(triage.run, ground_truth="labels_corrected", corrected_field="again")
    assert request.ground_truth == "labels_corrected"
    assert triage.run.dataset.values("labels_corrected.label") == [GIVEN] * 12


def test_decide__a_copy_that_fails_in_its_thread_is_made_by_the_next_decision(triage, gate, monkeypatch, caplog):
    dataset, ids = triage.run.dataset, ids_of(triage)
    with monkeypatch.context() as patch:
        patch.setattr(gate, "wait", lambda _: False)
        triage.decide(ids[0], "accepted", wait=False)
        label_copy.wait_for_copy(dataset, "labels_corrected")
    assert "could not all be copied to 'labels_corrected' yet" in caplog.text
    assert dataset.values("labels_corrected.label") == [SUGGESTED] + [None] * 11
    gate.set()
    triage.decide(ids[1], "skipped", wait=False)
    label_copy.wait_for_copy(dataset, "labels_corrected")
    assert dataset.values("labels_corrected.label") == [SUGGESTED] + [GIVEN] * 11


def test_decide__samples_that_only_get_a_copy_are_not_read_again_by_a_panel(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    recent = now + timedelta(minutes=1)
    dataset._sample_collection.update_many({}, {"$set": {"last_modified_at": now - timedelta(hours=1)}})
    dataset._sample_collection.update_one({"_id": ObjectId(ids[7])}, {"$set": {"last_modified_at": recent}})
    triage.decide(ids[0], "accepted")
    stamps = [raw(triage, id_)["last_modified_at"] for id_ in ids]
    assert stamps[0] >= now - timedelta(milliseconds=1)
    assert now - timedelta(minutes=1) < stamps[1] < now - CLOCK_SLACK
    assert abs(stamps[7] - recent) < timedelta(milliseconds=1)  # somebody has changed it since


def test_decide__a_field_of_the_users_own_is_used_as_it_is(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    dataset.set_values("labels_corrected", [None] * 6 + [fo.Classification(label=OTHER)] * 6)
    triage.decide([ids[0], ids[7]], "accepted", label=CLASSES[5])
    assert dataset.values("labels_corrected.label") == [CLASSES[5], *[None] * 5, OTHER, CLASSES[5], *[OTHER] * 4]
    triage.undo()
    assert dataset.values("labels_corrected.label")[6:] == [OTHER] * 6


def test_decide__tags_of_the_users_own_stay(triage):
    dataset, first = triage.run.dataset, triage.run.dataset.first()
    first.tags = ["lgca:corrected", "mine"]
    first.save()
    triage.decide(first.id, "accepted")
    triage.decide(first.id, "skipped")
    assert raw(triage, first.id)["tags"] == ["lgca:corrected", "mine", "lgca:skipped"]
    triage.undo()
    triage.undo()
    assert raw(triage, first.id)["tags"] == ["lgca:corrected", "mine"]
    triage.decide(first.id, "skipped")
    dataset.untag_samples("lgca:skipped")
    triage.undo()
    assert raw(triage, first.id)["tags"] == ["lgca:corrected", "mine"]


def test_decide__a_view_of_samples_is_decided_about_and_classes_are_opened_on_demand(triage):
    view = triage.suspects().limit(2)
    done = triage.decide(view, "accepted", label="puffin", allow_new_class=True)
    assert done.samples == 2
    assert triage.run.dataset.count_values("labels_corrected.label") == {GIVEN: 10, "puffin": 2}


def nothing_written(triage):
    dataset = triage.run.dataset
    return not {"labels_corrected", "zs_decision"} & set(dataset.get_field_schema())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decision": "wrong"}, "decision must be one of 'accepted', 'label right'.* got 'wrong'"),
        ({"ids": []}, "sample_ids is empty"),
        ({"ids": ["no id"]}, "ids of samples, got 'no id'"),
        ({"ids": ["0" * 24]}, "which has no "),
        ({"ids": "all"}, "label must name the right class: 6 samples have no suggestion"),
        ({"ids": "last"}, "label must name the right class: sample .* has no suggestion"),
        ({"label": "puffin"}, "label 'puffin' is no class of run 'zs'; pass allow_new_class=True"),
        ({"label": " "}, "label must be the name of a class"),
        ({"label": OTHER, "decision": "skipped"}, "goes with 'accepted' alone, not with 'skipped'"),
        ({"by": ""}, "by must be a text that is not blank"),
        ({"note": 3}, "note must be a text"),
    ],
    ids=str,
)
def test_decide__wrong_arguments_are_refused_before_anything_is_written(triage, change, message):
    ids = ids_of(triage)
    given = {"ids": ids[:1], "decision": "accepted", **change}
    named = {"all": ids, "last": ids[-1]}
    which = given.pop("ids")
    which = named.get(which, which) if isinstance(which, str) else which
    with pytest.raises(lgca.ConfigError, match=message):
        triage.decide(which, **given)
    triage.run.dataset.reload()
    assert nothing_written(triage)


def test_decide__samples_of_another_dataset_are_refused(triage, dataset):
    dataset.add_sample(fo.Sample(filepath="a.png"))
    with pytest.raises(lgca.ConfigError, match="got a view of another"):
        triage.decide(dataset, "skipped")
    with pytest.raises(lgca.ConfigError, match=f"which has no {dataset.first().id}"):
        triage.decide(dataset.values("id"), "skipped")


def test_decide__a_run_that_is_gone_is_not_written_to(triage):
    first = ids_of(triage)[0]
    triage.run.delete()
    with pytest.raises(lgca.LgcaError, match="deleted or started again"):
        triage.decide(first, "skipped")
    with pytest.raises(lgca.LgcaError, match="deleted or started again"):
        triage.undo()


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
def test_corrected_field__may_be_nobody_elses(triage, name, message):
    triage.run.dataset.add_sample_field("boxes", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    with pytest.raises(lgca.ConfigError, match=message):
        check_corrected_field(triage.run.dataset, "zs", name, "labels")
    triage.run.results["triage"]["corrected_field"] = name
    with pytest.raises(lgca.ConfigError, match=message):
        Triage.of(triage.run).decide(ids_of(triage)[0], "accepted")


def test_undo__takes_back_the_latest_action_and_then_those_before(triage):
    ids = ids_of(triage)
    first = triage.decide(ids[:4], "accepted", by="anna")
    second = triage.decide(ids[2:5], "label right", by="ben", note="all fine")
    assert [(a.id, a.samples, a.by, a.note) for a in triage.actions()] == [
        (second.action, 3, "ben", "all fine"),
        (first.action, 2, "anna", None),
    ]
    done = triage.undo(by="carl")
    assert (done.undoes, done.samples, str(done)) == ((second.action,), 3, "undone: 3 samples")
    assert [raw(triage, id_)["zs_decision"]["label"] for id_ in ids[:5]] == ["accepted"] * 4 + ["undone"]
    assert raw(triage, ids[2])["zs_decision"]["by"] == "anna"
    assert triage.actions()[0].samples == 4
    done = triage.undo()
    assert (done.undoes, done.samples) == ((first.action,), 4)
    with pytest.raises(lgca.ConfigError, match="there is nothing to undo: run 'zs' has no decision"):
        triage.undo()
    history = triage.decisions(history=True)
    assert [row.by for row in history if row.sample_id == ids[2]] == ["anna", "ben", "carl", getpass.getuser()]


def test_undo__never_takes_back_a_later_decision(triage):
    ids = ids_of(triage)
    first = triage.decide(ids[:4], "accepted", by="anna")
    triage.decide(ids[2:3], "bad crop", by="ben")
    done = triage.undo(first.action)
    assert (done.samples, done.later) == (3, 1)
    assert str(done) == "undone: 3 samples; 1 not undone: decided again since"
    assert raw(triage, ids[2])["zs_decision"]["label"] == "bad crop"
    with pytest.raises(lgca.ConfigError, match=r"; 1 with a later decision, which must be undone first; 3 undecided"):
        triage.undo(first.action)
    triage.undo(of="ben")
    assert raw(triage, ids[2])["zs_decision"]["label"] == "accepted"
    assert triage.undo(first.action).samples == 1
    with pytest.raises(lgca.ConfigError, match="action 'nothing' is no decision about run 'zs'"):
        triage.undo("nothing")
    with pytest.raises(lgca.ConfigError, match="is no decision about run"):
        triage.undo(done.action)


def test_undo__of_samples_and_of_one_curator(triage):
    ids = ids_of(triage)
    triage.decide(ids[:2], "accepted", by="anna")
    triage.decide(ids[2:4], "skipped", by="ben")
    done = triage.undo(sample_ids=ids[1:6], of="ben")
    assert (done.samples, done.of_others, done.undecided) == (2, 1, 2)
    done = triage.undo(sample_ids=ids[0])
    assert done.samples == 1
    with pytest.raises(lgca.ConfigError, match="run 'zs' has no decision of 'ben'"):
        triage.undo(of="ben")
    with pytest.raises(lgca.ConfigError, match="nothing to undo on these samples; 1 undecided"):
        triage.undo(sample_ids=ids[0])


def test_undo__a_label_that_somebody_has_changed_since_is_kept(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[:2], "accepted")
    sample = dataset[ids[0]]
    sample.labels_corrected.label = OTHER
    sample.save()
    done = triage.undo()
    assert (done.samples, done.labels_kept) == (2, 1)
    assert "1 keep their corrected label" in str(done)
    assert [label_of(triage, id_) for id_ in ids[:2]] == [OTHER, GIVEN]
    assert dataset[ids[0]].zs_decision.history[-1]["kept"] is True


def test_undo__deleted_samples_are_passed_over(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[:2], "accepted")
    dataset.delete_samples(ids[:1])
    assert triage.undo().samples == 1
    with pytest.raises(lgca.ConfigError, match="which has no"):
        triage.decide(ids[:2], "skipped")


def test_history__survives_saving_copying_and_exporting(triage, tmp_path):
    dataset, first = triage.run.dataset, ids_of(triage)[0]
    triage.decide(first, "accepted", by="anna")
    triage.decide(first, "bad image", by="ben")
    history = raw(triage, first)["zs_decision"]["history"]
    sample = dataset[first]
    sample["extra"] = "x"
    sample.zs_decision.note = "by hand"
    sample.save()
    assert raw(triage, first)["zs_decision"]["history"] == history
    copy = dataset.clone()
    assert copy.first().zs_decision.history == history
    dataset.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset, export_media=False, progress=False)
    back = fo.Dataset.from_dir(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset, progress=False)
    assert back.first().zs_decision.history == history
    assert sample.to_dict()["zs_decision"]["history"]
    other = fo.Dataset()
    other.add_samples([sample], progress=False)
    assert [event["by"] for event in other.first().zs_decision.history] == ["anna", "ben"]
    for made in (copy, back, other):
        made.delete()


def test_reading__views_counts_and_rows(triage):
    ids = ids_of(triage)
    quality = dict(zip(ids, triage.run.dataset.values("zs_label_quality"), strict=True))
    expected = sorted(ids[:SUSPECTS], key=quality.get)
    assert triage.suspects().values("id") == expected
    triage.decide(expected[:2], "accepted", by="anna")
    triage.decide([expected[2], ids[9]], "bad image", by="ben", note="blurred")
    triage.decide(expected[3], "skipped")
    triage.undo()
    assert triage.suspects().values("id") == expected[3:]
    assert triage.suspects(decided=True).values("id") == expected[:3]
    assert triage.suspects(decided=None).values("id") == expected
    assert triage.cases("nobody right").values("id") == ids[:4]
    with pytest.raises(lgca.ConfigError, match=r"case must be one of 'all right', .*, got 'nonsense'"):
        triage.cases("nonsense")
    left = triage.left()
    assert left == {
        "suspects": 6,
        "undecided": 3,
        "accepted": 2,
        "label right": 0,
        "bad crop": 0,
        "bad image": 1,
        "skipped": 0,
        "other samples decided": 1,
    }
    rows = triage.decisions()
    assert {row.sample_id for row in rows} == {*expected[:3], ids[9]}
    row = next(row for row in rows if row.sample_id == ids[9])
    assert (row.decision, row.given, row.suggested, row.confidence) == (Decision.BAD_IMAGE, GIVEN, None, None)
    assert (row.by, row.note, row.corrected, row.label_quality) == ("ben", "blurred", None, quality[ids[9]])
    assert row.at.tzinfo is timezone.utc
    history = triage.decisions(history=True)
    assert [row.decision for row in history][-2:] == [Decision.SKIPPED, None]
    assert history[-1].undoes == history[-2].action
    text = str(triage)
    assert "suspected label errors   6" in text and "  undecided              3" in text
    assert "nobody right        4" in text and "all differ" not in text
    assert "clip            2.5              31.0%   2.0%" in text
    assert repr(triage).startswith("<Triage of run 'zs' on ")


def test_triage__a_run_that_was_not_triaged(triage):
    del triage.run.results["triage"]
    with pytest.raises(lgca.ConfigError, match=r"run 'zs' has not been triaged: run\.triage\(\) does that"):
        Triage.of(triage.run)


def test_export__is_a_table_that_a_spreadsheet_can_open(triage, tmp_path):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "accepted", label="=1+1", by="@anna", note='ü, "x"\nz', allow_new_class=True)
    triage.decide(ids[1], "skipped", by="ben")
    triage.undo(by="ben")
    path = triage.export(tmp_path / "out.csv")
    (row,) = read_csv(path)
    assert list(row) == [
        *("sample_id", "filepath", "decision", "given", "suggested", "confidence"),
        *("corrected", "label_quality", "by", "at", "note"),
    ]
    assert row["sample_id"] == ids[0] and row["filepath"] == dataset[ids[0]].filepath
    assert (row["decision"], row["given"], row["suggested"]) == ("accepted", GIVEN, SUGGESTED)
    assert (row["corrected"], row["by"], row["note"]) == ("'=1+1", "'@anna", 'ü, "x"\nz')
    assert float(row["confidence"]) == 0.9 and float(row["label_quality"]) == 0.0
    at = datetime.fromisoformat(row["at"].replace("Z", "+00:00"))
    assert at == triage.decisions()[0].at
    with pytest.raises(lgca.ConfigError, match=r"exists; name another, or pass overwrite=True"):
        triage.export(path)
    triage.export(path, history=True, overwrite=True)
    events = read_csv(path)
    assert [event["decision"] for event in events] == ["accepted", "skipped", "undone"]
    assert events[2]["undoes"] == events[1]["action"]
    assert [item.name for item in tmp_path.iterdir()] == ["out.csv"]
    with pytest.raises(lgca.ConfigError, match="is no folder"):
        triage.export(tmp_path / "nowhere" / "out.csv")
    with pytest.raises(lgca.ConfigError, match="is a folder"):
        triage.export(tmp_path)


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_views__follow_the_decisions_and_leave_the_users_own(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    dataset.save_view("zs: misleading crops", dataset.limit(1), description="mine")
    names = triage.save_views()
    assert names == ["zs: suspected label errors", "zs: methods disagree", "zs: decided"]
    assert triage.run.results["views"] == names
    assert lgca.load_run(dataset, "zs").results["views"] == names
    assert dataset.get_saved_view_info(names[0])["color"] == "#FF6D04"
    assert len(dataset.load_saved_view("zs: suspected label errors")) == 6
    triage.decide(ids[:2], "skipped")
    assert len(dataset.load_saved_view("zs: suspected label errors")) == 4
    assert dataset.load_saved_view("zs: decided").values("id") == ids[:2]
    labels = zip(*(dataset.values(f"zs_{name}.label") for name in ("clip", "wca", "lgca")), strict=True)
    disagree = [id_ for id_, found in zip(ids, labels, strict=True) if len(set(found)) > 1]
    assert dataset.load_saved_view("zs: methods disagree").values("id") == disagree
    dataset.delete_saved_view("zs: misleading crops")
    assert len(triage.save_views()) == 4
    assert triage.save_views() == triage.run.results["views"]
    assert dataset.load_saved_view("zs: misleading crops").values("id") == ids[:3]
    dataset.save_view("zs: other", dataset.limit(1))
    delete_views(dataset, triage.run.results["views"])
    assert dataset.list_saved_views() == ["zs: other"]


def test_decide__at_the_same_moment_as_somebody_else_loses_nothing(triage):
    ids = ids_of(triage)[:SUSPECTS]
    triage.decide(ids, "skipped")
    times = 15

    def work(by, decision):
        for _ in range(times):
            triage.decide(ids, decision, by=by)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, "anna", "accepted"), pool.submit(work, "ben", "label right")]:
            done.result()
    for id_ in ids:
        sample = raw(triage, id_)
        decision = sample["zs_decision"]
        last = decision["history"][-1]
        assert len(decision["history"]) == 2 * times + 1
        assert (decision["label"], decision["action"]) == (last["decision"], last["action"])
        assert label_of(triage, id_) == (SUGGESTED if decision["label"] == "accepted" else GIVEN)
        assert sample["tags"] == ["mine", TAGS[decision["label"]]]
        labels = [GIVEN, *(e["corrected"] or GIVEN for e in decision["history"])]
        assert [e["before"]["label"] for e in decision["history"]] == labels[:-1]
    while triage.actions():
        triage.undo()
    for id_ in ids:
        sample = raw(triage, id_)
        assert sample["labels_corrected"] == sample["labels"] and sample["tags"] == ["mine"]


@dataclass
class Model:
    """What a sample should look like after a sequence of decisions, in plain Python."""

    given: str
    suggestion: str | None
    stack: list = field(default_factory=list)  # (action, decision, label) that are not undone
    events: int = 0

    @property
    def label(self):
        if self.stack and self.stack[-1][1] == "accepted":
            return self.stack[-1][2]
        return self.given

    @property
    def tags(self):
        return sorted(["mine", *([TAGS[self.stack[-1][1]]] if self.stack else [])])


class Curators(RuleBasedStateMachine):
    """Two curators decide and undo, each with a dataset object and a run of their own."""

    original = None

    @initialize()
    def start(self):
        dataset = self.original.clone()
        self.desks = {"anna": Triage.of(lgca.load_run(dataset, "zs"))}
        self.desks["ben"] = Triage.of(lgca.load_run(fo.load_dataset(dataset.name), "zs"))
        self.ids = dataset.values("id")[3:9]  # three suspects and three others
        self.samples = {id_: Model(GIVEN, SUGGESTED if at < 3 else None) for at, id_ in enumerate(self.ids)}
        self.actions = []

    @rule(
        by=st.sampled_from(["anna", "ben"]),
        which=st.sets(st.integers(0, 5), min_size=1),
        decision=st.sampled_from(list(TAGS)),
        label=st.sampled_from([None, OTHER, CLASSES[4]]),
    )
    def decide(self, by, which, decision, label):
        ids = [self.ids[at] for at in sorted(which)]
        label = label if decision == "accepted" else None
        if decision == "accepted" and label is None and max(which) >= 3:
            with pytest.raises(lgca.ConfigError, match="no suggestion"):
                self.desks[by].decide(ids, decision, by=by)
            return
        done = self.desks[by].decide(ids, decision, label=label, by=by)
        assert done.samples == len(ids)
        self.actions.append((done.action, by))
        for id_ in ids:
            sample = self.samples[id_]
            sample.stack.append((done.action, decision, label or sample.suggestion))
            sample.events += 1

    def taken_back(self, done, ids):
        assert done.samples == len(ids)
        for id_ in ids:
            self.samples[id_].stack.pop()
            self.samples[id_].events += 1

    def standing(self, action):
        return [id_ for id_, sample in self.samples.items() if sample.stack and sample.stack[-1][0] == action]

    @rule(by=st.sampled_from(["anna", "ben"]), of=st.sampled_from([None, "anna", "ben"]))
    def undo_latest(self, by, of):
        found = [action for action, whose in self.actions if of in (None, whose) and self.standing(action)]
        if not found:
            with pytest.raises(lgca.ConfigError, match="nothing to undo"):
                self.desks[by].undo(of=of, by=by)
            return
        ids = self.standing(found[-1])
        self.taken_back(self.desks[by].undo(of=of, by=by), ids)

    @precondition(lambda self: self.actions)
    @rule(data=st.data(), by=st.sampled_from(["anna", "ben"]))
    def undo_action(self, data, by):
        action, _ = data.draw(st.sampled_from(self.actions))
        ids = self.standing(action)
        buried = [s for s in self.samples.values() if action in [entry[0] for entry in s.stack[:-1]]]
        if not ids:
            with pytest.raises(lgca.ConfigError, match="nothing to undo"):
                self.desks[by].undo(action, by=by)
            return
        done = self.desks[by].undo(action, by=by)
        assert done.later == len(buried)
        self.taken_back(done, ids)

    @rule(which=st.sets(st.integers(0, 5), min_size=1), by=st.sampled_from(["anna", "ben"]))
    def undo_samples(self, which, by):
        asked = [self.ids[at] for at in sorted(which)]
        ids = [id_ for id_ in asked if self.samples[id_].stack]
        if not ids:
            with pytest.raises(lgca.ConfigError, match="nothing to undo"):
                self.desks[by].undo(sample_ids=asked, by=by)
            return
        done = self.desks[by].undo(sample_ids=asked, by=by)
        assert done.undecided == len(asked) - len(ids)
        self.taken_back(done, ids)

    @invariant()
    def agrees(self):
        if not hasattr(self, "desks"):
            return
        triage = self.desks["anna"]
        made = bool(self.actions)
        for id_, sample in self.samples.items():
            found = raw(triage, id_)
            decision = found.get("zs_decision") or {}
            top = sample.stack[-1] if sample.stack else (None, None, None)
            assert decision.get("action") == top[0]
            assert decision.get("label") == (top[1] or ("undone" if sample.events else None))
            assert len(decision.get("history") or []) == sample.events
            assert decision.get("corrected") == (top[2] if top[1] == "accepted" else None)
            assert found["labels"]["label"] == sample.given
            assert (found.get("labels_corrected") or {}).get("label") == (sample.label if made else None)
            if made and sample.label == sample.given:
                assert found["labels_corrected"] == found["labels"]
            assert sorted(found["tags"]) == sample.tags
        decided = [sample for sample in self.samples.values() if sample.stack]
        left = triage.left()
        assert left["suspects"] == sum(left[name] for name in ("undecided", *TAGS)) == 6
        assert sum(left[name] for name in TAGS) + left["other samples decided"] == len(decided)

    def teardown(self):
        if hasattr(self, "desks"):
            self.desks["anna"].run.dataset.delete()


def test_curators__two_at_once_leave_what_a_plain_model_says(original):
    Curators.original = original
    run_state_machine_as_test(
        Curators,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
