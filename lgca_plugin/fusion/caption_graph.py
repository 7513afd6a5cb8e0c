"""The graphs of images and of captions, and how like they are.

Anchored, ours: the attention of :mod:`lgca_plugin.fusion.graph` over the nodes of an image gives x_m, and another one
over the nodes of a caption, the whole of it and its sentences, gives y_m, each in its encoder's own space. With the
fused part

    likeness = sum_m softplus(s_m) logit_scale_m <x_m, y_m> + (exp(s_0) - 1) <h_i, h_t>,

    h_i = normalize(W_i [x_m, f_{m,0}]_m), h_t = normalize(W_t [y_m, g_{m,0}]_m).

So it is an inner product of a vector of the image and one of the caption, which know nothing of each other: images are
searched by comparing vectors. As published: both sides' outputs of the attention in one new space.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from ..method.fusion.captions import FEATURES
from .graph import FUSED, HIDDEN, PUBLISHED_SCALE, SCALE_OF_ONE, NodeAttention, image_attention, weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from .graph import NodeTensors
    from .settings import FusionSettings


class AnchoredCaptionGraph(nn.Module):
    """The anchored model, ours."""

    def __init__(self, dims: Sequence[int], settings: FusionSettings) -> None:
        super().__init__()
        self.attention = image_attention(dims, settings)
        self.of_captions = NodeAttention(dims, FEATURES, graph=settings.graph)
        self.scales = nn.Parameter(torch.full((len(dims),), SCALE_OF_ONE))
        self.has_fused = settings.fused_part
        if self.has_fused:
            self.fused_scale = nn.Parameter(torch.zeros(1))
            self.of_images = nn.Linear(2 * sum(dims), FUSED, bias=False)
            self.of_texts = nn.Linear(2 * sum(dims), FUSED, bias=False)

    def images(self, nodes: Sequence[NodeTensors], logit_scales: Sequence[float]) -> Tensor:
        """Returns ``[b, D]`` the vectors of images, whose lengths are the shares of their parts."""
        attention = self.attention(nodes, dropout=self.training)
        own = [weighted(weights, of_encoder) for weights, of_encoder in zip(attention, nodes, strict=True)]
        factors = functional.softplus(self.scales)
        parts = [factors[m] * scale * own[m] for m, scale in enumerate(logit_scales)]
        if self.has_fused:
            parts.append(torch.expm1(self.fused_scale) * _joint(self.of_images, own, nodes))
        return torch.cat(parts, dim=1)

    def captions(self, nodes: Sequence[NodeTensors]) -> Tensor:
        """Returns ``[c, D]`` the vectors of captions, of which every part has length 1."""
        attention = self.of_captions(nodes, dropout=self.training)
        own = [weighted(weights, of_encoder) for weights, of_encoder in zip(attention, nodes, strict=True)]
        return torch.cat([*own, _joint(self.of_texts, own, nodes)] if self.has_fused else own, dim=1)


class PublishedCaptionGraph(nn.Module):
    """HADA as published: concatenated attention outputs in one new space."""

    def __init__(self, dims: Sequence[int], settings: FusionSettings) -> None:
        super().__init__()
        self.attention = image_attention(dims, settings)
        self.of_captions = NodeAttention(dims, FEATURES, graph=settings.graph)
        self.image_values = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.text_values = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.of_images = nn.Linear(2 * HIDDEN * len(dims), FUSED)
        self.of_texts = nn.Linear(2 * HIDDEN * len(dims), FUSED)
        self.log_scale = nn.Parameter(torch.full((1,), math.log(PUBLISHED_SCALE)))

    def images(self, nodes: Sequence[NodeTensors], logit_scales: Sequence[float]) -> Tensor:  # noqa: ARG002 (as ours)
        """Returns ``[b, 64]`` the vectors of images, as long as the factor on similarities."""
        return self.log_scale.exp() * self._outputs(self.attention, self.image_values, self.of_images, nodes)

    def captions(self, nodes: Sequence[NodeTensors]) -> Tensor:
        """Returns ``[c, 64]`` the unit vectors of captions."""
        return self._outputs(self.of_captions, self.text_values, self.of_texts, nodes)

    def _outputs(
        self, attention: NodeAttention, values: nn.Module, project: nn.Module, nodes: Sequence[NodeTensors]
    ) -> Tensor:
        hidden = attention.projected(nodes)
        weights = attention(nodes, dropout=self.training)
        outputs = [torch.einsum("bn,bnh->bh", own, values(of)) for own, of in zip(weights, hidden, strict=True)]
        return functional.normalize(project(torch.cat([*outputs, *(of[:, 0] for of in hidden)], dim=1)), dim=1)


CaptionGraph = AnchoredCaptionGraph | PublishedCaptionGraph


def make_caption_graph(dims: Sequence[int], settings: FusionSettings) -> CaptionGraph:
    """Returns a graph that has learnt nothing, the same for a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return (AnchoredCaptionGraph if settings.anchored else PublishedCaptionGraph)(dims, settings)


def _joint(project: nn.Module, own: Sequence[Tensor], nodes: Sequence[NodeTensors]) -> Tensor:
    return functional.normalize(project(torch.cat([*own, *(of.vectors[:, 0] for of in nodes)], dim=1)), dim=1)
