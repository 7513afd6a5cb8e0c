"""What a fusion answers for images, and what each node has contributed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..method.core.scores import normalize
from ..method.fusion.features import node_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..method.fusion.nodes import EncoderClasses, EncoderNodes
    from .graph import GraphOutput
    from .weights import FusionWeights

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FusedAnswers:
    """The answers for b images over C classes, from M encoders with N nodes each.

    Attributes:
        attention: of each encoder ``[b, N]``, which sums to 1, or is all 0 if all its nodes are taken out
        fused: ``[b, C]`` share of the fused part in the logits; zeros without one
        bias: ``[C]`` share of the classes themselves
        factors: ``[M]`` how much each encoder's logits count; zeros where nothing is anchored
        joint: ``[b, h]`` unit image vectors of the fused part; ``h`` is 0 without one
        nodes: of each encoder
        classes: of each encoder
    """

    attention: tuple[FloatArray, ...]
    fused: FloatArray
    bias: FloatArray
    factors: FloatArray
    joint: FloatArray
    nodes: tuple[EncoderNodes, ...]
    classes: tuple[EncoderClasses, ...]

    @cached_property
    def images(self) -> tuple[FloatArray, ...]:
        """Of each encoder ``[b, d]``, the unit image vector x_m; zeros if all its nodes are taken out."""
        return tuple(np.asarray(normalize(self._sum(m)), np.float64) for m in range(len(self.nodes)))

    @cached_property
    def logits(self) -> FloatArray:
        """``[b, C]``, whose softmax is the confidence."""
        total = self.fused + self.bias
        for m, own in enumerate(self.classes):
            total = total + self._factor(m) * (self.images[m] @ own.vectors.T.astype(np.float64))
        return total

    def node_logits(self, m: int) -> FloatArray:
        """Returns ``[b, N, C]`` each node's share of the logits, of encoder m.

        Summed over the nodes of all encoders, with :attr:`fused` and :attr:`bias`, they are :attr:`logits`.
        """
        norm = np.linalg.norm(self._sum(m), axis=-1)
        weights = self._factor(m) * self.attention[m] / np.where(norm == 0, 1, norm)[:, None]
        scores = np.matmul(self.nodes[m].vectors.astype(np.float64), self.classes[m].vectors.T.astype(np.float64))
        shares: FloatArray = weights[..., None] * scores
        return shares

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """``[b, D]`` unit vectors of the images in the space of all encoders, each by its share, and the fused part."""
        parts = [self._factor(m) * image for m, image in enumerate(self.images)]
        return normalize(np.concatenate([*parts, self.joint], axis=1)).astype(np.float32)

    def _factor(self, m: int) -> float:
        return float(self.factors[m]) * self.classes[m].logit_scale

    def _sum(self, m: int) -> FloatArray:
        total: FloatArray = np.einsum("bn,bnd->bd", self.attention[m], self.nodes[m].vectors.astype(np.float64))
        return total


def answer(
    weights: FusionWeights,
    nodes: Sequence[EncoderNodes],
    classes: Sequence[EncoderClasses],
    *,
    gone: Sequence[NDArray[np.bool_]] | None = None,
) -> FusedAnswers:
    """Answers for the images of a batch.

    Args:
        weights: of a model, trained or not
        nodes: of each encoder, in the order of the weights
        classes: of each encoder, as many as the weights have
        gone: of each encoder ``[b, N]``, nodes that are taken out; the others share their attention
    """
    found = _run(weights, nodes, classes, None if gone is None else [~own for own in gone])
    b, n_classes = found.logits.shape
    anchored = weights.settings.anchored
    return FusedAnswers(
        attention=tuple(own.numpy().astype(np.float64) for own in found.attention),
        fused=np.zeros((b, n_classes)) if found.fused is None else found.fused.numpy().astype(np.float64),
        bias=weights.arrays["bias"].astype(np.float64) if anchored else np.zeros(n_classes),
        factors=weights.factors if anchored else np.zeros(len(nodes)),
        joint=np.zeros((b, 0)) if found.joint is None else found.joint.numpy().astype(np.float64),
        nodes=tuple(nodes),
        classes=tuple(classes),
    )


def drawn_logits(
    weights: FusionWeights,
    nodes: Sequence[EncoderNodes],
    classes: Sequence[EncoderClasses],
    times: Sequence[NDArray[np.number]],
) -> FloatArray:
    """Computes ``[k, C]`` logits of one image in k draws of its nodes.

    A node that is drawn twice counts as two, and one that is not drawn is taken out. The nodes' features are those of
    the image itself in all draws.

    Args:
        weights: of a model, trained or not
        nodes: of each encoder, of one image
        classes: of each encoder
        times: of each encoder ``[k, N]``, how often each node is drawn
    """
    logits: FloatArray = _run(weights, nodes, classes, times).logits.numpy().astype(np.float64)
    return logits


def _run(
    weights: FusionWeights,
    nodes: Sequence[EncoderNodes],
    classes: Sequence[EncoderClasses],
    times: Sequence[NDArray[np.number | np.bool_]] | None,
) -> GraphOutput:
    import torch

    from .tensors import class_tensors, node_tensors

    features = node_features(nodes, classes, steps=weights.settings.expansion_steps)
    with torch.inference_mode():
        tensors = [
            node_tensors(own, of_nodes, None if times is None else times[m])
            for m, (own, of_nodes) in enumerate(zip(nodes, features, strict=True))
        ]
        output: GraphOutput = weights.graph(tensors, [class_tensors(own) for own in classes])
    return output
