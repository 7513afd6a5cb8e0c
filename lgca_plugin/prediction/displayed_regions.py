"""The regions that a run writes as boxes: which chains are displayed, and the numbers of their regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..method.core.boxes import relative_boxes
from ..method.core.methods import explained_method
from ..method.core.regions import RegionEmbeddings
from ..method.core.scores import confidences
from ..method.explain.contributions import contributions, misleading_crops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..engine.embeddings import EncodedImage
    from ..method.core.region_scores import RegionScores
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
    region_scores: RegionScores,
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
    misleading = _misleading(batch, class_vectors, scoring, results, region_scores)
    labels, rivals = own.scores.argmax(axis=-1), _rivals(results, method.name)
    share, _ = contributions(batch, own.weights, class_vectors, labels, rivals)
    chosen = [_displayed(batch.step[i], batch.chain[i], share[i], misleading[i], count) for i in range(len(images))]
    image = np.repeat(np.arange(len(images)), [len(rows) for rows in chosen])
    place = image, np.concatenate(chosen)
    scores = region_scores.at(place, class_vectors)
    boxes = np.concatenate(
        [relative_boxes(one.boxes[rows], one.image_size_hw) for one, rows in zip(images, chosen, strict=True)]
    )
    given = (batch.chain, batch.step, batch.similarity, own.weights.regions, share, misleading)
    columns: list[NDArray[Any]] = [
        scores.argmax(axis=-1),
        confidences(scores, scoring.logit_scale).max(axis=-1),
        *(numbers[place] for numbers in given),
    ]
    displayed: list[list[DisplayedRegion]] = [[] for _ in images]
    each = zip(map(tuple, boxes.tolist()), *(column.tolist() for column in columns), strict=True)
    for of_image, values in zip(image.tolist(), each, strict=True):
        displayed[of_image].append(DisplayedRegion(*values))
    return displayed


def _misleading(
    batch: RegionEmbeddings,
    class_vectors: NDArray[np.floating],
    scoring: RunScoring,
    results: Mapping[str, MethodScores],
    region_scores: RegionScores,
) -> NDArray[np.bool_]:
    """Marks misleading crops, which only images on which WCA and LGCA differ have; none in a run without both."""
    marked = np.zeros(batch.step.shape, dtype=bool)
    if "wca" not in results or "lgca" not in results:
        return marked
    a, b = (results[name].before for name in ("wca", "lgca"))
    differ = np.flatnonzero(a != b)
    if not len(differ):
        return marked
    a, b, part = a[differ], b[differ], batch.part(differ, np.arange(batch.step.shape[-1]))
    share, _ = contributions(part, results["wca"].weights[differ], scoring.class_vectors["wca"], a, b)
    vote = region_scores.at(differ, class_vectors).argmax(axis=-1)
    marked[differ] = misleading_crops(vote, part.step, share, a, b)
    return marked


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
) -> NDArray[np.int64]:
    """Returns the regions of the chains to display.

    Chains with a misleading crop come first, then those that grew furthest, then those of the largest contributions.
    """
    numbers, at = np.unique(chain, return_inverse=True)
    last_step = np.zeros(len(numbers), dtype=np.int64)
    np.maximum.at(last_step, at, step)
    moved = np.bincount(at, np.abs(contribution))
    ranked = np.lexsort((numbers, -moved, -last_step, np.bincount(at, misleading) == 0))
    return np.concatenate([np.flatnonzero(at == n) for n in ranked[:count]])
