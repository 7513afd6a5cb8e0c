"""What is deleted with a run, what stays of a replaced one, and copies of runs."""

from __future__ import annotations

import pytest

from lgca_plugin.errors import StoreError
from lgca_plugin.store.file import PAGE_BYTES
from lgca_plugin.store.weights_files import weights_path
from tests.helpers.worlds import store as world

A, B = world.ENCODERS
LARGE, SMALL = world.GEOMETRIES
NAMES = [*world.names_of(0), *world.names_of(1)]


def test_delete__removes_what_no_other_run_references_and_shrinks_the_file(store, folder):
    first, second = world.open_run(store, "first"), world.open_run(store, "second")
    shared, own = NAMES[:2], [f"own {number}" for number in range(40)]
    world.write(store, second, *shared)
    size = store.path.stat().st_size
    world.write(store, first, *shared, fresh=())
    world.write(store, first, *own)
    grown = store.path.stat().st_size
    assert grown > size + 40 * world.BOXES * world.DIM * 4

    store.delete_run("no such run")
    assert world.tokens(store) == ["first", "second"]
    store.delete_run("first")

    assert world.tokens(store) == ["second"]
    assert [world.boxes_known(store, second, name) for name in shared] == [world.BOXES, world.BOXES]
    assert [world.boxes_known(store, second, name) for name in own] == [None] * 40
    assert store.path.stat().st_size <= size + PAGE_BYTES
    world.check_store(folder)


def test_delete__of_a_fused_run_removes_the_entries_of_its_other_encoders_and_its_weights(store, folder):
    for token, encoder in (("first", A), ("fused", A), ("fused-1", B), ("fused-2", "C"), ("fusedtoo", B)):
        world.write(store, world.open_run(store, token, encoder=encoder), "image 0.0")
    for token in ("fused", "fusedtoo"):
        weights_path(folder, token).write_bytes(b"weights")
    world.open_run(store, "next", replaces="fused")
    replaced = [entry["token"] for entry in store.runs() if entry["replaced_by"] == "next"]
    assert replaced == ["fused", "fused-1", "fused-2"]
    store.release_replaced("next")
    assert world.tokens(store) == ["first", "fusedtoo", "next"]
    assert sorted(path.name for path in folder.glob("fusion-*")) == ["fusion-fusedtoo.safetensors"]
    store.delete_run("fusedtoo")
    assert not list(folder.glob("fusion-*"))
    world.check_store(folder)


def test_delete__removes_the_regions_of_a_geometry_that_no_other_run_has(store, folder):
    large, small = world.open_run(store, "large"), world.open_run(store, "small", geometry=SMALL)
    for run in (large, small):
        world.write(store, run, "image 0.0")
    store.delete_run("large")
    assert world.boxes_known(store, small, "image 0.0", LARGE) == 0
    assert world.boxes_known(store, small, "image 0.0", SMALL) == world.BOXES
    world.check_store(folder)


def test_delete__removes_encoders_and_texts_with_the_last_run_that_used_them(store, folder):
    for token, encoder in (("first", A), ("second", A), ("other", B)):
        run = world.open_run(store, token, encoder=encoder)
        store.write_texts(run.encoder, {"a text": world.vector(encoder, "a text")})
    store.delete_run("first")
    assert world.count_rows(folder, "encoders", "texts") == [2, 2]
    store.delete_run("second")
    assert store.encoder(A) is None
    assert world.count_rows(folder, "encoders", "texts") == [1, 1]


def test_delete__of_all_runs_leaves_an_empty_store(store, folder):
    empty = store.path.stat().st_size
    for token, encoder, geometry in (("1", A, LARGE), ("2", A, SMALL), ("3", B, LARGE)):
        run = world.open_run(store, token, encoder=encoder, geometry=geometry)
        world.write(store, run, *NAMES)
        store.write_texts(run.encoder, {"a text": world.vector(encoder, "a text")})
    for token in ("2", "3", "1"):
        store.delete_run(token)
    assert world.count_rows(folder, "encoders", "images", "regions", "runs", "samples", "texts") == [0] * 6
    assert store.path.stat().st_size <= empty + PAGE_BYTES


def test_replaced__is_recalled_by_the_run_that_replaces_it_until_it_is_released(store, folder):
    old = world.open_run(store, "old")
    world.write(store, old, *NAMES)
    new = world.open_run(store, "new", replaces="old")
    assert [world.boxes_known(store, new, name) for name in NAMES] == [world.BOXES] * len(NAMES)
    world.write(store, new, NAMES[0], fresh=())
    store.release_replaced("new")
    assert world.tokens(store) == ["new"]
    assert [world.boxes_known(store, new, name) for name in NAMES] == [world.BOXES] + [None] * (len(NAMES) - 1)
    world.check_store(folder)


def test_replaced__by_a_run_that_is_replaced_before_it_has_finished(store, folder):
    world.write(store, world.open_run(store, "oldest"), *NAMES[:2])
    world.write(store, world.open_run(store, "old", replaces="oldest"), NAMES[2])
    new = world.open_run(store, "new", replaces="old")
    assert [world.boxes_known(store, new, name) for name in NAMES[:3]] == [world.BOXES] * 3
    replaced_by = {entry["token"]: entry["replaced_by"] for entry in store.runs()}
    assert replaced_by == {"oldest": "new", "old": "new", "new": None}
    store.release_replaced("new")
    assert world.tokens(store) == ["new"]
    assert world.count_rows(folder, "images") == [0]


def test_replaced__is_deleted_with_the_run_that_was_to_replace_it(store, folder):
    world.write(store, world.open_run(store, "old"), *NAMES)
    world.write(store, world.open_run(store, "new", replaces="old"), NAMES[0])
    store.delete_run("new")
    assert world.count_rows(folder, "runs", "images", "encoders") == [0, 0, 0]


def test_copy__with_other_vector_keys_has_no_vectors_until_they_are_written(store, folder):
    source = world.open_run(store, "source")
    world.write(store, source, *NAMES)
    run = world.open_run(store, "run", vector_keys=("another",))
    store.copy_samples(run, source)
    assert store.sample_ids(run) == NAMES
    assert store.lacks_vectors(run)
    assert world.vectors_of(store, run) == {}
    store.write_vectors(run, {name: world.image_vectors(run, name) for name in [*NAMES[:2], "unknown"]})
    assert list(world.vectors_of(store, run)) == NAMES[:2]
    assert store.lacks_vectors(run)
    store.write_vectors(run, {name: world.image_vectors(run, name) for name in NAMES[2:]})
    assert not store.lacks_vectors(run)
    store.delete_run("source")
    assert [world.boxes_known(store, run, name) for name in NAMES[:3]] == [world.BOXES] * 3
    world.check_store(folder)


def test_copy__references_all_that_the_other_run_does(store, folder):
    source = world.open_run(store, "source")
    world.write(store, source, *NAMES)
    run = world.open_run(store, "run")
    store.copy_samples(run, source)
    store.delete_run("source")
    assert store.sample_ids(run) == NAMES
    assert store.samples_with_regions(run) == set(NAMES)
    world.check_store(folder)


def test_copy__deletes_the_image_that_a_sample_referenced_before(store, folder):
    run, source = world.open_run(store, "run"), world.open_run(store, "source")
    world.write(store, run, "image 0.0", sample="sample")
    world.write(store, source, "image 0.1", sample="sample")
    store.copy_samples(run, source)
    assert world.boxes_known(store, run, "image 0.0") is None
    store.delete_run("source")
    store.delete_run("run")
    assert world.count_rows(folder, "images") == [0]


def test_entry__of_a_run_that_another_process_deleted_is_no_other_runs(opened, folder):
    store, elsewhere = opened(), opened()
    deleted = world.open_run(store, "deleted", encoder=A)
    elsewhere.delete_run("deleted")
    another = world.open_run(elsewhere, "another", encoder=B)
    world.write(elsewhere, another, *NAMES[:2])

    assert store.recall(deleted.encoder, world.content_hash(NAMES[0]), LARGE) is None
    with pytest.raises(StoreError):
        world.write(store, deleted, NAMES[2])
    assert store.sample_ids(deleted) == []
    assert store.sample_ids(another) == NAMES[:2]
    world.check_store(folder)
