"""Pooling predictions of any origin: each counts by what it is worth, which is fitted to the labels.

The methods of a zero-shot run share an encoder and are about equally good, so that the mean of their probabilities
serves. Predictions of any origin may be a strong classifier and a weak one, or two that say the same. With ``L_v``
the logits of voter v, its calibration's temperature ``T_v``, and a weight ``w_v`` of at least 0, the pool is

    p(k | x) proportional to exp(sum_v w_v L_v,k / T_v)

a logarithmic opinion pool: independent voters that are calibrated would have a weight of 1 each, two that always say
the same one half each, and one that adds nothing 0. As in the calibration (:mod:`.calibration`), a given label is taken
to be drawn at random with probability e, so that wrong labels do not spoil the fit:

    p(given = k | x) = (1 - e) p(k | x) + e / C

The weights and e are fitted together by maximum likelihood, with a weak normal prior on the weights (mean 1 / V of V
voters, standard deviation 1). They are a few numbers, so that no label chooses its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .calibration import MAX_WRONG_SHARE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

LEAST_LOGARITHM = -60.0
"""Lower limit of the logarithm of a probability; single precision holds it."""
MAX_WEIGHT = 2.0
"""Maximum weight of a voter."""

_LEAST = 1e-300


def fit_weights(logits: Sequence[FloatArray], labels: IntArray) -> tuple[NDArray[np.float64], float]:
    """Returns ``[V]`` weights of voters, in [0, :data:`MAX_WEIGHT`], and the wrong share e.

    Args:
        logits: for each voter ``[n, C]`` logits over its temperature; zeros on samples that it has not answered
        labels: ``[n]`` given class indices
    """
    from scipy.optimize import minimize

    stacked = np.stack([values - values.max(axis=1, keepdims=True) for values in logits]).astype(np.float64)
    voters, n, classes = stacked.shape
    rows = np.arange(n)
    own = stacked[:, rows, labels]  # [V, n]

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        weights, wrong = x[:-1], x[-1]
        pooled = np.tensordot(weights, stacked, axes=1)
        pooled -= pooled.max(axis=1, keepdims=True)
        p = np.exp(pooled)
        p /= p.sum(axis=1, keepdims=True)
        given = p[rows, labels]
        mixed = np.maximum((1 - wrong) * given + wrong / classes, _LEAST)
        mean = np.einsum("nk,vnk->vn", p, stacked)
        slope = -((1 - wrong) * given / mixed * (own - mean)).sum(axis=1)
        prior = weights - 1 / voters
        of_wrong = -((1 / classes - given) / mixed).sum()
        return float(-np.log(mixed).sum() + 0.5 * prior @ prior), np.append(slope + prior, of_wrong)

    start = np.append(np.full(voters, 1 / voters), 0.05)
    bounds = [(0.0, MAX_WEIGHT)] * voters + [(0.0, MAX_WRONG_SHARE)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x[:-1]), float(found.x[-1])
