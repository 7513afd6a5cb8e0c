"""What a triage needs of many images' regions: whether crops misled WCA, and how stable LGCA's label is.

The same numbers as :class:`~.evidence.Evidence` has for one image, computed for batches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..core.region_scores import SCORES_BYTES, RegionScores, parts
from ..core.scores import Weights, class_scores, image_vector
from .contributions import misleading_crops
from .misleading_cases import misleading_cases
from .stability import DRAWS, stability

if TYPE_CHECKING:
    from collections.abc import Iterable

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

    def find(
        self,
        images: RegionSource,
        *,
        crops_label: IntArray,
        chains_label: IntArray,
        region_scores: RegionScores | None = None,
        scores_bytes: int = SCORES_BYTES,
    ) -> BatchFindings:
        """Returns the findings of b images, given ``[b]`` class indices of the two methods' labels.

        ``region_scores`` are those of the images, if they are known; else the regions of as many images are scored
        together as have scores of ``scores_bytes``.
        """
        count, regions = images.step.shape
        each: Iterable[slice] = [slice(count)]
        if region_scores is None:
            each = parts(count, regions, len(self.scoring.classes), scores_bytes)
        found = [
            self._find(images, np.arange(count)[part], crops_label[part], chains_label[part], region_scores)
            for part in each
        ]
        return BatchFindings(*map(np.concatenate, zip(*found, strict=True)))

    def find_each(
        self,
        images: RegionSource,
        *,
        crops_label: IntArray,
        chains_label: IntArray,
        region_scores: RegionScores | None = None,
    ) -> list[SampleFindings]:
        """Returns the findings of :meth:`find` image by image."""
        found = self.find(images, crops_label=crops_label, chains_label=chains_label, region_scores=region_scores)
        columns = (crops_label, chains_label, found.case_size, found.proven, found.stability)
        return [SampleFindings(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def vectors(self, method: Method, images: RegionSource) -> NDArray[np.float32]:
        """Computes ``[b, d]`` image vectors of a method whose vectors are not stored."""
        part = images.part(np.arange(len(images.step)), self._columns(images, method))
        weights = self.scoring.weights(method, part)
        single = Weights(weights.regions.astype(np.float32), np.float32(weights.whole))
        return image_vector(part, single).astype(np.float32)

    def _find(
        self,
        images: RegionSource,
        rows: IntArray,
        crops_label: IntArray,
        chains_label: IntArray,
        region_scores: RegionScores | None,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
        """Returns case sizes, whether they are proven, and stabilities of some images, given the labels of these."""
        classes, regions = self.scoring.classes_of(self.chains), self._columns(images, self.chains)
        part = images.part(rows, regions)
        scores = _scores(part, classes.vectors, rows, regions, region_scores)
        firm = stability(
            self.chains,
            part,
            self.scoring.counts,
            classes,
            weights=self.scoring.weights(self.chains, part, region_scores=scores),
            region_scores=scores,
            labels=chains_label,
        )
        return *self._cases(images, rows, crops_label, chains_label, region_scores), firm

    def _cases(
        self,
        images: RegionSource,
        rows: IntArray,
        crops_label: IntArray,
        chains_label: IntArray,
        region_scores: RegionScores | None,
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Finds the misleading-crop cases among the images on which the two disagree: sizes, and whether proven."""
        size, proven = np.full(len(rows), np.nan), np.ones(len(rows), dtype=bool)
        differ = np.flatnonzero(crops_label != chains_label)
        if not len(differ):
            return size, proven
        regions = self._columns(images, self.crops)
        part = images.part(rows[differ], regions)
        a, b = crops_label[differ], chains_label[differ]
        vectors, of_chains = (self.scoring.class_vectors[method.name] for method in (self.crops, self.chains))
        scores = _scores(part, vectors, rows[differ], regions, region_scores)
        weights = self.scoring.weights(self.crops, part, region_scores=scores).regions
        own = scores if vectors is of_chains else _scores(part, of_chains, rows[differ], regions, region_scores)
        image = np.arange(len(differ))
        pull = weights * (scores[image, :, a] - scores[image, :, b])  # contributions but for a positive factor
        misleading = misleading_crops(own.argmax(axis=-1), part.step, pull, a, b)
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

    def _columns(self, images: RegionSource, method: Method) -> IntArray:
        """Returns the regions that a method uses, of any of the images."""
        used = self.scoring.counts.used(method.regions, images.step, images.chain)
        return np.flatnonzero(used.any(axis=0))


def _scores(
    part: RegionEmbeddings,
    class_vectors: FloatArray,
    images: IntArray,
    regions: IntArray,
    region_scores: RegionScores | None,
) -> FloatArray:
    """Returns ``[b, n, C]`` scores of a part of images and regions, of those of all regions if they are known."""
    if region_scores is None:
        return class_scores(part.regions, class_vectors)
    return region_scores.at(np.ix_(images, regions), class_vectors)
