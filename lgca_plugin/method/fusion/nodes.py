"""The nodes of a fusion: all regions of an image and the whole image, as one encoder sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..core.regions import RegionEmbeddings

WHOLE = -1
"""Step of the whole image's node."""
PADDING = -2
"""Step of what is no node: images of a batch may have different numbers of regions."""


@dataclass(frozen=True, eq=False)
class EncoderNodes:
    """One encoder's nodes of b images, N each: the whole image first, then its regions, then padding.

    Attributes:
        vectors: ``[b, N, d]`` float32 unit vectors, zeros for padding
        step: ``[b, N]`` int64 expansion step; :data:`WHOLE` for the whole image, :data:`PADDING` for none
        chain: ``[b, N]`` int64 number of the crop that a region grew from; -1 for the others
    """

    vectors: NDArray[np.float32]
    step: NDArray[np.int64]
    chain: NDArray[np.int64]

    def __len__(self) -> int:
        """Returns the number of images."""
        return len(self.vectors)

    @property
    def there(self) -> NDArray[np.bool_]:
        """``[b, N]`` what is a node, and no padding."""
        there: NDArray[np.bool_] = self.step != PADDING
        return there

    @classmethod
    def of(cls, images: Sequence[RegionEmbeddings]) -> EncoderNodes:
        """Returns the nodes of images, each of which may have another number of regions."""
        n = 1 + max((len(image.regions) for image in images), default=0)
        dim = images[0].whole.shape[-1] if images else 0
        vectors = np.zeros((len(images), n, dim), np.float32)
        step, chain = np.full((2, len(images), n), PADDING, np.int64)
        chain[:] = -1
        for row, image in enumerate(images):
            own = slice(1, 1 + len(image.regions))
            vectors[row, 0], vectors[row, own] = image.whole, image.regions
            step[row, 0], step[row, own] = WHOLE, image.step
            chain[row, own] = image.chain
        return cls(vectors, step, chain)

    def rows(self, chosen: NDArray[np.integer] | slice) -> EncoderNodes:
        """Returns the nodes of some of the images."""
        return EncoderNodes(self.vectors[chosen], self.step[chosen], self.chain[chosen])


@dataclass(frozen=True, eq=False)
class EncoderClasses:
    """What one encoder scores nodes against.

    Attributes:
        vectors: ``[C, d]`` unit class vectors of the descriptions, LGCA's
        labels: ``[C, d]`` unit embeddings of the label prompts
        logit_scale: the encoder's factor on similarities
    """

    vectors: NDArray[np.floating]
    labels: NDArray[np.floating]
    logit_scale: float
