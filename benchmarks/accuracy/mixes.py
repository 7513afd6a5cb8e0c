"""Mixes of classes in which known shares of the classes are tried: even, skewed, few classes, images of no class.

The shares are counted in labels of the same images of which :data:`WRONG` are wrong, each replaced by another class at
random; an image that shows no class of the list has any of them as its label, and is not counted in the accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lgca_plugin.method.core.scores import confidences
from lgca_plugin.method.labels.class_shares import share_offsets

from .answers import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from .answers import Answers
    from .image_sets import ImageSet

    Array = NDArray[np.floating]
    Flags = NDArray[np.bool_]
    Rows = NDArray[np.int64]

WRONG = 0.1
FEW = 0.25
"""Share of the classes that occur where only few do."""
FOREIGN = 0.1
"""Share of the images that show an unlisted class, or a whole class, whichever is more: the most that is left out."""
SEED = 190_421

SHARES = f"{OURS} and shares"


@dataclass(frozen=True, kw_only=True, eq=False)
class Answered:
    """Images that are corrected together, what :data:`.answers.OURS` answers, and the labels that are given.

    Attributes:
        logits: ``[m, C]``
        vectors: ``[m, d]`` unit image vectors
        labels: ``[m]`` the labels that are given, some of them wrong
        classes: ``[C, d]`` unit class vectors
        logit_scale: the encoder's factor on similarities
    """

    logits: Array
    vectors: Array
    labels: Rows
    classes: Array
    logit_scale: float


def with_shares(answered: Answered) -> Array:
    """Returns logits with the offsets of the shares that the given labels have."""
    counts = np.bincount(answered.labels, minlength=answered.logits.shape[1])
    offsets = share_offsets(confidences(answered.logits, 1.0), counts.astype(float))
    return answered.logits + offsets


ADJUSTED: dict[str, Callable[[Answered], Array]] = {SHARES: with_shares}
"""Name to a function that returns the ``[m, C]`` logits after a correction by all images together."""


def even(truth: Rows, _: np.random.Generator) -> list[Rows]:
    """Returns all images."""
    return [np.arange(len(truth))]


def skewed(truth: Rows, rng: np.random.Generator) -> list[Rows]:
    """Returns images of which the k-th most frequent class, in a random order, has 1/k of the first one's: Zipf."""
    order = rng.permutation(int(truth.max()) + 1)
    largest = np.bincount(truth).max()
    parts = [
        rng.permutation(np.flatnonzero(truth == label))[: max(1, round(largest / (rank + 1)))]
        for rank, label in enumerate(order.tolist())
    ]
    return [np.sort(np.concatenate(parts))]


def few_classes(truth: Rows, rng: np.random.Generator) -> list[Rows]:
    """Returns all images in groups of :data:`FEW` of the classes, each of which is corrected by itself."""
    order = rng.permutation(int(truth.max()) + 1)
    groups = np.array_split(order, max(1, round(1 / FEW)))
    return [np.flatnonzero(np.isin(truth, group)) for group in groups if len(group)]


MIXES: dict[str, Callable[[Rows, np.random.Generator], list[Rows]]] = {
    "all classes evenly": even,
    "Zipf": skewed,
    "a quarter of the classes": few_classes,
}
"""Name to a function of the true classes that returns the rows of each group of images that is corrected by itself."""
OUTSIDE = "some of an unlisted class"


def without_some_classes(images: ImageSet) -> ImageSet:
    """Returns a set in which some classes are no longer listed, as many as :data:`FOREIGN` allows.

    The truth of their images is -1.
    """
    counts = np.bincount(images.truth, minlength=len(images.classes))
    order = np.random.default_rng(SEED).permutation(len(counts))
    number = int((np.cumsum(counts[order]) <= FOREIGN * counts.sum()).sum())
    listed = np.sort(order[min(max(1, number), len(order) - 2) :])
    position = np.full(len(counts), -1)
    position[listed] = np.arange(len(listed))
    return replace(images, classes=tuple(images.classes[label] for label in listed), truth=position[images.truth])


def given_labels(truth: Rows, classes: int, rng: np.random.Generator) -> Rows:
    """Returns labels of which :data:`WRONG` are wrong; those of images of no class, -1, are any class."""
    labels = truth.copy()
    foreign = truth < 0
    labels[foreign] = rng.integers(classes, size=int(foreign.sum()))
    wrong = ~foreign & (rng.random(len(truth)) < WRONG)
    labels[wrong] = (truth[wrong] + rng.integers(1, classes, size=int(wrong.sum()))) % classes
    return labels


def corrected(found: Answers, truth: Rows, mix: str) -> Iterator[tuple[str, Flags, Flags]]:
    """Yields what is right in a mix, with no correction and with each of :data:`ADJUSTED`.

    Args:
        found: the answers to n images
        truth: ``[n]`` their true classes, -1 for images of none
        mix: one of :data:`MIXES`, or :data:`OUTSIDE`

    Yields:
        name, ``[n]`` whether each image is answered right, ``[n]`` whether it is in the mix and counts
    """
    rng = np.random.default_rng(SEED)
    logits = found.logits[OURS]
    labels = given_labels(truth, logits.shape[1], rng)
    right = {name: np.zeros(len(truth), np.bool_) for name in (OURS, *ADJUSTED)}
    counted = np.zeros(len(truth), np.bool_)
    for group in MIXES.get(mix, even)(truth, rng):
        rows = group[found.seen[group]]
        own = Answered(
            logits=logits[rows],
            vectors=found.vectors[rows],
            labels=labels[rows],
            classes=found.classes,
            logit_scale=found.logit_scale,
        )
        for name, flags in right.items():
            answers = ADJUSTED[name](own) if name in ADJUSTED else own.logits
            flags[rows] = answers.argmax(axis=1) == truth[rows]
        counted[rows] = truth[rows] >= 0
    for name, flags in right.items():
        yield name, flags, counted
