"""What the engine returns and takes: embeddings of an image and its regions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from ..images.crops import Box
from ..method.core.frames import frame_of
from ..method.core.regions import RegionEmbeddings

if TYPE_CHECKING:
    from numpy.typing import NDArray


Id = TypeVar("Id")


@dataclass(frozen=True)
class EncodedImage(Generic[Id]):
    """The embeddings of one image and its regions.

    Attributes:
        id: the caller's
        content_hash: hash of the file's bytes, and of the box in it, see :mod:`lgca_plugin.method.core.frames`
        image_size_hw: height and width of the file's image in pixels, EXIF orientation applied
        boxes: ``[n, 4]`` int64, absolute pixels, ``(left, top, width, height)``
        step: ``[n]`` expansion step of each region, ascending
        chain: ``[n]`` number of the crop that each region was expanded from
        regions: ``[n, dim]`` float32 unit region embeddings
        whole: ``[dim]`` float32 unit embedding of the whole image
        fresh: ``[n]`` whether a region was encoded now: False if its embedding was known, or if it equals an earlier
            region or the whole image
        encodes: number of encodes for the image: 0 if all embeddings were known; at most ``n + 1`` under a full
            budget, less if regions are equal
        level: budget level of the plan at which the image stopped
        previous: embeddings of regions that only lower budget levels have, by their boxes
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
    previous: dict[Box, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def embeddings(self) -> RegionEmbeddings:
        """What methods compute with."""
        side, shorter = self.boxes[:, 2], min(frame_of(self.content_hash, self.image_size_hw).outer[2:])
        return RegionEmbeddings(self.regions, self.whole, self.step, self.chain, side / shorter, side)

    @property
    def n_encoded(self) -> int:
        """Number of encodes for the image if no embedding is known."""
        return 1 + len(self.distinct()) + len(self.previous)

    def distinct(self) -> NDArray[np.int64]:
        """Returns the positions of the regions that differ from each other and from the whole image."""
        first: dict[tuple[int, ...], int] = {}
        for row, box in enumerate(map(tuple, self.boxes.tolist())):
            first.setdefault(box, row)
        first.pop(frame_of(self.content_hash, self.image_size_hw).whole, None)
        return np.array(list(first.values()), dtype=np.int64)


@dataclass(frozen=True)
class FailedImage(Generic[Id]):
    """An image without a result; the reason is one sentence."""

    id: Id
    reason: str


@dataclass(frozen=True)
class KnownRegions:
    """Embeddings of an image that an earlier run has stored.

    Attributes:
        image_size_hw: height and width in pixels, EXIF orientation applied
        whole: ``[dim]`` float32 unit embedding of the whole image
        boxes: ``[n, 4]`` int, absolute pixels, ``(left, top, width, height)``; in any order, of any steps
        regions: ``[n, dim]`` float32 unit embeddings of the boxes
        products: ``[2, n]`` float32 result of :func:`products_of`, if it is known
    """

    image_size_hw: tuple[int, int]
    whole: NDArray[np.float32]
    boxes: NDArray[np.integer]
    regions: NDArray[np.float32]
    products: NDArray[np.float32] | None = None


def products_of(regions: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    """Computes ``[2, n]`` products of ``[n, dim]`` regions: with the ``[dim]`` whole image, and with themselves.

    Right after the embeddings were read this takes a fraction of the time that it takes later, when embeddings of other
    images have replaced them in the processor's cache.
    """
    products = np.empty((2, len(regions)), dtype=np.float32)
    np.einsum("nd,d->n", regions, whole, out=products[0])  # no BLAS: it would start threads inside those of the caller
    np.einsum("nd,nd->n", regions, regions, out=products[1])
    return products
