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

RegionKind = Literal["none", "crops", "chains"]
"""What a method looks at: the whole image alone, sampled crops, or crops with the regions that they grow into."""


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
        return {"none": 0, "crops": self.n_crops, "chains": self.n_chains}[kind]

    def used(self, kind: RegionKind, step: IntArray, chain: IntArray) -> NDArray[np.bool_]:
        """Returns ``[..., n]`` bool, the regions that a kind of method uses, by their steps and chains."""
        used: NDArray[np.bool_] = chain < self.of(kind)
        return used & (step == 0) if kind == "crops" else used


@dataclass(frozen=True, eq=False)
class RegionEmbeddings:
    """The regions of one image, or of several with equally many regions.

    Attributes:
        regions: ``[..., n, d]`` unit region embeddings
        whole: ``[..., d]`` unit embedding of the whole image
        step: ``[n]`` or ``[..., n]`` expansion step of each region, 0 for the sampled crops
        chain: like ``step``, the number of the crop that each region grew from; a crop has one region a step
    """

    regions: FloatArray
    whole: FloatArray
    step: IntArray
    chain: IntArray

    def part(self, images: IntArray, regions: IntArray) -> RegionEmbeddings:
        """Returns some regions of some of several images, by their indices."""
        rows = images[:, None], regions
        return RegionEmbeddings(self.regions[rows], self.whole[images], self.step[rows], self.chain[rows])

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
