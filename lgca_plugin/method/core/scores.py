"""Weights, image and class vectors, scores; the methods as presets.

One formula serves every method: with ``f0`` the embedding of the whole image and ``f_r`` those of its regions, the
image vector is ``z = normalize(sum_r a_r f_r + a_0 f0)`` and the score of class k is ``<z, c(k)>``. A method is a rule
for the weights ``a``. WCA: Li et al., ICML 2024, arXiv 2406.02915. LGCA: Cao et al., SoICT 2025, arXiv 2511.00419, as
read from its published description.

Arrays may carry leading batch dimensions, written ``...``: all images of a run have the same number of regions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

Regions = Literal["none", "crops", "chains"]
Weighting = Literal["salience", "decisive", "uniform"]
ClassVectors = Literal["label", "weighted", "mean"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A rule for the weights of regions, and the class vectors that it is scored against.

    Attributes:
        name: names the field that the predictions are written to
        regions: ``"none"``; ``"crops"``, step 0 only; ``"chains"``, the crops that start a chain and all that they grow
            into
        weighting: ``"salience"``, softmax inside each step of ``exp(image_scale) * <f_r, f0>``; ``"decisive"``, softmax
            over all steps together of ``-decisiveness * H_r / log C``; ``"uniform"`` inside each step
        global_weight: the whole image's weight ``a_0``, next to regions that share a weight of 1
        class_vectors: ``"label"``, the label prompt; ``"weighted"``, descriptions weighted by their similarity to it;
            ``"mean"``, descriptions weighted equally
        image_scale: WCA's softmax scale over crops, as an exponent
        text_scale: WCA's softmax scale over descriptions, as an exponent
        decisiveness: how strongly undecided regions lose their weight
        step_weights: weight of each step, normalized over the steps that there are; None weighs them equally
    """

    name: str
    regions: Regions
    weighting: Weighting = "salience"
    global_weight: float = 0.0
    class_vectors: ClassVectors = "weighted"
    image_scale: float = 4.0
    text_scale: float = 2.0
    decisiveness: float = 10.0
    step_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"a method's name names a field and must be an identifier, got {self.name!r}")
        for field, allowed in (
            ("regions", Regions),
            ("weighting", Weighting),
            ("class_vectors", ClassVectors),
        ):
            if getattr(self, field) not in get_args(allowed):
                raise ValueError(f"{field} must be one of {get_args(allowed)}, got {getattr(self, field)!r}")
        if not 0 <= self.global_weight < np.inf or (self.regions == "none" and self.global_weight == 0):
            raise ValueError(f"global_weight must be at least 0, and above 0 without regions; got {self.global_weight}")
        for field in ("image_scale", "text_scale"):
            if not -20 <= getattr(self, field) <= 20:
                raise ValueError(f"{field} is an exponent and must be in [-20, 20], got {getattr(self, field)}")
        if not 0 <= self.decisiveness < np.inf:
            raise ValueError(f"decisiveness must be at least 0, got {self.decisiveness}")
        if self.step_weights is not None and not (
            all(0 <= weight < np.inf for weight in self.step_weights) and any(self.step_weights)
        ):
            raise ValueError(f"step_weights must be at least 0 and not all 0, got {self.step_weights}")

    def to_json(self) -> dict[str, Any]:
        """Gives the preset as a JSON-ready dict."""
        document = asdict(self)
        document["step_weights"] = None if self.step_weights is None else list(self.step_weights)
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Method:
        """Reads what :meth:`to_json` wrote; raises ValueError for unknown keys."""
        unknown = set(document) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"a method has no setting {sorted(unknown)[0]!r}")
        steps = document.get("step_weights")
        return cls(**{**document, "step_weights": None if steps is None else tuple(steps)})


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(name="clip", regions="none", global_weight=1.0, class_vectors="label"),
        Method(name="wca", regions="crops"),
        Method(name="lgca", regions="chains"),
        Method(name="lgca_d", regions="chains", weighting="decisive"),
        # controls: they use what the others have encoded
        Method(name="clip_d", regions="none", global_weight=1.0, class_vectors="mean"),
        Method(name="wca_global", regions="crops", global_weight=1.0),
        Method(name="crops_mean", regions="crops", weighting="uniform"),
    )
}
CONTROLS = ("clip_d", "wca_global", "crops_mean")


def normalize(vectors: FloatArray) -> FloatArray:
    """Scales ``[..., d]`` vectors to unit length; a zero vector stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def salience(regions: FloatArray, whole: FloatArray) -> FloatArray:
    """Computes the similarity of each region to the whole image, ``s_r = <f_r, f0>``.

    Args:
        regions: ``[..., n, d]`` unit region embeddings
        whole: ``[..., d]`` unit embedding of the whole image

    Returns:
        ``[..., n]`` in [-1, 1]
    """
    similarity: FloatArray = np.matmul(regions, whole[..., :, None])[..., 0]
    return similarity


def region_weights(
    method: Method,
    *,
    regions: FloatArray,
    whole: FloatArray,
    step: IntArray,
    chain: IntArray,
    n_crops: int,
    n_chains: int,
    class_vectors: FloatArray | None = None,
    logit_scale: float | None = None,
    similarity: FloatArray | None = None,
    region_scores: FloatArray | None = None,
) -> FloatArray:
    """Computes the weight ``a_r`` of every region under a method.

    Args:
        method: the preset
        regions: ``[..., n, d]`` unit region embeddings
        whole: ``[..., d]`` unit embedding of the whole image
        step: ``[n]`` or ``[..., n]`` expansion step of each region, 0 for the sampled crops
        chain: like ``step``, the number of the crop that each region grew from
        n_crops: how many crops of step 0 the crop methods use
        n_chains: how many crops of step 0 start a chain
        class_vectors: ``[C, d]``, needed by decisive weights
        logit_scale: the encoder's factor on similarities, needed by decisive weights
        similarity: ``[..., n]`` what :func:`salience` gives, where it is known
        region_scores: ``[..., n, C]`` what :func:`class_scores` gives for the regions, where it is known

    Returns:
        ``[..., n]`` float64 weights that sum to 1; 0 for regions that the method does not use, and for all of them
        where it uses none

    Raises:
        ValueError: if the method's regions are missing, or decisive weights lack classes
    """
    if method.regions == "none":
        return np.zeros(regions.shape[:-1])
    used = (step == 0) & (chain < n_crops) if method.regions == "crops" else chain < n_chains
    used = np.broadcast_to(used, regions.shape[:-1])
    if not used.any(axis=-1).all():
        raise ValueError(f"{method.name} needs {method.regions}, and the images were encoded without them")
    if method.weighting == "decisive":
        if class_vectors is None or logit_scale is None:
            raise ValueError(f"{method.name} weighs regions by class, so class_vectors and logit_scale are needed")
        scores = class_scores(regions, class_vectors) if region_scores is None else region_scores
        entropy = relative_entropy(scores, logit_scale)
        return _softmax(np.where(used, -method.decisiveness * entropy, -np.inf))
    if method.weighting == "uniform":
        logits = np.zeros(regions.shape[:-1])
    else:
        known = salience(regions, whole) if similarity is None else similarity
        logits = np.exp(method.image_scale) * known.astype(np.float64)
    return _weights_by_step(np.where(used, logits, -np.inf), step, method.step_weights)


def relative_entropy(region_scores: FloatArray, logit_scale: float) -> FloatArray:
    """Computes how undecided each region is: the entropy of its class probabilities over that of a uniform guess.

    Args:
        region_scores: ``[..., n, C]`` scores of the regions themselves, C at least 2
        logit_scale: the encoder's factor on similarities

    Returns:
        ``[..., n]`` float64 in [0, 1]

    Raises:
        ValueError: if there are fewer than two classes
    """
    classes = region_scores.shape[-1]
    if classes < 2:
        raise ValueError(f"class_vectors must hold at least two classes to decide between, got {classes}")
    probabilities = confidences(region_scores, logit_scale)
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropy: FloatArray = -(probabilities * logs).sum(axis=-1) / np.log(classes)
    return entropy


def image_vector(regions: FloatArray, whole: FloatArray, weights: FloatArray, global_weight: float) -> FloatArray:
    """Computes ``z = normalize(sum_r a_r f_r + a_0 f0)``.

    Args:
        regions: ``[..., n, d]`` unit region embeddings
        whole: ``[..., d]`` unit embedding of the whole image
        weights: ``[..., n]`` region weights
        global_weight: the whole image's weight

    Returns:
        ``[..., d]`` float64 unit vectors
    """
    return normalize(weighted_sum(regions, whole, weights, global_weight))


def weighted_sum(regions: FloatArray, whole: FloatArray, weights: FloatArray, global_weight: float) -> FloatArray:
    """Computes ``sum_r a_r f_r + a_0 f0``, the image vector before normalization; shapes as in :func:`image_vector`."""
    total: FloatArray = np.matmul(weights[..., None, :], regions)[..., 0, :] + global_weight * whole
    return total


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
    scores: FloatArray = np.matmul(vectors, class_vectors.T)
    return scores


def confidences(scores: FloatArray, logit_scale: float) -> FloatArray:
    """Computes class probabilities, the softmax of ``logit_scale * score``, ``[..., C]`` float64."""
    return _softmax(logit_scale * scores.astype(np.float64))


def margins(scores: FloatArray) -> FloatArray:
    """Computes best minus second-best score, ``[..., C]`` to ``[...]``, C at least 2."""
    best_two = np.partition(scores, -2, axis=-1)[..., -2:]
    margin: FloatArray = best_two[..., 1] - best_two[..., 0]
    return margin


def _weights_by_step(logits: FloatArray, step: IntArray, step_weights: tuple[float, ...] | None) -> FloatArray:
    """Spreads each step's weight over its regions by a softmax inside it; -inf marks regions that are not used."""
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
