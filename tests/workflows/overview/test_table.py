"""The table of a run: updated by reading the samples that have changed, and cached."""

import threading

import fiftyone as fo
import numpy as np
from bson import ObjectId

import lgca_plugin as lgca
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.overview import table, table_cache
from lgca_plugin.workflows.overview.columns import read_columns
from lgca_plugin.workflows.overview.overview import overview
from lgca_plugin.workflows.overview.table import read_table
from lgca_plugin.workflows.overview.table_cache import TABLES, current_table
from tests.helpers.worlds.overview import METHODS, add, random_rows, random_triage, triaged


def test_table__that_follows_is_that_which_is_read_anew(run):
    add(run, random_rows(40))
    triaged(run, random_triage(40))
    current_table(run, "labels")
    Triage.of(run).decide(run.dataset.skip(5).limit(9), "bad image", by="me")
    sample = run.dataset.skip(20).first()  # with words that were not there before, in an order of their own
    sample["zs_case"] = "a new case"
    sample["zs_clip"] = fo.Classification(label="emu", margin=0.5)
    sample["labels"] = fo.Classification(label="rhea")
    sample["zs_suggestion"] = fo.Classification(label="ibis", confidence=0.9)
    sample.save()
    add(run, [*random_rows(5, seed=2), {"answers": ["owl", "emu", "tern"], "truth": "ibis"}])
    followed = current_table(run, "labels")
    TABLES.clear()
    anew = current_table(run, "labels")

    def names(of, column):
        return [None if at < 0 else of.labels[at] for at in column.tolist()]

    assert followed.ids.tolist() == anew.ids.tolist()
    for name in METHODS:
        assert names(followed, followed.answers[name]) == names(anew, anew.answers[name])
        assert np.array_equal(followed.margins[name], anew.margins[name], equal_nan=True)
    assert names(followed, followed.given["labels"]) == names(anew, anew.given["labels"])
    assert names(followed, followed.suggested) == names(anew, anew.suggested)
    assert [followed.cases[at] for at in followed.case if at >= 0] == [anew.cases[at] for at in anew.case if at >= 0]
    assert followed.decided.tolist() == anew.decided.tolist()
    assert (followed.decided >= 0).sum() == 9


def test_table__reads_only_what_has_changed(run, monkeypatch):
    add(run, random_rows(30))
    old = run.dataset.values("last_modified_at")[0]
    current_table(run)
    asked = []

    def watched(run, spec, match=None):
        asked.append(match)
        return read_columns(run, spec, match)

    monkeypatch.setattr(table, "read_columns", watched)
    current_table(run)
    assert asked == []
    run.dataset.limit(1).set_values("zs_error", ["later"])
    current_table(run)
    assert len(asked) == 1
    assert asked[0]["last_modified_at"]["$gte"] <= old


def test_table__knows_what_it_is_told_has_changed(run):
    add(run, random_rows(10))
    current_table(run)
    id_ = run.dataset.first().id
    # A write that comes late with an early stamp, as of another process whose clock is behind.
    run.dataset._sample_collection.update_one({"_id": ObjectId(id_)}, {"$set": {"zs_clip.label": "late"}})
    assert "late" not in current_table(run).labels
    assert "late" in current_table(run, changed=[id_]).labels


def test_table__a_rescored_run_is_another(run):
    add(run, random_rows(10))
    before = current_table(run)
    again = lgca.load_run(run.dataset, run.key)
    assert current_table(again) is before
    run.dataset.delete_sample_field("zs_wca")
    of = overview(lgca.load_run(run.dataset, run.key))
    assert of.compared == ("clip", "lgca")


def test_table__is_read_once_however_many_ask(run, monkeypatch):
    add(run, random_rows(10))
    times = []

    def watched(*args):
        times.append(1)
        return read_table(*args)

    monkeypatch.setattr(table_cache, "read_table", watched)
    threads = [threading.Thread(target=current_table, args=(run,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 1
