"""Images of which some embeddings are known: the results are the same, and nothing is encoded twice."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.encoder.base import Encoder
from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.engine.region_expansion import RegionExpansion
from tests.helpers.engine import Counting, plan_of

METHODS = [("clip",), ("wca",), ("clip", "lgca"), ("wca", "lgca")]


class Projection(Encoder):
    """A small encoder of real numbers: fixed random projections of the pixels, each image on its own."""

    name = "projection"
    image_size = 8
    mean = (0.5, 0.5, 0.5)
    std = (0.3, 0.3, 0.3)
    logit_scale = 10.0
    dim = 6

    def __init__(self) -> None:
        self._matrix = np.random.default_rng(5).normal(size=(3 * 8 * 8, self.dim))

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        rows = [image.ravel().astype(np.float64) @ self._matrix for image in pixels.numpy()]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


def png(height: int, width: int, seed: int) -> bytes:
    """A picture of noise."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


PHOTO = png(40, 60, 0)
PLAN = plan_of(("wca", "lgca"), RegionConfig(crops=8, scale_min=0.2, scale_max=0.4))


@st.composite
def cases(draw: st.DrawFn) -> tuple[bytes, RegionPlan]:
    """A picture so small that boxes become equal and reach the edges, and a plan."""
    data = png(draw(st.integers(8, 40)), draw(st.integers(8, 40)), draw(st.integers(0, 10_000)))
    scale_min = draw(st.floats(0.1, 0.9))
    regions = RegionConfig(
        crops=draw(st.integers(4, 14)),
        steps=draw(st.integers(1, 3)),
        scale_min=scale_min,
        scale_max=draw(st.floats(scale_min, 1.0)),
        seed=draw(st.integers(0, 100)),
        lgca_crops=4,
    )
    return data, plan_of(draw(st.sampled_from(METHODS)), regions)


def encoded(data: bytes, plan: RegionPlan, known: KnownRegions | None = None) -> tuple[EncodedImage[int], int]:
    """The engine's result for one image, and how many encodes it took."""
    encoder = Counting(Projection())
    (result,) = encode_images([(0, data)], encoder=encoder, plan=plan, batch_size=5, recall=lambda _: known)
    assert isinstance(result, EncodedImage)
    return result, encoder.encoded


def assert_equal(found: EncodedImage[int], expected: EncodedImage[int]) -> None:
    assert (found.content_hash, found.image_size_hw) == (expected.content_hash, expected.image_size_hw)
    for name in ("boxes", "step", "chain", "regions", "whole"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def known_of(image: EncodedImage[int], which: np.ndarray | slice = slice(None)) -> KnownRegions:
    return KnownRegions(image.image_size_hw, image.whole, image.boxes[which].astype(np.int32), image.regions[which])


def keys(image: EncodedImage[int]) -> list[tuple[int, ...] | None]:
    """The box of each region; None for the whole image."""
    height, width = image.image_size_hw
    return [None if box == (0, 0, width, height) else box for box in map(tuple, image.boxes.tolist())]


@settings(max_examples=120, deadline=None)
@given(case=cases(), chance=st.sampled_from([0.0, 0.3, 0.7, 0.95, 1.0]), seed=st.integers(0, 1000))
def test_known__any_part_of_the_boxes_in_any_order(case: tuple[bytes, RegionPlan], chance: float, seed: int) -> None:
    data, plan = case
    whole, encodes = encoded(data, plan)
    assert encodes == whole.encodes == len({None, *keys(whole)})

    rng = np.random.default_rng(seed)
    which = rng.permutation(np.flatnonzero(rng.random(len(whole.boxes)) < chance))
    found, encodes = encoded(data, plan, known_of(whole, which))

    assert_equal(found, whole)
    before = {None, *(keys(whole)[index] for index in which)}
    fresh = []
    for key in keys(whole):
        fresh.append(key not in before)
        before.add(key)
    assert found.fresh.tolist() == fresh
    assert encodes == found.encodes == sum(fresh)


@settings(max_examples=60, deadline=None)
@given(case=cases(), methods=st.sampled_from(METHODS), seed=st.none() | st.integers(101, 200))
def test_known__from_other_methods_of_the_same_crops_or_of_others(
    case: tuple[bytes, RegionPlan], methods: tuple[str, ...], seed: int | None
) -> None:
    data, plan = case
    regions = plan.regions if seed is None else replace(plan.regions, seed=seed)
    other, _ = encoded(data, plan_of(methods, regions))
    whole, _ = encoded(data, plan)
    found, encodes = encoded(data, plan, known_of(other))
    assert_equal(found, whole)
    assert encodes == len({*keys(whole)} - {None, *keys(other)})


def test_replay__without_one_embedding_has_no_result_and_an_image_needs_a_picture_or_embeddings() -> None:
    whole, _ = encoded(PHOTO, PLAN)
    for index in range(len(whole.boxes)):
        but_one = np.flatnonzero(np.arange(len(whole.boxes)) != index)
        assert not RegionExpansion(whole.content_hash, PLAN, known=known_of(whole, but_one)).replay()
    with pytest.raises(ValueError, match="a picture or known"):
        RegionExpansion(whole.content_hash, PLAN)


def test_known__of_an_image_of_another_size_is_not_used() -> None:
    whole, encodes = encoded(PHOTO, PLAN)
    turned = KnownRegions((60, 40), -whole.whole, whole.boxes, -whole.regions)
    found, again = encoded(PHOTO, PLAN, turned)
    assert_equal(found, whole)
    assert again == encodes


def test_distinct__is_each_box_once_and_not_the_whole_square_image() -> None:
    boxes = np.array([[3, 0, 5, 5], [0, 0, 9, 9], [1, 1, 4, 4], [3, 0, 5, 5], [0, 0, 9, 9], [0, 0, 5, 5]])
    zeros = np.zeros(6, np.int64)
    regions, whole = np.zeros((6, 2), np.float32), np.zeros(2, np.float32)
    square, wide, bare = (
        EncodedImage(0, "00", size, own, zeros, zeros, regions, whole, zeros.astype(bool), encodes=0)
        for size, own in (((9, 9), boxes), ((9, 10), boxes), ((9, 9), boxes[:0]))
    )
    assert square.distinct().tolist() == [0, 2, 5]
    assert wide.distinct().tolist() == [0, 1, 2, 5]
    assert bare.distinct().tolist() == []
    assert bare.regions[bare.distinct()].shape == (0, 2)
