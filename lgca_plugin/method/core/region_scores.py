"""The scores of regions: computed once for all that needs them, of as many images at a time as fit into a memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .scores import class_scores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]

SCORES_BYTES = 32 * 1024**2
"""Memory of the region scores that are computed together: of 4 to 128 MB, a quick one with 1,000 to 20,000 classes."""


class RegionScores:
    """The scores of the regions of some images against class vectors, computed when they are first needed.

    Args:
        regions: ``[b, n, d]`` unit region embeddings
    """

    def __init__(self, regions: FloatArray) -> None:
        self._regions = regions
        self._known: dict[int, tuple[FloatArray, FloatArray]] = {}  # with the class vectors, which keep their id so

    def of(self, class_vectors: FloatArray) -> FloatArray:
        """Returns ``[b, n, C]`` scores of all regions against ``[C, d]`` class vectors, which are kept."""
        if id(class_vectors) not in self._known:
            self._known[id(class_vectors)] = class_vectors, class_scores(self._regions, class_vectors)
        return self._known[id(class_vectors)][1]

    def at(self, place: Any, class_vectors: FloatArray) -> FloatArray:
        """Returns ``[..., C]`` scores of some regions, by an index into ``[b, n]``; nothing is computed for others."""
        if id(class_vectors) in self._known:
            known: FloatArray = self.of(class_vectors)[place]
            return known
        return class_scores(self._regions[place], class_vectors)


def parts(images: int, regions: int, classes: int, nbytes: int) -> Iterator[slice]:
    """Yields slices of images, such that the float32 scores of the regions of each have a memory of ``nbytes``.

    One image makes a part if it has more.
    """
    count = max(1, nbytes // (4 * max(1, regions * classes)))
    for start in range(0, images, count):
        yield slice(start, min(start + count, images))
