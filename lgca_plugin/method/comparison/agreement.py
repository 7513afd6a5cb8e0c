"""Agreement of methods on the same samples: which of them agree, and which classes turn into which."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    IntArray = NDArray[np.integer]
    BoolArray = NDArray[np.bool_]

Pattern = tuple[int, ...]

PATTERNS: Final[dict[int, tuple[Pattern, ...]]] = {
    1: ((0,),),
    2: ((0, 0), (0, 1)),
    3: ((0, 0, 0), (0, 1, 1), (0, 1, 0), (0, 0, 1), (0, 1, 2)),
}
"""Patterns of agreement, by number of methods: methods with the same number agree. All agree first, all differ last."""


def agreement(answers: Sequence[IntArray]) -> IntArray:
    """Returns the pattern of agreement of every sample.

    Args:
        answers: one to three arrays ``[n]`` of class indices, one a method

    Returns:
        ``[n]`` index into ``PATTERNS[len(answers)]``
    """
    if len(answers) < 2:
        return np.zeros(len(answers[0]), dtype=np.int64)
    if len(answers) == 2:
        return np.not_equal(*answers).astype(np.int64)
    a, b, c = answers
    found: IntArray = np.select([(a == b) & (b == c), b == c, a == c, a == b], [0, 1, 2, 3], default=4)
    return found


def pair_agreements(counts: Sequence[int], methods: int) -> dict[tuple[int, int], int]:
    """Returns for each two methods the number of samples on which they agree.

    Args:
        counts: number of samples of each of ``PATTERNS[methods]``
        methods: number of methods

    Returns:
        positions of two methods to the number of samples
    """
    return {
        (i, j): sum(count for pattern, count in zip(PATTERNS[methods], counts, strict=True) if pattern[i] == pattern[j])
        for i, j in combinations(range(methods), 2)
    }


@dataclass(frozen=True)
class Flow:
    """Counts of samples by the labels of two methods.

    Attributes:
        classes: class indices that have a row and a column, those in most disagreements first
        counts: ``[k, k]`` samples by the label of the one method (row) and of the other (column). If ``folded`` is not
            0, the last row and column are all other classes together, and the last cell counts the samples to which
            the methods give two different ones of these
        folded: number of classes that occur and have no row of their own
        agreed_elsewhere: number of samples to which both methods give the same one of those classes
    """

    classes: tuple[int, ...]
    counts: NDArray[np.int64]
    folded: int
    agreed_elsewhere: int


def class_flow(a: IntArray, b: IntArray, *, most: int = 12) -> Flow:
    """Counts the samples by the labels of two methods.

    Args:
        a: ``[n]`` class index of the one method's labels, at least 0
        b: ``[n]`` of the other's
        most: maximum number of rows, including the one for all other classes
    """
    differs = a != b
    size = int(max(a.max(initial=-1), b.max(initial=-1))) + 1
    occurs = np.flatnonzero(np.bincount(a, minlength=size) + np.bincount(b, minlength=size))
    apart = np.bincount(a[differs], minlength=size) + np.bincount(b[differs], minlength=size)
    ranked = occurs[np.argsort(-apart[occurs], kind="stable")]
    shown = ranked if len(ranked) <= most else ranked[: most - 1]
    folded = len(ranked) - len(shown)
    k = len(shown) + bool(folded)
    place = np.full(size, len(shown))
    place[shown] = np.arange(len(shown))
    counts = np.bincount(place[a] * k + place[b], minlength=k * k).reshape(k, k)
    agreed = 0
    if folded:
        other = len(shown)
        agreed = int(((place[a] == other) & ~differs).sum())
        counts[other, other] -= agreed
    return Flow(tuple(shown.tolist()), counts, folded, agreed)


def choose_points(order: IntArray, differs: BoolArray, most: int) -> IntArray:
    """Chooses the samples of a scatter plot: disagreements first.

    Args:
        order: ``[n]`` numbers by which samples are ordered; a hash of the samples makes a fair, reproducible choice
        differs: ``[n]`` which samples come first
        most: maximum number of samples

    Returns:
        their indices, ascending
    """
    return np.sort(np.lexsort((order, ~differs))[:most])
