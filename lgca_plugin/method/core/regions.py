"""What methods compute with: the embeddings of regions, how many regions a method uses, and the class vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

RegionKind = Literal["none", "crops", "chains", "all"]
"""What a method looks at: the whole image alone, sampled crops, crops with the regions that they grow into, or both."""


@dataclass(frozen=True)
class CropCounts:
    """How many of an image's sampled crops the methods use.

    Attributes:
        n_crops: number of crops of step 0 that methods of crops use
        n_chains: number of crops of step 0 that start a chain
    """

    n_crops: int
    n_chains: int

    def of(self, kind: RegionKind) -> int:
        """Returns the number of sampled crops that a kind of method uses."""
        both = max(self.n_crops, self.n_chains)
        return {"none": 0, "crops": self.n_crops, "chains": self.n_chains, "all": both}[kind]

    def used(self, kind: RegionKind, step: IntArray, chain: IntArray) -> NDArray[np.bool_]:
        """Returns ``[..., n]`` bool, the regions that a kind of method uses, by their steps and chains."""
        used: NDArray[np.bool_] = chain < self.of("chains" if kind == "all" else kind)
        if kind == "all":
            return used | self.used("crops", step, chain)
        return used & (step == 0) if kind == "crops" else used


@dataclass(frozen=True, eq=False)
class RegionEmbeddings:
    """The regions of one image, or of several with equally many regions.

    Attributes:
        regions: ``[..., n, d]`` unit region embeddings
        whole: ``[..., d]`` unit embedding of the whole image
        step: ``[n]`` or ``[..., n]`` expansion step of each region, 0 for the sampled crops
        chain: like ``step``, the number of the crop that each region grew from; a crop has one region a step
        side: ``[..., n]`` side of each region as a share of its image's shorter side, above 0 and at most 1; None if
            unknown
        pixels: ``[..., n]`` side of each region in pixels of its image; None if unknown
    """

    regions: FloatArray
    whole: FloatArray
    step: IntArray
    chain: IntArray
    side: FloatArray | None = None
    pixels: IntArray | None = None

    def part(self, images: IntArray, regions: IntArray) -> RegionEmbeddings:
        """Returns some regions of some of several images, by their indices."""
        return self._at((images[:, None], regions), self.whole[images])

    def only(self, regions: IntArray) -> RegionEmbeddings:
        """Returns some regions of one image, by their indices."""
        return self._at(regions, self.whole)

    def _at(self, rows: IntArray | tuple[IntArray, IntArray], whole: FloatArray) -> RegionEmbeddings:
        side = None if self.side is None else self.side[rows]
        pixels = None if self.pixels is None else self.pixels[rows]
        return RegionEmbeddings(self.regions[rows], whole, self.step[rows], self.chain[rows], side, pixels)

    @cached_property
    def similarity(self) -> FloatArray:
        """``[..., n]`` salience of each region, its similarity ``<f_r, f0>`` to the whole image, in [-1, 1]."""
        similarity: FloatArray = np.matmul(self.regions, self.whole[..., :, None])[..., 0]
        return similarity


@dataclass(frozen=True, eq=False)
class ClassScoring:
    """What image and region vectors are scored against.

    Attributes:
        vectors: ``[C, d]`` unit class vectors
        logit_scale: the encoder's factor on similarities
    """

    vectors: FloatArray
    logit_scale: float
