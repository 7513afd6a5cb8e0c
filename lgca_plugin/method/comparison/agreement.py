"""What methods' answers to the same samples have to do with each other: who agrees, and what turns into what."""

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
"""Who gives the same answer, by number of methods: methods with one number do. All agree first, all differ last."""


def agreement(answers: Sequence[IntArray]) -> IntArray:
    """Finds who agrees with whom, sample by sample.

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
    """Counts on how many samples each two methods agree.

    Args:
        counts: how many samples each of ``PATTERNS[methods]`` has
        methods: how many methods there are

    Returns:
        two places among the methods to the number of samples
    """
    return {
        (i, j): sum(count for pattern, count in zip(PATTERNS[methods], counts, strict=True) if pattern[i] == pattern[j])
        for i, j in combinations(range(methods), 2)
    }


@dataclass(frozen=True)
class Flow:
    """What one method's answers become under another.

    Attributes:
        classes: class indices that have a row and a column, those in most disagreements first
        counts: ``[k, k]`` samples by the answer of the one (row) and of the other (column); the last row and column are
            all other classes together where ``folded`` is not 0. There, the last cell counts the samples to which both
            methods give another class and not the same one
        folded: how many classes that occur have no row of their own
        agreed_elsewhere: samples to which both methods give the same one of those classes
    """

    classes: tuple[int, ...]
    counts: NDArray[np.int64]
    folded: int
    agreed_elsewhere: int


def class_flow(a: IntArray, b: IntArray, *, most: int = 12) -> Flow:
    """Counts what the answers of one method become under another.

    Args:
        a: ``[n]`` class index of the one method's answers, at least 0
        b: ``[n]`` of the other's
        most: the most rows, with the one for all other classes

    Returns:
        the counts
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
        order: ``[n]`` in which order samples are taken; a hash of what they are gives a fair choice, always the same
        differs: ``[n]`` which samples come first
        most: how many are taken at most

    Returns:
        the indices of those taken, ascending
    """
    return np.sort(np.lexsort((order, ~differs))[:most])
