"""Region weights, image vectors, class vectors and scores: the formula that all methods share.

With ``f0`` the embedding of the whole image and ``f_r`` those of its regions, the image vector is
``z = normalize(sum_r a_r f_r + a_0 f0)`` and the score of class k is ``<z, c(k)>``. A method is a rule for the
weights ``a``.

Arrays may carry leading batch dimensions, written ``...``: all images of a batch have the same number of regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .methods import ClassVectors, Method
    from .regions import ClassScoring, CropCounts, RegionEmbeddings

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]


MIN_PIXELS = 16
"""Minimum side, in pixels of the image, of a region that takes part under sized weights."""

ENTROPY_BYTES = 256 * 1024
"""Memory of the scores whose entropy is computed together, so that they stay in a core's cache."""

_MAX_SCALE = 1e30  # of logits in float32


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of one image or of several under a method.

    Attributes:
        regions: ``[..., n]`` float64 ``a_r``; 0 for regions that the method does not use
        whole: ``[...]`` or one for all, ``a_0`` of the whole image
    """

    regions: FloatArray
    whole: FloatArray | float

    def __getitem__(self, images: IntArray | int) -> Weights:
        """Returns the weights of some of several images."""
        return Weights(self.regions[images], self.whole[images] if isinstance(self.whole, np.ndarray) else self.whole)


def normalize(vectors: FloatArray) -> FloatArray:
    """Scales ``[..., d]`` vectors to unit length; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def region_weights(
    method: Method,
    images: RegionEmbeddings,
    counts: CropCounts,
    classes: ClassScoring | None = None,
    *,
    region_scores: FloatArray | None = None,
) -> Weights:
    """Computes the weights of every region and of the whole image under a method.

    Those of the regions sum to 1, and the whole image has the method's ``global_weight`` beside them. Under sized
    weights all of them together sum to 1: with ``side_0 = 1``, they are proportional to
    ``side_r exp(-decisiveness H_r / log C)``, regions below :data:`MIN_PIXELS` left out.

    Args:
        method: the preset
        images: the regions of one image or of several
        counts: how many of the crops the method uses
        classes: needed by decisive and sized weights
        region_scores: ``[..., n, C]`` scores of the regions themselves, if they are known

    Returns:
        the weights

    Raises:
        ValueError: if the method's regions are missing, its weights are learned, decisive or sized weights lack
            classes, or sized ones the regions' sides
    """
    shape = images.regions.shape[:-1]
    if method.weighting == "learned":
        raise ValueError(f"the weights of {method.name} depend on other encoders, so one encoder's regions give none")
    if method.regions == "none":
        return Weights(np.zeros(shape), method.global_weight)
    used = np.broadcast_to(counts.used(method.regions, images.step, images.chain), shape)
    if not used.any(axis=-1).all() and (method.weighting != "sized" or not shape[-1]):
        raise ValueError(f"{method.name} needs {method.regions}, and the images were encoded without them")
    if method.by_class:
        if classes is None:
            raise ValueError(f"{method.name} weighs regions by class, so classes are needed")
        columns = _columns(used)
        if region_scores is None:
            scores = class_scores(images.regions[..., columns, :], classes.vectors)
        else:
            scores = region_scores[..., columns, :]
        logits = np.full(shape, -np.inf)
        logits[..., columns] = _decisive_logits(method, scores, classes)
        if method.weighting == "sized":
            if images.side is None or images.pixels is None:
                raise ValueError(f"{method.name} weighs regions by their sides, and these are unknown")
            whole = _decisive_logits(method, class_scores(images.whole.astype(np.float64), classes.vectors), classes)
            return sized_weights(logits, whole, used & (images.pixels >= MIN_PIXELS), images.side)
        return Weights(_softmax(np.where(used, logits, -np.inf)), method.global_weight)
    if method.weighting == "uniform":
        logits = np.zeros(shape)
    else:
        logits = np.exp(method.image_scale) * images.similarity.astype(np.float64)
    by_step = _weights_by_step(np.where(used, logits, -np.inf), images.step, method.step_weights)
    return Weights(by_step, method.global_weight)


def _columns(used: NDArray[np.bool_]) -> slice | IntArray:
    """Returns the regions that some image uses, of ``[..., n]``; the first ones as a slice, which copies nothing."""
    columns = np.flatnonzero(used.reshape(-1, used.shape[-1]).any(axis=0))
    return slice(len(columns)) if len(columns) == (columns[-1] + 1 if len(columns) else 0) else columns


def _decisive_logits(method: Method, scores: FloatArray, classes: ClassScoring) -> FloatArray:
    """Returns ``-decisiveness * H / log C`` of ``[..., C]`` scores."""
    return -method.decisiveness * relative_entropy(scores, classes.logit_scale / method.temperature)


def sized_weights(logits: FloatArray, whole: FloatArray, there: NDArray[np.bool_], side: FloatArray) -> Weights:
    """Computes weights proportional to the side times the exponential of a logit, of regions and whole image together.

    Args:
        logits: ``[..., n]`` of the regions
        whole: ``[...]`` of the whole images, whose side is 1
        there: ``[..., n]`` which regions take part
        side: ``[..., n]`` side of each region as a share of the shorter side

    Returns:
        the weights, which sum to 1
    """
    sized = np.where(there, logits + np.log(side), -np.inf)
    together = _softmax(np.concatenate([sized, whole[..., None]], axis=-1))
    return Weights(together[..., :-1], together[..., -1])


def relative_entropy(region_scores: FloatArray, logit_scale: float) -> FloatArray:
    """Computes how undecided each region is: the entropy of its class probabilities, relative to a uniform guess.

    Args:
        region_scores: ``[..., n, C]`` scores of the regions themselves, C at least 2
        logit_scale: the encoder's factor on similarities

    Returns:
        ``[..., n]`` float64 in [0, 1], computed in the precision of the scores, block by block

    Raises:
        ValueError: if there are fewer than two classes
    """
    classes = region_scores.shape[-1]
    if classes < 2:
        raise ValueError(f"class_vectors must hold at least two classes to decide between, got {classes}")
    flat = region_scores.reshape(-1, classes)
    entropy = np.empty(len(flat))
    rows = max(1, ENTROPY_BYTES // (classes * flat.itemsize))
    for start in range(0, len(flat), rows):
        entropy[start : start + rows] = _entropy(flat[start : start + rows], float(logit_scale))
    relative: FloatArray = np.minimum(entropy / np.log(classes), 1.0)
    return relative.reshape(region_scores.shape[:-1])


def _entropy(scores: FloatArray, logit_scale: float) -> FloatArray:
    """Returns ``[n]`` entropies of the softmax of ``[n, C]`` scores: ``log Z - sum exp(l) l / Z`` of logits ``l``."""
    logits = scores - scores.max(axis=-1, keepdims=True)
    if logit_scale > _MAX_SCALE:
        logits = logits.astype(np.float64)
    logits *= logit_scale
    shares = np.exp(logits)
    total = shares.sum(axis=-1)
    logits *= shares
    entropy: FloatArray = np.log(total) - logits.sum(axis=-1) / total
    return entropy


def image_vector(images: RegionEmbeddings, weights: Weights) -> FloatArray:
    """Computes ``z = normalize(sum_r a_r f_r + a_0 f0)``, ``[..., d]`` unit vectors.

    Args:
        images: the regions of one image or of several
        weights: of the same
    """
    return normalize(weighted_sum(images, weights))


def weighted_sum(images: RegionEmbeddings, weights: Weights) -> FloatArray:
    """Computes ``sum_r a_r f_r + a_0 f0``, ``[..., d]``: the image vector before normalization."""
    of_regions: FloatArray = np.matmul(weights.regions[..., None, :], images.regions)[..., 0, :]
    return of_regions + np.asarray(weights.whole, weights.regions.dtype)[..., None] * images.whole


def description_weights(descriptions: FloatArray, label: FloatArray, text_scale: float) -> FloatArray:
    """Computes WCA's description weights ``u_j = softmax_j(exp(text_scale) * <g_j, g_label>)``.

    Args:
        descriptions: ``[m, d]`` unit embeddings of one class's descriptions
        label: ``[d]`` unit embedding of the class's label prompt
        text_scale: softmax scale, as an exponent

    Returns:
        ``[m]`` float64 weights that sum to 1
    """
    return _softmax(np.exp(text_scale) * (descriptions @ label).astype(np.float64))


def class_vector(descriptions: FloatArray, label: FloatArray, *, kind: ClassVectors, text_scale: float) -> FloatArray:
    """Computes the vector of one class.

    Args:
        descriptions: ``[m, d]`` unit embeddings of the class's descriptions
        label: ``[d]`` unit embedding of the class's label prompt
        kind: ``"label"``, ``"weighted"`` or ``"mean"``
        text_scale: softmax scale of ``"weighted"``, as an exponent

    Returns:
        ``[d]`` float64 unit vector
    """
    if kind == "label":
        return normalize(label.astype(np.float64))
    if kind == "mean":
        return normalize(descriptions.astype(np.float64).mean(axis=0))
    return normalize(description_weights(descriptions, label, text_scale) @ descriptions)


def class_scores(vectors: FloatArray, class_vectors: FloatArray) -> FloatArray:
    """Computes the score of every class, ``<z, c(k)>``.

    Args:
        vectors: ``[..., d]`` unit image (or region) vectors
        class_vectors: ``[C, d]`` unit class vectors

    Returns:
        ``[..., C]`` in [-1, 1]
    """
    # One product of all vectors: several small ones take half as long again.
    scores: FloatArray = np.matmul(vectors.reshape(-1, vectors.shape[-1]), class_vectors.T)
    return scores.reshape(*vectors.shape[:-1], len(class_vectors))


def confidences(scores: FloatArray, logit_scale: float) -> FloatArray:
    """Computes class probabilities, the softmax of ``logit_scale * score``, ``[..., C]`` float64."""
    return _softmax(logit_scale * scores.astype(np.float64))


def margins(scores: FloatArray) -> FloatArray:
    """Computes ``[...]`` best minus second-best of ``[..., C]`` scores, C at least 2."""
    best_two = np.partition(scores, -2, axis=-1)[..., -2:]
    margin: FloatArray = best_two[..., 1] - best_two[..., 0]
    return margin


def _weights_by_step(logits: FloatArray, step: IntArray, step_weights: tuple[float, ...] | None) -> FloatArray:
    """Spreads each step's weight over its regions by a softmax; a logit of -inf marks an unused region."""
    step = np.broadcast_to(step, logits.shape)
    present = [t for t in range(int(step.max()) + 1) if np.isfinite(logits[step == t]).any()]
    if step_weights is None:
        shares = np.full(len(present), 1.0)
    else:
        if len(step_weights) <= max(present):
            raise ValueError(f"step_weights has {len(step_weights)} entries for {max(present) + 1} steps")
        shares = np.array([step_weights[t] for t in present], dtype=np.float64)
        if not shares.any():
            raise ValueError(f"step_weights gives no weight to the steps that there are: {step_weights}")
    weights = np.zeros(logits.shape)
    for share, t in zip(shares / shares.sum(), present, strict=True):
        weights += share * _softmax(np.where(step == t, logits, -np.inf))
    return weights


def _softmax(logits: FloatArray) -> FloatArray:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return total
