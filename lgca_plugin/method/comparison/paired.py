"""Comparing methods that answered the same samples: pair by pair, since that sees what two accuracies alone can't.

Two methods that answer the same n samples differ only where one is right and the other wrong. With ``only_a`` and
``only_b`` such samples, the difference of the accuracies is ``(only_a - only_b) / n``, whatever the rest is, and it is
usually known far more precisely than either accuracy: intervals of the accuracies that overlap say nothing about it.

All of this takes the samples for independent draws from what one wants to know about. Near-duplicates make intervals
too short; labels that a method helped to choose favour it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.integer]
    Interval = tuple[float, float]

PSEUDO_SAMPLES = 1.0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How two methods differ on the same samples.

    Attributes:
        a: name of a method
        b: name of the method that it is compared with
        only_a: samples that a alone answers rightly
        only_b: samples that b alone answers rightly
        difference: accuracy of a minus that of b, ``(only_a - only_b) / n``, in [-1, 1]
        interval: of the difference, see :func:`difference_interval`
        p: of the exact McNemar test, see :func:`mcnemar_exact`
        p_holm: ``p`` corrected for all comparisons that were made, see :func:`holm`
    """

    a: str
    b: str
    only_a: int
    only_b: int
    difference: float
    interval: Interval
    p: float
    p_holm: float


def compare(correct: Mapping[str, BoolArray], *, confidence: float = 0.95) -> tuple[Comparison, ...]:
    """Compares every method with every one before it.

    Args:
        correct: method name to ``[n]`` whether it answers each sample rightly, n at least 1
        confidence: of the intervals, in (0, 1)

    Returns:
        a comparison for each pair: the later method is ``a``, so that a positive difference speaks for it
    """
    pairs = [(a, b) for b, a in combinations(correct, 2)]
    counts = [
        (int((correct[a] & ~correct[b]).sum()), int((correct[b] & ~correct[a]).sum()), len(correct[a]))
        for a, b in pairs
    ]
    p_values = [float(mcnemar_exact(only_a, only_b)) for only_a, only_b, _ in counts]
    return tuple(
        Comparison(
            a=a,
            b=b,
            only_a=only_a,
            only_b=only_b,
            difference=(only_a - only_b) / n,
            interval=difference_interval(only_a, only_b, n, confidence=confidence),
            p=p,
            p_holm=p_holm,
        )
        for (a, b), (only_a, only_b, n), p, p_holm in zip(pairs, counts, p_values, holm(p_values), strict=True)
    )


def mcnemar_exact(only_a: IntArray | int, only_b: IntArray | int) -> NDArray[np.float64]:
    """Tests whether two methods are right equally often: McNemar's test, exact and two-sided.

    If they are, each sample that one alone answers rightly is as likely to be a's as b's: ``only_a`` is binomial with
    ``only_a + only_b`` trials of 1/2.

    Args:
        only_a: ``[...]`` samples that a alone answers rightly, at least 0
        only_b: ``[...]`` samples that b alone answers rightly, at least 0

    Returns:
        ``[...]`` p values, in (0, 1]; 1 without such a sample
    """
    from scipy.stats import binom  # a dependency of FiftyOne

    fewer, apart = np.minimum(only_a, only_b), np.add(only_a, only_b)
    p_values: NDArray[np.float64] = np.minimum(1.0, 2 * binom.cdf(fewer, apart, 0.5))
    return p_values


def difference_interval(only_a: int, only_b: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Gives the bootstrap interval of a paired difference of accuracies.

    Resampling n pairs of answers with replacement is drawing from four cells: both right, a alone, b alone, none. The
    difference is then a sum of n independent steps of +1, -1 and 0, whose distribution is computed here by a Fourier
    transform instead of drawn: the percentiles are those of infinitely many resamples, the same on any machine.

    The plain bootstrap believes that what it has not seen can't happen: without a sample on which the methods differ,
    its interval has no width, and with few it covers too rarely (46% at n = 20 with 3% and 1% of the samples apart).
    So each of the two cells that differ starts with one sample more, as in Bonett and Price's adjusted Wald interval
    (2012). Over n from 20 to 5000 and shares apart from 0 to 60%, 60 settings of 3000 trials, intervals meant for 95%
    of trials cover in 94.9% to 100% of them; the plain bootstrap falls to 46%, Bonett and Price's own to 92.2%, Tango's
    score interval to 93.2%. From a few dozen samples apart on, all are alike.

    Args:
        only_a: samples that a alone answers rightly, at least 0
        only_b: samples that b alone answers rightly, at least 0
        n: number of samples, at least 1 and at least ``only_a + only_b``
        confidence: share of trials that the interval is to cover, in (0, 1)

    Returns:
        lower and upper end, in [-1, 1]; never of width 0
    """
    total = n + 2 * PSEUDO_SAMPLES
    steps, shares = _sums(n, (only_a + PSEUDO_SAMPLES) / total, (only_b + PSEUDO_SAMPLES) / total)
    below = np.cumsum(shares)
    tail = (1 - confidence) / 2
    low, high = (int(np.searchsorted(below, share * below[-1])) for share in (tail, 1 - tail))
    return float(steps[low] / n), float(steps[high] / n)


def _sums(n: int, up: float, down: float) -> tuple[IntArray, NDArray[np.float64]]:
    """Gives the distribution of a sum of n independent steps of +1 and -1 of these shares: values, probabilities."""
    centre = round(n * (up - down))
    deviation = np.sqrt(n * (up + down - (up - down) ** 2))
    reach = min(n + abs(centre), int(20 * deviation) + 100)  # beyond lies less than rounding error
    offsets = np.arange(-reach, reach + 1)
    angle = 2 * np.pi * np.arange(len(offsets)) / len(offsets)
    step = 1 - up - down + up * np.exp(1j * angle) + down * np.exp(-1j * angle)
    shares = np.fft.fft(step**n * np.exp(-1j * angle * centre)).real / len(offsets)
    return centre + offsets, np.clip(shares[offsets % len(offsets)], 0, None)


def wilson_interval(correct: float, n: float, *, confidence: float = 0.95) -> Interval:
    """Returns Wilson's score interval of an accuracy.

    Args:
        correct: number of samples that are answered rightly
        n: number of samples, above 0; both may be effective numbers that are not whole
        confidence: of the interval, in (0, 1)

    Returns:
        lower and upper end, in [0, 1]
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    share = correct / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(centre - half, 0)), float(min(centre + half, 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p values for their number, by Holm's step-down method (1979).

    The smallest of m is multiplied by m, the next by m - 1, and so on; none may fall below one before it, nor exceed 1.
    Calling a difference real where the result is below 0.05 then finds one that isn't in at most 5% of all evaluations.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return [float(value) for value in corrected]


def macro_recall(truth: IntArray, correct: BoolArray) -> float:
    """Gives the mean over classes of the share that is answered rightly, so that every class counts the same.

    Args:
        truth: ``[n]`` index of the true class of each sample, at least 0, n at least 1
        correct: ``[n]`` whether each is answered rightly

    Returns:
        the mean over the classes that occur, in [0, 1]; where classes are of one size, the accuracy
    """
    samples = np.bincount(truth)
    right = np.bincount(truth, weights=correct)
    return float((right[samples > 0] / samples[samples > 0]).mean())
