"""What a store returns of what was written."""

from __future__ import annotations

import logging

import numpy as np

from lgca_plugin.config import RegionConfig
from lgca_plugin.store.store import geometry_of
from tests.helpers.worlds import store as world

A, B = world.ENCODERS
LARGE, SMALL = world.GEOMETRIES
NAMES = [*world.names_of(0), *world.names_of(1)]


def test_recall__returns_what_was_written_of_the_image_and_the_geometry(store, folder):
    run = world.open_run(store, "run")
    assert world.write(store, run, *NAMES)

    known = store.recall(run.encoder, world.content_hash(NAMES[1]), LARGE)
    world.check_known(known, A, world.content_hash(NAMES[1]), LARGE)
    assert len(known.boxes) == world.BOXES
    assert known.whole.dtype == known.regions.dtype == np.float32
    elsewhere = store.recall(run.encoder, world.content_hash(NAMES[1]), SMALL)
    np.testing.assert_array_equal(elsewhere.whole, known.whole)
    assert (elsewhere.boxes.shape, elsewhere.regions.shape) == ((0, 4), (0, world.DIM))
    assert store.recall(run.encoder, world.content_hash("never written"), LARGE) is None
    assert store.recall(world.open_run(store, "other", encoder=B).encoder, world.content_hash(NAMES[1]), LARGE) is None
    world.check_store(folder)


def test_recall__joins_what_several_runs_have_encoded(store, folder):
    first, second = world.open_run(store, "first"), world.open_run(store, "second")
    world.write(store, first, "image 0.0", fresh=range(7))
    world.write(store, second, "image 0.0", fresh=range(7, 30))
    assert world.boxes_known(store, first, "image 0.0") == 30
    world.check_store(folder)


def test_recall__of_an_image_without_regions(store):
    run = world.open_run(store, "run")
    store.write_samples(run, [world.stored_sample(run, "image 0.0")], with_regions=False)
    world.write(store, run, "image 0.1", fresh=())
    assert [world.boxes_known(store, run, name) for name in ("image 0.0", "image 0.1")] == [0, 0]
    assert store.samples_with_regions(run) == set()


def test_vectors__come_in_the_order_of_writing_however_many_are_read_at_once(store):
    run, other, empty = (world.open_run(store, token) for token in ("run", "other", "empty"))
    world.write(store, run, *NAMES[::-1])
    world.write(store, other, "image 7.0")
    assert store.sample_ids(run) == NAMES[::-1]
    for at_once in (1, 4, 100):
        read = list(store.image_vectors(run, at_once=at_once))
        assert [id_ for ids, _ in read for id_ in ids] == NAMES[::-1]
        found = np.concatenate([vectors for _, vectors in read])
        assert found.shape == (len(NAMES), len(world.VECTOR_KEYS), world.DIM)
        np.testing.assert_array_equal(found, [world.image_vectors(run, name) for name in NAMES[::-1]])
    assert list(store.image_vectors(empty)) == []
    assert store.sample_ids(empty) == []


def test_known_regions__come_in_the_order_of_the_ids_without_unknown_ones(store):
    run = world.open_run(store, "run")
    many = [f"many {number}" for number in range(300)]  # more than are read at once
    world.write(store, run, *many, fresh=(3,))
    found = list(store.known_regions(run, ["unknown", *many[::-1]]))
    assert [id_ for id_, _, _ in found] == many[::-1]
    for id_, hashed, known in found:
        assert hashed == world.content_hash(id_)
        world.check_known(known, A, hashed, LARGE)
        assert len(known.boxes) == 1


def test_texts__come_back_for_the_encoder_that_embedded_them(store):
    run, other = world.open_run(store, "run"), world.open_run(store, "other", encoder=B)
    many = [f"text {number}" for number in range(600)]
    store.write_texts(run.encoder, {text: world.vector(A, text) for text in many})
    store.write_texts(other.encoder, {many[0]: world.vector(B, many[0])})

    found = store.texts(run.encoder, [*many, "no such text"])
    assert set(found) == set(many)
    for text, embedding in found.items():
        np.testing.assert_array_equal(embedding, world.vector(A, text))
    assert list(store.texts(other.encoder, many)) == [many[0]]
    np.testing.assert_array_equal(store.texts(other.encoder, many)[many[0]], world.vector(B, many[0]))
    assert store.texts(run.encoder, []) == {}


def test_run__opened_again_is_the_same_but_for_its_time_of_use(store):
    run = world.open_run(store, "run", geometry=SMALL)
    world.write(store, run, "image 0.0")
    (before,) = store.runs()
    assert world.open_run(store, "run", geometry=SMALL) == run == store.run("run")
    assert (run.geometry, run.vector_keys, run.logit_scale, run.fingerprint) == (SMALL, world.VECTOR_KEYS, 10.0, A)
    assert store.run("another") is None
    assert store.encoder(A) == run.encoder
    assert store.encoder(B) is None
    (entry,) = store.runs()
    assert entry.pop("used") > before["used"]
    settings = {"database": "a database", "dataset": "a dataset", "run_key": "zeroshot"}
    assert entry == {"token": "run", "replaced_by": None, **settings, "samples": 1}


def test_write__a_sample_whose_file_has_changed_references_the_new_image_alone(store, folder):
    run = world.open_run(store, "run")
    store.write_samples(
        run, [world.stored_sample(run, "image 0.0", sample="sample"), world.stored_sample(run, "image 0.1")]
    )
    world.write(store, run, "image 0.2", sample="sample")

    assert [world.boxes_known(store, run, name) for name in world.names_of(0)] == [None, world.BOXES, world.BOXES]
    assert set(store.sample_ids(run)) == {"sample", "image 0.1"}
    np.testing.assert_array_equal(world.vectors_of(store, run)["sample"], world.image_vectors(run, "image 0.2"))
    assert world.count_rows(folder, "images", "regions") == [2, 2]


def test_geometry__differs_by_what_changes_the_crops_of_step_0_alone():
    config = RegionConfig()
    same = [RegionConfig(**change) for change in ({"crops": 30}, {"steps": 1}, {"keep": 0.3}, {"growth": 2})]
    other = [RegionConfig(**change) for change in ({"seed": 1}, {"scale_min": 0.4}, {"scale_max": 0.8})]
    assert {geometry_of(one) for one in same} == {geometry_of(config)}
    assert len({geometry_of(one) for one in [config, *other]}) == 4


def test_logging__nothing_is_logged_where_nothing_is_wrong(store, caplog):
    with caplog.at_level(logging.INFO):
        world.write(store, world.open_run(store, "run"), *NAMES)
        store.delete_run("run")
    assert caplog.records == []
