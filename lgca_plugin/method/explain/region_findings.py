"""What a triage needs of many images' regions: whether crops misled WCA, and how stable LGCA's label is.

The same numbers as :class:`~.evidence.Evidence` has for one image, computed for batches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..core.scores import Weights, class_scores, image_vector
from .contributions import misleading_crops
from .misleading_cases import misleading_cases
from .stability import DRAWS, stability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.methods import Method
    from ..core.regions import CropCounts, RegionEmbeddings
    from ..core.run_scoring import RunScoring

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]


class RegionSource(Protocol):
    """The regions of b images, of which some can be read: :class:`RegionEmbeddings` is one."""

    @property
    def step(self) -> IntArray:
        """``[b, n]`` expansion step of each region, 0 for the sampled crops."""

    @property
    def chain(self) -> IntArray:
        """``[b, n]`` number of the crop that each region grew from."""

    def part(self, images: IntArray, regions: IntArray) -> RegionEmbeddings:
        """Returns some regions of some images, by their indices; embeddings contiguous."""


@dataclass(frozen=True)
class BatchFindings:
    """What was found in the regions of b images.

    Attributes:
        case_size: ``[b]`` the fewest crops without which WCA's label is LGCA's; nan where it is no misleading-crop case
        proven: ``[b]`` whether that is proven to be the fewest; True where it is no case
        stability: ``[b]`` share of bootstrap draws of the crops in which LGCA keeps its label, in [0, 1]
    """

    case_size: NDArray[np.float64]
    proven: NDArray[np.bool_]
    stability: NDArray[np.float64]


@dataclass(frozen=True)
class SampleFindings:
    """What was found in the regions of one image, as in :class:`BatchFindings`, for the two methods' labels."""

    crops_label: int
    chains_label: int
    case_size: float
    proven: bool
    stability: float


@dataclass(frozen=True, kw_only=True)
class RegionAnalysis:
    """Finds misleading-crop cases and stabilities in batches of images.

    Attributes:
        crops: the method that looks at crops, WCA or one in its place
        chains: the method that looks at crops that grow, LGCA or one in its place
    """

    scoring: RunScoring
    crops: Method
    chains: Method

    @property
    def key(self) -> str:
        """Key of the findings in the store: those stored under it need not be computed again."""
        return f"{self.crops.name} and {self.chains.name}, {DRAWS} draws, version 1"

    def at(self, counts: CropCounts) -> RegionAnalysis:
        """Returns the analysis of images with other numbers of crops."""
        return replace(self, scoring=replace(self.scoring, counts=counts))

    def find(self, images: RegionSource, *, crops_label: IntArray, chains_label: IntArray) -> BatchFindings:
        """Returns the findings of b images, given ``[b]`` class indices of the two methods' labels."""
        classes = self.scoring.classes_of(self.chains)
        part = self._used(images, self.chains)
        scores = _region_scores(part.regions, classes.vectors)
        firm = stability(
            self.chains,
            part,
            self.scoring.counts,
            classes,
            weights=self.scoring.weights(self.chains, part, region_scores=scores),
            region_scores=scores,
            labels=chains_label,
        )
        return BatchFindings(*self._cases(images, crops_label, chains_label), firm)

    def find_each(self, images: RegionSource, *, crops_label: IntArray, chains_label: IntArray) -> list[SampleFindings]:
        """Returns the findings of :meth:`find` image by image."""
        found = self.find(images, crops_label=crops_label, chains_label=chains_label)
        columns = (crops_label, chains_label, found.case_size, found.proven, found.stability)
        return [SampleFindings(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def vectors(self, method: Method, images: RegionSource) -> NDArray[np.float32]:
        """Computes ``[b, d]`` image vectors of a method whose vectors are not stored."""
        part = self._used(images, method)
        weights = self.scoring.weights(method, part)
        single = Weights(weights.regions.astype(np.float32), np.float32(weights.whole))
        return image_vector(part, single).astype(np.float32)

    def _cases(
        self, images: RegionSource, crops_label: IntArray, chains_label: IntArray
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Finds the misleading-crop cases among the images on which the two disagree: sizes, and whether proven."""
        size, proven = np.full(len(crops_label), np.nan), np.ones(len(crops_label), dtype=bool)
        differ = np.flatnonzero(crops_label != chains_label)
        if not len(differ):
            return size, proven
        part = self._used(images, self.crops, differ)
        a, b = crops_label[differ], chains_label[differ]
        vectors = self.scoring.class_vectors[self.crops.name]
        scores = _region_scores(part.regions, vectors)
        weights = self.scoring.weights(self.crops, part, region_scores=scores).regions
        of_chains = self.scoring.class_vectors[self.chains.name]
        vote = (scores if vectors is of_chains else _region_scores(part.regions, of_chains)).argmax(axis=-1)
        rows = np.arange(len(differ))
        pull = weights * (scores[rows, :, a] - scores[rows, :, b])  # contributions but for a positive factor
        misleading = misleading_crops(vote, part.step, pull, a, b)
        cases = misleading_cases(
            weights=weights,
            region_scores=scores,
            whole_scores=class_scores(part.whole, vectors),
            global_weight=self.crops.global_weight,
            misleading=misleading,
            wca_label=a,
            lgca_label=b,
            any_crops=True,
        )
        size[differ] = [np.nan if case is None else case.size for case in cases]
        proven[differ] = [case is None or case.exact for case in cases]
        return size, proven

    def _used(self, images: RegionSource, method: Method, chosen: IntArray | None = None) -> RegionEmbeddings:
        """Returns the regions that a method uses, of all images or of chosen ones."""
        used = self.scoring.counts.used(method.regions, images.step, images.chain)
        rows = np.arange(len(images.step)) if chosen is None else chosen
        return images.part(rows, np.flatnonzero(used.any(axis=0)))


def _region_scores(regions: FloatArray, class_vectors: FloatArray) -> FloatArray:
    """``[b, n, C]`` scores of ``[b, n, d]`` regions, in one product: one an image is slower."""
    flat = class_scores(regions.reshape(-1, regions.shape[-1]), class_vectors)
    return flat.reshape(*regions.shape[:-1], -1)
