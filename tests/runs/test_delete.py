"""Deleting and replacing runs: what refuses does so before anything is gone, and what goes with a run goes whole."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.fiftyone_io.tokens import new_token, run_token
from lgca_plugin.runs.registry import update_record
from lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.rescore.request import Changes, check_rescore
from tests.helpers.worlds.queue import SUGGESTED, ids_of


def set_read_only(dataset, name, value=True):
    field = dataset.get_field(name)
    field.read_only = value
    field.save()


def state_of(dataset):
    return (
        set(dataset.get_field_schema()),
        dataset.list_saved_views(),
        dataset.list_evaluations(),
        dataset.count_sample_tags(),
        run_token(dataset, "zs"),
        lgca.load_run(dataset, "zs").results,
    )


def same_settings(run):
    config = run.config
    return {"classes": list(config.classes), "methods": config.methods, "regions": config.regions, "run_key": run.key}


@pytest.fixture
def full(triage):
    """A run with decisions, their tags, saved views and evaluations."""
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[:2], "accepted")
    triage.save_views()
    triage.run.evaluate("labels", methods=["clip"], progress=False)
    return Triage.of(lgca.load_run(dataset, "zs"))


@pytest.mark.parametrize("field", ["zs_clip", "zs_suggestion", "zs_clip_eval"])
@pytest.mark.parametrize("way", ["delete", "overwrite", "rescore in place"])
def test_read_only_field__refuses_before_anything_is_taken_away(full, way, field):
    run, dataset = full.run, full.run.dataset
    set_read_only(dataset, field)
    before = state_of(dataset)
    ways = {
        "delete": run.delete,
        "overwrite": lambda: check_classify(ClassifyOptions(samples=dataset, overwrite=True, **same_settings(run))),
        "rescore in place": lambda: check_rescore(run, Changes(text_scale=3.0)),
    }
    with pytest.raises(lgca.ConfigError, match=f"field '{field}' is read-only, so (the run|run 'zs') can't be") as info:
        ways[way]()
    assert "make it writable first" in str(info.value) and "get_field" not in info.value.app
    assert state_of(dataset) == before
    set_read_only(dataset, field, False)
    run.delete()
    assert lgca.list_runs(dataset) == [] and dataset.list_saved_views() == [] and dataset.list_evaluations() == []


def test_read_only_decisions__do_not_refuse_a_run_that_keeps_them(full):
    set_read_only(full.run.dataset, "zs_decision")
    check_rescore(full.run, Changes(text_scale=3.0))
    with pytest.raises(lgca.ConfigError, match="field 'zs_decision' is read-only"):
        full.run.delete()


def test_delete__that_fails_halfway_leaves_a_run_that_has_its_embeddings_and_can_be_deleted(full):
    dataset, token, own = full.run.dataset, full.run.token, full.run.results["triage_fields"]
    update_record(full.run, triage_fields=["filepath", *own])  # which FiftyOne deletes from no dataset
    with pytest.raises(ValueError, match="filepath"):
        full.run.delete()
    assert run_token(dataset, "zs") == lgca.load_run(dataset, "zs").token == token
    update_record(full.run, triage_fields=own)
    full.run.delete()
    assert lgca.list_runs(dataset) == []
    assert run_token(dataset, "zs") is None


def test_delete__takes_the_tags_of_the_decisions_and_leaves_those_that_were_there_before(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    dataset.select(ids[4]).tag_samples("lgca:bad image")
    triage.decide(ids[:3], "accepted")
    triage.decide(ids[3:5], "bad image")
    triage.decide(ids[5], "skipped")
    triage.undo()
    assert dataset.count_sample_tags() == {"mine": 12, "lgca:corrected": 3, "lgca:bad image": 2}
    triage.run.delete()
    dataset.reload()
    assert dataset.count_sample_tags() == {"mine": 12, "lgca:bad image": 1}
    assert dataset[ids[4]].tags == ["mine", "lgca:bad image"]
    assert dataset.values("labels_corrected.label")[:3] == [SUGGESTED] * 3


def test_delete__hands_a_tag_over_to_the_same_decision_of_another_run(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    other = lgca.load_run(dataset, "zs")
    for name, field in (("zs_suggestion", "second_suggestion"), ("zs_clip", "second_clip")):
        dataset.clone_sample_field(name, field)
    record = dataset.init_run(
        package="fiftyone-lgca", run=dataset.get_run_info("zs").config.run, fields=["second_clip"]
    )
    dataset.register_run("second", record)
    record = lgca.load_run(dataset, "second")
    record.results = {**other.results, "triage_fields": ["second_suggestion", "second_decision"]}
    record.save()
    second = Triage.of(lgca.load_run(dataset, "second"))
    triage.decide(ids[:2], "bad image")
    second.decide(ids[:1], "bad image")
    second.decide(ids[1], "skipped")
    lgca.delete_run(dataset, "zs")
    dataset.reload()
    assert dataset[ids[0]].tags == ["mine", "lgca:bad image"]
    assert dataset[ids[1]].tags == ["mine", "lgca:skipped"]
    second.undo(sample_ids=ids[0])
    assert dataset[ids[0]].tags == ["mine"]


@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_old_handle__of_a_run_deletes_nothing(triage, what):
    dataset, run = triage.run.dataset, triage.run
    if what == "deleted":
        lgca.delete_run(dataset, "zs")
    else:
        new_token(dataset, "zs")
    with pytest.raises(lgca.LgcaError, match="was deleted since" if what == "deleted" else "was rescored or started"):
        run.delete()
    assert lgca.list_runs(dataset) == ([] if what == "deleted" else ["zs"])
