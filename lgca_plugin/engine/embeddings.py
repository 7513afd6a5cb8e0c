"""TODO."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from ..images.crops import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray


Id = TypeVar("Id")


@dataclass(frozen=True)
class EncodedImage(Generic[Id]):
    """The embeddings of one image and its regions.

    Attributes:
        id: the caller's
        content_hash: hash of the file's bytes
        image_size_hw: height and width in pixels, EXIF orientation applied
        boxes: ``[n, 4]`` int64, absolute pixels, ``(left, top, width, height)``
        step: ``[n]`` expansion step of each region, ascending
        chain: ``[n]`` number of the crop that each region grew from
        regions: ``[n, dim]`` float32 unit region embeddings
        whole: ``[dim]`` float32 unit embedding of the whole image
        fresh: ``[n]`` whether a region was encoded now: False where its embedding was known, where it equals a region
            before it, and where it is the whole image
        encodes: how many encodes the image took: 0 where all was known; at most ``n + 1`` under a full budget, less
            where regions have grown equal
        level: the plan's rung that the image has ended on
        former: embeddings of regions that a rung below has grown and this one has not, by their boxes
    """

    id: Id
    content_hash: str
    image_size_hw: tuple[int, int]
    boxes: NDArray[np.int64]
    step: NDArray[np.int64]
    chain: NDArray[np.int64]
    regions: NDArray[np.float32]
    whole: NDArray[np.float32]
    fresh: NDArray[np.bool_]
    encodes: int
    level: int = 0
    former: dict[Box, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def taken(self) -> int:
        """How many encodes the image takes where nothing is known of it."""
        return 1 + len(self.distinct()) + len(self.former)

    def distinct(self) -> NDArray[np.int64]:
        """Gives the positions of the regions that differ from each other and from the whole image."""
        first: dict[tuple[int, ...], int] = {}
        for row, box in enumerate(map(tuple, self.boxes.tolist())):
            first.setdefault(box, row)
        first.pop((0, 0, self.image_size_hw[1], self.image_size_hw[0]), None)
        return np.array(list(first.values()), dtype=np.int64)


@dataclass(frozen=True)
class FailedImage(Generic[Id]):
    """An image that gave no result.

    Attributes:
        id: the caller's
        reason: one sentence
    """

    id: Id
    reason: str


@dataclass(frozen=True)
class KnownRegions:
    """Embeddings of an image that an earlier run has kept.

    Attributes:
        image_size_hw: height and width in pixels, EXIF orientation applied
        whole: ``[dim]`` float32 unit embedding of the whole image
        boxes: ``[n, 4]`` int, absolute pixels, ``(left, top, width, height)``; in any order, of any steps
        regions: ``[n, dim]`` float32 unit embeddings of the boxes
        products: ``[2, n]`` float32 what :func:`products_of` gives, where it is known
    """

    image_size_hw: tuple[int, int]
    whole: NDArray[np.float32]
    boxes: NDArray[np.integer]
    regions: NDArray[np.float32]
    products: NDArray[np.float32] | None = None


def products_of(regions: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    """Computes ``[2, n]`` products of ``[n, dim]`` regions: with the ``[dim]`` whole image, and with themselves.

    Whoever has just read the embeddings computes them in a fraction of the time that they take later, when the
    embeddings of other images have pushed these out of the processor's cache.
    """
    products = np.empty((2, len(regions)), dtype=np.float32)
    np.einsum("nd,d->n", regions, whole, out=products[0])  # no BLAS: its threads are the caller's
    np.einsum("nd,nd->n", regions, regions, out=products[1])
    return products
