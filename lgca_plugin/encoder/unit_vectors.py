"""What encoders return, as float32 arrays of unit vectors; a vector without a direction becomes NaN as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

UNIT_TOLERANCE = 1e-3
"""Vectors whose length differs from 1 by more are normalized."""


def unit_vectors(received: ArrayLike) -> NDArray[np.float32]:
    """Returns ``[n, dim]`` vectors as a new float32 array, those of another length than 1 normalized.

    Vectors of length 0, or with values that are not finite, become NaN. The array shares no memory with what was
    received, so an encoder may use its buffers again.
    """
    vectors = np.array(received, dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lengths = _lengths(vectors)
        off = ~(np.abs(lengths - 1) <= UNIT_TOLERANCE)
        if off.any():
            vectors[off] = vectors[off] / lengths[off, None]
            vectors[off & ~np.isfinite(vectors).all(axis=1)] = np.nan
    return vectors


def directionless(vectors: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Returns ``[n]``: which of ``[n, dim]`` vectors are no unit vectors of finite numbers."""
    with np.errstate(invalid="ignore", over="ignore"):
        return ~(np.abs(_lengths(vectors) - 1) <= UNIT_TOLERANCE)


def _lengths(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return lengths
