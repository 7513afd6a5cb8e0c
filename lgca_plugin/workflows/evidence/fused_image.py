"""One image of a fused run as its learned method sees it: with all regions, without some, and in draws of its crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...fusion.answers import answer, drawn_logits
from ...method.explain.learned import AdditiveAnswer, EncoderPart, additive_answer, places
from ...method.explain.stability import DRAWS, TIE, draw_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...engine.embeddings import EncodedImage
    from ...fusion.weights import FusionWeights
    from ...method.fusion.nodes import EncoderClasses, EncoderNodes
    from ...runs.fused.fused_run import FusedRun


@dataclass(frozen=True, eq=False)
class FusedImage:
    """An image's nodes under M encoders, and the weights that answer for it.

    Attributes:
        weights: of a model that was not trained on the image
        nodes: of each encoder, of this image alone
        classes: of each encoder
        place: of each encoder ``[N]``, the run's region that a node stands for, see :func:`~.learned.places`
        regions: n, the number of the run's regions
        logit_scale: the run's
    """

    weights: FusionWeights
    nodes: tuple[EncoderNodes, ...]
    classes: tuple[EncoderClasses, ...]
    place: tuple[NDArray[np.int64], ...]
    regions: int
    logit_scale: float

    @classmethod
    def of(cls, fused: FusedRun, image: EncodedImage[str]) -> FusedImage | None:
        """Returns an image that was replayed for the run's own encoder; None if it is incomplete for another one."""
        ids, nodes = fused.nodes_beside([image])
        if not ids:
            return None
        return cls(
            weights=fused.fusion.weights_of(image.id),
            nodes=nodes,
            classes=fused.classes,
            place=tuple(places(own.step[0], own.chain[0], image.step, image.chain) for own in nodes),
            regions=len(image.step),
            logit_scale=fused.logit_scale,
        )

    def answer(self, gone: NDArray[np.bool_]) -> AdditiveAnswer:
        """Returns the answer without ``[n]`` regions that are taken out, under every encoder that has them."""
        out = [((place >= 0) & np.append(gone, False)[place])[None] for place in self.place]
        found = answer(self.weights, self.nodes, self.classes, gone=out)
        parts = [
            EncoderPart(found.attention[m][0], found.node_logits(m)[0], place) for m, place in enumerate(self.place)
        ]
        return additive_answer(
            parts,
            regions=self.regions,
            logit_scale=self.logit_scale,
            fused=found.fused[0] if found.fused.any() else None,
            bias=found.bias if found.bias.any() else None,
        )

    def stability(self, label: int, *, draws: int = DRAWS) -> float:
        """Returns the share of bootstrap draws of the crops in which no other class gets ahead of the label, in [0, 1].

        The crops are drawn for all encoders together, and the whole image always counts once. What is measured of the
        nodes, such as with whom they agree, stays as it is in the whole set.
        """
        crops = 1 + max(int(own.chain.max()) for own in self.nodes)
        if not crops:
            return 1.0
        counts = np.concatenate([draw_counts(crops, draws), np.ones((draws, 1))], axis=1)  # the last is the whole image
        logits = drawn_logits(self.weights, self.nodes, self.classes, [counts[:, own.chain[0]] for own in self.nodes])
        kept = logits.max(axis=1) <= logits[:, label] + TIE * self.logit_scale
        return float(kept.mean())
