"""Typical images of a class, against loops over all pairs."""

import math

import numpy as np
import pytest

from lgca_plugin.method.labels.typical import NEAR_DUPLICATE, central_order, median_distance, typical_rows


def vectors(seed, count, dim=6):
    found = np.random.default_rng(seed).normal(size=(count, dim)) + 0.8
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def slow_distance(a, b):
    return 1 - sum(x * y for x, y in zip(a, b, strict=True))


def slow_median(rows):
    distances = sorted(slow_distance(a, b) for at, a in enumerate(rows) for b in rows[at + 1 :])
    middle = len(distances) // 2
    return distances[middle] if len(distances) % 2 else (distances[middle - 1] + distances[middle]) / 2


def slow_typical(rows, n, without):
    """Takes the most central image that is no near duplicate of one taken, again and again; then the others."""
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    length = math.sqrt(sum(value**2 for value in mean))
    mean = [value / length for value in mean]
    left = sorted(
        (row for row in range(len(rows)) if row not in without), key=lambda row: slow_distance(rows[row], mean)
    )
    limit = NEAR_DUPLICATE * slow_median(rows)
    taken: list[int] = []
    skipped: list[int] = []
    for row in left:
        near = any(slow_distance(rows[row], rows[other]) < limit for other in [*taken, *without])
        (skipped if near else taken).append(row)
    return (taken[:n] + sorted(taken[n:] + skipped, key=left.index))[:n]


@pytest.mark.parametrize("seed", range(20))
def test_typical_rows__are_those_of_the_slow_reference(seed):
    rows = vectors(seed, 3 + seed)
    if seed > 4:
        rows[1], rows[2] = rows[0] + 1e-4, rows[0] - 1e-4  # near duplicates
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    without = (seed % 3,) if seed % 2 else ()
    assert typical_rows(rows, 3, without=without) == slow_typical(rows.tolist(), 3, without)


def test_typical_rows__near_duplicates_come_only_where_there_are_too_few_others():
    corner = np.eye(4)
    burst = corner[0] + 1e-3 * corner[1:]
    rows = np.stack([corner[0], *burst, corner[1], corner[2]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    chosen = typical_rows(rows, 3)
    assert len({row for row in chosen if row < 4}) == 1
    assert {4, 5} < set(chosen)
    assert len(typical_rows(rows, 6)) == 6


@pytest.mark.parametrize("count", [0, 1, 2])
def test_typical_rows__of_few_images_are_all(count):
    assert sorted(typical_rows(vectors(0, count), 3)) == list(range(count))


def test_central_order__begins_at_the_mean():
    rows = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0], [0.7071, 0.7071]])
    assert central_order(rows)[0] == 4
    assert set(central_order(rows)[-2:]) == {0, 3}


@pytest.mark.parametrize("seed", range(5))
def test_median_distance__is_that_of_all_pairs(seed):
    rows = vectors(seed, 4 + seed)
    assert median_distance(rows) == pytest.approx(slow_median(rows.tolist()))


def test_median_distance__without_a_pair_is_nan():
    assert math.isnan(median_distance(vectors(0, 1)))
