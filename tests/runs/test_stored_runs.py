"""What is deleted with a run, replaced by a run, and cleaned up."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.fiftyone_io.database import dataset_ids
from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.store import Store
from tests.helpers.engine import Counting
from tests.helpers.worlds.store import count_rows, open_run
from tests.helpers.worlds.stored_runs import (
    ENCODES,
    IMAGES,
    OTHER_CLASSES,
    SMALL,
    changed_demo,
    encodes_of,
    ids_of,
    other_weights,
    replayable,
    stored_tokens,
    stored_vectors,
)


def test_delete__removes_the_runs_embeddings_but_those_that_another_references(flock, classify, encoder, fresh_store):
    many, few, regions = flock(12), flock(2), replace(SMALL, crops=30)
    everything, some = classify(many, regions=regions), classify(few, regions=regions)
    size = (fresh_store / FILE_NAME).stat().st_size

    everything.delete()

    assert stored_vectors(everything) is None
    assert replayable(some) == ids_of(few)
    assert count_rows(fresh_store, "images") == [2]
    assert (fresh_store / FILE_NAME).stat().st_size < size - 9 * 30 * 4 * encoder.dim
    with encodes_of(encoder) as count:
        classify(few, run_key="again", regions=regions)
    assert count == [0]
    for key in ("zs", "again"):
        lgca.load_run(few, key).delete()
    assert count_rows(fresh_store, "images", "regions", "encoders", "texts") == [0, 0, 0, 0]


def test_delete__of_one_geometry_leaves_the_other(flock, classify):
    first, second = flock(), flock()
    run, other = classify(first), classify(second, regions=replace(SMALL, seed=9))
    run.delete()
    assert replayable(other) == ids_of(second)
    summary = classify(first).summary()
    assert (summary["images_recalled"], summary["encodes"]) == (0, ENCODES - IMAGES)  # the whole images are known


def test_overwrite__deletes_the_images_of_the_replaced_run_even_if_interrupted_and_deleted(
    birds, classify, interrupted, fresh_store
):
    first = classify(birds)
    second = classify(birds.limit(2), classes=OTHER_CLASSES, overwrite=True)
    assert second.summary()["images_recalled"] == 2
    assert stored_vectors(first) is None
    assert count_rows(fresh_store, "runs", "images", "regions") == [1, 2, 2]
    interrupted(birds, 2, overwrite=True).delete()
    assert count_rows(fresh_store, "runs", "images", "regions", "encoders") == [0, 0, 0, 0]


def test_overwrite__interrupted_still_recalls_what_the_replaced_run_had(
    birds, classify, interrupted, encoder, fresh_store
):
    clip = {"methods": ("clip",)}
    first = classify(birds, **clip)
    with encodes_of(encoder) as count:
        partly = interrupted(birds, 1, classes=OTHER_CLASSES, overwrite=True, **clip)
        assert partly.summary()["pending"] > 0
        vectors = stored_vectors(first)
        assert set(vectors) == ids_of(birds)
        again = interrupted(birds, 1, overwrite=True, **clip)
        done = classify(birds, **clip)
    assert count == [2]  # an image is tried before each replacement
    assert (done.summary()["status"], done.summary()["images_recalled"]) == ("done", IMAGES)
    assert [stored_vectors(run) for run in (first, partly)] == [None, None]
    assert again.token == done.token
    assert count_rows(fresh_store, "runs") == [1]
    assert replayable(done) == ids_of(birds)


def test_delete__of_a_run_that_another_one_recalls_is_reported_if_it_leaves_a_gap(flock, classify):
    old = classify(flock())
    birds = flock()

    def delete(step: lgca.Progress) -> None:
        if step.done == 1:
            old.delete()

    new = classify(birds, classes=OTHER_CLASSES, progress=delete)
    assert new.summary()["predicted"] == IMAGES
    assert new.summary()["stored"]["complete"] == (replayable(new) == ids_of(birds))


def foreign_run(dataset: str) -> None:
    """Writes the entry of a run of another database."""
    with Store() as store:
        open_run(store, "foreign", database="another database", dataset=dataset, run_key="zs")


def test_info__lists_what_is_stored(flock, classify, fresh_store):
    empty = lgca.store_info()
    assert (empty.path, empty.runs, empty.limit_bytes) == (fresh_store / FILE_NAME, [], 20_000_000_000)
    first, second = flock(1), flock()
    classify(first, methods=("clip",), run_key="some")
    classify(second, methods=("clip",))
    info = lgca.store_info()
    assert [(run["run_key"], run["dataset"], run["samples"]) for run in info.runs] == [
        ("some", first.name, 1),
        ("zs", second.name, IMAGES),
    ]
    assert info.runs[0]["used"] < info.runs[1]["used"]
    assert empty.used_bytes <= info.used_bytes <= (fresh_store / FILE_NAME).stat().st_size


def test_clean__deletes_runs_whose_dataset_is_gone_and_leaves_all_others(birds, flock, classify, fresh_store):
    run = classify(birds)
    doomed = flock(8, start=IMAGES)
    classify(doomed, regions=replace(SMALL, crops=20))
    foreign_run(dataset_ids()[birds.name])
    assert lgca.clean_store() == 0
    doomed.delete()
    assert len(lgca.store_info().runs) == 3

    size = (fresh_store / FILE_NAME).stat().st_size
    assert lgca.clean_store() > 0

    assert stored_tokens() == {run.token, "foreign"}
    assert count_rows(fresh_store, "images") == [IMAGES]
    assert (fresh_store / FILE_NAME).stat().st_size < size
    assert replayable(run) == ids_of(birds)
    assert lgca.clean_store() == 0


def test_clean__deletes_runs_that_were_deleted_without_the_store(flock, classify, monkeypatch, fresh_store, tmp_path):
    stays, deleted, replaced, by_fiftyone = (classify(flock(), methods=("clip",)) for _ in range(4))
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "elsewhere"))  # as on another machine
    deleted.delete()
    classify(replaced.dataset, methods=("clip",), classes=OTHER_CLASSES, overwrite=True)
    by_fiftyone.dataset.delete_run("zs")
    monkeypatch.setenv("LGCA_STORE_DIR", str(fresh_store))
    assert stored_tokens() == {run.token for run in (stays, deleted, replaced, by_fiftyone)}
    lgca.clean_store()
    assert stored_tokens() == {stays.token}


def test_clean__leaves_a_run_under_way_and_what_it_replaces(birds, classify, interrupted, encoder):
    clip = {"methods": ("clip",), "overwrite": True}
    first = classify(birds, **clip)

    def clean(_: lgca.Progress) -> None:
        assert lgca.clean_store() == 0

    with encodes_of(encoder) as count:
        second = classify(birds, classes=OTHER_CLASSES, progress=clean, **clip)
        partly = interrupted(birds, 1, **clip)
        assert lgca.clean_store() == 0
    assert count == [2]  # an image is tried before each replacement
    assert first.token not in stored_tokens()
    assert stored_tokens() == {second.token, partly.token}


def test_clean__deletes_what_has_not_been_used_for_days(flock, classify, fresh_store):
    old, new = classify(flock(2), methods=("clip",)), classify(flock(2, start=2), methods=("clip",))
    foreign_run("a dataset elsewhere")
    with closing(sqlite3.connect(fresh_store / FILE_NAME)) as connection, connection:
        connection.execute("UPDATE runs SET used = used - 10 * 86400 WHERE token IN (?, 'foreign')", (old.token,))
    for days in (-1, float("nan")):
        with pytest.raises(lgca.ConfigError, match="unused_days"):
            lgca.clean_store(unused_days=days)
    lgca.clean_store(unused_days=11)
    assert stored_tokens() == {old.token, new.token, "foreign"}
    lgca.clean_store(unused_days=9.5)
    assert stored_tokens() == {new.token}
    assert count_rows(fresh_store, "images") == [2]
    summary = lgca.load_run(old.dataset, "zs").summary()  # the run itself stays
    assert (summary["status"], summary["predicted"]) == ("done", 2)
    lgca.clean_store(unused_days=0)
    assert stored_tokens() == set()


def test_clean__of_a_run_under_way_does_not_mix_it_with_the_next_run(birds, classify):
    """Its entry is deleted, and another run, with another encoder, on the same samples, takes its place in the file."""
    other, clip = changed_demo(other_weights), {"methods": ("clip",)}

    def clean(step: lgca.Progress) -> None:
        if step.done == 1:
            lgca.clean_store(unused_days=0)
            classify(birds, run_key="other", encoder=other, **clip)

    run = classify(birds, progress=clean)
    assert run.summary()["predicted"] == IMAGES
    found = stored_vectors(lgca.load_run(birds, "other"))
    expected = stored_vectors(classify(birds, run_key="again", encoder=Counting(other, fingerprint=None), **clip))
    assert found.keys() == expected.keys()
    for id_, vectors in expected.items():
        assert found[id_].shape == vectors.shape
        np.testing.assert_allclose(found[id_], vectors, atol=1e-6)
    assert run.summary()["stored"]["complete"] is False
