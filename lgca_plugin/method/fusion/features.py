"""What is said about each node of a fusion: how decided it is, and with whom it agrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.scores import class_scores, normalize
from .nodes import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .nodes import EncoderClasses, EncoderNodes

    FloatArray = NDArray[np.floating]

DECISIVENESS = 10.0
"""How strongly undecided nodes lose their weight before anything is learnt, as in decisive LGCA."""

MEASURED = ("salience", "entropy", "probability", "own answer", "other answers", "same crop")
"""The measured features of a node, in their order; the step, one-hot, follows them."""


@dataclass(frozen=True, eq=False)
class NodeFeatures:
    """The features of one encoder's nodes.

    Attributes:
        values: ``[b, N, P]`` float32; zeros for padding
        entropy: ``[b, N]`` float32 entropy of the class probabilities, relative to a uniform guess, in [0, 1]; infinite
            for padding, which no softmax of its negative gives a weight
    """

    values: NDArray[np.float32]
    entropy: NDArray[np.float32]


def feature_count(steps: int) -> int:
    """Returns P, the number of features of nodes with at most ``steps`` expansion steps."""
    return len(MEASURED) + 2 + steps


def node_features(
    nodes: Sequence[EncoderNodes], classes: Sequence[EncoderClasses], *, steps: int
) -> list[NodeFeatures]:
    """Computes the features of the nodes of M encoders for the same b images.

    Measured of each node: its similarity to the whole image; the entropy and the largest of its class probabilities,
    the softmax of ``logit_scale * <f, c(k)>``; the probability of its own encoder's answer, and the mean probability of
    the other encoders' answers, where an encoder answers by its decisive image vector; and the probability that it and
    another encoder's view of the same box, drawn by their class probabilities, name the same class, as the mean over
    the encoders that have the box (the image's mean where none has). Then the step: whole image, 0, 1, ... one-hot.

    Args:
        nodes: of each encoder, the same images in the same order
        classes: of each encoder, the same C classes, at least two
        steps: number of expansion steps that have a feature; later ones count as the last

    Returns:
        the features of each encoder's nodes
    """
    entropies, probabilities, answers = [], [], []
    for own, against in zip(nodes, classes, strict=True):
        probability, entropy = _probabilities(own, against)
        entropies.append(entropy)
        probabilities.append(probability)
        vector = decisive_vectors(own, entropy)
        answers.append(class_scores(vector, against.vectors).argmax(axis=-1))
    found: list[NodeFeatures] = []
    for m, own in enumerate(nodes):
        others = [j for j in range(len(nodes)) if j != m]
        values = np.zeros((*own.step.shape, feature_count(steps)), np.float32)
        values[..., 0] = np.einsum("bnd,bd->bn", own.vectors, own.vectors[:, 0])
        values[..., 1] = np.where(own.there, entropies[m], 0)
        values[..., 2] = probabilities[m].max(axis=-1)
        values[..., 3] = _probability_of(probabilities[m], answers[m])
        if others:
            values[..., 4] = np.mean([_probability_of(probabilities[m], answers[j]) for j in others], axis=0)
            values[..., 5] = _same_crop(m, others, nodes, probabilities)
        column = np.where(own.step == WHOLE, 0, 1 + np.minimum(own.step, steps))
        np.put_along_axis(values, len(MEASURED) + np.maximum(column, 0)[..., None], 1.0, axis=-1)
        values[~own.there] = 0
        found.append(NodeFeatures(values, entropies[m]))
    return found


def decisive_vectors(nodes: EncoderNodes, entropy: FloatArray) -> NDArray[np.float64]:
    """Computes ``normalize(sum_r softmax_r(-10 H_r) f_r)`` of each image, ``[b, d]``: nothing learnt."""
    weights = np.exp(-DECISIVENESS * (entropy - entropy.min(axis=1, keepdims=True)).astype(np.float64))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(normalize(np.einsum("bn,bnd->bd", weights, nodes.vectors)), np.float64)


def _probabilities(nodes: EncoderNodes, classes: EncoderClasses) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns ``[b, N, C]`` class probabilities of nodes, and ``[b, N]`` their relative entropy.

    In single precision, off by 1e-6 at most, which takes two thirds of the time for 1,000 classes. The entropy is
    ``log sum_k exp(l_k) - sum_k p_k l_k``, with the logits l below their largest: no logarithm of a probability.
    """
    logits = class_scores(nodes.vectors, np.asarray(classes.vectors, np.float32))
    logits *= np.float32(classes.logit_scale)
    logits -= logits.max(axis=-1, keepdims=True)
    probability = np.exp(logits)
    total = probability.sum(axis=-1, keepdims=True)
    probability /= total
    entropy = np.log(total[..., 0]) - np.einsum("bnk,bnk->bn", probability, logits)
    entropy /= np.float32(np.log(logits.shape[-1]))
    return probability, np.where(nodes.there, np.maximum(entropy, 0), np.float32(np.inf))


def _probability_of(probability: FloatArray, answer: NDArray[np.integer]) -> FloatArray:
    """Returns ``[b, N]`` each node's probability of its image's ``[b]`` answer."""
    found: FloatArray = np.take_along_axis(probability, answer[:, None, None], axis=-1)[..., 0]
    return found


def _same_crop(
    m: int, others: Sequence[int], nodes: Sequence[EncoderNodes], probabilities: Sequence[FloatArray]
) -> FloatArray:
    """Returns ``[b, N]`` how probably a node and the other encoders' nodes of the same box name the same class.

    A chain grows about its centre, so regions of one chain and step are the same box, whoever let it grow.
    """
    own = nodes[m]
    total, count = np.zeros((2, *own.step.shape))
    for j in others:
        same = own.there[:, :, None] & (own.step[:, :, None] == nodes[j].step[:, None, :])
        same &= own.chain[:, :, None] == nodes[j].chain[:, None, :]
        has = same.any(axis=-1)
        of_other = np.take_along_axis(probabilities[j], same.argmax(axis=-1)[..., None], axis=1)
        total += np.where(has, (probabilities[m] * of_other).sum(axis=-1), 0)
        count += has
    known = count > 0  # the whole image always is
    mean = total / np.maximum(count, 1)
    default = mean.sum(axis=1, keepdims=True) / known.sum(axis=1, keepdims=True)
    result: FloatArray = np.where(known, mean, default)
    return result
