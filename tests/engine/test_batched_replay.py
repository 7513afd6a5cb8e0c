"""Images from the store, many at once: the same as one by one, whatever the store holds, and however it ends."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.engine.batched_replay import RegionBatch, replay_batch
from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
from lgca_plugin.errors import StoreError
from lgca_plugin.method.core.boxes import sample_boxes, sample_boxes_of_images
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.runs.replay import IMAGES_AT_ONCE, replay, replay_batches
from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.rows import StoredRun, StoredSample
from lgca_plugin.store.store import Store, geometry_of
from tests.helpers.engine import plan_of
from tests.helpers.worlds.replay import DIM, Image, assert_same, grown, hashed, known_of, one_by_one, unit

AMPLE = 10**9
SMALL = RegionConfig(crops=9, lgca_crops=6, scale_min=0.2, scale_max=0.5)
ALL = ("clip", "wca", "lgca")


# ------------------------------------------------------------------------------------------------ images and references


def images_of(batch: RegionBatch | None) -> list[EncodedImage[str]]:
    return [] if batch is None else batch.images()


# ------------------------------------------------------------------------------------------- regrowing, on its own


@st.composite
def plans(draw: st.DrawFn) -> RegionPlan:
    scale_min = draw(st.floats(0.1, 0.9))
    regions = RegionConfig(
        crops=draw(st.integers(4, 14)),
        lgca_crops=draw(st.sampled_from([4, None, 20])),
        steps=draw(st.integers(0, 3)),
        scale_min=scale_min,
        scale_max=draw(st.floats(scale_min, 1.0)),
        keep=draw(st.sampled_from([0.3, 0.5, 0.9])),
        growth=draw(st.sampled_from([1.2, 1.5, 3.0])),
        seed=draw(st.integers(0, 100)),
    )
    return plan_of(draw(st.sampled_from([("clip",), ("wca",), ("lgca",), ("wca", "lgca")])), regions)


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int]:
    """So small that boxes grow equal; squares, whose boxes grow to the whole image; and larger ones."""
    side = st.one_of(st.integers(1, 12), st.integers(13, 300))
    height = draw(side)
    return height, draw(st.one_of(st.just(height), side))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), plan=plans())
def test_regrow__is_what_comes_out_one_by_one(data: st.DataObject, plan: RegionPlan) -> None:
    """Some or all boxes are known, in any order, with boxes of nobody, and with some boxes twice."""
    images: list[Image] = []
    for number in range(data.draw(st.integers(1, 5))):
        kinds, spread = data.draw(st.sampled_from([(1000, 1.0), (3, 1.0), (1, 1.0), (1000, 1e-7)]))
        image = grown(f"image {number}", data.draw(sizes()), plan, kinds=kinds, spread=spread)
        known = known_of(image)
        rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
        which = rng.permutation(len(known.boxes))
        which = which[rng.random(len(which)) < data.draw(st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.0]))]
        foreign = rng.integers(-20, 320, size=(data.draw(st.integers(0, 8)), 4), dtype=np.int32)
        others = unit(rng.normal(size=(len(foreign), DIM)))
        again = which[: data.draw(st.integers(0, 3))]
        known = KnownRegions(
            known.image_size_hw,
            known.whole,
            np.concatenate([foreign, known.boxes[which], known.boxes[again]]),
            np.concatenate([others, known.regions[which], -known.regions[again]]),
        )
        images.append((image.id, image.content_hash, known))
    assert_same(images_of(replay_batch(images, plan)), one_by_one(images, plan))


@settings(max_examples=40, deadline=None)
@given(before=plans(), methods=st.sampled_from([("clip",), ("wca",), ("lgca",), ("wca", "lgca")]), data=st.data())
def test_regrow__of_fewer_regions_than_are_known(before: RegionPlan, methods: tuple[str, ...], data: Any) -> None:
    fewer = replace(before.regions, crops=4, lgca_crops=4, steps=data.draw(st.integers(0, before.regions.steps)))
    plan = plan_of(methods, fewer)
    grown_before = [grown(f"image {number}", data.draw(sizes()), before) for number in range(3)]
    images = [(image.id, image.content_hash, known_of(image)) for image in grown_before]
    assert_same(images_of(replay_batch(images, plan)), one_by_one(images, plan))


@pytest.mark.parametrize("dim", [8, 512, 768])
@pytest.mark.parametrize("spread", [1e-3, 1e-4, 1e-5, 1e-6, 3e-8])
def test_regrow__selects_as_float64_does_where_float32_cannot_tell(dim: int, spread: float) -> None:
    """Embeddings so near to each other that products in float32 order them at random."""
    plan = plan_of(("lgca",), RegionConfig(crops=40, lgca_crops=40))
    images = []
    for number in range(24):
        image = grown(f"image {number}", (300, 400 - 50 * (number % 3)), plan, dim=dim, spread=spread)
        images.append((image.id, image.content_hash, known_of(image)))
    assert_same(images_of(replay_batch(images, plan)), one_by_one(images, plan))


def test_regrow__float32_would_have_selected_others() -> None:
    """The test above would notice."""
    rng = np.random.default_rng(0)
    whole = unit(rng.normal(size=512))
    near = unit(whole + 1e-7 * rng.normal(size=(40, 512)))
    exact = (near.astype(np.float64) * whole).sum(axis=1)
    assert (np.argsort(-exact, kind="stable")[:20] != np.argsort(-(near @ whole), kind="stable")[:20]).any()


def test_regrow__embeddings_of_any_length() -> None:
    """Unit length is the encoders' promise; who breaks it gets the same regions."""
    plan = plan_of(("lgca",), RegionConfig(crops=40, lgca_crops=40))
    images = []
    for number, factor in enumerate([1e-3, 30.0, 1e4]):
        image = grown(f"image {number}", (300, 400), plan, dim=64, spread=1e-6)
        known = known_of(image)
        scaled = KnownRegions(known.image_size_hw, known.whole * np.float32(factor), known.boxes, known.regions * 7)
        images.append((image.id, image.content_hash, scaled))
    expected = one_by_one(images, plan)
    assert any(len(one.regions) for one in expected)
    assert_same(images_of(replay_batch(images, plan)), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_regrow__leaves_out_images_with_embeddings_that_are_no_numbers(value: float) -> None:
    plan = plan_of(("wca", "lgca"), SMALL)
    images = []
    for number in range(4):
        image = grown(f"image {number}", (60, 50), plan)
        known = known_of(image)
        if number == 1:
            known.regions[2, 3] = value
        if number == 2:
            known = KnownRegions(known.image_size_hw, np.full_like(known.whole, value), known.boxes, known.regions)
        images.append((image.id, image.content_hash, known))
    batch = replay_batch(images, plan)
    assert batch is not None and batch.ids == ("image 0", "image 3")
    assert_same(batch.images(), one_by_one([images[0], images[3]], plan))


def test_regrow__a_value_that_is_no_number_does_not_matter_where_it_is_not_asked_for() -> None:
    wide, narrow = plan_of(("wca", "lgca"), SMALL), plan_of(("wca",), replace(SMALL, crops=6))
    image = grown("image", (60, 50), wide)
    known = known_of(image)
    known.regions[-1] = np.nan
    assert_same(
        images_of(replay_batch([("image", image.content_hash, known)], narrow)),
        one_by_one([("image", image.content_hash, known)], narrow),
    )


@pytest.mark.parametrize("size_hw", [(0, 10), (-5, 10), (2**40, 2**40), (2**62, 1), (1, 2**62)])
def test_regrow__a_size_that_no_image_has_spoils_only_its_own(size_hw: tuple[int, int]) -> None:
    plan = plan_of(("wca", "lgca"), SMALL)
    image = grown("image", (60, 50), plan)
    known = known_of(image)
    spoilt = KnownRegions(size_hw, known.whole, known.boxes, known.regions)
    assert replay_batch([("spoilt", hashed("spoilt"), spoilt)], plan) is None
    batch = replay_batch([("spoilt", hashed("spoilt"), spoilt), ("image", image.content_hash, known)], plan)
    assert_same(images_of(batch), [replace(image, fresh=np.zeros_like(image.fresh), encodes=0)])


@pytest.mark.parametrize("size_hw", [(1, 200_000), (200_000, 3), (40_000, 50_000)])
def test_regrow__of_very_large_images(size_hw: tuple[int, int]) -> None:
    plan = plan_of(("wca", "lgca"), SMALL)
    grown_once = [grown(f"image {number}", size_hw, plan) for number in range(IMAGES_AT_ONCE)]
    images = [(image.id, image.content_hash, known_of(image)) for image in grown_once]
    assert_same(images_of(replay_batch(images, plan)), one_by_one(images, plan))


def test_regrow__of_nothing() -> None:
    assert replay_batch([], plan_of(ALL, SMALL)) is None


def test_batch__stacks_the_images() -> None:
    plan = plan_of(ALL, SMALL)
    grown_once = [grown(f"image {number}", (60, 50 + 10 * number), plan) for number in range(3)]
    batch = replay_batch([(image.id, image.content_hash, known_of(image)) for image in grown_once], plan)
    assert batch is not None and len(batch) == 3
    assert batch.ids == ("image 0", "image 1", "image 2")
    assert batch.image_size_hw.tolist() == [[60, 50], [60, 60], [60, 70]]
    for name in ("boxes", "step", "chain", "regions", "whole"):
        np.testing.assert_array_equal(getattr(batch, name), np.stack([getattr(one, name) for one in grown_once]))
    assert batch.regions.dtype == batch.whole.dtype == np.float32
    assert batch.regions.flags.c_contiguous


@settings(max_examples=50, deadline=None)
@given(sizes_hw=st.lists(sizes(), min_size=1, max_size=6), n=st.integers(1, 20), seed=st.integers(0, 5))
def test_sample_boxes__of_many_images_are_those_of_each(sizes_hw: list[tuple[int, int]], n: int, seed: int) -> None:
    hashes = [hashed(str(number)) for number in range(len(sizes_hw))]
    scales = {"scale_min": 0.3, "scale_max": 0.8, "seed": seed}
    found = sample_boxes_of_images(n, np.array(sizes_hw), content_hashes=hashes, **scales)
    expected = [sample_boxes(n, size, content_hash=one, **scales) for size, one in zip(sizes_hw, hashes, strict=True)]
    np.testing.assert_array_equal(found, np.stack(expected))
    assert found.dtype == np.int64


# ----------------------------------------------------------------------------------------------------- from the store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store(folder, limit_bytes=AMPLE) as opened:
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


def keep(store: Store, run: StoredRun, images: list[EncodedImage[str]], **options: Any) -> None:
    assert store.write_samples(run, [StoredSample(image, image.whole[None]) for image in images], **options)


def some(count: int, plan: RegionPlan, *, start: int = 0) -> list[EncodedImage[str]]:
    """Images of several sizes, square ones among them."""
    return [grown(f"image {n:04d}", (60, 50 + 10 * (n % 3)), plan) for n in range(start, start + count)]


def collected(
    store: Store, run: StoredRun, ids: list[str], plan: RegionPlan, **options: Any
) -> tuple[list[EncodedImage[str]], list[str]]:
    """What replay_batches gives in all; what replay gives is checked to be the same."""
    batches = list(replay_batches(store, run, ids, plan, **options))
    images = [image for batch, _ in batches for image in images_of(batch)]
    incomplete = [id_ for _, lacking in batches for id_ in lacking]
    assert sorted([*(image.id for image in images), *incomplete]) == sorted(ids)
    for batch, _ in batches:
        assert batch is None or len(batch)
    pairs = list(replay(store, run, ids, plan))
    assert_same([image for found, _ in pairs for image in found], images)
    assert [id_ for _, lacking in pairs for id_ in lacking] == incomplete
    return images, incomplete


@pytest.mark.parametrize("count", [1, 2, 5, IMAGES_AT_ONCE + 1, 3 * IMAGES_AT_ONCE + 5])
def test_replay__gives_all_images_in_the_order_of_their_ids(store: Store, count: int) -> None:
    plan, run = plan_of(ALL, SMALL), open_run(store)
    kept = some(count, plan)
    keep(store, run, kept)
    ids = [image.id for image in kept[::-1]]
    for options in ({}, {"at_once": 2}, {"at_once": 1000}):
        images, incomplete = collected(store, run, ids, plan, **options)
        assert [image.id for image in images] == ids
        assert incomplete == []
        assert_same(images, one_by_one(list(store.known_regions(run, ids)), plan))
    for image, original in zip(images, kept[::-1], strict=True):
        np.testing.assert_array_equal(image.regions, original.regions)


def test_replay__of_no_samples(store: Store) -> None:
    assert list(replay_batches(store, open_run(store), [], plan_of(ALL, SMALL))) == []


def test_replay__of_several_runs_that_share_an_image(store: Store) -> None:
    """Crops first, then what they grow into, then more crops: three rows an image, in an order of their own."""
    more = replace(SMALL, crops=12)
    crops, chains, all_ = plan_of(("wca",), SMALL), plan_of(ALL, SMALL), plan_of(ALL, more)
    for token, plan in (("first", crops), ("second", chains), ("third", all_)):
        keep(store, open_run(store, token), some(10, plan))
    run = open_run(store, "third")
    ids = store.sample_ids(run)
    for plan in (crops, chains, all_, plan_of(("lgca",), replace(SMALL, steps=1))):
        images, incomplete = collected(store, run, ids, plan, at_once=4)
        assert incomplete == []
        assert_same(images, one_by_one(list(store.known_regions(run, ids)), plan))


def test_replay__tells_which_samples_are_not_all_there(store: Store, folder: Path) -> None:
    plan, run = plan_of(ALL, SMALL), open_run(store)
    kept = some(9, plan)
    keep(store, run, kept[:6])
    keep(store, run, kept[6:7], with_regions=False)
    keep(store, run, some(9, plan_of(("wca",), SMALL))[7:8])
    ids = [image.id for image in kept]  # the last was never kept
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        rows = dict(connection.execute("SELECT sample, image FROM samples"))
        connection.execute("UPDATE images SET whole = zeroblob(28) WHERE id = ?", (rows[ids[1]],))
        connection.execute(
            "UPDATE regions SET embeddings = zeroblob(length(embeddings)) WHERE image = ?", (rows[ids[3]],)
        )
        connection.execute("DELETE FROM regions WHERE image = ?", (rows[ids[4]],))
        connection.commit()
    for at_once in (2, 4, 100):
        images, incomplete = collected(store, run, [*ids, "nobody"], plan, at_once=at_once)
        assert [image.id for image in images] == [ids[0], ids[2], ids[5]]
        assert incomplete == [ids[1], ids[3], ids[4], ids[6], ids[7], ids[8], "nobody"]
        assert_same(images, one_by_one(list(store.known_regions(run, ids)), plan))


def test_replay__a_size_damaged_in_the_store_leaves_the_others_alone(store: Store, folder: Path) -> None:
    plan, run = plan_of(ALL, SMALL), open_run(store)
    kept = some(3, plan)
    keep(store, run, kept)
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        connection.execute("UPDATE images SET height = 4611686018427387904 WHERE id = 2")
        connection.commit()
    images, incomplete = collected(store, run, [image.id for image in kept], plan)
    assert [image.id for image in images] == [kept[0].id, kept[2].id]
    assert incomplete == [kept[1].id]


# -------------------------------------------------------------------------------------------------- how it ends


def replaying() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("lgca-replay")]


def test_replay__a_caller_may_write_to_the_store_in_between(store: Store) -> None:
    plan, run = plan_of(ALL, SMALL), open_run(store)
    kept = some(40, plan)
    keep(store, run, kept)
    seen = []
    for images, _ in replay(store, run, [image.id for image in kept], plan):
        store.write_vectors(run, {image.id: image.regions[:1] for image in images})
        seen += images
    for batch, _ in replay_batches(store, run, [image.id for image in kept], plan, at_once=3):
        assert batch is not None
        store.write_vectors(run, {id_: batch.regions[i, :1] for i, id_ in enumerate(batch.ids)})
    assert_same(seen, one_by_one(list(store.known_regions(run, [image.id for image in kept])), plan))
    for image in kept:
        vectors = store.image_vectors_of(run, image.id)
        assert vectors is not None
        np.testing.assert_array_equal(vectors, image.regions[:1])


def test_replay__its_thread_ends_with_it(store: Store) -> None:
    plan, run = plan_of(ALL, SMALL), open_run(store)
    kept = some(20, plan)
    keep(store, run, kept)
    ids = [image.id for image in kept]
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


def test_replay__of_one_batch_needs_no_thread(store: Store) -> None:
    plan, run = plan_of(ALL, SMALL), open_run(store)
    keep(store, run, some(2, plan))
    batches = replay_batches(store, run, [image.id for image in some(2, plan)], plan)
    next(batches)
    assert not replaying()


def test_replay__a_store_that_fails_is_the_callers_to_hear_of(folder: Path) -> None:
    plan = plan_of(ALL, SMALL)
    with Store(folder, limit_bytes=AMPLE) as store:
        run = open_run(store)
        kept = some(20, plan)
        keep(store, run, kept)
        batches = replay_batches(store, run, [image.id for image in kept], plan, at_once=2)
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
    kept = [grown(f"image {n}", (400, 500 if n % 2 else 400), plan, dim=16) for n in range(12)]
    keep(store, run, kept)
    ids = [image.id for image in kept]
    images, incomplete = collected(store, run, ids, plan, at_once=5)
    assert incomplete == []
    assert any(len(image.distinct()) < len(image.boxes) for image in kept)
    assert_same(images, one_by_one(list(store.known_regions(run, ids)), plan))
