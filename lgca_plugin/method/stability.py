"""How much a label owes to the luck of the crops: its stability under bootstrap draws of them.

A draw takes as many crops as a method uses out of those crops, with replacement. A crop drawn m times counts m times,
and so does every region that its chain has grown: m multiplies its term of the softmax in its step (over all steps
together, under decisive weights). Steps keep their weights, and one that no drawn chain has reached leaves its weight
to the others, in proportion. In short, a draw weighs an image that holds each region as often as it was drawn, and
nothing is encoded for it; which regions have grown, and whither, stays as it was.

All images share their draws, which follow from the number of crops alone. The crops of an image are independent and in
no special order, so shared draws of their numbers are as good as draws of every image's own; methods with as many crops
are compared on the same draws, and a stability is the same on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .scores import class_scores, region_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .scores import Method

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

DRAWS = 200
TIE = 1e-6
"""Scores that are no further apart count as equal: what rounding does to a product of float32 embeddings."""

_SEED = 0
_IMAGES_AT_ONCE = 16  # their draws fit into a processor's cache
_FEW_CLASSES = 32  # up to here, it costs more to find out which classes can win than to score them all


@lru_cache(maxsize=32)
def draw_counts(n: int, draws: int = DRAWS) -> NDArray[np.int64]:
    """Draws n of n crops with replacement, again and again; the same draws on any machine.

    Args:
        n: number of crops, at least 1
        draws: number of draws

    Returns:
        ``[draws, n]`` how often each crop was drawn; rows sum to n; read-only
    """
    raw = np.asarray(np.random.PCG64(_SEED).random_raw(draws * n), dtype=np.uint64)
    uniforms = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53  # the generator's raw bits never change
    numbers = np.floor(uniforms * n).astype(np.int64).reshape(draws, n)
    counts = np.stack([np.bincount(row, minlength=n) for row in numbers])
    counts.flags.writeable = False
    return counts


def stability(
    method: Method,
    *,
    regions: FloatArray,
    whole: FloatArray,
    step: IntArray,
    chain: IntArray,
    n_crops: int,
    n_chains: int,
    class_vectors: FloatArray,
    logit_scale: float | None = None,
    weights: FloatArray | None = None,
    region_scores: FloatArray | None = None,
    labels: IntArray | int | None = None,
    draws: int = DRAWS,
) -> NDArray[np.float64]:
    """Computes the share of bootstrap draws of the crops, with their chains, in which a method keeps its label.

    A draw keeps the label if no other class scores higher by more than :data:`TIE`. A method without regions keeps it
    always. A draw that leaves a method without any weight, as it can where ``step_weights`` are 0, does not.

    Args:
        method: the preset
        regions: ``[..., n, d]`` unit region embeddings
        whole: ``[..., d]`` unit embedding of the whole image
        step: ``[n]`` or ``[..., n]`` expansion step of each region, 0 for the sampled crops
        chain: like ``step``, the number of the crop that each region grew from
        n_crops: how many crops of step 0 the crop methods use
        n_chains: how many crops of step 0 start a chain
        class_vectors: ``[C, d]`` unit class vectors
        logit_scale: the encoder's factor on similarities, needed by decisive weights
        weights: ``[..., n]`` what :func:`~.scores.region_weights` gives, where it is known
        region_scores: ``[..., n, C]`` scores of the regions themselves, where they are known; they set the precision
        labels: ``[...]`` the labels in question; None takes the method's own
        draws: number of draws

    Returns:
        ``[...]`` float64 in [0, 1]
    """
    lead, n = regions.shape[:-2], regions.shape[-2]
    if method.regions == "none":
        return np.ones(lead)
    step, chain = (np.broadcast_to(array, (*lead, n)).reshape(-1, n) for array in (step, chain))
    regions, whole = regions.reshape(len(step), n, -1), whole.reshape(len(step), -1)
    geometry = {"n_crops": n_crops, "n_chains": n_chains}
    if weights is None:
        weights = region_weights(
            method,
            regions=regions,
            whole=whole,
            step=step,
            chain=chain,
            class_vectors=class_vectors,
            logit_scale=logit_scale,
            **geometry,
        )
    if region_scores is None:
        region_scores = class_scores(regions, class_vectors)
    images = _Images(
        method=method,
        regions=regions,
        whole=whole,
        step=step,
        chain=chain,
        class_vectors=class_vectors,
        logit_scale=logit_scale,
        geometry=geometry,
        weights=weights.reshape(len(step), n),
        scores=region_scores.reshape(len(step), n, -1),
        of_whole=method.global_weight * class_scores(whole, class_vectors),
    )
    own = images.labels() if labels is None else np.broadcast_to(labels, lead).reshape(-1)
    return images.kept(own, draws).reshape(lead)


@dataclass(frozen=True, kw_only=True)
class _Images:
    """Images under one method: ``weights`` [b, n], ``scores`` of regions [b, n, C] and ``of_whole`` [b, C]."""

    method: Method
    regions: FloatArray
    whole: FloatArray
    step: IntArray
    chain: IntArray
    class_vectors: FloatArray
    logit_scale: float | None
    geometry: dict[str, int]
    weights: FloatArray
    scores: FloatArray
    of_whole: FloatArray

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """``[b, n]`` which regions the method gives a weight."""
        used: NDArray[np.bool_]
        if self.method.regions == "crops":
            used = (self.step == 0) & (self.chain < self.geometry["n_crops"])
        else:
            used = (self.chain < self.geometry["n_chains"]) & (self.shares[self.group] > 0)
        return used

    @cached_property
    def group(self) -> IntArray:
        """``[b, n]`` the regions that share a softmax: those of a step, or all that are used."""
        return np.zeros_like(self.step) if self.one_group else self.step

    @property
    def one_group(self) -> bool:
        """Whether all used regions share a softmax."""
        return self.method.weighting == "decisive" or self.method.regions == "crops"

    @cached_property
    def shares(self) -> FloatArray:
        """``[G]`` the weight of each group."""
        count = int(self.group.max()) + 1
        if self.one_group or self.method.step_weights is None:
            return np.ones(count)
        return np.array(self.method.step_weights[:count], dtype=np.float64)

    def labels(self) -> IntArray:
        """``[b]`` the method's labels."""
        weights = self.weights.astype(self.scores.dtype)
        best: IntArray = (np.matmul(weights[:, None, :], self.scores)[:, 0] + self.of_whole).argmax(axis=-1)
        return best

    def kept(self, labels: IntArray, draws: int) -> NDArray[np.float64]:
        """``[b]`` share of draws that keep the labels."""
        units = self.geometry["n_crops" if self.method.regions == "crops" else "n_chains"]
        counts = draw_counts(units, draws).T.astype(self.scores.dtype)
        used = self.used
        rivals = self._rivals(labels, used)
        order = np.argsort(rivals.sum(axis=1), kind="stable")  # a batch scores as many classes as its widest image
        result = np.zeros(len(labels))
        for start in range(0, len(order), _IMAGES_AT_ONCE):
            part = order[start : start + _IMAGES_AT_ONCE]
            result[part] = self._kept(part, labels[part], rivals[part], used[part], counts).mean(axis=1)
        return result

    def _rivals(self, labels: IntArray, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """``[b, C]`` the classes that may win a draw, and the labels themselves.

        In every draw the image vector mixes the used regions and, perhaps, the whole image: a class that none of these
        prefers to the label can't overtake it.
        """
        rivals = np.ones((len(labels), self.scores.shape[-1]), dtype=bool)
        if rivals.shape[1] <= _FEW_CLASSES:
            return rivals
        for i, label in enumerate(labels):
            seen = self.scores[i, used[i]]
            rivals[i] = (seen > seen[:, label, None]).any(axis=0) | (self.of_whole[i] > self.of_whole[i, label])
            rivals[i, label] = True
        return rivals

    def _kept(
        self,
        part: IntArray,
        labels: IntArray,
        rivals: NDArray[np.bool_],
        used: NDArray[np.bool_],
        counts: FloatArray,
    ) -> NDArray[np.bool_]:
        """``[b, draws]`` whether a part of the images keep their labels."""
        columns = np.flatnonzero(used.any(axis=0))
        used, chain = used[:, columns], self.chain[np.ix_(part, columns)]
        times = counts[np.where(used, chain, 0)]  # [b, K, draws]
        weights, answered, vanished = self._drawn_weights(part, columns, used, times)
        few = np.argsort(~rivals, axis=1, kind="stable")[:, : int(rivals.sum(axis=1).max())]
        scores = np.stack([self.scores[i].T[own][:, columns] for i, own in zip(part, few, strict=True)])
        drawn = np.matmul(scores, weights)  # [b, classes, draws]
        if self.method.global_weight:
            drawn += np.take_along_axis(self.of_whole[part], few, axis=1)[:, :, None].astype(drawn.dtype)
        own = drawn[np.arange(len(part)), (few == labels[:, None]).argmax(axis=1)]
        kept: NDArray[np.bool_] = answered & (drawn.max(axis=1) <= own + TIE)
        for i, draw in zip(*np.nonzero(vanished), strict=True):
            kept[i, draw] = self._keeps(int(part[i]), int(labels[i]), columns[used[i]], times[i, used[i], draw])
        return kept

    def _drawn_weights(
        self, part: IntArray, columns: IntArray, used: NDArray[np.bool_], times: FloatArray
    ) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
        """Weighs the regions in every draw.

        Returns:
            ``[b, K, draws]`` weights; ``[b, draws]`` whether there are any, or a whole image; and ``[b, draws]`` where
            all that was drawn of a group is too light for the number format
        """
        shares = self.shares
        of_group = (self.group[np.ix_(part, columns)][:, None, :] == np.arange(len(shares))[:, None]) & used[:, None]
        weights = np.where(used, self.weights[np.ix_(part, columns)], 0)
        heaviest = np.where(of_group, weights[:, None, :], 0).max(axis=2, keepdims=True)  # [b, G, 1]
        member = of_group.astype(times.dtype)
        relative = weights / np.maximum((of_group * heaviest).sum(axis=1), np.finfo(np.float64).tiny)
        drawn = times * relative.astype(times.dtype)[:, :, None]
        sums = np.matmul(member, drawn)  # [b, G, draws]
        light = sums < np.finfo(times.dtype).tiny / np.finfo(times.dtype).eps
        there = np.ones_like(light) if not light.any() else np.matmul(member, times) > 0
        share = np.where(there, shares.astype(times.dtype)[:, None], 0)
        total = share.sum(axis=1, keepdims=True)
        factor = np.divide(share, sums * total, out=np.zeros_like(sums), where=~light)
        drawn *= factor if len(shares) == 1 else np.matmul(member.swapaxes(1, 2), factor)
        answered = (total[:, 0] > 0) | (self.method.global_weight > 0)
        return drawn, answered, (light & there).any(axis=1)

    def _keeps(self, i: int, label: int, columns: IntArray, times: FloatArray) -> bool:
        """Tells for one image and draw whether the label is kept, the long way."""
        again = np.repeat(columns, times.astype(np.int64))
        weights = region_weights(
            self.method,
            regions=self.regions[i, again],
            whole=self.whole[i],
            step=self.step[i, again],
            chain=self.chain[i, again],
            class_vectors=self.class_vectors,
            logit_scale=self.logit_scale,
            **self.geometry,
        )
        scores = weights @ self.scores[i, again] + self.of_whole[i]
        return bool(scores.max() <= scores[label] + TIE)
