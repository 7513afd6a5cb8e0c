"""What is deleted with a run, what stays of a replaced one, and copies of runs."""

from __future__ import annotations

import pytest

from lgca_plugin.errors import StoreError
from lgca_plugin.store.file import PAGE_BYTES
from tests.helpers.worlds.store import (
    BOXES,
    DIM,
    ENCODERS,
    GEOMETRIES,
    boxes_known,
    check_store,
    content_hash,
    count_rows,
    image_vectors,
    names_of,
    open_run,
    tokens,
    vector,
    vectors_of,
    write,
)

A, B = ENCODERS
LARGE, SMALL = GEOMETRIES
NAMES = [*names_of(0), *names_of(1)]


def test_delete__removes_what_no_other_run_references_and_shrinks_the_file(store, folder):
    first, second = open_run(store, "first"), open_run(store, "second")
    shared, own = NAMES[:2], [f"own {number}" for number in range(40)]
    write(store, second, *shared)
    size = store.path.stat().st_size
    write(store, first, *shared, fresh=())
    write(store, first, *own)
    grown = store.path.stat().st_size
    assert grown > size + 40 * BOXES * DIM * 4

    store.delete_run("no such run")
    assert tokens(store) == ["first", "second"]
    store.delete_run("first")

    assert tokens(store) == ["second"]
    assert [boxes_known(store, second, name) for name in shared] == [BOXES, BOXES]
    assert [boxes_known(store, second, name) for name in own] == [None] * 40
    assert store.path.stat().st_size <= size + PAGE_BYTES
    check_store(folder)


def test_delete__removes_the_regions_of_a_geometry_that_no_other_run_has(store, folder):
    large, small = open_run(store, "large"), open_run(store, "small", geometry=SMALL)
    for run in (large, small):
        write(store, run, "image 0.0")
    store.delete_run("large")
    assert boxes_known(store, small, "image 0.0", LARGE) == 0
    assert boxes_known(store, small, "image 0.0", SMALL) == BOXES
    check_store(folder)


def test_delete__removes_encoders_and_texts_with_the_last_run_that_used_them(store, folder):
    for token, encoder in (("first", A), ("second", A), ("other", B)):
        run = open_run(store, token, encoder=encoder)
        store.write_texts(run.encoder, {"a text": vector(encoder, "a text")})
    store.delete_run("first")
    assert count_rows(folder, "encoders", "texts") == [2, 2]
    store.delete_run("second")
    assert store.encoder(A) is None
    assert count_rows(folder, "encoders", "texts") == [1, 1]


def test_delete__of_all_runs_leaves_an_empty_store(store, folder):
    empty = store.path.stat().st_size
    for token, encoder, geometry in (("1", A, LARGE), ("2", A, SMALL), ("3", B, LARGE)):
        run = open_run(store, token, encoder=encoder, geometry=geometry)
        write(store, run, *NAMES)
        store.write_texts(run.encoder, {"a text": vector(encoder, "a text")})
    for token in ("2", "3", "1"):
        store.delete_run(token)
    assert count_rows(folder, "encoders", "images", "regions", "runs", "samples", "texts") == [0] * 6
    assert store.path.stat().st_size <= empty + PAGE_BYTES


def test_replaced__is_recalled_by_the_run_that_replaces_it_until_it_is_released(store, folder):
    old = open_run(store, "old")
    write(store, old, *NAMES)
    new = open_run(store, "new", replaces="old")
    assert [boxes_known(store, new, name) for name in NAMES] == [BOXES] * len(NAMES)
    write(store, new, NAMES[0], fresh=())
    store.release_replaced("new")
    assert tokens(store) == ["new"]
    assert [boxes_known(store, new, name) for name in NAMES] == [BOXES] + [None] * (len(NAMES) - 1)
    check_store(folder)


def test_replaced__by_a_run_that_is_replaced_before_it_has_finished(store, folder):
    write(store, open_run(store, "oldest"), *NAMES[:2])
    write(store, open_run(store, "old", replaces="oldest"), NAMES[2])
    new = open_run(store, "new", replaces="old")
    assert [boxes_known(store, new, name) for name in NAMES[:3]] == [BOXES] * 3
    replaced_by = {entry["token"]: entry["replaced_by"] for entry in store.runs()}
    assert replaced_by == {"oldest": "new", "old": "new", "new": None}
    store.release_replaced("new")
    assert tokens(store) == ["new"]
    assert count_rows(folder, "images") == [0]


def test_replaced__is_deleted_with_the_run_that_was_to_replace_it(store, folder):
    write(store, open_run(store, "old"), *NAMES)
    write(store, open_run(store, "new", replaces="old"), NAMES[0])
    store.delete_run("new")
    assert count_rows(folder, "runs", "images", "encoders") == [0, 0, 0]


def test_copy__with_other_vector_keys_has_no_vectors_until_they_are_written(store, folder):
    source = open_run(store, "source")
    write(store, source, *NAMES)
    run = open_run(store, "run", vector_keys=("another",))
    store.copy_samples(run, source)
    assert store.sample_ids(run) == NAMES
    assert store.lacks_vectors(run)
    assert vectors_of(store, run) == {}
    store.write_vectors(run, {name: image_vectors(run, content_hash(name)) for name in [*NAMES[:2], "unknown"]})
    assert list(vectors_of(store, run)) == NAMES[:2]
    assert store.lacks_vectors(run)
    store.write_vectors(run, {name: image_vectors(run, content_hash(name)) for name in NAMES[2:]})
    assert not store.lacks_vectors(run)
    store.delete_run("source")
    assert [boxes_known(store, run, name) for name in NAMES[:3]] == [BOXES] * 3
    check_store(folder)


def test_copy__references_all_that_the_other_run_does(store, folder):
    source = open_run(store, "source")
    write(store, source, *NAMES)
    run = open_run(store, "run")
    store.copy_samples(run, source)
    store.delete_run("source")
    assert store.sample_ids(run) == NAMES
    assert store.samples_with_regions(run) == set(NAMES)
    check_store(folder)


def test_copy__deletes_the_image_that_a_sample_referenced_before(store, folder):
    run, source = open_run(store, "run"), open_run(store, "source")
    write(store, run, "image 0.0", sample="sample")
    write(store, source, "image 0.1", sample="sample")
    store.copy_samples(run, source)
    assert boxes_known(store, run, "image 0.0") is None
    store.delete_run("source")
    store.delete_run("run")
    assert count_rows(folder, "images") == [0]


def test_entry__of_a_run_that_another_process_deleted_is_no_other_runs(opened, folder):
    store, elsewhere = opened(), opened()
    deleted = open_run(store, "deleted", encoder=A)
    elsewhere.delete_run("deleted")
    another = open_run(elsewhere, "another", encoder=B)
    write(elsewhere, another, *NAMES[:2])

    assert store.recall(deleted.encoder, content_hash(NAMES[0]), LARGE) is None
    with pytest.raises(StoreError):
        write(store, deleted, NAMES[2])
    assert store.sample_ids(deleted) == []
    assert store.sample_ids(another) == NAMES[:2]
    check_store(folder)
