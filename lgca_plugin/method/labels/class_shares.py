"""Shares of the classes: what is known of how often each class occurs moves a method's labels towards such shares.

A zero-shot method favours some classes, whatever the images show. With L the logits of all n images, ``[n, C]``, and
``m = mean_i softmax(L_i)`` the shares that the method gives of itself, counts n_k of the classes give the target

    t_k proportional to (n_k + 1)^(1 - slack) m_k^slack

halfway, at slack 0.5, between the two, so that counts that are wrong, or of other images, are not followed all the way.
One number a class, b, is added to the logits of every image so that the mean probabilities are the target:
``b_k += log(t_k / mean_i softmax_k(L_i + b))``, repeated until still. The label is ``argmax(L + b)``. A known mix of
classes corrects a classifier in OTTER, too (Shin et al., arXiv 2404.08461), which finds labels by optimal transport;
here an image's label depends on the others through b alone, so that it can be explained image by image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]

SLACK = 0.5
"""How far the target is from the counts towards the method's own shares, in [0, 1]."""
ROUNDS = 100
"""Maximum number of repetitions."""
STILL = 1e-4
"""The offsets are still if none changes by more, in logits."""

_VALUES_AT_ONCE = 1 << 17  # a megabyte of float64


def share_offsets(
    probabilities: FloatArray, counts: FloatArray, *, slack: float = SLACK, rounds: int = ROUNDS
) -> NDArray[np.float64]:
    """Returns ``[C]`` offsets b that are added to logits; their mean is 0, for a constant changes nothing.

    A class that no image gives any probability, by the precision of the array, keeps an offset as if none were needed.

    Args:
        probabilities: ``[n, C]`` softmax of the logits of n images, at least one; may be a file that is mapped
        counts: ``[C]`` how often each class occurs, at least 0
        slack: how far the target is towards the method's own shares, in [0, 1]
        rounds: maximum number of repetitions
    """
    own = _mean(probabilities, np.ones(probabilities.shape[1]))
    target = (counts + 1.0) ** (1 - slack) * own**slack
    there = own > 0
    target = np.where(there, target, 0.0) / target[there].sum()
    offsets = np.zeros(len(counts))
    for _ in range(rounds):
        now = _mean(probabilities, np.exp(offsets))
        change = np.log(np.divide(target, now, out=np.ones_like(now), where=there & (now > 0) & (target > 0)))
        offsets += change
        if np.abs(change).max() <= STILL:
            break
    centred: NDArray[np.float64] = offsets - offsets.mean()
    return centred


def changed_labels(probabilities: FloatArray, offsets: FloatArray) -> int:
    """Returns the number of images whose most probable class the offsets change, of ``[n, C]`` probabilities."""
    factors = np.exp(offsets)
    return sum(int((part.argmax(axis=1) != (part * factors).argmax(axis=1)).sum()) for part in _chunks(probabilities))


def _mean(probabilities: FloatArray, factors: FloatArray) -> NDArray[np.float64]:
    """Returns ``[C]`` the mean of ``softmax(L + log factors)``, given ``softmax(L)``."""
    total = np.zeros(len(factors))
    for part in _chunks(probabilities):
        total += (1.0 / (part @ factors)) @ part
    mean: NDArray[np.float64] = factors * total / len(probabilities)
    return mean


def _chunks(values: FloatArray) -> Iterator[NDArray[np.float64]]:
    """Yields the rows of an array in double precision, a part at a time."""
    step = max(1, _VALUES_AT_ONCE // values.shape[1])
    return (np.asarray(values[start : start + step], dtype=np.float64) for start in range(0, len(values), step))
