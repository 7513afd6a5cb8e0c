"""Runs, fields and decisions that another process makes, changes or deletes while a dataset is open here."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.fiftyone_io.database import dataset_id, reload_if_changed
from lgca_plugin.fiftyone_io.tokens import database_id, run_token
from lgca_plugin.runs.delete import delete_from_dataset
from lgca_plugin.store.store import Store
from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.faults.other_process import OtherProcess
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, ids_of
from tests.helpers.worlds.store import open_run
from tests.helpers.worlds.stored_runs import stored_tokens


@pytest.fixture(scope="module")
def other():
    process = OtherProcess()
    yield process
    process.close()


def test_run_of_another_process__is_listed_and_loaded(triage, other):
    dataset = triage.run.dataset
    assert lgca.list_runs(dataset) == ["zs"]
    other.make_run(dataset.name, "second")
    assert lgca.list_runs(dataset) == ["zs", "second"]
    other.make_run(dataset.name, "third")
    assert lgca.load_run(dataset, "third").config == triage.run.config
    with pytest.raises(lgca.RunNotFoundError, match="its runs are second, third, zs"):
        lgca.load_run(dataset, "fourth")


def test_field_of_another_process__is_evaluated_against(triage, other):
    dataset, ids = triage.run.dataset, ids_of(triage)
    other.decide(dataset.name, ids[:3], OTHER)
    assert "labels_corrected" not in dataset.get_field_schema()  # this process does not follow by itself
    evaluation = triage.run.evaluate("labels_corrected", methods=["clip"], progress=False)
    assert evaluation.samples == 12
    assert dataset.values("labels_corrected.label") == [OTHER] * 3 + [GIVEN] * 9
    assert triage.left()["accepted"] == 3


def test_decisions_of_another_process__survive_a_run_that_is_replaced_here(triage, other):
    dataset, ids = triage.run.dataset, ids_of(triage)
    other.decide(dataset.name, ids[:3], OTHER)
    assert "zs_decision" not in dataset.get_field_schema()
    config = triage.run.config
    settings = {"classes": config.classes, "methods": config.methods, "regions": config.regions, "encoder": "demo"}
    again = lgca.classify(dataset, run_key="zs", overwrite=True, progress=False, **settings)
    assert [row.corrected for row in Triage.of(again).decisions()] == [OTHER] * 3


@pytest.mark.parametrize("way", ["deleted", "replaced"])
def test_old_handle__says_what_happened_and_never_advises_to_start_over(triage, other, way):
    dataset, run, ids = triage.run.dataset, triage.run, ids_of(triage)
    if way == "deleted":
        other.delete_run(dataset.name)
        words = "run 'zs' was deleted since it was loaded"
    else:
        other.replace_run(dataset.name, [GIVEN, SUGGESTED])
        words = r"run 'zs' was rescored or started again since it was loaded: load it again with lgca.load_run"
    calls = (
        lambda: run.triage("labels", progress=False),
        lambda: run.evaluate("labels", progress=False),
        lambda: run.rescore(text_scale=3.0, progress=False),
        lambda: run.rescore(text_scale=3.0, run_key="soft", progress=False),
        lambda: run.sweep("labels", progress=False),
        lambda: run.evidence(ids[0]),
        run.last_triage,
        run.last_evaluation,
        run.delete,
        triage.left,
        triage.suspects,
        triage.undo,
        lambda: triage.decide(ids[0], "skipped"),
    )
    for call in calls:
        with pytest.raises(lgca.LgcaError, match=words) as info:
            call()
        assert "overwrite" not in str(info.value)
    if way == "replaced":
        assert lgca.load_run(dataset, "zs").config.classes == (GIVEN, SUGGESTED)  # of the record that is stored now
    else:
        with pytest.raises(lgca.RunNotFoundError, match="it has none yet"):
            lgca.load_run(dataset, "zs")


def test_read_only_and_deleted_fields_of_another_process__are_seen_by_the_next_decision(triage, other):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "accepted")
    other.make_read_only(dataset.name, "labels_corrected")
    with pytest.raises(lgca.ConfigError, match="field 'labels_corrected' is read-only"):
        triage.decide(ids[1], "accepted")
    field = dataset.get_field("labels_corrected")
    field.read_only = False
    field.save()
    other.delete_field(dataset.name, "labels_corrected")
    assert triage.decide(ids[1], "accepted").restored == 1
    assert dataset.values("labels_corrected.label")[:3] == [SUGGESTED, SUGGESTED, GIVEN]


def test_reload_if_changed__loads_only_what_has_changed(triage, other):
    dataset = triage.run.dataset
    dataset.info["note"] = "not saved"
    assert not reload_if_changed(dataset)
    assert dataset.info["note"] == "not saved"
    other.delete_field(dataset.name, "zs_case")
    assert reload_if_changed(dataset)
    assert not reload_if_changed(dataset)
    assert "zs_case" not in dataset.get_field_schema()


def test_renamed_run__says_how_to_rename_it_back_and_works_again_then(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[:2], "accepted")
    dataset.rename_run("zs", "kept")
    assert lgca.list_runs(dataset) == ["kept"]
    with pytest.raises(lgca.ConfigError, match=r"called 'zs': rename it back with dataset.rename_run\('kept', 'zs'\)"):
        lgca.load_run(dataset, "kept")
    with pytest.raises(
        lgca.LgcaError,
        match="deleted or renamed since it was loaded, so nothing can be done with it; the dataset has the runs kept",
    ):
        triage.left()
    config = triage.run.config
    settings = {"classes": config.classes, "methods": config.methods, "regions": config.regions, "encoder": "demo"}
    with pytest.raises(lgca.ConfigError, match="rename it back"):
        lgca.classify(dataset, run_key="kept", overwrite=True, progress=False, **settings)
    dataset.rename_run("kept", "zs")
    assert len(lgca.load_run(dataset, "zs").last_triage().decisions()) == 2
    dataset.rename_run("zs", "kept")
    lgca.delete_run(dataset, "kept")
    dataset.reload()
    assert not [name for name in dataset.get_field_schema() if name.startswith(("zs_", "kept_"))]
    assert dataset.count_sample_tags() == {"mine": 12}


def test_clean__leaves_the_embeddings_of_runs_that_were_renamed_or_made_elsewhere(triage, other):
    dataset = triage.run.dataset
    other.make_run(dataset.name, "second")
    with Store() as store:
        for key in ("zs", "second", "gone"):
            token = run_token(dataset, key) or key
            open_run(store, token, database=database_id(), dataset=dataset_id(dataset), run_key=key)
    before = stored_tokens()
    dataset.rename_run("zs", "kept")
    lgca.clean_store()
    assert before - stored_tokens() == {"gone"}


def test_record_deleted_by_other_means__is_replaced_with_the_decisions_or_deleted(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[:2], "accepted", label=OTHER)
    triage.save_views()
    dataset.delete_run("zs")
    with pytest.raises(lgca.RunNotFoundError, match="record of run 'zs' was deleted, but not its fields"):
        lgca.load_run(dataset, "zs")
    config = triage.run.config
    settings = {"classes": config.classes, "methods": config.methods, "regions": config.regions, "encoder": "demo"}
    again = lgca.classify(dataset, run_key="zs", overwrite=True, progress=False, **settings)
    taken = Triage.of(again)
    assert [row.corrected for row in taken.decisions()] == [OTHER] * 2
    assert taken.places == triage.places
    assert dataset.list_saved_views() == []
    assert taken.undo().samples == 2
    dataset.delete_run("zs")
    lgca.delete_run(dataset, "zs")
    assert not [name for name in dataset.get_field_schema() if name.startswith("zs_")]
    with pytest.raises(lgca.RunNotFoundError, match="it has none yet"):
        lgca.load_run(dataset, "zs")


def test_decisions__outlive_a_process_that_is_killed_between_the_old_run_and_the_new(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[:2], "accepted", label=OTHER)
    config = triage.run.config
    delete_from_dataset(dataset, "zs", keep=["zs_decision"])  # as far as the process came
    settings = {"classes": config.classes, "methods": config.methods, "regions": config.regions, "encoder": "demo"}
    again = lgca.classify(dataset, run_key="zs", progress=False, **settings)
    assert [row.corrected for row in Triage.of(again).decisions()] == [OTHER] * 2
    assert again.triage("labels", progress=False).places == triage.places
