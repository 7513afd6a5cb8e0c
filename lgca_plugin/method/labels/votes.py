"""Predictions of any origin as evidence about labels: what a predicted label, and perhaps a confidence, say.

A classifier that left its logits says how probable each class is. One that left a label z, with or without a confidence
c, says less, and what is missing is counted in the given labels. With ``N[z, k]`` samples that it calls z and that are
labelled k, the shares ``pi`` of the labels, and the share ``a`` of all samples whose label is the prediction,

    p(z) = c, or without a confidence (N[z, z] + M a) / (sum_k N[z, k] + M)
    p(k) = (1 - p(z)) pi_k / (1 - pi_z)  for every other class k

A prediction z that is no class, such as one of another list of classes, has

    p(k) = (N[z, k] + M pi_k) / (sum_k N[z, k] + M)

The logarithms of p are calibrated like logits (:mod:`.calibration`), which corrects a c that is too sure. Those of
labels alone are not, for p takes hardly more than two values then, and any temperature fits them with some share of
wrong labels. A label must not vouch for itself: the samples are divided into parts, and each label is judged by counts
of the others.

``N[z, k]`` could say which class it is, where it is not z: a confusion that is frequent would be less suspicious. It is
not used, for wrong labels are confusions themselves. On handwritten digits (1,797, 8% of them mislabelled, answers of a
linear classifier with confidences; six seeds) the labels of lowest quality, as many as are wrong, hold 59% of the wrong
ones with such counts and 57% without if the wrong labels are any class, but 32% and 53% if each class is mistaken for
one other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .calibration import shuffled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

PARTS = 10
"""Number of parts of the samples; each is judged by counts of the others."""
SMOOTHING = 2.0
"""M, the weight of what is counted over all predictions, in samples."""
UNSURE = 1e-4
"""Minimum probability that a confidence leaves to the other classes, and to its own."""

_LEAST = 1e-9  # keeps logarithms finite


def vote_logits(
    answers: IntArray, labels: IntArray, confidence: FloatArray | None = None, *, classes: int, parts: int = PARTS
) -> NDArray[np.float32]:
    """Returns ``[n, C]`` logarithms of the probabilities that a classifier's answers give to each class.

    Args:
        answers: ``[n]`` index of the predicted label; those from C on are no classes
        labels: ``[n]`` index of the given label, below C
        confidence: ``[n]`` of the predicted label, in [0, 1]; nan where there is none; None without any
        classes: C, at least 2
        parts: number of parts of the samples, at least 2
    """
    n, predicted = len(answers), max(classes, int(answers.max(initial=-1)) + 1)
    sure = np.full(n, np.nan) if confidence is None else np.asarray(confidence, dtype=np.float64)
    part_of = np.empty(n, dtype=np.int64)
    part_of[shuffled(n)] = np.arange(n) % parts
    every = _counts(answers, labels, predicted, classes)
    result = np.empty((n, classes), dtype=np.float32)
    for part in range(min(parts, n)):
        own = np.flatnonzero(part_of == part)
        others = every - _counts(answers[own], labels[own], predicted, classes)
        result[own] = np.log(np.maximum(_probabilities(others, answers[own], sure[own]), _LEAST))
    return result


def _counts(answers: IntArray, labels: IntArray, predicted: int, classes: int) -> NDArray[np.int64]:
    """Returns ``[P, C]`` number of samples by predicted and given label."""
    flat = np.bincount(answers.astype(np.int64) * classes + labels, minlength=predicted * classes)
    return flat.reshape(predicted, classes)


def _probabilities(counts: IntArray, answers: IntArray, confidence: FloatArray) -> NDArray[np.float64]:
    """Returns ``[b, C]`` p of some samples, by ``[P, C]`` counts of others."""
    classes = counts.shape[1]
    share = (counts.sum(axis=0) + 1) / (counts.sum() + classes)
    in_all, right = counts[:classes].sum(axis=1), counts[:classes].diagonal()
    agreement = (right.sum() + 1) / (in_all.sum() + 2)
    of_class = (right + SMOOTHING * agreement) / (in_all + SMOOTHING)
    p = np.tile(share, (len(answers), 1))
    is_class = answers < classes
    rows, z = np.flatnonzero(is_class), answers[is_class]
    sure = np.where(np.isnan(confidence[rows]), of_class[z], confidence[rows]).clip(UNSURE, 1 - UNSURE)
    p[rows] *= ((1 - sure) / (1 - share[z]))[:, None]
    p[rows, z] = sure
    other = np.flatnonzero(~is_class)
    labelled = counts[answers[other]]
    p[other] = (labelled + SMOOTHING * share) / (labelled.sum(axis=1, keepdims=True) + SMOOTHING)
    found: NDArray[np.float64] = p
    return found
