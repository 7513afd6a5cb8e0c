"""Decisions while the fields that they are written to are renamed, deleted or made read-only: no label is lost."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.runs.record import RunRecord
from lgca_plugin.runs.registry import update_record
from lgca_plugin.workflows.decisions.decisions import Decision
from lgca_plugin.workflows.decisions.lost_labels import restore_lost_labels
from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, corrected, ids_of, stored


def labels(triage):
    return triage.run.dataset.values("labels_corrected.label")


def reloaded(triage):
    return lgca.load_run(triage.run.dataset, "zs").last_triage()


@pytest.fixture
def decided(triage):
    """Two accepted suggestions, one label of another class, and a kept label."""
    ids = ids_of(triage)
    triage.decide(ids[:2], "accepted")
    triage.decide(ids[2], "accepted", label=OTHER)
    triage.decide(ids[3], "label right")
    return triage


def test_deleted_field__is_made_again_from_the_decisions_and_the_result_says_so(decided):
    dataset, ids = decided.run.dataset, ids_of(decided)
    before = stored(decided, ids[0])["labels_corrected"]
    dataset.delete_sample_field("labels_corrected")
    done = reloaded(decided).decide(ids[5], "accepted", label=CLASSES[7])
    assert done.restored == 3
    note = "field 'labels_corrected' was gone and was made again with the 3 labels changed before; "
    assert str(done) == f"changed: 1 sample; {note}what was set there by hand is not in it"
    assert labels(decided) == [SUGGESTED, SUGGESTED, OTHER, GIVEN, GIVEN, CLASSES[7], *[GIVEN] * 6]
    assert stored(decided, ids[0])["labels_corrected"] == before
    assert decided.decide(ids[6], "skipped").restored == 0


def test_deleted_field__an_undo_makes_it_again_before_it_restores(decided):
    dataset, ids = decided.run.dataset, ids_of(decided)
    dataset.delete_sample_field("labels_corrected")
    done = reloaded(decided).undo(sample_ids=ids[0])
    assert (done.samples, done.labels_kept, done.restored) == (1, 0, 3)
    assert "was made again with the 3 labels changed before" in str(done)
    assert labels(decided)[:4] == [GIVEN, SUGGESTED, OTHER, GIVEN]


def test_deleted_field__of_a_process_that_was_killed_while_making_it_again_is_made_whole(decided):
    dataset, ids = decided.run.dataset, ids_of(decided)
    dataset.delete_sample_field("labels_corrected")
    restore_lost_labels(dataset, decided.places)  # as far as a process came that was killed then
    assert "labels_corrected" not in dataset.get_field_schema()
    assert reloaded(decided).decide(ids[4], "skipped").restored == 3
    assert labels(decided)[:4] == [SUGGESTED, SUGGESTED, OTHER, GIVEN]
    assert Decision.SKIPPED in [row.decision for row in decided.decisions()]


def test_deleted_field__without_accepted_labels_is_made_anew_in_silence(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "accepted")
    triage.undo()
    dataset.delete_sample_field("labels_corrected")
    assert triage.decide(ids[1], "label right").restored == 0
    assert labels(triage) == [GIVEN] * 12


def test_deleted_field__holds_the_labels_of_all_runs_that_share_it(decided):
    dataset, ids = decided.run.dataset, ids_of(decided)
    settings = {"run": dataset.get_run_info("zs").config.run, "fields": ["second_clip"]}
    dataset.register_run("second", dataset.init_run(package="fiftyone-lgca", **settings))
    record = lgca.load_run(dataset, "second")
    update_record(record, triage=decided.report)
    second = Triage.of(record)
    second.decide([ids[1], ids[8]], "accepted", label=CLASSES[7])
    dataset.delete_sample_field("labels_corrected")
    assert reloaded(decided).decide(ids[9], "skipped").restored == 4
    assert labels(decided)[:3] == [SUGGESTED, CLASSES[7], OTHER] and labels(decided)[8] == CLASSES[7]


def test_renamed_field__is_named_and_nothing_is_written(decided):
    dataset, ids = decided.run.dataset, ids_of(decided)
    dataset.rename_sample_field("labels_corrected", "labels_v2")
    before = [stored(decided, id_) for id_ in ids]
    triage = reloaded(decided)
    for write in (lambda: triage.decide(ids[5], "accepted", label=OTHER), triage.undo):
        with pytest.raises(
            lgca.ConfigError, match=r"'labels_corrected', was renamed to 'labels_v2', so nothing"
        ) as info:
            write()
        assert "rename_sample_field" not in info.value.app and "find wrong labels again" in info.value.app
    assert [stored(decided, id_) for id_ in ids] == before
    assert "labels_corrected" not in dataset.get_field_schema()
    dataset.rename_sample_field("labels_v2", "labels_corrected")
    assert triage.decide(ids[5], "accepted", label=OTHER).restored == 0
    assert labels(decided)[:6] == [SUGGESTED, SUGGESTED, OTHER, GIVEN, GIVEN, OTHER]


def test_renamed_field__is_followed_by_the_next_triage(decided):
    dataset, ids = decided.run.dataset, ids_of(decided)
    dataset.rename_sample_field("labels_corrected", "labels_v2")
    dataset.clear_sample_field("zs_label_quality")  # as before a first triage: nothing is stored here
    again = decided.run.triage("labels", progress=False)
    assert again.places.corrected == "labels_v2"
    assert "corrected labels go to 'labels_v2' now" in " ".join(again.report["warnings"])
    again.decide(ids[5], "accepted", label=OTHER)
    assert dataset.values("labels_v2.label")[:6] == [SUGGESTED, SUGGESTED, OTHER, GIVEN, GIVEN, OTHER]
    assert "labels_corrected" not in dataset.get_field_schema()


@pytest.mark.parametrize("field", ["labels_corrected", "zs_decision", "tags"])
def test_read_only_field__refuses_decisions_before_anything_is_written(decided, field):
    dataset, ids = decided.run.dataset, ids_of(decided)
    found = dataset.get_field(field)
    found.read_only = True
    found.save()
    before = [stored(decided, id_) for id_ in ids]
    for write in (lambda: decided.decide(ids[5], "accepted"), decided.undo):
        with pytest.raises(lgca.ConfigError, match=f"field '{field}' is read-only, so nothing can be decided"):
            write()
    assert [stored(decided, id_) for id_ in ids] == before


def test_renamed_decisions__are_named_and_nothing_is_written(decided):
    dataset, ids = decided.run.dataset, ids_of(decided)
    dataset.rename_sample_field("zs_decision", "old_decisions")
    with pytest.raises(lgca.ConfigError, match="decisions about run 'zs' are in 'old_decisions', which was renamed"):
        decided.decide(ids[5], "accepted")
    assert corrected(decided, ids[5]) == GIVEN
    dataset.rename_sample_field("old_decisions", "zs_decision")
    assert decided.decide(ids[5], "accepted").samples == 1
    assert len(decided.decisions()) == 5


def test_old_triage__does_not_write_to_a_field_that_a_later_triage_has_left(triage):
    run, ids = triage.run, ids_of(triage)
    run.dataset.clear_sample_field("zs_label_quality")
    run.triage("labels", corrected_field="elsewhere", progress=False)
    with pytest.raises(lgca.LgcaError, match=r"corrected labels go to 'elsewhere' now: take run.last_triage\(\)"):
        triage.decide(ids[0], "skipped")
    assert run.last_triage().decide(ids[0], "accepted", label=OTHER).corrected_field == "elsewhere"


@pytest.mark.parametrize("read", ["suspects", "left", "actions", "decisions", "export", "print"])
def test_old_triage__of_a_run_that_is_gone_does_not_read_as_if_nothing_were_decided(decided, tmp_path, read):
    lgca.delete_run(decided.run.dataset, "zs")
    ways = {
        "export": lambda: decided.export(tmp_path / "decisions.csv"),
        "print": lambda: print(decided),
        "suspects": decided.suspects,
        "left": decided.left,
        "actions": decided.actions,
        "decisions": decided.decisions,
    }
    with pytest.raises(lgca.LgcaError, match="run 'zs' was deleted since it was loaded"):
        ways[read]()
    assert isinstance(decided.run, RunRecord) and not list(tmp_path.iterdir())
