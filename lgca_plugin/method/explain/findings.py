"""What a triage wants to know of many images' regions at once: did crops mislead WCA, how firm is LGCA's label.

The same numbers as :class:`~.account.Evidence` gives for one image, from arrays of many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..core.scores import class_scores, image_vector, region_weights
from .contributions import misleading_crops
from .misleading_cases import misleading_cases
from .stability import DRAWS, stability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ..core.scores import Method

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]


class Regions(Protocol):
    """Several images and their regions."""

    @property
    def whole(self) -> FloatArray:
        """``[b, d]`` unit embeddings of the whole images."""

    @property
    def step(self) -> IntArray:
        """``[b, n]`` expansion step of each region, 0 for the sampled crops."""

    @property
    def chain(self) -> IntArray:
        """``[b, n]`` number of the crop that each region grew from."""

    @property
    def similarity(self) -> FloatArray:
        """``[b, n]`` salience of each region."""

    def embeddings(self, images: IntArray, regions: IntArray) -> FloatArray:
        """``[len(images), len(regions), d]`` unit embeddings of some regions of some images, contiguous."""


@dataclass(frozen=True)
class Findings:
    """What the regions of b images say.

    Attributes:
        case_size: ``[b]`` the fewest crops without which WCA's label is LGCA's; nan where it is no misleading-crop case
        proven: ``[b]`` whether that is proven to be the fewest; True where it is no case
        stability: ``[b]`` share of bootstrap draws of the crops in which LGCA keeps its label, in [0, 1]
    """

    case_size: NDArray[np.float64]
    proven: NDArray[np.bool_]
    stability: NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """What the regions of one image say; as in :class:`Findings`, with the labels that were asked about.

    Attributes:
        crops_label: class index of the crop method's label
        chains_label: class index of the other's
        case_size: the fewest crops; nan where it is no misleading-crop case
        proven: whether that is proven
        stability: in [0, 1]
    """

    crops_label: int
    chains_label: int
    case_size: float
    proven: bool
    stability: float


def question_of(crops: Method, chains: Method) -> str:
    """Names what a :class:`Finder` of two methods of a run looks for: findings of one name can stand for each other."""
    return f"{crops.name} and {chains.name}, {DRAWS} draws, version 1"


@dataclass(frozen=True, kw_only=True)
class Finder:
    """Looks at the regions of batches of images.

    Attributes:
        crops: the method that looks at crops, WCA or one in its place
        chains: the method that looks at crops that grow, LGCA or one in its place
        class_vectors: method name to ``[C, d]`` unit class vectors
        logit_scale: the encoder's factor on similarities
        n_crops: how many crops of step 0 the crop methods use
        n_chains: how many crops of step 0 start a chain
    """

    crops: Method
    chains: Method
    class_vectors: Mapping[str, FloatArray]
    logit_scale: float
    n_crops: int
    n_chains: int

    def find(self, images: Regions, *, crops_label: IntArray, chains_label: IntArray) -> Findings:
        """Looks at a batch.

        Args:
            images: b images
            crops_label: ``[b]`` class index of the crop method's label
            chains_label: ``[b]`` class index of the other's

        Returns:
            the findings
        """
        vectors = self.class_vectors[self.chains.name]
        part = self._part(images, self.chains)
        scores = _region_scores(part.regions, vectors)
        firm = stability(
            self.chains,
            regions=part.regions,
            whole=part.whole,
            step=part.step,
            chain=part.chain,
            n_crops=self.n_crops,
            n_chains=self.n_chains,
            class_vectors=vectors,
            logit_scale=self.logit_scale,
            weights=self._weights(self.chains, part, scores),
            region_scores=scores,
            labels=chains_label,
        )
        return Findings(*self._cases(images, crops_label, chains_label), firm)

    def find_each(self, images: Regions, *, crops_label: IntArray, chains_label: IntArray) -> list[Finding]:
        """Does what :meth:`find` does, and gives the findings image by image."""
        found = self.find(images, crops_label=crops_label, chains_label=chains_label)
        columns = (crops_label, chains_label, found.case_size, found.proven, found.stability)
        return [Finding(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def vectors(self, method: Method, images: Regions) -> NDArray[np.float32]:
        """Computes ``[b, d]`` a method's image vectors, where they are not kept."""
        part = self._part(images, method)
        weights = self._weights(method, part, None).astype(np.float32)
        vectors = image_vector(part.regions, part.whole, weights, method.global_weight)
        return vectors.astype(np.float32)

    def _cases(
        self, images: Regions, crops_label: IntArray, chains_label: IntArray
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Finds the misleading-crop cases among the images on which the two disagree: sizes, and whether proven."""
        size, proven = np.full(len(crops_label), np.nan), np.ones(len(crops_label), dtype=bool)
        differ = np.flatnonzero(crops_label != chains_label)
        if not len(differ):
            return size, proven
        part = self._part(images, self.crops, differ)
        a, b = crops_label[differ], chains_label[differ]
        vectors = self.class_vectors[self.crops.name]
        scores = _region_scores(part.regions, vectors)
        weights = self._weights(self.crops, part, scores)
        of_chains = self.class_vectors[self.chains.name]
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

    def _part(self, images: Regions, method: Method, chosen: IntArray | None = None) -> _Part:
        """Takes the regions that a method uses, of all images or of chosen ones."""
        if method.regions == "crops":
            used = (images.step == 0) & (images.chain < self.n_crops)
        else:
            used = images.chain < self.n_chains
        columns = np.flatnonzero(used.any(axis=0))
        rows = np.arange(len(images.whole)) if chosen is None else chosen
        part = rows[:, None], columns
        return _Part(
            regions=images.embeddings(rows, columns),
            whole=images.whole[rows],
            step=images.step[part],
            chain=images.chain[part],
            similarity=images.similarity[part],
        )

    def _weights(self, method: Method, part: _Part, scores: FloatArray | None) -> FloatArray:
        return region_weights(
            method,
            regions=part.regions,
            whole=part.whole,
            step=part.step,
            chain=part.chain,
            n_crops=self.n_crops,
            n_chains=self.n_chains,
            class_vectors=self.class_vectors[method.name],
            logit_scale=self.logit_scale,
            similarity=part.similarity,
            region_scores=scores,
        )


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Some regions of some images, as arrays: ``[b, m, d]``, ``[b, d]`` and thrice ``[b, m]``."""

    regions: FloatArray
    whole: FloatArray
    step: IntArray
    chain: IntArray
    similarity: FloatArray


def _region_scores(regions: FloatArray, class_vectors: FloatArray) -> FloatArray:
    """``[b, n, C]`` scores of ``[b, n, d]`` regions, in one product: one an image is slower."""
    flat = class_scores(regions.reshape(-1, regions.shape[-1]), class_vectors)
    return flat.reshape(*regions.shape[:-1], -1)
