"""The stopping rule: how likely the full budget would give an image another label than its first crops.

**The question.** A full budget uses N crops of an image. Given the first n, would the label be another one after all N?
The crops are drawn independently and in no order, so the first n are a simple random sample of the N. For crops that
grow, the sampled unit is a crop with its whole chain.

**The rule.** Let D be the lead of the label over a rival class on the n units, and D_i the lead without unit i, with
the weights renormalized (:func:`weights_without_each`). The jackknife estimates the variance of D over draws of n
units, ``v = (n - 1) / n * sum_i (D_i - mean D)^2``. Softmax weights are peaked, and D is a ratio of means (for several
steps a sum of such ratios), for which the jackknife needs no derivatives. If one unit has nearly all the weight, the
lead changes much without it, and the variance is large.

The lead on all N units differs from D by an error of variance ``v * (1 - n / N)``: that of a sample mean, ``s^2 / n``,
with the correction for a finite population, ``s^2 * (1 / n - 1 / N)``. For normally distributed units and no prior
knowledge, the lead on all N has a Student t distribution with n - 1 degrees of freedom about D: the rival wins with
probability ``T_{n-1}(-D / sqrt(v * (1 - n / N)))``. The *flip probability* is the sum of these over all rivals, which
bounds the probability that any of them wins.

**The target.** An image stops when the flip probability of each method is at most :data:`MAX_FLIP_PROBABILITY`. It is a
probability given the crops so far, so its meaning does not depend on how often it is computed: among the images that
stop, the expected share whose label would change is the mean of their flip probabilities, at most
:data:`MAX_FLIP_PROBABILITY` for each method. "Expected" assumes the normal distribution; ``docs/speed.md`` reports
measurements.

**What it leaves out.** With more crops, other regions might be selected to grow: a unit keeps the regions that it has.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from .scores import class_scores, region_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .methods import Method
    from .regions import ClassScoring, CropCounts, RegionEmbeddings

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

MAX_FLIP_PROBABILITY = 0.005
"""Maximum flip probability of every method's label at which an image stops."""

FIRST_LEVEL = 6
"""Number of crops after which an image can stop for the first time."""
LEVEL_FACTOR = 1.5
"""Ratio of the numbers of crops of successive budget levels."""


def level_sizes(most: int) -> tuple[int, ...]:
    """Returns the numbers of crops after which an image can stop: the budget levels.

    Args:
        most: number of crops of the full budget, at least 0

    Returns:
        ascending numbers, the last of them ``most``: 6, 9, 14, 21, 32, 48, 60 for 60
    """
    sizes = []
    size = FIRST_LEVEL
    while size < most:
        sizes.append(size)
        size = ceil(LEVEL_FACTOR * size)
    return (*sizes, most)


def flip_probability(
    method: Method,
    image: RegionEmbeddings,
    classes: ClassScoring,
    *,
    so_far: CropCounts,
    full: CropCounts,
    region_scores: FloatArray | None = None,
) -> float:
    """Bounds the probability that the full budget would give an image another label than its first crops do.

    Args:
        method: the preset
        image: the regions of one image that are encoded so far
        classes: what it is scored against
        so_far: how many crops the methods use of these
        full: how many they use under the full budget
        region_scores: ``[r, C]`` scores of the regions themselves, if they are known; they set the precision

    Returns:
        the sum over all rivals, at least 0; it may exceed 1, as a bound may. 0 if the full budget adds no crops, and 1
        if nothing is known: on a single unit, or if one unit has all the weight
    """
    from scipy.special import stdtr  # a dependency of FiftyOne

    n, most = so_far.of(method.regions), full.of(method.regions)
    if method.regions == "none" or n >= most:
        return 0.0
    if n < 2:
        return 1.0
    scores = class_scores(image.regions, classes.vectors) if region_scores is None else region_scores
    found = region_weights(method, image, so_far, classes, region_scores=scores)
    used = found.regions > 0
    weights, scores, unit = found.regions[used], scores[used], image.chain[used]
    of_whole = class_scores(image.whole, classes.vectors)
    if method.weighting == "sized":  # the whole image is one more region, of a unit that is never left out
        weights, scores, unit = np.append(weights, found.whole), np.vstack([scores, of_whole]), np.append(unit, n)
    group = np.zeros(len(weights), dtype=np.int64) if method.one_softmax else image.step[used]
    without = weights_without_each(weights, group, unit, n)
    if not method.global_weight and not without.any(axis=1).all():
        return 1.0
    total = weights @ scores + method.global_weight * of_whole
    label = int(total.argmax())
    lead = total[label] - total
    scores_without = without @ scores  # a fixed share of the whole image is in all of them, and in no difference
    leads_without = scores_without[:, label, None] - scores_without
    leads_without -= leads_without.mean(axis=0)
    variance = (n - 1) / n * np.einsum("nc,nc->c", leads_without, leads_without)
    error = np.sqrt(variance * (1 - n / most))
    tails = stdtr(n - 1, -lead / np.maximum(error, np.finfo(np.float64).tiny))
    return float(tails.sum() - tails[label])


def weights_without_each(weights: FloatArray, group: IntArray, unit: IntArray, n: int) -> NDArray[np.float64]:
    """Computes the weights of regions without each of n units in turn.

    The rest of a group shares the group's weight; if nothing is left, that goes to the other groups, in proportion.

    Args:
        weights: ``[r]`` weights of the regions, above 0
        group: ``[r]`` number of the softmax that each region is part of
        unit: ``[r]`` number of each region's unit, in [0, n)
        n: number of units

    Returns:
        ``[n, r]`` weights, 0 for the regions of the unit that is left out; rows sum to the sum of ``weights``, or to 0
        if there are no other regions
    """
    members = np.unique(group) == group[:, None]  # [r, G]
    without = np.where(np.arange(n)[:, None] != unit, weights, 0.0)
    rest = without @ members
    there = rest > 0
    shares = weights @ members
    left = np.maximum((there * shares).sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    factors = there * shares / left * shares.sum() / np.where(there, rest, 1)
    scaled: NDArray[np.float64] = without * (factors @ members.T)
    return scaled
