"""Calibrating confidences by given labels, some of which may be wrong.

A method's confidence is meant to be the share of times that it is right. Temperature scaling (Guo et al., ICML 2017,
arXiv 1706.04599) divides the logits by a number T fitted to labels, and changes no label. With wrong labels, plain
maximum likelihood takes each of them for a confident mistake of the method and returns a T that is too large. Here
every label is assumed to be drawn at random with probability e, the wrong share:

    p(given = k | x) = (1 - e) softmax(logits / T)_k + e / C

and T and e are fitted together. A random label may be right, so ``e (C - 1) / C`` of the labels are wrong. T and e
differ in shape alone: what no temperature explains counts as wrong labels. Confident mistakes of the method look the
same, so e is a parameter of the fit rather than an audit of the labels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

MIN_LABELS = 30
"""Minimum number of labels for a fit; with fewer the temperature is 1 and the wrong share 0."""
FIT_SAMPLES = 4096
"""Maximum number of samples in a fit; the statistical error of T is then one or two percent."""
MAX_WRONG_SHARE = 0.5
"""Upper limit of the wrong share; above it the labels hold too little information for a fit."""
BINS = 15
"""Number of confidence bins of the calibration error."""

_LOG_TEMPERATURES = np.log(2.0) * np.arange(-10, 11)
_PRIOR_WIDTH = np.log(10.0)
_LEAST_PROBABILITY = 1e-300  # keeps logarithms finite where a class is ruled out
_CHUNK = 1 << 17  # logits at a time: a megabyte of float64
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Temperature:
    """A fitted temperature.

    Attributes:
        value: T, above 0, which divides the logits; above 1 for an overconfident method
        wrong_share: e, the share of labels that look drawn at random, from 0 to :data:`MAX_WRONG_SHARE`
        n: number of samples in the fit; 0 if there were too few
    """

    value: float
    wrong_share: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The calibration of one method.

    Attributes:
        temperature: T, which divides the logits
        wrong_share: e of the fit
        error_before: calibration error of the method's own confidences, see :func:`calibration_error`
        error_after: the same after calibration, each half of the samples with the temperature fitted to the other half
        samples: number of samples that the errors are measured on
    """

    temperature: float
    wrong_share: float
    error_before: float
    error_after: float
    samples: int

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers as a JSON-ready dict."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """The calibrated predictions of one method.

    Attributes:
        probabilities: ``[n, C]`` float32, rows sum to 1
        labels: ``[n]`` the most probable class, the first of equally probable ones
        confidence: ``[n]`` float64, its probability
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    confidence: NDArray[np.float64]
    calibration: Calibration


def fit_temperature(logits: FloatArray, labels: IntArray) -> Temperature:
    """Fits a temperature to labels that may be wrong, by maximum likelihood of the mixture above over log T and e.

    For each T the likelihood is concave in e, whose best value is found by bisection; the best T of a grid from 1/1024
    to 1024 is refined between its neighbours, so the result is deterministic. A normal prior on log T (mean 0, standard
    deviation log 10) has next to no effect with thirty labels or more, unless they leave T undetermined: if method and
    labels always agree, or if all logits are equal, in which case T is 1. Of many samples, a fixed random choice of
    :data:`FIT_SAMPLES` is used.

    Args:
        logits: ``[n, C]`` logit_scale * scores
        labels: ``[n]`` given class indices

    Returns:
        the temperature; 1 with a wrong share of 0 if there are fewer than :data:`MIN_LABELS` labels

    Raises:
        ValueError: if the shapes do not match, a label is no class index, or a row of logits has no finite maximum
    """
    if logits.ndim != 2 or not logits.shape[1] or labels.shape != logits.shape[:1]:
        raise ValueError(f"[n, C] logits and [n] labels are needed, got {logits.shape}, {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(
            f"labels must be class indices from 0 to {logits.shape[1] - 1}, got {labels.min()} to {labels.max()}; "
            "leave out the samples without a usable label"
        )
    chosen = shuffled(len(labels))[:FIT_SAMPLES]
    if len(labels) < MIN_LABELS:
        return Temperature(value=1.0, wrong_share=0.0, n=0)
    return _fit(logits[chosen], labels[chosen])


def calibration_error(
    confidence: FloatArray, agrees: NDArray[np.bool_], *, classes: int, bins: int = BINS, wrong_share: float = 0.0
) -> float:
    """Computes the expected calibration error (ECE) of the top label, in [0, 1]; nan without samples.

    The samples are put into ``bins`` bins of equal width by their ``[n]`` confidence, the probability of the most
    probable class: bin i takes those above i / bins, up to and including (i + 1) / bins. The error is

        sum over bins of (samples in the bin / n) * |accuracy in the bin - mean confidence in the bin|

    where accuracy is the share of samples whose most probable class is their label, ``[n]`` ``agrees``. If a share e
    of the labels was drawn at random, even a perfect method agrees with fewer of them: ``agreement = (1 - e) *
    accuracy + e / C``. With ``wrong_share`` = e, in [0, 1), accuracy is solved from the agreement and limited to
    [0, 1]: the error then estimates the one against correct labels.

    A bin's accuracy is an estimate, so the error of a perfectly calibrated method is above 0: in a trial with
    twelve classes and 15 bins about 0.07 with 240 samples, 0.04 with 1000 and 0.02 with 5000.
    """
    if not len(confidence):
        return float("nan")
    bin_of = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence, side="left")
    counts = np.bincount(bin_of, minlength=bins)
    filled = counts > 0
    agreement = np.bincount(bin_of, weights=agrees, minlength=bins)[filled] / counts[filled]
    mean_confidence = np.bincount(bin_of, weights=confidence, minlength=bins)[filled] / counts[filled]
    accuracy = ((agreement - wrong_share / classes) / (1 - wrong_share)).clip(0, 1)
    return float((counts[filled] * np.abs(accuracy - mean_confidence)).sum() / len(confidence))


def calibrate(logits: NDArray[np.float32], labels: IntArray, *, fit: bool = True) -> Calibrated:
    """Turns one method's logits into calibrated probabilities, in place.

    The error after calibration is cross-fitted: the samples are halved at random, and each half is evaluated with the
    temperature fitted to the other half. Both errors use the wrong share that was fitted to all samples. With
    fewer than :data:`MIN_LABELS` labels the temperature is 1, the wrong share 0, and the two errors are equal.

    Args:
        logits: ``[n, C]`` contiguous float32, logit_scale * scores; overwritten by the probabilities
        labels: ``[n]`` given class indices
        fit: False leaves the logits as they are: the temperature is 1 and the wrong share 0, as with too few labels

    Returns:
        the probabilities, in the array that held the logits, and the fit; the errors are nan without samples

    Raises:
        ValueError: as for :func:`fit_temperature`
    """
    chosen = slice(None) if fit else slice(0)
    temperature = fit_temperature(logits[chosen], labels[chosen])
    n, classes = logits.shape
    other = _fitted_to_other_half(logits, labels) if temperature.n else np.ones(n, dtype=np.float32)
    best = np.empty(n, dtype=np.int64)
    before, crossed, after = np.empty((3, n))
    for rows in _chunks(n, classes):
        part = logits[rows]
        best[rows] = part.argmax(axis=1)
        part -= _largest(part)
        before[rows] = 1.0 / np.exp(part).sum(axis=1)
        crossed[rows] = 1.0 / np.exp(part / other[rows, None]).sum(axis=1)
        part /= np.float32(temperature.value)
        np.exp(part, out=part)
        part /= part.sum(axis=1, keepdims=True)
        after[rows] = part.max(axis=1)
    error = partial(calibration_error, agrees=best == labels, classes=classes, wrong_share=temperature.wrong_share)
    calibration = Calibration(
        temperature=temperature.value,
        wrong_share=temperature.wrong_share,
        error_before=error(before),
        error_after=error(crossed),
        samples=n,
    )
    return Calibrated(probabilities=logits, labels=best, confidence=after, calibration=calibration)


def _fitted_to_other_half(logits: FloatArray, labels: IntArray) -> NDArray[np.float32]:
    """Returns ``[n]`` for each sample the temperature fitted to the half that it is not in."""
    order = shuffled(len(labels))
    halves = order[0::2], order[1::2]
    result = np.empty(len(labels), dtype=np.float32)
    for own, other in (halves, halves[::-1]):
        chosen = other[: FIT_SAMPLES // 2]
        result[own] = _fit(logits[chosen], labels[chosen]).value
    return result


def _fit(logits: FloatArray, labels: IntArray) -> Temperature:
    from scipy.optimize import minimize_scalar  # a dependency of FiftyOne

    def loss(log_temperature: float) -> float:
        return float(_profile(logits, labels, np.array([log_temperature]))[0][0])

    losses, _ = _profile(logits, labels, _LOG_TEMPERATURES)
    best = int(losses.argmin())
    bracket = _LOG_TEMPERATURES[max(best - 1, 0)], _LOG_TEMPERATURES[min(best + 1, len(losses) - 1)]
    refined = minimize_scalar(loss, bounds=bracket, method="bounded", options={"xatol": 1e-3})
    log_temperature = float(refined.x if refined.fun < losses[best] else _LOG_TEMPERATURES[best])
    _, wrong_share = _profile(logits, labels, np.array([log_temperature]))
    return Temperature(value=float(np.exp(log_temperature)), wrong_share=float(wrong_share[0]), n=len(labels))


def _profile(logits: FloatArray, labels: IntArray, log_temperatures: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns ``[G]`` negative log posteriors at G temperatures, each with its best e, and ``[G]`` these e."""
    given = np.maximum(np.exp(_given_log_probabilities(logits, labels, log_temperatures)), _LEAST_PROBABILITY)
    blind = 1.0 / logits.shape[1] - given  # [G, n]: p = given + e * blind
    low, high = np.zeros((len(given), 1)), np.full((len(given), 1), MAX_WRONG_SHARE)

    def rises(share: FloatArray) -> NDArray[np.bool_]:
        slope: FloatArray = (blind / (given + share * blind)).sum(axis=1, keepdims=True)
        return slope > 1e-9 * len(labels)  # rounding is no slope

    at_zero, at_limit = ~rises(low), rises(high)
    for _ in range(40):
        middle = (low + high) / 2
        upwards = rises(middle)
        low, high = np.where(upwards, middle, low), np.where(upwards, high, middle)
    share = np.where(at_zero, 0.0, np.where(at_limit, MAX_WRONG_SHARE, (low + high) / 2))
    likelihood = np.log(given + share * blind).sum(axis=1)
    return 0.5 * (log_temperatures / _PRIOR_WIDTH) ** 2 - likelihood, share[:, 0]


def _given_log_probabilities(logits: FloatArray, labels: IntArray, log_temperatures: FloatArray) -> NDArray[np.float64]:
    """Returns ``[G, n]`` log softmax(logits / T) of the given label at each temperature."""
    result = np.empty((len(log_temperatures), len(labels)))
    for rows in _chunks(*logits.shape):
        part = logits[rows].astype(np.float64)
        part -= _largest(part)
        own = part[np.arange(len(part)), labels[rows]]
        for i, inverse in enumerate(np.exp(-log_temperatures)):
            result[i, rows] = own * inverse - np.log(np.exp(part * inverse).sum(axis=1))
    return result


def _largest(logits: FloatArray) -> FloatArray:
    """Returns ``[n, 1]`` the largest logit of each row."""
    largest: FloatArray = logits.max(axis=1, keepdims=True)
    if not np.isfinite(largest).all():
        raise ValueError("every row of logits needs a finite largest value, and one holds nan or infinity")
    return largest


def shuffled(n: int) -> NDArray[np.int64]:
    """Returns ``[n]`` indices in a random order that is the same on any machine."""
    raw = np.asarray(np.random.PCG64(_SEED).random_raw(n), dtype=np.uint64)
    return np.argsort(raw, kind="stable")


def _chunks(n: int, classes: int) -> Iterator[slice]:
    """Returns slices of rows that together cover ``[n, C]``."""
    step = max(1, _CHUNK // classes)
    return (slice(start, start + step) for start in range(0, n, step))
