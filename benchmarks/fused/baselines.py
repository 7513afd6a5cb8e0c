"""What a fusion is compared with: single encoders, means, learnt weights and probes, on the same pictures and labels.

Each baseline returns ``[test, C]`` logits, and learns from the labelled rows alone; the strength of its penalty is
chosen among :data:`PENALTIES` by cross-validation on these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.core.regions import ClassScoring, CropCounts, RegionEmbeddings
from lgca_plugin.method.core.scores import class_scores, image_vector, region_weights

from .pictures import SINGLE, STRONGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from .pictures import Integers, Seen

    Array = NDArray[np.floating]

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 3
AT_ONCE = 256
ITERATIONS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Single:
    """The image vectors and logits of one encoder's own methods.

    Attributes:
        name: the encoder's
        vectors: method name to ``[n, d]`` unit image vectors
        logits: method name to ``[n, C]`` logit scale times the scores
    """

    name: str
    vectors: dict[str, Array]
    logits: dict[str, Array]


def single(seen: Seen) -> Single:
    """Scores pictures with the methods of one encoder."""
    found: dict[str, list[Array]] = {name: [] for name in SINGLE}
    step, chain = seen.step[:, 1:], seen.chain[:, 1:]
    crops = int((step[0] == 0).sum())
    grown = chain[0][step[0] > 0]
    counts = CropCounts(crops, n_chains(crops) if len(grown) else 0)
    for start in range(0, len(seen.vectors), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        vectors = np.asarray(seen.vectors[rows], np.float64)
        side, pixels = seen.side[rows, 1:], seen.pixels[rows, 1:]
        images = RegionEmbeddings(vectors[:, 1:], vectors[:, 0], step[rows], chain[rows], side, pixels)
        for name in SINGLE:
            method = METHODS[name]
            scoring = ClassScoring(seen.classes[name], seen.logit_scale)
            weights = region_weights(method, images, counts, scoring)
            found[name].append(image_vector(images, weights))
    joined = {name: np.concatenate(parts) for name, parts in found.items()}
    logits = {name: seen.logit_scale * class_scores(own, seen.classes[name]) for name, own in joined.items()}
    return Single(name=seen.name, vectors=joined, logits=logits)


def n_chains(crops: int) -> int:
    """Returns how many of an image's crops start a chain, under the default regions."""
    from lgca_plugin.config import RegionConfig

    return RegionConfig(crops=crops).n_chains


def log_softmax(logits: Array) -> Array:
    """Returns the logarithms of the probabilities, ``[n, C]``."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def mean_probabilities(singles: Sequence[Single], method: str = STRONGEST) -> Array:
    """Returns the logarithm of the mean of the encoders' probabilities under a method; nothing is learnt."""
    mean = np.mean([np.exp(log_softmax(one.logits[method])) for one in singles], axis=0)
    return np.asarray(np.log(mean + 1e-12))


def learnt_weights(parts: Sequence[Array], labels: Integers, rows: Integers) -> Array:
    """Learns one positive weight for each of several ``[n, C]`` logits, by L-BFGS with a ridge of 1/n.

    Args:
        parts: of each encoder, for all pictures
        labels: ``[n]`` of all pictures
        rows: the labelled ones

    Returns:
        ``[n, C]`` the weighted sum
    """
    from scipy.optimize import minimize

    stacked = np.stack([part[rows] for part in parts], axis=-1)
    own = np.arange(len(rows)), labels[rows]
    start = np.full(len(parts), np.log(np.e - 1))  # a weight of 1

    def objective(raw: Array) -> tuple[float, Array]:
        weights = np.logaddexp(0, raw)
        logs = log_softmax(stacked @ weights)
        slope = np.exp(logs)
        slope[own] -= 1
        gradient = np.einsum("nc,ncm->m", slope, stacked) / len(rows)
        gradient = gradient / (1 + np.exp(-raw)) + 2 * (raw - start) / len(rows)
        return float(-logs[own].mean() + ((raw - start) ** 2).sum() / len(rows)), gradient

    found = minimize(objective, start, jac=True, method="L-BFGS-B")
    return np.asarray(sum(np.logaddexp(0, raw) * part for raw, part in zip(found.x, parts, strict=True)))


def probe(features: Array, offset: Array, labels: Integers, rows: Integers, *, seed: int = 0) -> Array:
    """Learns a linear classifier on top of logits that are given: ``offset + W x + b``.

    Args:
        features: ``[n, D]`` of all pictures; standardised here by the labelled ones
        offset: ``[n, C]`` logits that the classifier starts from
        labels: ``[n]`` of all pictures
        rows: the labelled ones
        seed: of the cross-validation's parts

    Returns:
        ``[n, C]`` logits
    """
    mean, deviation = features[rows].mean(axis=0), features[rows].std(axis=0)
    scaled = (features - mean) / np.where(deviation < 1e-6, 1, deviation) / np.sqrt(features.shape[1])
    penalty = _best(
        PENALTIES,
        labels[rows],
        lambda train, test, value: _linear(scaled[rows], offset[rows], labels[rows], train, value)(test),
        seed,
    )
    learnt = _linear(scaled, offset, labels, rows, penalty)
    return learnt(np.arange(len(labels)))


def _linear(
    features: Array, offset: Array, labels: Integers, rows: Integers, penalty: float
) -> Callable[[Integers], Array]:
    """Fits the classifier to some rows; returns a function from rows to their logits."""
    from scipy.optimize import minimize

    x, given, classes = features[rows], offset[rows], offset.shape[1]
    own = np.arange(len(rows)), labels[rows]

    def objective(flat: Array) -> tuple[float, Array]:
        weights, bias = flat[:-classes].reshape(-1, classes), flat[-classes:]
        logs = log_softmax(given + x @ weights + bias)
        slope = np.exp(logs)
        slope[own] -= 1
        slope /= len(rows)
        value = -logs[own].mean() + penalty * (flat**2).sum() / 2
        gradient = np.concatenate([(x.T @ slope).ravel(), slope.sum(axis=0)]) + penalty * flat
        return float(value), gradient

    start = np.zeros((x.shape[1] + 1) * classes)
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}).x
    weights, bias = found[:-classes].reshape(-1, classes), found[-classes:]
    return lambda chosen: np.asarray(offset[chosen] + features[chosen] @ weights + bias)


def _best(
    values: Sequence[float], labels: Integers, answer: Callable[[Integers, Integers, float], Array], seed: int
) -> float:
    """Returns the value with the least log loss on the left-out parts of the labelled rows."""
    part_of = np.random.default_rng(seed).permutation(len(labels)) % FOLDS
    losses = dict.fromkeys(values, 0.0)
    for part in range(FOLDS):
        train, test = np.flatnonzero(part_of != part), np.flatnonzero(part_of == part)
        for value in values:
            logs = log_softmax(answer(train, test, value))
            losses[value] -= float(logs[np.arange(len(test)), labels[test]].sum())
    return min(losses, key=lambda value: losses[value])
