"""Images with captions as what a fusion is fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from ..method.fusion.captions import MEASURED, caption_features, caption_nodes, length_shares
from .caption_graph import AnchoredCaptionGraph
from .fitting import Task
from .in_memory import batch_of, moments_of, read_images
from .tensors import node_tensors
from .weights import CaptionWeights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from ..method.fusion.nodes import EncoderClasses
    from .caption_graph import CaptionGraph
    from .graph import NodeTensors
    from .in_memory import ImagesInMemory, Reader
    from .settings import FusionSettings

AT_ONCE = 256
"""Images in a forward pass that needs no batches."""


class CaptionedImages(Task["CaptionGraph", CaptionWeights]):
    """n pairs of an image and one of its captions.

    Attributes:
        images: the nodes of the images
        image_of: ``[n]`` the row of each pair's image
    """

    def __init__(
        self,
        images: ImagesInMemory,
        texts: Sequence[NodeTensors],
        pairs: Sequence[tuple[int, int]],
        classes: Sequence[EncoderClasses],
        settings: FusionSettings,
    ) -> None:
        super().__init__(settings)
        self.images = images
        self.image_of = torch.tensor([image for image, _ in pairs], dtype=torch.long)
        self._texts = texts
        self._text_of = torch.tensor([text for _, text in pairs], dtype=torch.long)
        self._true = torch.zeros(len(images), len(texts[0].vectors), dtype=torch.bool)
        self._true[self.image_of, self._text_of] = True
        self._logit_scales = [own.logit_scale for own in classes]
        self._dims = tuple(own.vectors.shape[1] for own in classes)

    def make_graph(self, rows: Tensor) -> CaptionGraph:
        """Returns a graph that has learnt nothing, which standardises features by those of some pairs."""
        graph = CaptionWeights(dims=self._dims, settings=self.settings, arrays={}).make_graph()
        graph.attention.mean, graph.attention.deviation = self.images.moments(torch.unique(self.image_of[rows]))
        own = moments_of(self._texts, torch.unique(self._text_of[rows]), len(MEASURED))
        graph.of_captions.mean, graph.of_captions.deviation = own
        return graph

    def weights(self, graph: CaptionGraph) -> CaptionWeights:
        """Returns a copy of a graph's weights."""
        return CaptionWeights(dims=self._dims, settings=self.settings, arrays={}).holding(graph)

    def smooth(self, graph: CaptionGraph) -> list[list[Tensor]]:
        """Returns the encoders' shares, then these with the features of both sides."""
        if not isinstance(graph, AnchoredCaptionGraph):
            return []
        return [[graph.scales], [graph.scales, *graph.attention.weights, *graph.of_captions.weights]]

    def losses(self, graph: CaptionGraph, rows: Tensor) -> Tensor:
        """Returns ``[b]`` the symmetric contrastive loss of each pair."""
        return self._contrast(self._images(graph, rows) @ self._captions(graph, rows).T, rows)

    def check(self, graph: CaptionGraph, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Returns ``[h]`` the loss of each pair among all of them, and how often its first answer is true."""
        parts = torch.split(rows, AT_ONCE)
        likeness = (
            torch.cat([self._images(graph, part) for part in parts])
            @ torch.cat([self._captions(graph, part) for part in parts]).T
        )
        true = self._true_of(rows)
        hits = [
            (side.gather(1, of.argmax(dim=1)[:, None])[:, 0]).float()
            for of, side in ((likeness, true), (likeness.T, true.T))
        ]
        return self._contrast(likeness, rows), (hits[0] + hits[1]) / 2

    def _images(self, graph: CaptionGraph, rows: Tensor) -> Tensor:
        return graph.images(self.images.batch(self.image_of[rows], self.device)) * graph.factors(self._logit_scales)

    def _captions(self, graph: CaptionGraph, rows: Tensor) -> Tensor:
        return graph.captions(batch_of(self._texts, self._text_of[rows], self.device))

    def _true_of(self, rows: Tensor) -> Tensor:
        """Returns ``[b, b]`` whether the caption of a pair (column) is one of the captions of a pair's image (row)."""
        return self._true[self.image_of[rows]][:, self._text_of[rows]].to(self.device)

    def _contrast(self, likeness: Tensor, rows: Tensor) -> Tensor:
        """Returns ``[b]`` losses; a caption that is true of another image is no negative of it."""
        own = torch.eye(len(rows), dtype=torch.bool, device=self.device)
        logits = likeness.masked_fill(self._true_of(rows) & ~own, -torch.inf)
        targets = torch.arange(len(rows), device=self.device)
        losses = [functional.cross_entropy(side, targets, reduction="none") for side in (logits, logits.T)]
        return (losses[0] + losses[1]) / 2


def read_captioned(
    read: Reader,
    captions: Mapping[str, Sequence[str]],
    classes: Sequence[EncoderClasses],
    encoders: Sequence[Callable[[Sequence[str]], NDArray[np.float32]]],
    settings: FusionSettings,
    *,
    memory_bytes: int,
) -> CaptionedImages:
    """Reads images with captions until the memory is full, in a random order.

    Args:
        read: reads their nodes
        captions: sample id to captions; one that several samples have is true of them all
        classes: of each encoder
        encoders: what embeds texts as ``[n, d]`` unit vectors, for each encoder
        settings: of the fusion
        memory_bytes: maximum size; at least one batch is read

    Returns:
        those whose nodes are there
    """
    ids = sorted(captions)
    order = np.random.default_rng(settings.seed).permutation(len(ids))
    in_turn = [ids[row] for row in order]
    images = read_images(read, in_turn, classes, steps=settings.expansion_steps, memory_bytes=memory_bytes)
    texts = list(dict.fromkeys(text for id_ in images.ids for text in captions[id_]))
    place = {text: at for at, text in enumerate(texts)}
    pairs = [(row, place[text]) for row, id_ in enumerate(images.ids) for text in dict.fromkeys(captions[id_])]
    return CaptionedImages(images, caption_tensors(texts, encoders), pairs, classes, settings)


def caption_tensors(
    captions: Sequence[str], encoders: Sequence[Callable[[Sequence[str]], NDArray[np.float32]]]
) -> list[NodeTensors]:
    """Returns each encoder's nodes of captions with their features."""
    nodes = caption_nodes(captions, encoders)
    features = caption_features(nodes, length_shares(captions, nodes[0]))
    return [node_tensors(own, of_nodes) for own, of_nodes in zip(nodes, features, strict=True)]
