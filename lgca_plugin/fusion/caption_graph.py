"""The graphs of images and of captions, and how like they are.

Anchored, ours: the attention of :mod:`lgca_plugin.fusion.graph` over the nodes of an image gives x_m, and another one
over the nodes of a caption, the whole of it and its sentences, gives y_m, each in its encoder's own space. With the
fused part

    likeness = sum_m softplus(s_m) logit_scale_m <x_m, y_m> + (exp(s_0) - 1) <h_i, h_t>,

    h_i = normalize(W_i [x_m, f_{m,0}]_m), h_t = normalize(W_t [y_m, g_{m,0}]_m).

So it is a weighted product of a vector of the image and one of the caption, which know nothing of each other: images
are searched by comparing vectors, and are like each other by the same product. As published: both sides' outputs of the
attention in one new space.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from ..method.fusion.captions import FEATURES
from .graph import FUSED, FUSED_SCALE, HIDDEN, SCALE_OF_ONE, NodeAttention, image_attention, weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from .graph import NodeTensors
    from .settings import FusionSettings


class AnchoredCaptionGraph(nn.Module):
    """The anchored model, ours."""

    def __init__(self, dims: Sequence[int], settings: FusionSettings) -> None:
        super().__init__()
        self._dims = tuple(dims)
        self.attention = image_attention(dims, settings)
        self.of_captions = NodeAttention(dims, FEATURES, graph=settings.graph)
        self.scales = nn.Parameter(torch.full((len(dims),), SCALE_OF_ONE))
        self.has_fused = bool(settings.fused_part)
        if self.has_fused:
            self.fused_scale = nn.Parameter(torch.zeros(1))
            self.of_images = nn.Linear(2 * sum(dims), FUSED, bias=False)
            self.of_texts = nn.Linear(2 * sum(dims), FUSED, bias=False)

    def images(self, nodes: Sequence[NodeTensors]) -> Tensor:
        """Returns ``[b, D]`` the vectors of images, of which every part has length 1."""
        return self._parts(self.attention, "of_images", nodes)

    def captions(self, nodes: Sequence[NodeTensors]) -> Tensor:
        """Returns ``[c, D]`` the vectors of captions, likewise."""
        return self._parts(self.of_captions, "of_texts", nodes)

    def factors(self, logit_scales: Sequence[float]) -> Tensor:
        """Returns ``[D]`` how much the product of each dimension counts, the same for all of a part."""
        factors = functional.softplus(self.scales) * self.scales.new_tensor(logit_scales)
        parts = [factors[m].expand(dim) for m, dim in enumerate(self._dims)]
        return torch.cat([*parts, torch.expm1(self.fused_scale).expand(FUSED)] if self.has_fused else parts)

    def _parts(self, attention: NodeAttention, project: str, nodes: Sequence[NodeTensors]) -> Tensor:
        own = [weighted(*one) for one in zip(attention(nodes, dropout=self.training), nodes, strict=True)]
        if not self.has_fused:
            return torch.cat(own, dim=1)
        wholes = [of_encoder.vectors[:, 0] for of_encoder in nodes]
        joint = functional.normalize(getattr(self, project)(torch.cat([*own, *wholes], dim=1)), dim=1)
        return torch.cat([*own, joint], dim=1)


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
        self.log_scale = nn.Parameter(torch.full((1,), math.log(FUSED_SCALE)))

    def images(self, nodes: Sequence[NodeTensors]) -> Tensor:
        """Returns ``[b, 64]`` the unit vectors of images."""
        return self._outputs(self.attention, self.image_values, self.of_images, nodes)

    def factors(self, logit_scales: Sequence[float]) -> Tensor:  # noqa: ARG002 (as ours)
        """Returns ``[64]`` the factor on products, always the same."""
        return self.log_scale.exp().expand(FUSED)

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
