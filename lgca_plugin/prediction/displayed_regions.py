"""The regions that a run writes as boxes: which chains are displayed, and the numbers of their regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..method.core.boxes import relative_boxes
from ..method.core.methods import explained_method
from ..method.core.regions import RegionEmbeddings
from ..method.core.scores import class_scores, confidences
from ..method.explain.contributions import contributions, misleading_crops, votes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..engine.embeddings import EncodedImage
    from ..method.core.run_scoring import RunScoring
    from ..method.core.scores import Weights


@dataclass(frozen=True)
class DisplayedRegion:
    """A region that is written as a box.

    Attributes:
        box: relative ``(x, y, width, height)``
        label: class index that the region itself votes for
        confidence: softmax probability of that class for the region alone, in [0, 1]
        chain: number of the crop that the region grew from
        step: expansion step, 0 for a sampled crop
        similarity: salience, the similarity to the whole image
        weight: share of the image vector under the method that the regions explain
        contribution: share of that method's margin between its label and the rival class
        misleading: whether it is a misleading crop, see :func:`~.contributions.misleading_crops`
    """

    box: tuple[float, float, float, float]
    label: int
    confidence: float
    chain: int
    step: int
    similarity: float
    weight: float
    contribution: float
    misleading: bool


@dataclass(frozen=True)
class MethodScores:
    """One method's results of a batch.

    Attributes:
        weights: of regions and whole images
        vectors: ``[images, dim]``
        scores: ``[images, C]``, which known shares of the classes have moved
        before: ``[images]`` class index of the label without them
    """

    weights: Weights
    vectors: NDArray[np.floating]
    scores: NDArray[np.floating]
    before: NDArray[np.int64]


def stack_images(images: Sequence[EncodedImage[Any]]) -> RegionEmbeddings:
    """Returns the embeddings of several images with equally many regions."""
    each = [vars(image.embeddings) for image in images]
    return RegionEmbeddings(**{name: np.stack([one[name] for one in each]) for name in each[0]})


def displayed_regions(
    images: Sequence[EncodedImage[Any]],
    batch: RegionEmbeddings,
    scoring: RunScoring,
    results: Mapping[str, MethodScores],
    *,
    count: int,
) -> list[list[DisplayedRegion]]:
    """Chooses ``count`` chains of each image for display, and computes the numbers of their regions.

    Returns:
        the regions of each image, chain by chain, in the order of the steps
    """
    method = explained_method(list(scoring.methods.values()))
    if method is None or not count:
        return [[] for _ in images]
    own, class_vectors = results[method.name], scoring.class_vectors[method.name]
    vote = votes(batch.regions, class_vectors)
    misleading = _misleading(batch, vote, scoring, results)
    labels, rivals = own.scores.argmax(axis=-1), _rivals(results, method.name)
    share, _ = contributions(batch, own.weights, class_vectors, labels, rivals)
    confidence = confidences(class_scores(batch.regions, class_vectors), scoring.logit_scale).max(axis=-1)
    displayed = []
    for i, image in enumerate(images):
        boxes = relative_boxes(image.boxes, image.image_size_hw)
        displayed.append(
            [
                DisplayedRegion(
                    box=(float(x), float(y), float(w), float(h)),
                    label=int(vote[i, r]),
                    confidence=float(confidence[i, r]),
                    chain=int(batch.chain[i, r]),
                    step=int(batch.step[i, r]),
                    similarity=float(batch.similarity[i, r]),
                    weight=float(own.weights.regions[i, r]),
                    contribution=float(share[i, r]),
                    misleading=bool(misleading[i, r]),
                )
                for r in _displayed(batch.step[i], batch.chain[i], share[i], misleading[i], count)
                for x, y, w, h in (boxes[r],)
            ]
        )
    return displayed


def _misleading(
    batch: RegionEmbeddings, vote: NDArray[np.int64], scoring: RunScoring, results: Mapping[str, MethodScores]
) -> NDArray[np.bool_]:
    """Marks misleading crops; none in a run without both WCA and LGCA."""
    if "wca" not in results or "lgca" not in results:
        return np.zeros(vote.shape, dtype=bool)
    a, b = (results[name].before for name in ("wca", "lgca"))
    share, _ = contributions(batch, results["wca"].weights, scoring.class_vectors["wca"], a, b)
    return misleading_crops(vote, batch.step, share, a, b)


def _rivals(results: Mapping[str, MethodScores], method: str) -> NDArray[np.int64]:
    """Returns the class that each label is compared with: WCA's label where LGCA's differs, else the runner-up."""
    runner_up: NDArray[np.int64] = np.argsort(results[method].scores, axis=-1)[:, -2]
    if method == "lgca" and "wca" in results:
        label, wca_label = results["lgca"].scores.argmax(axis=-1), results["wca"].scores.argmax(axis=-1)
        return np.where(wca_label != label, wca_label, runner_up)
    return runner_up


def _displayed(
    step: NDArray[np.int64],
    chain: NDArray[np.int64],
    contribution: NDArray[np.floating],
    misleading: NDArray[np.bool_],
    count: int,
) -> list[int]:
    """Returns the regions of the chains to display.

    Chains with a misleading crop come first, then those that grew furthest, then those of the largest contributions.
    """
    numbers, at = np.unique(chain, return_inverse=True)
    last_step = np.zeros(len(numbers), dtype=np.int64)
    np.maximum.at(last_step, at, step)
    moved = np.bincount(at, np.abs(contribution))
    ranked = np.lexsort((numbers, -moved, -last_step, np.bincount(at, misleading) == 0))
    return [int(r) for n in ranked[:count] for r in np.flatnonzero(at == n)]
