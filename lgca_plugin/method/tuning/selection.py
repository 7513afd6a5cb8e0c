"""Choosing a setting on labelled samples, with an unbiased estimate of its accuracy on new samples.

The best of many settings owes part of its accuracy to luck with the samples that chose it. In nested cross-validation
the setting is chosen on all folds but one and evaluated on that one, for each fold, so no setting is evaluated on a
sample that chose it. The choices of different folds share samples, which the usual interval ignores: for sixty settings
that are all coin flips, Wilson's 95% interval of the pooled results covers the truth in 81 to 86% of trials. The inner
level of the nesting measures the correlation: Bates, Hastie and Tibshirani, arXiv 2104.00673. With it, 95 to 99% of the
intervals cover, 1.2 to 1.4 times as wide (2 and 60 settings, coin flips or mostly alike; 30 to 1000 samples; 1000
trials each). With fewer than ten samples no interval is valid.

Among settings that are right equally often the first listed wins.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ..comparison.paired import mcnemar_exact, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    BoolArray = NDArray[np.bool_]
    IntArray = NDArray[np.int64]

FOLDS = 5
REPEATS = 20
SIGNIFICANCE = 0.05
BLOCK = 8192
"""Number of samples that are counted at a time."""


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95% confidence interval, for independent samples.

    Attributes:
        value: the estimate
        low: lower end of the 95% interval
        high: upper end
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """The setting chosen from a group, usually the settings of one method, and the uncertainty of the choice.

    Settings are given by their index among all settings. Accuracies are shares of samples, in [0, 1].

    Attributes:
        group: the group's name
        settings: number of settings in the group
        samples: number of samples
        default: the group's first setting
        chosen: the setting that is right most often on all samples
        chosen_accuracy: its accuracy on the samples that chose it: too high on average, the more so the more settings
            and the fewer samples there are
        nested: accuracy on a fold of the setting chosen on the other folds, over all folds and repeats: the expected
            accuracy on new samples of a setting chosen this way. Wilson interval at ``effective_samples``
        default_accuracy: the default's accuracy, unbiased because it was not chosen on these samples. Wilson interval
        gain: ``nested`` minus ``default_accuracy``, in [-1, 1], compared sample by sample. Bonett and Price's adjusted
            Wald interval for paired proportions (2012) at the difference's own effective number of samples
        effective_samples: number of independent samples that would estimate ``nested`` with the same precision; from
            ``samples / folds`` to ``samples``
        fold_choices: pairs of a setting and how many of all folds chose it, the most frequent first
        within_noise: the settings that do not differ significantly from the chosen one, itself included: p >= 0.05 in
            McNemar's exact two-sided test, uncorrected for the number of settings. With many, the choice matters little
        lowest: lowest accuracy of a setting of the group
        median: median of the settings' accuracies
    """

    group: str
    settings: int
    samples: int
    default: int
    chosen: int
    chosen_accuracy: float
    nested: Estimate
    default_accuracy: Estimate
    gain: Estimate
    effective_samples: float
    fold_choices: tuple[tuple[int, int], ...]
    within_noise: tuple[int, ...]
    lowest: float
    median: float

    def to_json(self) -> dict[str, Any]:
        """Returns the choice as a JSON-ready dict."""
        return {
            **asdict(self),
            "fold_choices": [list(pair) for pair in self.fold_choices],
            "within_noise": list(self.within_noise),
        }


def nested_sweep(
    correct: BoolArray,
    groups: Sequence[str],
    strata: Sequence[Any] | NDArray[Any],
    *,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    seed: int = 0,
) -> list[Choice]:
    """Chooses a setting from every group and estimates its accuracy by nested cross-validation.

    Args:
        correct: ``[S, n]`` whether setting s is right on sample i
        groups: ``[S]`` the group of each setting, such as its method's name; the first of a group is its default
        strata: ``[n]`` the samples' true labels, spread evenly over the folds
        folds: number of folds, in [3, n]; with 10, the coverage of the intervals is below nominal
        repeats: number of ways to split the samples, over which estimates are averaged, at least 1
        seed: seed of the splits

    Raises:
        ConfigError: if ``folds`` or ``repeats`` is out of range
    """
    correct = np.asarray(correct, dtype=bool)
    fold = stratified_folds(strata, folds=folds, repeats=repeats, seed=seed)
    indices: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        indices.setdefault(group, []).append(index)
    return [_choose(group, np.array(own), correct[own], fold) for group, own in indices.items()]


def stratified_folds(strata: Sequence[Any] | NDArray[Any], *, folds: int, repeats: int, seed: int) -> IntArray:
    """Deals shuffled samples to folds like cards, class after class.

    The sizes of the folds differ by at most one, and so do the numbers of samples of any class in them.

    Args:
        strata: ``[n]`` class of each sample
        folds: number of folds, in [3, n]
        repeats: number of independent splits, at least 1
        seed: seed of the shuffles

    Returns:
        ``[repeats, n]`` fold of each sample

    Raises:
        ConfigError: if ``folds`` or ``repeats`` is out of range
    """
    if not 3 <= folds <= len(strata):
        raise ConfigError(
            f"folds must be at least 3 and at most the number of labelled samples, which is {len(strata)}; got {folds}"
        )
    if repeats < 1:
        raise ConfigError(f"repeats must be at least 1, got {repeats}")
    _, stratum = np.unique(np.asarray(strata), return_inverse=True)
    rng = np.random.default_rng(seed)
    fold = np.empty((repeats, len(stratum)), dtype=np.int64)
    for row in fold:
        shuffled = rng.permutation(len(stratum))
        row[shuffled[np.argsort(stratum[shuffled], kind="stable")]] = np.arange(len(stratum)) % folds
    return fold


def _choose(group: str, indices: IntArray, correct: BoolArray, fold: IntArray) -> Choice:
    """Chooses from the settings at ``indices``, whose rows are ``correct``; ``fold`` [repeats, n]."""
    samples = correct.shape[1]
    right, differing = _by_fold(correct, fold), _by_fold(correct ^ correct[0], fold)
    splits = _Splits.of(right, _by_fold(np.ones((1, samples), dtype=bool), fold)[0])
    accuracy, _, precision = splits.held_out(right, right)
    gain = _paired(*splits.held_out(right - right[0], differing))
    if len(indices) == 1:  # nothing is chosen: the samples are as independent as they came
        precision, gain = float(samples), Estimate(0.0, 0.0, 0.0)
    counts = correct.sum(axis=1)
    shares = counts / samples
    best = int(counts.argmax())
    better, worse = (correct & ~correct[best]).sum(axis=1), (~correct & correct[best]).sum(axis=1)
    alike = mcnemar_exact(better, worse) >= SIGNIFICANCE
    times = np.bincount(splits.outer.ravel(), minlength=len(indices))
    return Choice(
        group=group,
        settings=len(indices),
        samples=samples,
        default=int(indices[0]),
        chosen=int(indices[best]),
        chosen_accuracy=float(shares[best]),
        nested=_accuracy(accuracy, precision),
        default_accuracy=_accuracy(float(shares[0]), samples),
        gain=gain,
        effective_samples=precision,
        fold_choices=tuple((int(indices[i]), int(times[i])) for i in np.argsort(-times, kind="stable") if times[i]),
        within_noise=tuple(indices[alike].tolist()),
        lowest=float(shares.min()),
        median=float(np.median(shares)),
    )


def _by_fold(flags: BoolArray, fold: IntArray) -> IntArray:
    """Counts ``[S, n]`` flags in each fold, ``[S, repeats, folds]``."""
    folds = np.arange(fold.max() + 1)
    counts = np.zeros((len(flags), len(fold) * len(folds)), dtype=np.int64)
    for start in range(0, flags.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        member = (fold[:, part].T[:, :, None] == folds).reshape(-1, counts.shape[1])
        # float32 multiplies fastest, and counts a block exactly
        counts += (flags[:, part].astype(np.float32) @ member.astype(np.float32)).astype(np.int64)
    return counts.reshape(len(flags), len(fold), len(folds))


@dataclass(frozen=True)
class _Splits:
    """The settings chosen without one fold, and without two.

    Attributes:
        sizes: ``[repeats, folds]`` samples of each fold
        outer: ``[repeats, folds]`` the setting chosen without the fold
        inner: pair of folds to ``[repeats]``, the setting chosen without both
    """

    sizes: IntArray
    outer: IntArray
    inner: dict[tuple[int, int], IntArray]

    @classmethod
    def of(cls, right: IntArray, sizes: IntArray) -> _Splits:
        """Chooses by ``[S, repeats, folds]`` counts of right answers."""
        total = right.sum(axis=2)
        outer = (total[:, :, None] - right).argmax(axis=0)
        inner = {
            (a, b): (total - right[:, :, a] - right[:, :, b]).argmax(axis=0)
            for a, b in combinations(range(sizes.shape[1]), 2)
        }
        return cls(sizes, outer, inner)

    def held_out(self, sums: IntArray, squares: IntArray) -> tuple[float, float, float]:
        """Averages a quantity of the chosen settings over the folds they were not chosen on.

        From ``[S, repeats, folds]`` sums of the quantity, and of its square, over each fold. Returns the mean, the mean
        of the squares, and the number of independent samples with a mean as precise, by the mean squared error of
        Bates, Hastie and Tibshirani, kept between n / folds and n.
        """
        folds, n = self.sizes.shape[1], int(self.sizes[0].sum())
        held_out = np.take_along_axis(sums, self.outer[None], axis=0)[0]
        held_out_squares = np.take_along_axis(squares, self.outer[None], axis=0)[0]
        inside = np.zeros(held_out.shape)
        rows = np.arange(len(inside))
        for (a, b), choice in self.inner.items():
            inside[:, a] += sums[choice, rows, b]
            inside[:, b] += sums[choice, rows, a]
        answers = n * len(self.sizes)
        mean, mean_square = float(held_out.sum() / answers), float(held_out_squares.sum() / answers)
        of_fold = held_out / self.sizes
        own_error = (held_out_squares / self.sizes - of_fold**2) / np.maximum(self.sizes - 1, 1)
        error = ((inside / (n - self.sizes) - of_fold) ** 2 - own_error).mean() * (folds - 1) / folds
        if_independent = (mean_square - mean**2) / n
        inflation = float(np.clip(error / if_independent, 1, folds)) if if_independent > 0 else 1.0
        return mean, mean_square, n / inflation


def _accuracy(share: float, n: float) -> Estimate:
    """A share of n samples, which need not be a whole number, with Wilson's interval."""
    return Estimate(share, *wilson_interval(share * n, n, confidence=1 - SIGNIFICANCE))


def _paired(difference: float, apart: float, n: float) -> Estimate:
    """Bonett and Price's interval of a difference between paired shares, of which ``apart`` of the samples differ."""
    from scipy.stats import norm  # a dependency of FiftyOne

    gained, lost = ((apart + difference) / 2 * n + 1) / (n + 2), ((apart - difference) / 2 * n + 1) / (n + 2)
    z = float(norm.ppf(1 - SIGNIFICANCE / 2))
    half = z * np.sqrt((gained + lost - (gained - lost) ** 2) / (n + 2))
    return Estimate(difference, float(max(gained - lost - half, -1)), float(min(gained - lost + half, 1)))
