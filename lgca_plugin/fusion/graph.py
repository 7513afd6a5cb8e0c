"""The graphs: attention over the nodes of several encoders, and the logits that come of it.

Anchored, ours: node r of encoder m gets the attention logit

    e_{m,r} = -10 H_{m,r} + w_m . phi_{m,r} + a^T LeakyReLU_0.2(W_l u_{m,r} + W_r u_{m,0} + sum_{j != m} W_c u_{j,0})

with u = LayerNorm(P_m f) in 32 dimensions, which is GATv2's attention (Brody et al., ICLR 2022, arXiv 2105.14491) along
the edges from the regions to their own whole image and from the other encoders' whole images. Its values stay in each
encoder's own space: x_m = normalize(sum_r softmax_r(e_{m,r}) f_{m,r}), and

    logits_k = sum_m softplus(s_m) logit_scale_m <x_m, c_m(k)> + 20 (exp(s_0) - 1) <h_i, h_k> + b_k

where the fused part, if there is one, has h_i = normalize(W_i [x_m, f_{m,0}]_m) and
h_k = normalize(W_t [c_m(k), g_m(k)]_m) in 64 dimensions. At first w, a, s_0 and b are 0 and softplus(s_m) is 1: the sum
of the encoders' decisive logits.

As published (HADA, arXiv 2301.04742): the outputs of the attention are concatenated and mapped to one new space, in
which images and texts are compared; nothing is anchored, so nothing works before it has been learnt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from ..method.fusion.features import DECISIVENESS, feature_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from .settings import FusionSettings

HIDDEN = 32
FUSED = 64
DROPOUT = 0.3
SLOPE = 0.2
FUSED_SCALE = 20.0
"""Factor on similarities in a learnt space: the first one of the published form; the fused part's grows from 0."""
SCALE_OF_ONE = math.log(math.e - 1)
"""The s with softplus(s) = 1."""


@dataclass(frozen=True, eq=False)
class NodeTensors:
    """One encoder's nodes of a batch.

    Attributes:
        vectors: ``[b, N, d]`` unit vectors, the whole image first, zeros for padding
        entropy: ``[b, N]``, infinite for padding
        features: ``[b, N, P]``
        times: ``[b, N]`` how often each node counts, 0 if it is taken out; None for once
    """

    vectors: Tensor
    entropy: Tensor
    features: Tensor
    times: Tensor | None = None


@dataclass(frozen=True, eq=False)
class ClassTensors:
    """What one encoder scores against: ``[C, d]`` class vectors and label prompts, and its logit scale."""

    vectors: Tensor
    labels: Tensor
    logit_scale: float


@dataclass(frozen=True, eq=False)
class GraphOutput:
    """What a graph returns for a batch.

    Attributes:
        logits: ``[b, C]``
        attention: ``[b, N]`` of each encoder, which sums to 1
        images: ``[b, d]`` unit image vector of each encoder
        fused: ``[b, C]`` share of the fused part in the logits; None without one
        joint: ``[b, 64]`` unit image vector of the fused part, or of the published form; None without one
    """

    logits: Tensor
    attention: list[Tensor]
    images: list[Tensor]
    fused: Tensor | None = None
    joint: Tensor | None = None


def gatv2_logits(source: Tensor, target: Tensor, vector: Tensor) -> Tensor:
    """Computes GATv2's attention logits ``a^T LeakyReLU(source + target)``.

    Args:
        source: ``[..., h]`` transformed nodes
        target: ``[..., h]`` transformed nodes that attend to them
        vector: ``[h]`` a

    Returns:
        ``[...]``
    """
    return functional.leaky_relu(source + target, SLOPE) @ vector


class NodeAttention(nn.Module):
    """The attention over all encoders' nodes, which have n features each."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, dims: Sequence[int], n: int, *, graph: bool) -> None:
        super().__init__()
        self.graph = graph
        self.weights = nn.ParameterList([nn.Parameter(torch.zeros(n)) for _ in dims])
        self.register_buffer("mean", torch.zeros(len(dims), n))
        self.register_buffer("deviation", torch.ones(len(dims), n))
        if self.graph:
            self.project = nn.ModuleList([nn.Linear(dim, HIDDEN, bias=False) for dim in dims])
            self.norm = nn.ModuleList([nn.LayerNorm(HIDDEN) for _ in dims])
            self.source = nn.Linear(HIDDEN, HIDDEN, bias=False)
            self.target = nn.Linear(HIDDEN, HIDDEN, bias=False)
            self.others = nn.Linear(HIDDEN, HIDDEN, bias=False)
            self.vector = nn.Parameter(torch.zeros(HIDDEN))

    def forward(self, nodes: Sequence[NodeTensors], *, dropout: bool) -> list[Tensor]:
        """Returns each encoder's ``[b, N]`` attention, 0 for padding and for nodes that are taken out."""
        learnt = self._graph_logits(nodes) if self.graph else [torch.zeros(())] * len(nodes)
        attention = []
        for m, own in enumerate(nodes):
            features = (own.features - self.mean[m]) / self.deviation[m]
            logits = -DECISIVENESS * own.entropy + features @ self.weights[m] + learnt[m]
            if own.times is not None:
                logits = logits + own.times.log()
            weights = torch.softmax(logits, dim=1).nan_to_num(0.0)  # all nodes taken out
            if dropout:
                weights = functional.dropout(weights, DROPOUT)
            attention.append(weights)
        return attention

    def projected(self, nodes: Sequence[NodeTensors]) -> list[Tensor]:
        """Returns each encoder's ``[b, N, 32]`` u."""
        return [norm(project(own.vectors)) for own, project, norm in zip(nodes, self.project, self.norm, strict=True)]

    def _graph_logits(self, nodes: Sequence[NodeTensors]) -> list[Tensor]:
        hidden = self.projected(nodes)
        wholes = [of_encoder[:, 0] for of_encoder in hidden]
        crossed = [self.others(whole) for whole in wholes]
        total = torch.stack(crossed).sum(dim=0)
        return [
            gatv2_logits(self.source(own), (self.target(wholes[m]) + (total - crossed[m]))[:, None], self.vector)
            for m, own in enumerate(hidden)
        ]


def image_attention(dims: Sequence[int], settings: FusionSettings) -> NodeAttention:
    """Returns the attention over the nodes of images."""
    return NodeAttention(dims, feature_count(settings.expansion_steps), graph=settings.graph)


class AnchoredGraph(nn.Module):
    """The anchored model, ours."""

    def __init__(self, dims: Sequence[int], classes: int, settings: FusionSettings) -> None:
        super().__init__()
        self.attention = image_attention(dims, settings)
        self.scales = nn.Parameter(torch.full((len(dims),), SCALE_OF_ONE))
        self.bias = nn.Parameter(torch.zeros(classes))
        self.has_fused = bool(settings.fused_part)
        if self.has_fused:
            self.fused_scale = nn.Parameter(torch.zeros(1))
            self.of_images = nn.Linear(2 * sum(dims), FUSED, bias=False)
            self.of_texts = nn.Linear(2 * sum(dims), FUSED, bias=False)

    def factors(self) -> Tensor:
        """Returns ``[M]`` softplus(s_m)."""
        return functional.softplus(self.scales)

    def forward(self, nodes: Sequence[NodeTensors], classes: Sequence[ClassTensors]) -> GraphOutput:
        """Returns the logits of a batch, with dropout while training."""
        attention = self.attention(nodes, dropout=self.training)
        images = [weighted(weights, own) for weights, own in zip(attention, nodes, strict=True)]
        factors = self.factors()
        logits = self.bias.expand(len(images[0]), -1)
        for m, against in enumerate(classes):
            logits = logits + factors[m] * against.logit_scale * images[m] @ against.vectors.T
        if not self.has_fused:
            return GraphOutput(logits, attention, images)
        wholes = [own.vectors[:, 0] for own in nodes]
        joint = functional.normalize(self.of_images(torch.cat([*images, *wholes], dim=1)), dim=1)
        texts = functional.normalize(self.of_texts(_stacked(classes)), dim=1)
        fused = FUSED_SCALE * torch.expm1(self.fused_scale) * joint @ texts.T
        return GraphOutput(logits + fused, attention, images, fused, joint)


class PublishedGraph(nn.Module):
    """HADA as published: concatenated attention outputs in one new space."""

    def __init__(self, dims: Sequence[int], settings: FusionSettings) -> None:
        super().__init__()
        self.attention = image_attention(dims, settings)
        self.value = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.of_images = nn.Linear(2 * HIDDEN * len(dims), FUSED)
        self.of_texts = nn.Linear(2 * sum(dims), FUSED)
        self.log_scale = nn.Parameter(torch.full((1,), math.log(FUSED_SCALE)))

    def forward(self, nodes: Sequence[NodeTensors], classes: Sequence[ClassTensors]) -> GraphOutput:
        """Returns the logits of a batch, with dropout while training."""
        attention = self.attention(nodes, dropout=self.training)
        hidden = self.attention.projected(nodes)
        images = [weighted(weights, own) for weights, own in zip(attention, nodes, strict=True)]
        outputs = [
            torch.einsum("bn,bnh->bh", weights, self.value(own)) for weights, own in zip(attention, hidden, strict=True)
        ]
        joint = self.of_images(torch.cat([*outputs, *(own[:, 0] for own in hidden)], dim=1))
        joint = functional.normalize(joint, dim=1)
        texts = functional.normalize(self.of_texts(_stacked(classes)), dim=1)
        logits = self.log_scale.exp() * joint @ texts.T
        return GraphOutput(logits, attention, images, logits, joint)


Graph = AnchoredGraph | PublishedGraph


def make_graph(dims: Sequence[int], classes: int, settings: FusionSettings) -> Graph:
    """Returns a graph that has learnt nothing, the same for a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        if settings.anchored:
            return AnchoredGraph(dims, classes, settings)
        return PublishedGraph(dims, settings)


def weighted(weights: Tensor, nodes: NodeTensors) -> Tensor:
    """Returns ``[b, d]`` the unit vectors of the weighted sums of nodes."""
    return functional.normalize(torch.einsum("bn,bnd->bd", weights, nodes.vectors), dim=1)


def _stacked(classes: Sequence[ClassTensors]) -> Tensor:
    """Returns ``[C, 2 D]`` all encoders' class vectors and label prompts side by side."""
    return torch.cat([*(own.vectors for own in classes), *(own.labels for own in classes)], dim=1)
