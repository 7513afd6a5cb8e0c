"""Sampling, growing and choosing boxes: literal arrays by hand, and the properties that hold for every image."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lgca_plugin.method.core.boxes import (
    chain_counts,
    expand_boxes,
    matching_chains,
    sample_boxes,
    select_salient,
    spread_order,
)
from tests.helpers import reference
from tests.helpers.checks import all_of

HASH = hashlib.sha256(b"an image").hexdigest()
GOLDEN = [[106, 30, 130, 130], [89, 27, 130, 130], [23, 41, 150, 150], [88, 1, 143, 143]]
SIZES = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
SCALES = st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)).map(lambda pair: (min(pair), max(pair)))


def sample(n: int = 60, size: tuple[int, int] = (200, 300), **options: Any) -> np.ndarray:
    return sample_boxes(n, size, **{"scale_min": 0.5, "scale_max": 0.9, "seed": 0, "content_hash": HASH, **options})


def assert_inside(boxes: np.ndarray, height: int, width: int) -> None:
    left, top, box_width, box_height = boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (box_width >= 1).all()
    assert (box_width == box_height).all()
    assert (left + box_width <= width).all()
    assert (top + box_height <= height).all()


def test_sample__crops_of_an_image_never_change() -> None:
    """Stored runs hold these numbers, so they must never change."""
    boxes = sample_boxes(4, (200, 300), scale_min=0.5, scale_max=0.9, seed=0, content_hash="0" * 64)
    assert boxes.tolist() == GOLDEN
    assert boxes.dtype == np.int64


@settings(max_examples=60, deadline=None)
@given(
    size=SIZES,
    scales=SCALES,
    seed=st.integers(0, 2**63),
    content=st.text("0123456789abcdef", min_size=1, max_size=64),
)
def test_sample__equals_the_loop(size: tuple[int, int], scales: tuple[float, float], seed: int, content: str) -> None:
    boxes = sample_boxes(9, size, scale_min=scales[0], scale_max=scales[1], seed=seed, content_hash=content)
    assert [tuple(box) for box in boxes.tolist()] == reference.first_boxes(9, *size, *scales, seed, content)


@settings(max_examples=60, deadline=None)
@example((1, 1), (0.5, 0.9), 0)
@example((1, 5000), (0.5, 0.9), 0)
@example((5000, 1), (0.5, 0.9), 0)
@example((2, 3), (0.5, 0.9), 0)
@given(size=SIZES, scales=SCALES, seed=st.integers(0, 2**32))
def test_sample__boxes_lie_inside_with_sides_within_the_scales(
    size: tuple[int, int], scales: tuple[float, float], seed: int
) -> None:
    boxes = sample(20, size, scale_min=scales[0], scale_max=scales[1], seed=seed)
    assert_inside(boxes, *size)
    shorter = min(size)
    assert (boxes[:, 2] >= max(1, np.floor(scales[0] * shorter))).all()
    assert (boxes[:, 2] <= max(1, np.ceil(scales[1] * shorter))).all()


@pytest.mark.parametrize("n", [1, 2, 34, 59])
def test_sample__fewer_crops_are_a_prefix(n: int) -> None:
    np.testing.assert_array_equal(sample(n), sample(60)[:n])


def test_sample__sides_and_positions_fill_their_ranges() -> None:
    boxes = sample(4000, (1000, 2000), scale_min=0.2, scale_max=0.4)
    side, left, top = boxes[:, 2], boxes[:, 0], boxes[:, 1]
    assert side.min() <= 202
    assert side.max() >= 398
    assert abs(side.mean() - 300) < 5
    across, down = left / (2000 - side), top / (1000 - side)
    for share in (across, down):
        assert share.min() < 0.005
        assert share.max() > 0.995
        assert abs(share.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(across, down)[0, 1]) < 0.06
    assert abs(np.corrcoef(side, across)[0, 1]) < 0.06


def test_sample__equal_scales_give_one_side_and_full_scale_the_largest_square() -> None:
    assert set(sample(30, (99, 401), scale_min=0.5, scale_max=0.5)[:, 2].tolist()) == {50}  # 49.5 rounds up
    boxes = sample(30, (100, 160), scale_min=1.0, scale_max=1.0)
    assert set(boxes[:, 2].tolist()) == {100}
    assert set(boxes[:, 1].tolist()) == {0}
    assert len(set(boxes[:, 0].tolist())) > 10


def test_spread__takes_the_crop_that_overlaps_least_next_and_the_earlier_of_equal_ones() -> None:
    # overlaps with the first: none, 0.5 x 1 of 1.5, equal to it, none but with the second
    boxes = np.array([[0, 0, 10, 10], [40, 0, 10, 10], [5, 0, 10, 10], [0, 0, 10, 10], [48, 0, 10, 10]])
    assert spread_order(boxes, 5).tolist() == [0, 1, 4, 2, 3]
    assert spread_order(np.array([[3, 3, 4, 4]] * 4), 4).tolist() == [0, 1, 2, 3]


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),  # so small that crops are often equal
    scales=SCALES,
    n=st.integers(1, 12),
    data=st.data(),
)
def test_spread__equals_the_loop_for_one_image_and_for_many(
    size: tuple[int, int], scales: tuple[float, float], n: int, data: st.DataObject
) -> None:
    images = [sample(n, size, scale_min=scales[0], scale_max=scales[1], seed=seed) for seed in range(3)]
    count = data.draw(st.integers(1, n))
    expected = [reference.spread([tuple(box) for box in boxes.tolist()], count) for boxes in images]
    assert spread_order(np.stack(images), count).tolist() == expected
    assert spread_order(images[0], count).tolist() == expected[0]


@pytest.mark.parametrize("n", [1, 2, 20, 59])
def test_sample__spread_crops_are_some_of_all_and_fewer_are_a_prefix(n: int) -> None:
    crops, spread = sample(60), sample(n, spread_of=60)
    np.testing.assert_array_equal(spread, crops[spread_order(crops, 60)[:n]])
    np.testing.assert_array_equal(spread, sample(60, spread_of=60)[:n])


def test_sample__spread_crops_show_more_of_the_image_than_the_first() -> None:
    def shown(boxes: np.ndarray) -> float:
        covered = np.zeros((200, 300), dtype=bool)
        for left, top, width, height in boxes:
            covered[top : top + height, left : left + width] = True
        return float(covered.mean())

    more = [shown(sample(9, spread_of=60, seed=seed)) - shown(sample(9, seed=seed)) for seed in range(30)]
    assert np.mean(more) > 0.03


@pytest.mark.parametrize(
    ("box", "size", "growth", "grown"),
    [
        ([0, 0, 40, 40], (100, 200), 1.5, [0, 0, 60, 60]),  # top left corner: would start at -10
        ([160, 60, 40, 40], (100, 200), 1.5, [140, 40, 60, 60]),  # bottom right corner
        ([100, 30, 40, 40], (100, 200), 1.5, [90, 20, 60, 60]),  # free on all sides
        ([100, 30, 41, 41], (100, 200), 1.5, [89, 19, 62, 62]),  # 61.5 rounds to 62, the odd pixel goes to the left
        ([10, 10, 80, 80], (100, 200), 1.5, [0, 0, 100, 100]),  # 120 is more than the height
        ([5, 5, 1, 1], (100, 200), 1.5, [4, 4, 2, 2]),  # 1.5 rounds to 2
        ([120, 0, 100, 100], (100, 220), 1.5, [120, 0, 100, 100]),  # already the largest square
        ([3, 7, 10, 10], (300, 300), 2.0, [0, 2, 20, 20]),
        ([100, 120, 50, 50], (400, 400), 2.0, [75, 95, 100, 100]),  # keeps its centre
        ([20, 3, 4, 4], (10, 30), 1e18, [17, 0, 10, 10]),
        ([20, 3, 4, 4], (10, 30), 1e300, [17, 0, 10, 10]),
    ],
)
def test_expand__literal_boxes(box: list[int], size: tuple[int, int], growth: float, grown: list[int]) -> None:
    boxes = np.array([box])
    assert expand_boxes(boxes, size, growth).tolist() == [grown]
    assert boxes.tolist() == [box]
    assert expand_boxes(boxes[:0], size, growth).shape == (0, 4)


@settings(max_examples=60, deadline=None)
@given(size=SIZES, scales=SCALES, seed=st.integers(0, 99), growth=st.floats(1.001, 100))
def test_expand__equals_the_loop_and_stays_inside(
    size: tuple[int, int], scales: tuple[float, float], seed: int, growth: float
) -> None:
    boxes = sample(8, size, scale_min=scales[0], scale_max=scales[1], seed=seed)
    for _ in range(3):
        grown = expand_boxes(boxes, size, growth)
        assert_inside(grown, *size)
        assert [tuple(b) for b in grown.tolist()] == [reference.grown(tuple(b), *size, growth) for b in boxes.tolist()]
        boxes = grown


@settings(max_examples=60, deadline=None)
@given(size=SIZES, scales=SCALES, seed=st.integers(0, 99), growth=st.floats(1.001, 4))
def test_expand__grown_box_contains_the_old_one(
    size: tuple[int, int], scales: tuple[float, float], seed: int, growth: float
) -> None:
    boxes = sample(8, size, scale_min=scales[0], scale_max=scales[1], seed=seed)
    grown = expand_boxes(boxes, size, growth)
    assert (grown[:, 2] >= boxes[:, 2]).all()
    assert (grown[:, 2] <= min(size)).all()
    assert (grown[:, :2] <= boxes[:, :2]).all()
    assert (grown[:, :2] + grown[:, 2:] >= boxes[:, :2] + boxes[:, 2:]).all()


@pytest.mark.parametrize(
    ("crops", "steps", "chains"),
    [(60, 2, 34), (60, 0, 60), (1, 0, 1), (3, 2, 1), (2, 2, 1)],  # the last: one chain costs 3, and there is no less
)
def test_matching_chains__literal(crops: int, steps: int, chains: int) -> None:
    assert matching_chains(crops, keep=0.5, steps=steps) == chains


@settings(max_examples=100, deadline=None)
@given(crops=st.integers(1, 200), keep=st.floats(0.01, 0.99), steps=st.integers(0, 6))
def test_matching_chains__is_the_most_that_can_be_afforded(crops: int, keep: float, steps: int) -> None:
    affordable = [n for n in range(1, crops + 1) if sum(chain_counts(n, keep=keep, steps=steps)) <= crops]
    assert matching_chains(crops, keep=keep, steps=steps) == max(affordable, default=1)


def test_matching_chains__of_large_settings_does_not_hang_a_form() -> None:
    started = time.perf_counter()
    matching_chains(10_000, keep=0.9, steps=20)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("n", "keep", "steps", "counts"),
    [
        (34, 0.5, 2, (34, 17, 9)),
        (60, 0.5, 2, (60, 30, 15)),
        (60, 0.5, 0, (60,)),
        (1, 0.5, 3, (1, 1, 1, 1)),
        (2, 0.1, 2, (2, 1, 1)),
        (30, 0.1, 1, (30, 3)),  # not 4: 0.1 * 30 is 3.0000000000000004 in binary
        (10, 0.7, 1, (10, 7)),
        (100, 0.07, 1, (100, 7)),  # 7.000000000000001 in binary
        (5, 0.99, 2, (5, 5, 5)),
        (7, 1e-9, 1, (7, 1)),
    ],
)
def test_chain_counts__literal(n: int, keep: float, steps: int, counts: tuple[int, ...]) -> None:
    assert chain_counts(n, keep=keep, steps=steps) == counts


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 500), keep=st.floats(0.01, 0.99), steps=st.integers(0, 8))
def test_chain_counts__equals_the_loop_and_obeys_the_complexity_theorem(n: int, keep: float, steps: int) -> None:
    counts = chain_counts(n, keep=keep, steps=steps)
    expected = [n]
    for _ in range(steps):
        expected.append(reference.kept_count(expected[-1], keep))
    assert list(counts) == expected
    # Rounding up adds less than one region a step, and each of those at most 1 / (1 - keep) over all later steps.
    assert sum(counts) < (n + steps) / (1 - keep) + 1


@settings(max_examples=80, deadline=None)
@given(ranks=st.lists(st.integers(-6, 6), min_size=1, max_size=40), data=st.data())
def test_select__equals_the_loop_with_many_ties(ranks: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(ranks)))
    for dtype in (np.float32, np.float64):
        salience = np.array(ranks, dtype=dtype) / 7
        assert select_salient(salience, count).tolist() == reference.most_salient(salience.tolist(), count)


# -------------------------------------------------------------------------------------------------- bad arguments

NAN = float("nan")


def expand(growth: float) -> Any:
    return expand_boxes(np.array([[0, 0, 4, 4]]), (10, 10), growth)


def counts(**options: Any) -> Any:
    return chain_counts(**{"n": 10, "keep": 0.5, "steps": 2, **options})


def select(count: int) -> Any:
    return select_salient(np.array([0.1, 0.2, 0.3]), count)


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        (sample, {"n": 0}, ["n ", "0"]),
        (sample, {"n": -3}, ["n ", "-3"]),
        (sample, {"scale_min": 0.0}, ["scale_min", "0.0"]),
        (sample, {"scale_min": -0.1}, ["scale_min", "-0.1"]),
        (sample, {"scale_min": 0.8, "scale_max": 0.3}, ["scale_min", "scale_max", "0.8", "0.3"]),
        (sample, {"scale_max": 1.01}, ["scale_max", "1.01"]),
        (sample, {"scale_max": NAN}, ["scale_max", "nan"]),
        (sample, {"size": (0, 10)}, ["image_size_hw", "0"]),
        (sample, {"size": (10, -1)}, ["image_size_hw", "-1"]),
        *((expand, {"growth": value}, ["growth", str(value)]) for value in (1.0, 0.5, 0.0, -2.0, NAN)),
        (counts, {"n": 0}, ["n ", "0"]),
        *((counts, {"keep": value}, ["keep", str(value)]) for value in (0.0, 1.0, 1.5, NAN)),
        (counts, {"steps": -1}, ["steps", "-1"]),
        *((select, {"count": value}, ["count", str(value)]) for value in (0, -1, 4)),
    ],
)
def test_bad_argument__is_named_with_its_value(function: Any, options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=all_of(words)):
        function(**options)
