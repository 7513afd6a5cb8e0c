"""What a store returns of what was written."""

from __future__ import annotations

import logging

import numpy as np

from lgca_plugin.config import RegionConfig
from lgca_plugin.store.store import geometry_of
from tests.helpers.worlds.store import (
    BOXES,
    DIM,
    ENCODERS,
    GEOMETRIES,
    VECTOR_KEYS,
    boxes_known,
    check_known,
    check_store,
    content_hash,
    count_rows,
    image_vectors,
    names_of,
    open_run,
    stored_sample,
    vector,
    vectors_of,
    write,
)

A, B = ENCODERS
LARGE, SMALL = GEOMETRIES
NAMES = [*names_of(0), *names_of(1)]


def test_recall__returns_what_was_written_of_the_image_and_the_geometry(store, folder):
    run = open_run(store, "run")
    assert write(store, run, *NAMES)

    known = store.recall(run.encoder, content_hash(NAMES[1]), LARGE)
    assert known is not None
    check_known(known, A, content_hash(NAMES[1]), LARGE)
    assert len(known.boxes) == BOXES
    assert known.whole.dtype == known.regions.dtype == np.float32
    elsewhere = store.recall(run.encoder, content_hash(NAMES[1]), SMALL)
    assert elsewhere is not None
    np.testing.assert_array_equal(elsewhere.whole, known.whole)
    assert (elsewhere.boxes.shape, elsewhere.regions.shape) == ((0, 4), (0, DIM))
    assert store.recall(run.encoder, content_hash("never written"), LARGE) is None
    assert store.recall(open_run(store, "other", encoder=B).encoder, content_hash(NAMES[1]), LARGE) is None
    check_store(folder)


def test_recall__joins_what_several_runs_have_encoded(store, folder):
    first, second = open_run(store, "first"), open_run(store, "second")
    write(store, first, "image 0.0", fresh=range(7))
    write(store, second, "image 0.0", fresh=range(7, 30))
    assert boxes_known(store, first, "image 0.0") == 30
    check_store(folder)


def test_recall__of_an_image_without_regions(store):
    run = open_run(store, "run")
    store.write_samples(run, [stored_sample(run, "image 0.0")], with_regions=False)
    write(store, run, "image 0.1", fresh=())
    assert [boxes_known(store, run, name) for name in ("image 0.0", "image 0.1")] == [0, 0]
    assert store.samples_with_regions(run) == set()


def test_vectors__come_in_the_order_of_writing_however_many_are_read_at_once(store):
    run, other, empty = (open_run(store, token) for token in ("run", "other", "empty"))
    write(store, run, *NAMES[::-1])
    write(store, other, "image 7.0")
    assert store.sample_ids(run) == NAMES[::-1]
    for at_once in (1, 4, 100):
        read = list(store.image_vectors(run, at_once=at_once))
        assert [id_ for ids, _ in read for id_ in ids] == NAMES[::-1]
        found = np.concatenate([vectors for _, vectors in read])
        assert found.shape == (len(NAMES), len(VECTOR_KEYS), DIM)
        np.testing.assert_array_equal(found, [image_vectors(run, content_hash(name)) for name in NAMES[::-1]])
    assert list(store.image_vectors(empty)) == []
    assert store.sample_ids(empty) == []


def test_known_regions__come_in_the_order_of_the_ids_without_unknown_ones(store):
    run = open_run(store, "run")
    many = [f"many {number}" for number in range(300)]  # more than are read at once
    write(store, run, *many, fresh=(3,))
    found = list(store.known_regions(run, ["unknown", *many[::-1]]))
    assert [id_ for id_, _, _ in found] == many[::-1]
    for id_, hashed, known in found:
        assert hashed == content_hash(id_)
        check_known(known, A, hashed, LARGE)
        assert len(known.boxes) == 1


def test_texts__come_back_for_the_encoder_that_embedded_them(store):
    run, other = open_run(store, "run"), open_run(store, "other", encoder=B)
    many = [f"text {number}" for number in range(600)]
    store.write_texts(run.encoder, {text: vector(A, text) for text in many})
    store.write_texts(other.encoder, {many[0]: vector(B, many[0])})

    found = store.texts(run.encoder, [*many, "no such text"])
    assert set(found) == set(many)
    for text, embedding in found.items():
        np.testing.assert_array_equal(embedding, vector(A, text))
    assert list(store.texts(other.encoder, many)) == [many[0]]
    np.testing.assert_array_equal(store.texts(other.encoder, many)[many[0]], vector(B, many[0]))
    assert store.texts(run.encoder, []) == {}


def test_run__opened_again_is_the_same_but_for_its_time_of_use(store):
    run = open_run(store, "run", geometry=SMALL)
    write(store, run, "image 0.0")
    (before,) = store.runs()
    assert open_run(store, "run", geometry=SMALL) == run == store.run("run")
    assert (run.geometry, run.vector_keys, run.logit_scale, run.fingerprint) == (SMALL, VECTOR_KEYS, 10.0, A)
    assert store.run("another") is None
    assert store.encoder(A) == run.encoder
    assert store.encoder(B) is None
    (entry,) = store.runs()
    assert entry.pop("used") > before["used"]
    assert entry == {
        "token": "run",
        "replaced_by": None,
        "database": "a database",
        "dataset": "a dataset",
        "run_key": "zeroshot",
        "samples": 1,
    }


def test_write__a_sample_whose_file_has_changed_references_the_new_image_alone(store, folder):
    run = open_run(store, "run")
    store.write_samples(run, [stored_sample(run, "image 0.0", sample="sample"), stored_sample(run, "image 0.1")])
    write(store, run, "image 0.2", sample="sample")

    assert [boxes_known(store, run, name) for name in names_of(0)] == [None, BOXES, BOXES]
    assert set(store.sample_ids(run)) == {"sample", "image 0.1"}
    np.testing.assert_array_equal(vectors_of(store, run)["sample"], image_vectors(run, content_hash("image 0.2")))
    assert count_rows(folder, "images", "regions") == [2, 2]


def test_geometry__differs_by_what_changes_the_crops_of_step_0_alone():
    config = RegionConfig()
    same = [RegionConfig(**change) for change in ({"crops": 30}, {"steps": 1}, {"keep": 0.3}, {"growth": 2})]
    other = [RegionConfig(**change) for change in ({"seed": 1}, {"scale_min": 0.4}, {"scale_max": 0.8})]
    assert {geometry_of(one) for one in same} == {geometry_of(config)}
    assert len({geometry_of(one) for one in [config, *other]}) == 4


def test_logging__nothing_is_logged_where_nothing_is_wrong(store, caplog):
    with caplog.at_level(logging.INFO):
        write(store, open_run(store, "run"), *NAMES)
        store.delete_run("run")
    assert caplog.records == []
