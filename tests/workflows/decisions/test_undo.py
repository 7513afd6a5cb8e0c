"""Undoing: only current decisions, whatever was restored before, and a history that loses nothing."""

import getpass

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from tests.helpers.worlds.queue import GIVEN, OTHER, corrected, ids_of, stored


def test_undo__the_latest_action_and_then_those_before(triage):
    ids = ids_of(triage)
    first = triage.decide(ids[:4], "accepted", by="anna")
    second = triage.decide(ids[2:5], "label right", by="ben", note="all fine")
    assert [(a.id, a.samples, a.by, a.note) for a in triage.actions()] == [
        (second.action, 3, "ben", "all fine"),
        (first.action, 2, "anna", None),
    ]
    done = triage.undo(by="carl")
    assert (done.undoes, str(done)) == ((second.action,), "undone: 3 samples")
    assert stored(triage, ids[2])["zs_decision"]["by"] == "anna"
    assert triage.actions()[0].samples == 4
    assert triage.undo().undoes == (first.action,)
    history = triage.decisions(history=True)
    assert [row.by for row in history if row.sample_id == ids[2]] == ["anna", "ben", "carl", getpass.getuser()]


def test_undo__counts_and_refuses_what_is_not_the_current_decision(triage):
    ids = ids_of(triage)
    first = triage.decide(ids[:4], "accepted", by="anna")
    triage.decide(ids[2:3], "bad crop", by="ben")
    done = triage.undo(first.action)
    assert (done.samples, done.later) == (3, 1)
    assert str(done) == "undone: 3 samples; 1 not undone: decided again since"
    triage.decide(ids[3], "skipped", by="anna")
    done = triage.undo(sample_ids=ids[2:6], of="ben")
    assert (done.samples, done.of_others, done.undecided) == (1, 1, 2)
    triage.undo(of="anna")
    refusals = {
        "run 'zs' has no decision of 'ben'": {"of": "ben"},
        "nothing to undo on these samples; 1 undecided": {"sample_ids": ids[0]},
        "action 'nothing' is no decision about run 'zs'": {"action": "nothing"},
        f"action '{done.action}' is no decision about run 'zs'": {"action": done.action},
    }
    triage.decide(ids[2], "bad crop")
    refusals["; 1 with a later decision, which must be undone first; 3 undecided"] = {"action": first.action}
    for message, arguments in refusals.items():
        with pytest.raises(lgca.ConfigError, match=message):
            triage.undo(**arguments)


def test_undo__leaves_a_label_that_was_changed_since(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[:2], "accepted")
    sample = dataset[ids[0]]
    sample.labels_corrected.label = OTHER
    sample.save()
    done = triage.undo()
    assert (done.samples, done.labels_kept) == (2, 1)
    assert "1 keep their corrected label" in str(done)
    assert [corrected(triage, id_) for id_ in ids[:2]] == [OTHER, GIVEN]
    assert dataset[ids[0]].zs_decision.history[-1]["kept"] is True


def test_undo__passes_over_deleted_samples(triage):
    ids = ids_of(triage)
    triage.decide(ids[:2], "accepted")
    triage.run.dataset.delete_samples(ids[:1])
    assert triage.undo().samples == 1
    with pytest.raises(lgca.ConfigError, match="which has no"):
        triage.decide(ids[:2], "skipped")


def test_history__survives_saving_copying_and_exporting(triage, tmp_path):
    dataset, first = triage.run.dataset, ids_of(triage)[0]
    triage.decide(first, "accepted", by="anna")
    triage.decide(first, "bad image", by="ben")
    history = stored(triage, first)["zs_decision"]["history"]
    sample = dataset[first]
    sample["extra"] = "x"
    sample.zs_decision.note = "by hand"
    sample.save()
    assert stored(triage, first)["zs_decision"]["history"] == history
    copy, other, folder = dataset.clone(), fo.Dataset(), str(tmp_path / "out")
    dataset.export(folder, dataset_type=fo.types.FiftyOneDataset, export_media=False, progress=False)
    back = fo.Dataset.from_dir(folder, dataset_type=fo.types.FiftyOneDataset, progress=False)
    other.add_samples([sample], progress=False)
    for made in (copy, back):
        assert made.first().zs_decision.history == history
    assert sample.to_dict()["zs_decision"]["history"]
    assert [event["by"] for event in other.first().zs_decision.history] == ["anna", "ben"]
    for made in (copy, back, other):
        made.delete()
