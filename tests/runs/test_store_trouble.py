"""Runs with a store that is full, can't be written, or is damaged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.limits import GIGABYTE
from lgca_plugin.store.store import Store
from tests.helpers.checks import untouched
from tests.helpers.worlds.store import count_rows, files_no_larger_than, overwrite_tables
from tests.helpers.worlds.stored_runs import (
    IMAGES,
    OTHER_CLASSES,
    SMALL,
    assert_same,
    encodes_of,
    ids_of,
    replayable,
    stored_vectors,
    written,
)


def limit(monkeypatch: pytest.MonkeyPatch, nbytes: int) -> None:
    monkeypatch.setenv("LGCA_STORE_GB", repr(nbytes / GIGABYTE))


@pytest.mark.parametrize("chosen", ["plenty", "-3"])
def test_limit__that_makes_no_sense_is_refused_and_leaves_a_run_which_can_be_deleted(
    birds, classify, encoder, monkeypatch, fresh_store, chosen
):
    run = classify(birds, methods=("clip",))
    before = birds.values("zs_clip.label")
    monkeypatch.setenv("LGCA_STORE_GB", chosen)
    refused = pytest.raises(lgca.ConfigError, match=f"LGCA_STORE_GB .*, got '{chosen}'$")
    for changes in ({"run_key": "new"}, {"methods": ("clip",), "classes": OTHER_CLASSES, "overwrite": True}):
        with encodes_of(encoder) as count, refused:
            classify(birds, **changes)
        assert count == [0]
    assert lgca.list_runs(birds) == ["zs"]
    assert not [name for name in birds.get_field_schema() if name.startswith("new")]
    assert lgca.load_run(birds, "zs").token == run.token
    assert birds.values("zs_clip.label") == before
    run.delete()
    assert lgca.list_runs(birds) == []
    assert count_rows(fresh_store, "images") == [0]


def test_limit__too_small_for_anything_is_a_warning_and_what_is_stored_is_counted(birds, classify, monkeypatch, caplog):
    limit(monkeypatch, 1000)
    run = classify(birds)
    summary = run.summary()
    assert (summary["status"], summary["predicted"]) == ("done", IMAGES)
    assert "reached its limit" in caplog.text
    assert f"which hold the crops of at least 0 of the {IMAGES} images: others may get labels alone" in caplog.text
    vectors = stored_vectors(run)
    assert summary["stored"] == {"samples": len(vectors), "regions": True, "complete": False}
    assert any("limit" in warning for warning in summary["warnings"])


def test_limit__an_older_runs_regions_are_evicted_and_its_image_vectors_stay(flock, classify, monkeypatch, fresh_store):
    old = classify(flock(), regions=replace(SMALL, crops=60))
    nbytes = (fresh_store / FILE_NAME).stat().st_size + 2 * PAGE_BYTES
    limit(monkeypatch, nbytes)
    others = flock(8, start=IMAGES)
    new = classify(others, regions=replace(SMALL, crops=30))

    assert (new.summary()["status"], new.summary()["predicted"]) == ("done", 8)
    assert len(replayable(old)) < IMAGES
    assert replayable(new)
    assert new.summary()["stored"]["complete"] == (replayable(new) == ids_of(others))
    vectors = stored_vectors(old)
    assert len(vectors) == IMAGES
    assert (fresh_store / FILE_NAME).stat().st_size <= nbytes + 4 * PAGE_BYTES


def test_limit__a_run_recorded_as_complete_is(flock, classify, monkeypatch, fresh_store):
    """It recalls regions of an older run that are evicted for its own before it references them."""
    classify(flock(), regions=replace(SMALL, crops=60))
    limit(monkeypatch, (fresh_store / FILE_NAME).stat().st_size)
    birds = flock()
    new = classify(birds, regions=replace(SMALL, crops=70))
    assert new.summary()["predicted"] == IMAGES
    assert new.summary()["stored"]["complete"] == (replayable(new) == ids_of(birds))


def test_unwritable__a_store_that_cant_be_made_is_a_warning(birds, classify, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "file"))
    run = classify(birds, methods=("clip",))
    summary = run.summary()
    assert (summary["status"], summary["predicted"]) == ("done", IMAGES)
    assert summary["stored"] == {"samples": 0, "regions": True, "complete": False}
    assert any("can't be opened" in warning and str(tmp_path / "file") in warning for warning in summary["warnings"])
    assert lgca.load_run(birds, "zs").summary()["warnings"] == summary["warnings"]
    run.delete()
    assert lgca.list_runs(birds) == []


def test_unwritable__a_disk_that_fills_up_during_the_run(flock, classify, fresh_store):
    dataset, birds = flock(1), flock()
    first = classify(dataset)
    with files_no_larger_than((fresh_store / FILE_NAME).stat().st_size + PAGE_BYTES):
        run = classify(birds, regions=replace(SMALL, crops=60))
    summary = run.summary()
    assert (summary["status"], summary["predicted"]) == ("done", IMAGES)
    assert any("the store of embeddings" in warning for warning in summary["warnings"])
    vectors = stored_vectors(run)
    assert len(vectors) < IMAGES
    assert summary["stored"] == {"samples": len(vectors), "regions": True, "complete": False}
    assert replayable(first) == ids_of(dataset)


def test_unwritable__a_full_disk_costs_no_run_that_is_rescored_in_place(birds, classify):
    run = classify(birds)
    with untouched(birds), files_no_larger_than(PAGE_BYTES), pytest.raises(lgca.LgcaError, match="the store of emb"):
        run.rescore(image_scale=2.0, progress=False)
    again = lgca.load_run(birds, "zs")
    assert (again.token, again.summary()["status"]) == (run.token, "done")
    assert again.rescore(image_scale=2.0, progress=False).summary()["predicted"] == IMAGES


def test_damage__of_the_files_header_begins_a_new_store(flock, classify, fresh_store):
    first = classify(flock(), methods=("clip",))
    data = (fresh_store / FILE_NAME).read_bytes()
    (fresh_store / FILE_NAME).write_bytes(np.random.default_rng(0).bytes(200) + data[200:])
    summary = classify(flock(), methods=("clip",)).summary()
    assert (summary["images_encoded"], summary["predicted"]) == (IMAGES, IMAGES)
    assert summary["stored"]["complete"]
    assert len(list(fresh_store.glob("damaged-*"))) == 1
    assert classify(flock(), methods=("clip",)).summary()["images_recalled"] == IMAGES
    first.delete()


def test_damage__of_the_files_tables_is_a_warning(flock, classify, fresh_store):
    classify(flock())
    overwrite_tables(fresh_store, "images", "regions", "samples")

    summary = classify(flock()).summary()
    assert (summary["status"], summary["predicted"], summary["images_encoded"]) == ("done", IMAGES, IMAGES)
    assert (summary["stored"]["samples"], summary["stored"]["complete"]) == (0, False)
    assert any("malformed" in warning for warning in summary["warnings"])


def test_damage__inside_embeddings_has_those_images_encoded_again_once(flock, classify, fresh_store):
    birds, second, third = flock(), flock(), flock()
    run = classify(birds)
    ids = birds.values("id")
    with Store() as store:
        entry = store.run(run.token)
        assert entry is not None
        known = {id_: one for id_, _, one in store.known_regions(entry, ids)}
    data = bytearray((fresh_store / FILE_NAME).read_bytes())
    for blob in (known[ids[0]].whole.tobytes(), known[ids[1]].regions.tobytes()):
        part = blob[len(blob) // 2 - 16 : len(blob) // 2 + 16]
        while (start := data.find(part)) >= 0:  # the whole image's is a vector of the sample's, too
            data[start + 7] ^= 0x40
    (fresh_store / FILE_NAME).write_bytes(data)

    assert classify(second).summary()["images_encoded"] == 2
    assert_same(written(second), written(birds))
    again = classify(third)
    assert again.summary()["images_recalled"] == IMAGES
    assert_same(written(third), written(birds))
    assert replayable(again) == ids_of(third)
