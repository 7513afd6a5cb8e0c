"""The answer of a learned method for one image as a sum: the shares of the run's regions, and named terms.

A fusion looks at the regions of several encoders. A region of the run stands for the same region (the same crop, grown
as many times) under every encoder that has it; what no region of the run stands for is a term.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

WHOLE_IMAGE = "whole image"
OTHER_REGIONS = "other models' own regions"
FUSED_PART = "fused part"
CLASS_BIAS = "class bias"
CLASS_SHARES = "shares of the classes"

OF_WHOLE, OF_OTHER = -1, -2
"""Places of nodes that are no region of the run: the whole image, and a region of another encoder's own."""


@dataclass(frozen=True, eq=False)
class Term:
    """A part of a learned method's scores that is no region's.

    Attributes:
        weight: its share of the attention, in [0, 1]; 0 for what no attention chooses
        scores: ``[C]`` float64
    """

    weight: float
    scores: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class AdditiveAnswer:
    """A learned method's answer for one image, over n regions and C classes.

    Attributes:
        weights: ``[n]`` float64 share of each region in the attention, the mean over the encoders; with those of the
            terms they sum to 1
        shares: ``[n, C]`` float64 share of each region in the scores
        terms: name to the other parts of the scores
    """

    weights: NDArray[np.float64]
    shares: NDArray[np.float64]
    terms: Mapping[str, Term]

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """``[C]`` the sum of all shares and terms; times the run's logit scale, their softmax is the confidence."""
        total: NDArray[np.float64] = self.shares.sum(axis=0)
        for term in self.terms.values():
            total = total + term.scores
        return total


class LearnedImage(Protocol):
    """One image, as a learned method sees it."""

    def answer(self, gone: NDArray[np.bool_]) -> AdditiveAnswer:
        """Returns the answer without ``[n]`` regions that are taken out; the others share their attention."""

    def stability(self, label: int) -> float:
        """Returns the share of bootstrap draws of the crops in which the label is kept, in [0, 1]."""


@dataclass(frozen=True, eq=False)
class EncoderPart:
    """One encoder's part of an answer, over its N nodes.

    Attributes:
        attention: ``[N]``, sums to 1
        logits: ``[N, C]`` share of each node in the logits
        place: ``[N]`` the run's region that a node stands for, else :data:`OF_WHOLE` or :data:`OF_OTHER`
    """

    attention: FloatArray
    logits: FloatArray
    place: IntArray


def additive_answer(
    parts: Sequence[EncoderPart],
    *,
    regions: int,
    logit_scale: float,
    fused: FloatArray | None = None,
    bias: FloatArray | None = None,
) -> AdditiveAnswer:
    """Adds up what the nodes of M encoders contribute.

    Args:
        parts: of each encoder
        regions: n, the number of the run's regions
        logit_scale: the run's, by which logits are divided to be scores
        fused: ``[C]`` share of the fused part in the logits, if there is one
        bias: ``[C]`` share of the classes themselves, if it was learnt
    """
    classes = parts[0].logits.shape[1]
    weights, shares = np.zeros(regions), np.zeros((regions, classes))
    terms = {WHOLE_IMAGE: Term(0.0, np.zeros(classes))}
    for part in parts:
        own = part.place >= 0
        np.add.at(weights, part.place[own], part.attention[own] / len(parts))
        np.add.at(shares, part.place[own], part.logits[own] / logit_scale)
        for name, place in ((WHOLE_IMAGE, OF_WHOLE), (OTHER_REGIONS, OF_OTHER)):
            nodes = part.place == place
            if nodes.any():
                before = terms.get(name, Term(0.0, np.zeros(classes)))
                weight = before.weight + float(part.attention[nodes].sum()) / len(parts)
                terms[name] = Term(weight, before.scores + part.logits[nodes].sum(axis=0) / logit_scale)
    for name, logits in ((FUSED_PART, fused), (CLASS_BIAS, bias)):
        if logits is not None:
            terms[name] = Term(0.0, np.asarray(logits, np.float64) / logit_scale)
    return AdditiveAnswer(weights=weights, shares=shares, terms=terms)


def places(step: IntArray, chain: IntArray, run_step: IntArray, run_chain: IntArray) -> NDArray[np.int64]:
    """Returns ``[N]`` the place of each node among a run's regions, by steps and chains.

    A chain grows about its centre, so the regions of one chain and step are the same box under every encoder.

    Args:
        step: ``[N]`` expansion step of each node, -1 for the whole image
        chain: ``[N]`` chain of each node
        run_step: ``[n]`` expansion step of each region of the run
        run_chain: ``[n]`` chain of each region of the run

    Returns:
        indices of the run's regions; :data:`OF_WHOLE` for the whole image, :data:`OF_OTHER` for other nodes
    """
    index = {pair: r for r, pair in enumerate(zip(run_step.tolist(), run_chain.tolist(), strict=True))}
    found = [
        OF_WHOLE if own < 0 else index.get((own, number), OF_OTHER)
        for own, number in zip(step.tolist(), chain.tolist(), strict=True)
    ]
    return np.array(found, dtype=np.int64)
