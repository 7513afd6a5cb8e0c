"""The expected number of wrong labels among the next ones of a queue, with an interval.

The quality q of a label is the ensemble's probability of the given class *before* the label is known. The label itself
is evidence, too: most labels are right. With the mixture that the calibration fits (:mod:`.calibration`: a label is
drawn at random with probability e), Bayes' rule gives the probability that the given label is wrong,

    r = (e / C) (1 - q) / ((1 - e) q + e / C)

The mean of several calibrated methods is less sure than it could be: where three of four give the label no chance, it
is the fourth that decides about q. So the ensemble has a temperature T of its own, fitted to the labels like those of
the methods, and q is taken at that temperature, as if the other classes were one: its odds to the power of 1 / T.

Two things are unknown all the same. The fit takes a confident mistake of the methods for a wrong label, so only a share
s of those labels is wrong; and e itself may be off, which multiplies the odds by exp(a):

    p = s / (1 + exp(-(logit r + a)))

The person who reviews the queue finds out, one decision at a time. So s and a have a distribution: before the first
decision s ~ Beta(4, 1), whose mean is four fifths, and a ~ Normal(0, 1.5), a factor of four either way; then each
decision multiplies it by the likelihood, on a grid. The number of wrong labels among the next n is a sum of independent
events for given s and a, and a mixture of such sums over their distribution: its quantiles are the interval.
``python -m benchmarks.labels.forecasts`` counts how often it holds the number on drawings with known truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..number_text import labels_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    BoolArray = NDArray[np.bool_]

CONFIDENCE = 0.9
"""Default probability that the number lies in the interval."""
LEAST_WRONG_SHARE = 0.01
"""Minimum of e: a fit to few labels, or to labels that all agree with the methods, may find none."""
MAX_SAMPLES = 500
"""Maximum number of labels of a forecast."""

_SHARE_PRIOR = 4.0  # the density of s is proportional to s ** (4 - 1)
_FACTOR_PRIOR = 1.5  # standard deviation of a
_STEPS = (np.arange(32) + 0.5) / 32
_SHARES, _WIDTHS = 1 - _STEPS**2, _STEPS  # the finer the nearer to 1; widths of the cells, up to a factor
_FACTORS = np.linspace(-6.0, 6.0, 37)
_BIN = 0.25  # decisions whose log odds differ by less count as alike
_LEAST = 1e-9


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """How many of some labels are expected to be wrong.

    Attributes:
        samples: number of labels
        expected: expected number of wrong ones, from 0 to ``samples``
        low: lower end of the interval, a number of labels
        high: upper end
        confidence: probability that the number lies from ``low`` to ``high``, ends included; at least this
    """

    samples: int
    expected: float
    low: int
    high: int
    confidence: float = CONFIDENCE

    def __str__(self) -> str:
        return f"about {self.expected:.0f} of the next {labels_text(self.samples)} wrong ({self.low} to {self.high})"


def error_probabilities(
    quality: FloatArray, *, wrong_share: float, classes: int, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Returns ``[n]`` probabilities that given labels are wrong, by the fitted mixture alone.

    Args:
        quality: ``[n]`` the ensemble's probability of the given class, in [0, 1]
        wrong_share: e of the calibration, the share of labels that look drawn at random, in [0, 1); at least
            :data:`LEAST_WRONG_SHARE` is used
        classes: C, at least 1
        temperature: T of the ensemble, above 0
    """
    q, e = at_temperature(quality, temperature), random_share(wrong_share)
    of_class = e / classes
    found: NDArray[np.float64] = of_class * (1 - q) / ((1 - e) * q + of_class)
    return found


def quality_of(probability: float, *, wrong_share: float, classes: int, temperature: float = 1.0) -> float:
    """Returns the quality of a label that is wrong with a probability: the inverse of :func:`error_probabilities`."""
    e = random_share(wrong_share)
    of_class = e / classes
    q = of_class * (1 - probability) / ((1 - e) * probability + of_class)
    return float(at_temperature(np.array([q]), 1 / temperature)[0])


def at_temperature(quality: FloatArray, temperature: float) -> NDArray[np.float64]:
    """Returns ``[n]`` qualities at a temperature, as if the classes that are not given were one."""
    found: NDArray[np.float64] = 1 / (1 + np.exp(-_log_odds(quality) / temperature))
    return found


def random_share(wrong_share: float) -> float:
    """Returns e of a fit, at least :data:`LEAST_WRONG_SHARE`."""
    return max(float(wrong_share), LEAST_WRONG_SHARE)


def expected_errors(
    upcoming: FloatArray, decided: FloatArray, wrong: BoolArray, *, confidence: float = CONFIDENCE
) -> Expectation:
    """Returns the expected number of wrong labels among some, given what was decided about others.

    Args:
        upcoming: ``[n]`` probabilities of :func:`error_probabilities` of the labels in question; at most
            :data:`MAX_SAMPLES`
        decided: ``[m]`` the same of labels that a person has decided about
        wrong: ``[m]`` whether the person found them wrong
        confidence: of the interval, in (0, 1)

    Returns:
        the expectation; 0 of 0 without labels

    Raises:
        ValueError: if the shapes do not match, or there are too many labels
    """
    if decided.shape != wrong.shape:
        raise ValueError(f"decided and wrong must have one shape, got {decided.shape} and {wrong.shape}")
    if len(upcoming) > MAX_SAMPLES:
        raise ValueError(f"upcoming holds {len(upcoming)} labels; a forecast is made for {MAX_SAMPLES} at most")
    weights = _posterior(_log_odds(decided), wrong)
    counts = weights @ _count_distributions(_probabilities(_log_odds(upcoming)))
    cumulated, tail = np.cumsum(counts), (1 - confidence) / 2
    return Expectation(
        samples=len(upcoming),
        expected=float(counts @ np.arange(len(counts))),
        low=int(np.searchsorted(cumulated, tail)),
        high=min(int(np.searchsorted(cumulated, 1 - tail)), len(upcoming)),
        confidence=confidence,
    )


def _log_odds(probabilities: FloatArray) -> NDArray[np.float64]:
    p = np.clip(np.asarray(probabilities, dtype=np.float64), _LEAST, 1 - _LEAST)
    found: NDArray[np.float64] = np.log(p) - np.log1p(-p)
    return found


def _probabilities(log_odds: FloatArray) -> NDArray[np.float64]:
    """Returns ``[G, n]`` p under every s and a of the grid."""
    of_factor = 1 / (1 + np.exp(-(log_odds[None] + _FACTORS[:, None])))
    found: NDArray[np.float64] = (_SHARES[:, None, None] * of_factor[None]).reshape(
        len(_SHARES) * len(_FACTORS), len(log_odds)
    )
    return found


def _posterior(log_odds: FloatArray, wrong: BoolArray) -> NDArray[np.float64]:
    """Returns ``[G]`` weights of the grid, which sum to 1, given ``[m]`` decided labels."""
    shares = (_SHARE_PRIOR - 1) * np.log(_SHARES) + np.log(_WIDTHS)
    factors = -0.5 * (_FACTORS / _FACTOR_PRIOR) ** 2
    score = (shares[:, None] + factors[None]).ravel()
    bins, place = np.unique(np.round(log_odds / _BIN), return_inverse=True)  # a queue may hold thousands of decisions
    p = np.clip(_probabilities(bins * _BIN), _LEAST, 1 - _LEAST)
    score += np.log(p) @ np.bincount(place, weights=wrong, minlength=len(bins))
    score += np.log1p(-p) @ np.bincount(place, weights=~wrong, minlength=len(bins))
    weights: NDArray[np.float64] = np.exp(score - score.max())
    weights /= weights.sum()
    return weights


def _count_distributions(p: FloatArray) -> NDArray[np.float64]:
    """Returns ``[G, n + 1]`` the distribution of the number of events among ``[G, n]`` independent ones, by row."""
    counts = np.zeros((len(p), p.shape[1] + 1))
    counts[:, 0] = 1
    for at in range(p.shape[1]):
        own = p[:, at, None]
        counts[:, 1 : at + 2] = counts[:, 1 : at + 2] * (1 - own) + counts[:, : at + 1] * own
        counts[:, 0] *= 1 - own[:, 0]
    return counts
