"""Replay of many images at once: the same as one by one, whatever is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.engine.batched_replay import RegionBatch, replay_batch
from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
from lgca_plugin.method.core.boxes import sample_boxes, sample_boxes_of_images
from tests.helpers.engine import plan_of
from tests.helpers.worlds.replay import DIM, Image, assert_same, grown, hashed, known_of, one_by_one, row_of, unit

SMALL = RegionConfig(crops=9, lgca_crops=6, scale_min=0.2, scale_max=0.5)
ALL = ("clip", "wca", "lgca")


def images_of(batch: RegionBatch | None) -> list[EncodedImage[str]]:
    return [] if batch is None else batch.images()


def assert_replayed(images: list[Image], plan: RegionPlan) -> None:
    assert_same(images_of(replay_batch(images, plan)), one_by_one(images, plan))


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
def test_replay__equals_images_one_by_one(data: st.DataObject, plan: RegionPlan) -> None:
    """Some or all boxes are known, in any order, with boxes that no plan has, and with some boxes twice."""
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
        images.append(row_of(image, known))
    assert_replayed(images, plan)


@settings(max_examples=40, deadline=None)
@given(before=plans(), methods=st.sampled_from([("clip",), ("wca",), ("lgca",), ("wca", "lgca")]), data=st.data())
def test_replay__of_fewer_regions_than_are_known(before: RegionPlan, methods: tuple[str, ...], data: Any) -> None:
    fewer = replace(before.regions, crops=4, lgca_crops=4, steps=data.draw(st.integers(0, before.regions.steps)))
    plan = plan_of(methods, fewer)
    assert_replayed([row_of(grown(f"image {number}", data.draw(sizes()), before)) for number in range(3)], plan)


@pytest.mark.parametrize("dim", [8, 512, 768])
@pytest.mark.parametrize("spread", [1e-3, 1e-4, 1e-5, 1e-6, 3e-8])
def test_replay__selects_as_float64_does_where_float32_is_not_exact_enough(dim: int, spread: float) -> None:
    """Embeddings so near to each other that products in float32 order them at random."""
    plan = plan_of(("lgca",), RegionConfig(crops=40, lgca_crops=40))
    sizes_hw = [(300, 400 - 50 * (number % 3)) for number in range(24)]
    images = [grown(f"image {number}", size, plan, dim=dim, spread=spread) for number, size in enumerate(sizes_hw)]
    assert_replayed([row_of(image) for image in images], plan)


def test_replay__float32_would_have_selected_others() -> None:
    """So the test above can fail."""
    rng = np.random.default_rng(0)
    whole = unit(rng.normal(size=512))
    near = unit(whole + 1e-7 * rng.normal(size=(40, 512)))
    exact = (near.astype(np.float64) * whole).sum(axis=1)
    assert (np.argsort(-exact, kind="stable")[:20] != np.argsort(-(near @ whole), kind="stable")[:20]).any()


def test_replay__embeddings_of_any_length() -> None:
    """Unit length is expected; other lengths select the same regions."""
    plan = plan_of(("lgca",), RegionConfig(crops=40, lgca_crops=40))
    images = []
    for number, factor in enumerate([1e-3, 30.0, 1e4]):
        image = grown(f"image {number}", (300, 400), plan, dim=64, spread=1e-6)
        known = known_of(image)
        scaled = KnownRegions(known.image_size_hw, known.whole * np.float32(factor), known.boxes, known.regions * 7)
        images.append(row_of(image, scaled))
    assert any(len(one.regions) for one in one_by_one(images, plan))
    assert_replayed(images, plan)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_replay__leaves_out_images_with_embeddings_that_are_not_finite(value: float) -> None:
    plan = plan_of(("wca", "lgca"), SMALL)
    images = []
    for number in range(4):
        image = grown(f"image {number}", (60, 50), plan)
        known = known_of(image)
        if number == 1:
            known.regions[2, 3] = value
        if number == 2:
            known = KnownRegions(known.image_size_hw, np.full_like(known.whole, value), known.boxes, known.regions)
        images.append(row_of(image, known))
    batch = replay_batch(images, plan)
    assert batch is not None and batch.ids == ("image 0", "image 3")
    assert_same(batch.images(), one_by_one([images[0], images[3]], plan))


def test_replay__a_value_that_is_not_finite_does_not_matter_in_a_region_of_another_plan() -> None:
    wide, narrow = plan_of(("wca", "lgca"), SMALL), plan_of(("wca",), replace(SMALL, crops=6))
    image = grown("image", (60, 50), wide)
    known = known_of(image)
    known.regions[-1] = np.nan
    assert_replayed([row_of(image, known)], narrow)


@pytest.mark.parametrize("size_hw", [(0, 10), (-5, 10), (2**40, 2**40), (2**62, 1), (1, 2**62)])
def test_replay__an_impossible_size_leaves_the_other_images_alone(size_hw: tuple[int, int]) -> None:
    plan = plan_of(("wca", "lgca"), SMALL)
    image = grown("image", (60, 50), plan)
    known = known_of(image)
    spoilt = ("spoilt", hashed("spoilt"), KnownRegions(size_hw, known.whole, known.boxes, known.regions))
    assert replay_batch([spoilt], plan) is None
    batch = replay_batch([spoilt, row_of(image)], plan)
    assert_same(images_of(batch), [replace(image, fresh=np.zeros_like(image.fresh), encodes=0)])


@pytest.mark.parametrize("size_hw", [(1, 200_000), (200_000, 3), (40_000, 50_000)])
def test_replay__of_very_large_images(size_hw: tuple[int, int]) -> None:
    plan = plan_of(("wca", "lgca"), SMALL)
    assert_replayed([row_of(grown(f"image {number}", size_hw, plan)) for number in range(64)], plan)


def test_replay__of_nothing() -> None:
    assert replay_batch([], plan_of(ALL, SMALL)) is None


def test_batch__stacks_the_images() -> None:
    plan = plan_of(ALL, SMALL)
    originals = [grown(f"image {number}", (60, 50 + 10 * number), plan) for number in range(3)]
    batch = replay_batch([row_of(image) for image in originals], plan)
    assert batch is not None and len(batch) == 3
    assert batch.ids == ("image 0", "image 1", "image 2")
    assert batch.image_size_hw.tolist() == [[60, 50], [60, 60], [60, 70]]
    for name in ("boxes", "step", "chain", "regions", "whole"):
        np.testing.assert_array_equal(getattr(batch, name), np.stack([getattr(one, name) for one in originals]))
    assert batch.regions.dtype == batch.whole.dtype == np.float32
    assert batch.regions.flags.c_contiguous


@settings(max_examples=50, deadline=None)
@given(
    sizes_hw=st.lists(sizes(), min_size=1, max_size=6),
    n=st.integers(1, 20),
    seed=st.integers(0, 5),
    spread_of=st.sampled_from([None, 20, 25]),
)
def test_sample_boxes__of_many_images_are_those_of_each(
    sizes_hw: list[tuple[int, int]], n: int, seed: int, spread_of: int | None
) -> None:
    hashes = [hashed(str(number)) for number in range(len(sizes_hw))]
    scales: dict[str, Any] = {"scale_min": 0.3, "scale_max": 0.8, "seed": seed, "spread_of": spread_of}
    found = sample_boxes_of_images(n, np.array(sizes_hw), content_hashes=hashes, **scales)
    expected = [sample_boxes(n, size, content_hash=one, **scales) for size, one in zip(sizes_hw, hashes, strict=True)]
    np.testing.assert_array_equal(found, np.stack(expected))
    assert found.dtype == np.int64
