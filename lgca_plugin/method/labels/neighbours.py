"""What a picture's nearest pictures say about its label: near duplicates labelled otherwise, and none that is near.

Two pictures are near duplicates if their distance, 1 - cosine of the vectors of the whole images, is below a share of
the median distance of a picture to its nearest one. cleanlab's near duplicates are a share of it, too, with 0.13 for
the share; with 0.25, half the length between unit vectors, more copies that were cut or lightened are found.

At most one of two labels of the same picture is right. Of a label a, with the labels l of its near duplicates, the
probability that it is wrong follows from the mixture that the calibration fits (a label is drawn at random with
probability e), with P the ensemble's probabilities at its own temperature, and the labels taken for independent:

    p(k) proportional to P(k) prod_l ((1 - e) [l = k] + e / C)
    wrong = s (1 - p(a)) + (1 - s) r

where s is the share of near duplicates that show the same class, estimated from those of a random choice of pictures,
and r the probability without duplicates (:mod:`.expected_errors`). Labels that agree say nothing here: copies are often
labelled in one go. Only labels that the ensemble contradicts are looked at. It says the same of two pictures that are
alike, so of two labels it contradicts at least one.

A picture is unlike all others by cleanlab's rule for outliers: its mean distance to the ten nearest is above the third
quartile by 1.7 interquartile ranges. On drawings, nearly all suspects that are unlike all others show none of the
classes, but pictures that are no suspects and unlike all others are mostly fine, so it makes no label a suspect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .calibration import shuffled
from .expected_errors import at_temperature, error_probabilities, quality_of, random_share
from .label_errors import suspect_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from .label_errors import LabelErrors

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]
    Batches = Callable[[], Iterable[tuple[IntArray, FloatArray]]]

NEAR = 0.25
"""Two pictures are near duplicates below this share of the median distance to the nearest picture."""
SAMPLED = 1000
"""Number of pictures that the median and the share of equal classes are estimated from."""
MAX_COMPARISONS = 500_000_000
"""Maximum number of comparisons of two pictures: of many labels, those of lowest quality are looked at."""
MAX_NEAR = 20
"""Maximum number of near duplicates of a picture that count, the nearest ones."""
LIKELY = 0.5
"""Probability of being wrong from which on a label that a near duplicate contradicts is a suspect."""

LEAST_LIMIT = 1e-5
"""Distance that rounding makes of none."""

NEAREST = 10
"""Number of nearest pictures of the rule for outliers."""
OUTLYING = 1 / 0.37037 - 1
"""Number of interquartile ranges above the third quartile from which on a distance is an outlier's."""
LEAST_PICTURES = 30
"""Minimum number of pictures for quartiles to say anything."""

_SAME, _OTHER = 4.0, 1.0  # prior of s: so many pairs of the same class, and of others
_BLOCK = 1 << 22  # comparisons at a time: 16 MB


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Pairs of near duplicates, the nearest ones of a row first, and outliers.

    Attributes:
        row: ``[p]`` the one picture, ascending
        other: ``[p]`` the other one
        sampled: ``[p]`` whether the row is one of the random choice
        unlike: ``[u]`` the pictures looked at that are unlike all others, ascending
    """

    row: NDArray[np.int64]
    other: NDArray[np.int64]
    sampled: NDArray[np.bool_]
    unlike: NDArray[np.int64]


def find_neighbours(
    read: Batches, n: int, rows: IntArray, *, sampled: int = SAMPLED, comparisons: int = MAX_COMPARISONS
) -> Neighbours:
    """Finds the near duplicates of some of n pictures, and of a random choice, among all of them, and the outliers.

    Args:
        read: yields rows and ``[b, d]`` unit vectors of the whole images; it is called twice, and may leave rows out
        n: number of pictures
        rows: those whose near duplicates are needed, the most important first
        sampled: number of pictures in the random choice
        comparisons: maximum number of comparisons of two pictures
    """
    chosen = shuffled(n)[:sampled]
    most = max(0, comparisons // max(1, n) - len(chosen))
    queries, vectors = _chosen(read, n, np.concatenate([chosen, rows[:most]]))
    is_sampled = np.isin(queries, chosen)
    nearest = np.full((len(queries), MAX_NEAR), np.inf, np.float32)
    found: list[tuple[IntArray, IntArray, FloatArray]] = [(queries[:0], queries[:0], nearest[:0, 0])]
    limit = LEAST_LIMIT
    for others, own in _blocks(read, max(2, _BLOCK // max(1, len(queries)))):
        distances = 1 - vectors @ own.T
        distances[queries[:, None] == others] = np.inf
        before = nearest.max(axis=1)
        nearest = np.partition(np.hstack([nearest, distances]), MAX_NEAR - 1, axis=1)[:, :MAX_NEAR]
        limit = max(LEAST_LIMIT, NEAR * float(np.median(nearest[is_sampled].min(axis=1))))
        # The next blocks can only lower limit and last distances: of thousands of copies few are kept.
        at, column = np.nonzero(distances < np.minimum(limit, before)[:, None])
        near = distances[at, column] <= nearest.max(axis=1)[at]
        at, column = at[near], column[near]
        found.append((at, others[column], distances[at, column]))
    at, other, distance = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((other, distance, at))
    order = order[distance[order] < limit]
    at, other = at[order], other[order]
    counted = np.arange(len(at)) - np.searchsorted(at, at) < MAX_NEAR
    at, other = at[counted], other[counted]
    unlike = queries[_outlying(np.partition(nearest, NEAREST - 1, axis=1)[:, :NEAREST].mean(axis=1), is_sampled)]
    return Neighbours(row=queries[at], other=other, sampled=is_sampled[at], unlike=unlike)


def _outlying(distance: NDArray[np.float32], sampled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns ``[q]`` whether a mean distance is an outlier's, by the quartiles of those of a random choice."""
    if sampled.sum() < LEAST_PICTURES:
        return np.zeros(len(distance), dtype=bool)
    first, third = np.quantile(distance[sampled], [0.25, 0.75])
    return np.asarray(distance > third + OUTLYING * (third - first))


def _chosen(read: Batches, n: int, rows: IntArray) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Returns those of some rows that have a vector, ascending, and their ``[q, d]`` vectors."""
    wanted = np.zeros(n, dtype=bool)
    wanted[rows] = True
    parts = [(some[wanted[some]], vectors[wanted[some]]) for some, vectors in read()]
    if not parts:
        return np.zeros(0, np.int64), np.zeros((0, 1), np.float32)
    found, vectors = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(found, kind="stable")
    return found[order], vectors[order]


def _blocks(read: Batches, size: int) -> Iterator[tuple[IntArray, FloatArray]]:
    for rows, vectors in read():
        for start in range(0, len(rows), size):
            yield rows[start : start + size], vectors[start : start + size]


def contradicted_rows(errors: LabelErrors, labels: IntArray) -> NDArray[np.int64]:
    """Returns the rows whose given label is not the one that the ensemble suggests, lowest quality first."""
    rows = np.flatnonzero(errors.suggestion != labels)
    found: NDArray[np.int64] = rows[np.argsort(errors.quality[rows], kind="stable")]
    return found


def with_neighbours(errors: LabelErrors, labels: IntArray, found: Neighbours, *, classes: int) -> LabelErrors:
    """Returns label errors with what the nearest pictures say about them.

    The quality of a label that is more probably wrong than its own probability says is lowered to that of a label which
    is as probably wrong without duplicates, so that queue and forecasts go on as they are. Where no duplicate has the
    class that the ensemble suggests, and theirs is likely, theirs is suggested.

    Args:
        errors: the findings of :func:`~.label_errors.find_label_errors`
        labels: ``[n]`` given class indices
        found: the neighbours of :func:`contradicted_rows`
        classes: C
    """
    fit = errors.ensemble
    e = random_share(fit.wrong_share)
    alone = error_probabilities(errors.quality, wrong_share=fit.wrong_share, classes=classes, temperature=fit.value)
    p = at_temperature(errors.quality, fit.value)
    same = _share_of_same(found, labels, e * (classes - 1) / classes)
    quality, suspect, twin = errors.quality.copy(), errors.suspect.copy(), np.full(len(labels), -1)
    suggestion, confidence = errors.suggestion.copy(), errors.suggestion_confidence.copy()
    differ = labels[found.row] != labels[found.other]
    for row in np.unique(found.row[differ & (errors.suggestion != labels)[found.row]]).tolist():
        others = found.other[found.row == row]
        twin[row] = others[labels[others] != labels[row]][0]
        of_class = _of_labels(np.append(others, row), labels, p, e, classes)
        wrong = same * (1 - of_class.pop(int(labels[row]))) + (1 - same) * alone[row]
        if wrong > alone[row]:
            quality[row] = quality_of(wrong, wrong_share=fit.wrong_share, classes=classes, temperature=fit.value)
            suspect[row] |= wrong >= LIKELY
        best = max(of_class, key=of_class.__getitem__)
        if suggestion[row] not in of_class and same * of_class[best] > LIKELY:
            suggestion[row], confidence[row] = best, same * of_class[best]
    return replace(
        errors,
        quality=quality,
        suspect=suspect,
        twin=twin,
        unlike=np.isin(np.arange(len(labels)), found.unlike) & suspect,
        suggestion=suggestion,
        suggestion_confidence=confidence,
        joint=replace(errors.joint, pairs=suspect_pairs(labels, suggestion, suspect)),
    )


def _share_of_same(found: Neighbours, labels: IntArray, wrong_share: float) -> float:
    """Returns the share of near duplicates that are of one class, where a share of the labels is wrong."""
    same = labels[found.row[found.sampled]] == labels[found.other[found.sampled]]
    of_right_labels = min(float(same.sum()) / (1 - wrong_share) ** 2, float(len(same)))
    return (of_right_labels + _SAME) / (len(same) + _SAME + _OTHER)


def _of_labels(rows: IntArray, labels: IntArray, p: FloatArray, e: float, classes: int) -> dict[int, float]:
    """Returns the probability of each label of some rows, which show one picture; the rest is of other classes.

    ``[n]`` p is the probability of the given label of each; that of a class is the mean over the rows with its label.
    """
    given, count = np.unique(labels[rows], return_counts=True)
    of_class = np.array([p[rows[labels[rows] == label]].mean() for label in given])
    of_class /= max(1.0, of_class.sum())
    drawn = e / classes
    odds = of_class * ((1 - e + drawn) / drawn) ** count  # over a class that none of the labels is
    total = odds.sum() + 1 - of_class.sum()
    return dict(zip(given.tolist(), (odds / total).tolist(), strict=True))
