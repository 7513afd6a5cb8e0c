"""Typical images of a class, by their image vectors: the most central ones, without near duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]

NEAR_DUPLICATE = 0.25
"""Two images are near duplicates if their distance is less than this share of the median one in the class.

The distance is 1 - cosine, half the squared length between unit vectors: a quarter of it is half that length.
"""


def central_order(vectors: FloatArray) -> NDArray[np.int64]:
    """Returns ``[m]`` rows of ``[m, d]`` unit vectors, the nearest to their mean direction first."""
    return np.argsort(-(vectors @ vectors.sum(axis=0)), kind="stable")


def median_distance(vectors: FloatArray) -> float:
    """Returns the median of 1 - cosine over all pairs of ``[m, d]`` unit vectors, in [0, 2]; nan without a pair."""
    if len(vectors) < 2:
        return float("nan")
    distances = 1 - vectors @ vectors.T
    return float(np.median(distances[np.triu_indices(len(vectors), k=1)]))


def typical_rows(vectors: FloatArray, n: int, *, without: Collection[int] = ()) -> list[int]:
    """Returns n rows of a class's vectors, the most central first; near duplicates only where there are too few others.

    Args:
        vectors: ``[m, d]`` unit vectors
        n: number of rows
        without: rows that are not chosen, and whose near duplicates are avoided

    Returns:
        at most n rows; fewer if there are fewer
    """
    order = [row for row in central_order(vectors).tolist() if row not in without]
    limit = NEAR_DUPLICATE * median_distance(vectors)
    chosen: list[int] = []
    for row in order:
        near = [*chosen, *without]
        if len(chosen) < n and not (near and (1 - vectors[near] @ vectors[row]).min() < limit):
            chosen.append(row)
    return (chosen + [row for row in order if row not in chosen])[:n]
