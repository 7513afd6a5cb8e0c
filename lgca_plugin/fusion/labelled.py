"""Labelled images as what a fusion is fitted to."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from .fitting import Task
from .graph import AnchoredGraph, make_graph
from .in_memory import read_images
from .tensors import class_tensors
from .weights import FusionWeights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from ..method.fusion.nodes import EncoderClasses
    from .graph import Graph
    from .in_memory import ImagesInMemory, Reader
    from .settings import FusionSettings

POWER = 0.7
"""q of the generalized cross-entropy."""
AT_ONCE = 256
"""Images in a forward pass that needs no batches."""


class LabelledImages(Task["Graph", FusionWeights]):
    """n labelled images.

    Attributes:
        images: their nodes
        labels: ``[n]`` class indices
    """

    averaging = 0.98

    def __init__(
        self, images: ImagesInMemory, labels: Tensor, classes: Sequence[EncoderClasses], settings: FusionSettings
    ) -> None:
        super().__init__(settings)
        self.images = images
        self.labels = labels
        self._classes = [class_tensors(own, self.device) for own in classes]
        self._dims = tuple(own.vectors.shape[1] for own in classes)
        self._n_classes = len(classes[0].vectors)

    def under(self, settings: FusionSettings) -> LabelledImages:
        """Returns the same images under other settings."""
        other = copy(self)
        other.settings = settings
        return other

    def make_graph(self, rows: Tensor) -> Graph:
        """Returns a graph that has learnt nothing, which standardises features by those of some images."""
        graph = make_graph(self._dims, self._n_classes, self.settings)
        graph.attention.mean, graph.attention.deviation = self.images.moments(rows)
        return graph

    def weights(self, graph: Graph) -> FusionWeights:
        """Returns a copy of a graph's weights."""
        empty = FusionWeights(dims=self._dims, classes=self._n_classes, settings=self.settings, arrays={})
        return empty.holding(graph)

    def smooth(self, graph: Graph) -> list[list[Tensor]]:
        """Returns the encoders' shares, then these with features and bias."""
        if not isinstance(graph, AnchoredGraph):
            return []
        return [[graph.scales], [graph.scales, graph.bias, *graph.attention.weights]]

    def losses(self, graph: Graph, rows: Tensor) -> Tensor:
        """Returns ``[b]`` the loss of each image."""
        logits, labels = self._logits(graph, rows)
        if self.settings.loss == "cross_entropy":
            return functional.cross_entropy(logits, labels, reduction="none")
        probability = torch.softmax(logits, dim=1).gather(1, labels[:, None])[:, 0].clamp_min(1e-12)
        return (1 - probability**POWER) / POWER

    def check(self, graph: Graph, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Returns ``[h]`` the log loss of each image, and whether it was answered with its label."""
        losses, hits = [], []
        for part in torch.split(rows, AT_ONCE):
            logits, labels = self._logits(graph, part)
            losses.append(functional.cross_entropy(logits, labels, reduction="none"))
            hits.append(logits.argmax(dim=1) == labels)
        return (torch.cat(losses), torch.cat(hits)) if losses else (torch.zeros(0), torch.zeros(0))

    def _logits(self, graph: Graph, rows: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = graph(self.images.batch(rows, self.device), self._classes).logits
        return logits, self.labels[rows].to(self.device)


def read_labelled(
    read: Reader,
    labels: Mapping[str, int],
    classes: Sequence[EncoderClasses],
    settings: FusionSettings,
    *,
    memory_bytes: int,
) -> LabelledImages:
    """Reads labelled images until the memory is full: a random choice of each class, in proportion.

    Args:
        read: reads their nodes
        labels: sample id to class index
        classes: of each encoder
        settings: of the fusion
        memory_bytes: maximum size; at least one batch is read

    Returns:
        those whose nodes are there
    """
    in_turn = _in_turn(labels, settings.seed)
    images = read_images(read, in_turn, classes, steps=settings.expansion_steps, memory_bytes=memory_bytes)
    return LabelledImages(images, torch.tensor([labels[id_] for id_ in images.ids]), classes, settings)


def _in_turn(labels: Mapping[str, int], seed: int) -> list[str]:
    """Returns the ids in a random order of which every part has the classes in their proportion."""
    rng = np.random.default_rng(seed)
    ids = sorted(labels)
    place = np.empty(len(ids))
    of_class = np.array([labels[id_] for id_ in ids])
    for name in np.unique(of_class):
        rows = np.flatnonzero(of_class == name)
        place[rows] = (rng.permutation(len(rows)) + rng.random(len(rows))) / len(rows)
    return [ids[row] for row in np.argsort(place, kind="stable")]
