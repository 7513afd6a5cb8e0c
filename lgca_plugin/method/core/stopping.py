"""When an image has had enough crops: how likely the full budget would give it another label.

**The question.** A full budget looks at N crops of an image. After its first n, would the label be another one after
all N? The crops are drawn independently and in no order, so the first n are a simple random sample of the N. Crops that
grow are drawn with their chains: the unit is a crop with all that it grows into.

**The rule.** Let D be the lead of the label over a rival class on the n units, and D_i the lead without unit i, with
the weights renormalized (:func:`weights_without_each`). The jackknife estimates the variance of D over draws of n
units, ``v = (n - 1) / n * sum_i (D_i - mean D)^2``. Weights are peaked, for a softmax gives them: D is a ratio of
means, for several steps a sum of such ratios, and the jackknife needs no derivatives of these. A unit that has nearly
all the weight changes the lead much when it goes, and so the variance says that little is known.

The lead on all N units differs from D by an error of variance ``v * (1 - n / N)``: that of a sample mean, ``s^2 / n``,
with the correction for a finite population, ``s^2 * (1 / n - 1 / N)``. For normally distributed units, and without
prior knowledge, what is known of the lead on all N is a Student t distribution with n - 1 degrees of freedom about D:
the rival wins with probability ``T_{n-1}(-D / sqrt(v * (1 - n / N)))``. The *flip
probability* is the sum of these over all rivals, which bounds the probability that any of them wins.

**The target.** An image stops when the flip probability of each method that counts is at most
:data:`MAX_FLIP_PROBABILITY`. It is a probability given all that has been seen, so it means the same however often it
is computed: of the images that stop, the expected share with another label is the mean of their flip probabilities,
and so at most :data:`MAX_FLIP_PROBABILITY`, for each method. "Expected" leans on the normal distribution;
``docs/speed.md`` says what was measured.

**What it leaves out.** That with more crops other regions might be selected to grow: a unit keeps those that it has.
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
"""The error target: an image stops when, for every method, the full budget would change its label no more likely."""

FIRST_LEVEL = 6
LEVEL_FACTOR = 1.5


def level_sizes(most: int) -> tuple[int, ...]:
    """Lists after how many crops an image may stop: each half as many more than the one before, the last all of them.

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
    weights = region_weights(method, image, so_far, classes, region_scores=scores)
    used = weights > 0
    one_group = method.regions == "crops" or method.weighting == "decisive"
    group = np.zeros(int(used.sum()), dtype=np.int64) if one_group else image.step[used]
    without = weights_without_each(weights[used], group, image.chain[used], n)
    if not method.global_weight and not without.any(axis=1).all():
        return 1.0
    total = weights[used] @ scores[used] + method.global_weight * class_scores(image.whole, classes.vectors)
    label = int(total.argmax())
    lead = total[label] - total
    scores_without = without @ scores[used]  # the whole image's share is in all of them, and in no difference
    leads_without = scores_without[:, label, None] - scores_without
    leads_without -= leads_without.mean(axis=0)
    variance = (n - 1) / n * np.einsum("nc,nc->c", leads_without, leads_without)
    error = np.sqrt(variance * (1 - n / most))
    tails = stdtr(n - 1, -lead / np.maximum(error, np.finfo(np.float64).tiny))
    return float(tails.sum() - tails[label])


def weights_without_each(weights: FloatArray, group: IntArray, unit: IntArray, n: int) -> NDArray[np.float64]:
    """Computes the weights of regions where one of n units is left out, for each of them.

    What is left of a group shares the group's weight; where nothing is, that goes to the other groups, in proportion.

    Args:
        weights: ``[r]`` weights of the regions, above 0
        group: ``[r]`` number of the softmax that each region takes part in
        unit: ``[r]`` number of each region's unit, in [0, n)
        n: number of units

    Returns:
        ``[n, r]`` weights, 0 for the regions of the unit that is left out, with the sum of ``weights`` in each row; all
        are 0 where there are no other regions
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
