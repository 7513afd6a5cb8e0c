"""Rows of an array that are equal but for rounding, found without comparing all with all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def equal_rows(vectors: NDArray[np.floating], *, tolerance: float = 1e-6) -> list[tuple[int, int]]:
    """Returns pairs of rows of ``[n, d]`` vectors at most ``tolerance`` apart: each row that has an earlier one, once.

    Equal rows lie side by side when all are sorted by their product with any one direction, so that few are compared.
    """
    values = vectors.astype(np.float64)
    direction = np.random.default_rng(0).normal(size=values.shape[1])
    along = (values * (direction / np.linalg.norm(direction))).sum(axis=1)
    order = np.argsort(along, kind="stable")
    earlier: dict[int, int] = {}
    for distance in range(1, len(order)):
        near = np.flatnonzero(along[order[distance:]] - along[order[:-distance]] <= tolerance)
        if not len(near):
            break
        pairs = np.sort(np.stack([order[near], order[near + distance]], axis=1), axis=1)
        equal = np.linalg.norm(values[pairs[:, 0]] - values[pairs[:, 1]], axis=1) <= tolerance
        for first, second in pairs[equal].tolist():
            earlier[second] = min(first, earlier.get(second, first))
    return sorted((first, second) for second, first in earlier.items())
