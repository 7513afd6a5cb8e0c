"""Replay of runs from the store: the same images as one by one, whatever the store holds, and however it ends."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.engine.embeddings import EncodedImage
from lgca_plugin.errors import StoreError
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.runs.replay import IMAGES_AT_ONCE, replay, replay_batches
from lgca_plugin.store.rows import StoredRun, StoredSample
from lgca_plugin.store.store import Store, geometry_of
from tests.helpers.engine import plan_of
from tests.helpers.worlds.replay import assert_same, grown, one_by_one

SMALL = RegionConfig(crops=9, lgca_crops=6, scale_min=0.2, scale_max=0.5)
ALL = ("clip", "wca", "lgca")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", limit_bytes=10**9) as opened:
        yield opened


def open_run(store: Store, token: str = "run", regions: RegionConfig = SMALL) -> StoredRun:
    return store.open_run(
        token,
        fingerprint="an encoder",
        encoder_name="an encoder",
        logit_scale=10.0,
        geometry=geometry_of(regions),
        vector_keys=("whole image",),
        database="a database",
        dataset="a dataset",
        run_key=token,
    )


def write(store: Store, run: StoredRun, images: list[EncodedImage[str]], **options: Any) -> None:
    assert store.write_samples(run, [StoredSample(image, image.whole[None]) for image in images], **options)


def some(count: int, plan: RegionPlan, *, start: int = 0) -> list[EncodedImage[str]]:
    """Images of several sizes, square ones among them."""
    return [grown(f"image {n:04d}", (60, 50 + 10 * (n % 3)), plan) for n in range(start, start + count)]


def stored(store: Store, count: int) -> tuple[RegionPlan, StoredRun, list[EncodedImage[str]], list[str]]:
    """Writes a run of so many images; returns its plan, its entry, the images and their ids."""
    plan, run = plan_of(ALL, SMALL), open_run(store)
    images = some(count, plan)
    write(store, run, images)
    return plan, run, images, [image.id for image in images]


def collected(
    store: Store, run: StoredRun, ids: list[str], plan: RegionPlan, **options: Any
) -> tuple[list[EncodedImage[str]], list[str]]:
    """All images and missing ids of replay_batches; those of replay are checked to be the same."""
    batches = list(replay_batches(store, run, ids, plan, **options))
    images = [image for batch, _ in batches for image in (batch.images() if batch is not None else ())]
    incomplete = [id_ for _, lacking in batches for id_ in lacking]
    assert sorted([*(image.id for image in images), *incomplete]) == sorted(ids)
    for batch, _ in batches:
        assert batch is None or len(batch)
    pairs = list(replay(store, run, ids, plan))
    assert_same([image for found, _ in pairs for image in found], images)
    assert [id_ for _, lacking in pairs for id_ in lacking] == incomplete
    return images, incomplete


@pytest.mark.parametrize("count", [0, 1, 2, 5, IMAGES_AT_ONCE + 1, 3 * IMAGES_AT_ONCE + 5])
def test_replay__returns_all_images_in_the_order_of_their_ids(store: Store, count: int) -> None:
    plan, run, originals, ids = stored(store, count)
    ids.reverse()
    options: dict[str, Any]
    for options in ({}, {"at_once": 2}, {"at_once": 1000}):
        images, incomplete = collected(store, run, ids, plan, **options)
        assert [image.id for image in images] == ids
        assert incomplete == []
        assert_same(images, one_by_one(list(store.known_regions(run, ids)), plan))
    for image, original in zip(images, originals[::-1], strict=True):
        np.testing.assert_array_equal(image.regions, original.regions)


def test_replay__of_several_runs_that_share_an_image(store: Store) -> None:
    """Crops first, then their expansion, then more crops: three rows an image, in different orders."""
    more = replace(SMALL, crops=12)
    crops, chains, all_ = plan_of(("wca",), SMALL), plan_of(ALL, SMALL), plan_of(ALL, more)
    for token, plan in (("first", crops), ("second", chains), ("third", all_)):
        write(store, open_run(store, token), some(10, plan))
    run = open_run(store, "third")
    ids = store.sample_ids(run)
    for plan in (crops, chains, all_, plan_of(("lgca",), replace(SMALL, steps=1))):
        images, incomplete = collected(store, run, ids, plan, at_once=4)
        assert incomplete == []
        assert_same(images, one_by_one(list(store.known_regions(run, ids)), plan))


def test_replay__lists_the_samples_that_are_not_complete(store: Store) -> None:
    plan, run = plan_of(ALL, SMALL), open_run(store)
    originals = some(10, plan)
    write(store, run, originals[:7])
    write(store, run, originals[7:8], with_regions=False)
    write(store, run, some(10, plan_of(("wca",), SMALL))[8:9])
    ids = [image.id for image in originals]  # the last was never stored
    with closing(sqlite3.connect(store.path)) as connection:
        rows = dict(connection.execute("SELECT sample, image FROM samples"))
        connection.execute("UPDATE images SET whole = zeroblob(28) WHERE id = ?", (rows[ids[1]],))
        connection.execute(
            "UPDATE regions SET embeddings = zeroblob(length(embeddings)) WHERE image = ?", (rows[ids[3]],)
        )
        connection.execute("DELETE FROM regions WHERE image = ?", (rows[ids[4]],))
        connection.execute("UPDATE images SET height = 4611686018427387904 WHERE id = ?", (rows[ids[6]],))
        connection.commit()
    for at_once in (2, 4, 100):
        images, incomplete = collected(store, run, [*ids, "nobody"], plan, at_once=at_once)
        assert [image.id for image in images] == [ids[0], ids[2], ids[5]]
        assert incomplete == [ids[1], ids[3], ids[4], *ids[6:], "nobody"]
        assert_same(images, one_by_one(list(store.known_regions(run, ids)), plan))


def replaying() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("lgca-replay")]


def test_replay__a_caller_may_write_to_the_store_in_between(store: Store) -> None:
    plan, run, originals, ids = stored(store, 40)
    seen = []
    for images, _ in replay(store, run, ids, plan):
        store.write_vectors(run, {image.id: image.regions[:1] for image in images})
        seen += images
    for batch, _ in replay_batches(store, run, ids, plan, at_once=3):
        assert batch is not None
        store.write_vectors(run, {id_: batch.regions[i, :1] for i, id_ in enumerate(batch.ids)})
    assert_same(seen, one_by_one(list(store.known_regions(run, ids)), plan))
    for image in originals:
        vectors = store.image_vectors_of(run, [image.id]).get(image.id)
        assert vectors is not None
        np.testing.assert_array_equal(vectors, image.regions[:1])


def test_replay__its_thread_ends_with_it(store: Store) -> None:
    plan, run, _, ids = stored(store, 20)
    batches = replay_batches(store, run, ids[:3], plan, at_once=3)
    next(batches)
    assert not replaying()  # one batch needs no thread
    batches = replay_batches(store, run, ids, plan, at_once=3)
    next(batches)
    assert replaying()
    batches.close()
    assert not replaying()

    def stops() -> None:
        for _ in replay_batches(store, run, ids, plan, at_once=3):
            raise KeyError("the caller fails")

    with pytest.raises(KeyError, match="the caller fails"):
        stops()
    assert not replaying()
    assert len(list(replay_batches(store, run, ids, plan, at_once=3))) == 7
    assert not replaying()


def test_replay__errors_of_the_store_are_raised_to_the_caller(store: Store) -> None:
    plan, run, _, ids = stored(store, 20)
    batches = replay_batches(store, run, ids, plan, at_once=2)
    next(batches)
    store.close()
    with pytest.raises(StoreError, match="can't be used"):
        list(batches)
    assert not replaying()


def test_replay__every_default_method_finds_its_regions(store: Store) -> None:
    """The default geometry: at growth 1.5, most boxes of step 1 and 2 are as large as the image is high, and equal."""
    regions = RegionConfig()
    plan = RegionPlan.of(tuple(METHODS.values()), regions)
    run = open_run(store, regions=regions)
    originals = [grown(f"image {n}", (400, 500 if n % 2 else 400), plan, dim=16) for n in range(12)]
    write(store, run, originals)
    ids = [image.id for image in originals]
    images, incomplete = collected(store, run, ids, plan, at_once=5)
    assert incomplete == []
    assert any(len(image.distinct()) < len(image.boxes) for image in originals)
    assert_same(images, one_by_one(list(store.known_regions(run, ids)), plan))
