"""Stability of a label: how often it is kept under bootstrap draws of the crops.

A draw takes as many crops as a method uses out of those crops, with replacement. A crop drawn m times counts m times,
and so does every region of its chain: m multiplies its term of the softmax in its step (over all steps together, under
decisive and sized weights; of the latter the whole image is a term that every draw has once). Steps keep their weights,
and a step that no drawn chain has reached leaves its weight to the others, in proportion. So a draw weighs an image
that holds each region as often as it was drawn; nothing is encoded again, and the chains stay as they are.

All images share their draws, which depend on the number of crops alone. The crops of an image are independent and in no
special order, so shared draws are as good as separate ones. Methods with equally many crops are compared on the same
draws, and a stability is the same on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..core.regions import RegionEmbeddings
from ..core.scores import Weights, class_scores, region_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..core.methods import Method
    from ..core.regions import ClassScoring, CropCounts

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

DRAWS = 200
TIE = 1e-6
"""Maximum difference of scores that count as equal: the rounding error of products of float32 embeddings."""

_SEED = 0
_RIVALS_AT_ONCE = 64  # their draws fit the processor's cache


@lru_cache(maxsize=32)
def draw_counts(n: int, draws: int = DRAWS) -> NDArray[np.int64]:
    """Draws n of n crops with replacement, ``draws`` times; the same draws on any machine.

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
    images: RegionEmbeddings,
    counts: CropCounts,
    classes: ClassScoring,
    *,
    weights: Weights | None = None,
    region_scores: FloatArray | None = None,
    labels: IntArray | int | None = None,
    draws: int = DRAWS,
) -> NDArray[np.float64]:
    """Computes the share of bootstrap draws of the crops, with their chains, in which a method keeps its label.

    A draw keeps the label if no other class scores higher by more than :data:`TIE`. A method without regions keeps it
    always. A draw that leaves a method without any weight, as it can where ``step_weights`` are 0, does not.

    Only rivals are drawn: classes that some used region, or the whole image, prefers to the label. No mix of embeddings
    that all prefer the label can prefer another class. Where there is no rival, all draws keep the label.

    Args:
        method: the preset
        images: the regions of one image or of several
        counts: how many of the crops the methods use
        classes: what images are scored against
        weights: the method's, if they are known
        region_scores: ``[..., n, C]`` scores of the regions themselves, if they are known; they set the precision
        labels: ``[...]`` class indices of the labels in question; None takes the method's own
        draws: number of draws

    Returns:
        ``[...]`` float64 in [0, 1]
    """
    lead, n = images.regions.shape[:-2], images.regions.shape[-2]
    if method.regions == "none":
        return np.ones(lead)
    step, chain = (np.broadcast_to(array, (*lead, n)).reshape(-1, n) for array in (images.step, images.chain))
    b = len(step)
    flat = RegionEmbeddings(
        images.regions.reshape(b, n, -1),
        images.whole.reshape(b, -1),
        step,
        chain,
        None if images.side is None else np.broadcast_to(images.side, (*lead, n)).reshape(b, n),
        None if images.pixels is None else np.broadcast_to(images.pixels, (*lead, n)).reshape(b, n),
    )
    if weights is None:
        weights = region_weights(method, flat, counts, classes)
    if region_scores is None:
        region_scores = class_scores(flat.regions, classes.vectors)
    drawn = _Images(
        method=method,
        images=flat,
        counts=counts,
        classes=classes,
        weights=weights.regions.reshape(b, n),
        whole=np.broadcast_to(np.reshape(weights.whole, -1), b),
        scores=np.ascontiguousarray(region_scores.reshape(b, n, -1)),
        whole_scores=class_scores(flat.whole, classes.vectors),
    )
    own = drawn.labels() if labels is None else np.broadcast_to(labels, lead).reshape(-1)
    return drawn.kept(own, draws).reshape(lead)


@dataclass(frozen=True, kw_only=True)
class _Images:
    """Images under one method: weights [b, n] and [b] of regions and whole images, and their scores [b, (n,) C]."""

    method: Method
    images: RegionEmbeddings
    counts: CropCounts
    classes: ClassScoring
    weights: FloatArray
    whole: FloatArray
    scores: FloatArray
    whole_scores: FloatArray

    @cached_property
    def of_whole(self) -> FloatArray:
        """``[b, C]`` what the whole image adds to the scores."""
        return (self.whole[:, None] * self.whole_scores).astype(self.whole_scores.dtype)

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """``[b, n]`` which regions the method gives a weight."""
        used = self.counts.used(self.method.regions, self.images.step, self.images.chain)
        if self.sized:
            return used & (self.weights > 0)
        return used if self.method.one_softmax else used & (self.shares[self.group] > 0)

    @property
    def sized(self) -> bool:
        """Whether the whole image shares the softmax of the regions."""
        return self.method.weighting == "sized"

    @cached_property
    def group(self) -> IntArray:
        """``[b, n]`` the regions that share a softmax: those of a step, or all that are used."""
        return np.zeros_like(self.images.step) if self.method.one_softmax else self.images.step

    @cached_property
    def shares(self) -> FloatArray:
        """``[G]`` the weight of each group."""
        count = int(self.group.max()) + 1
        if self.method.one_softmax or self.method.step_weights is None:
            return np.ones(count)
        return np.array(self.method.step_weights[:count], dtype=np.float64)

    def labels(self) -> IntArray:
        """``[b]`` the method's labels."""
        weights = self.weights.astype(self.scores.dtype)
        best: IntArray = (np.matmul(weights[:, None, :], self.scores)[:, 0] + self.of_whole).argmax(axis=-1)
        return best

    @cached_property
    def units(self) -> int:
        """Number of crops that a draw chooses from."""
        return self.counts.of(self.method.regions)

    @cached_property
    def places(self) -> tuple[IntArray, NDArray[np.bool_]]:
        """``[b, steps * units]`` the used region at each step and crop, and whether there is one."""
        steps = 1 if self.method.regions == "crops" else int(self.images.step.max()) + 1
        nowhere = steps * self.units
        place = np.where(self.used, self.images.step * self.units + self.images.chain, nowhere)
        region = np.zeros((len(place), nowhere + 1), dtype=np.int64)
        there = np.zeros(region.shape, dtype=bool)
        np.put_along_axis(region, place, np.arange(place.shape[1])[None], axis=1)
        np.put_along_axis(there, place, True, axis=1)
        return region[:, :-1], there[:, :-1]

    def kept(self, labels: IntArray, draws: int) -> NDArray[np.float64]:
        """``[b]`` share of draws that keep the labels."""
        counts = draw_counts(self.units, draws).T.astype(self.scores.dtype)
        relative = self._relative_weights()
        factors, answered, vanished = self._factors(relative, counts)
        kept = np.broadcast_to(answered, (len(labels), draws)).copy()
        images, rivals = np.nonzero(self._rivals(labels))
        first = (np.arange(len(labels))[:, None] * self.scores.shape[1] + self.places[0]) * self.scores.shape[2]
        own = self.scores.take(first + labels[:, None])
        for start in range(0, len(images), _RIVALS_AT_ONCE):
            image, rival = images[start : start + _RIVALS_AT_ONCE], rivals[start : start + _RIVALS_AT_ONCE]
            lead = self.scores.take(first[image] + rival[:, None])  # [p, steps * units]
            lead -= own[image]
            lead *= relative[image]
            leads = np.einsum("pgd,pgd->pd", self._sums(lead, counts), factors[image])
            if self.whole.any():
                of_whole = (self.of_whole[image, rival] - self.of_whole[image, labels[image]])[:, None]
                leads += of_whole * factors[image, 0] if self.sized else of_whole
            first_of = np.flatnonzero(np.diff(image, prepend=-1))  # images ascend
            kept[image[first_of]] &= np.maximum.reduceat(leads, first_of, axis=0) <= TIE
        vanished[np.setdiff1d(np.arange(len(labels)), images)] = False  # without rivals, weights decide nothing
        for i, draw in zip(*np.nonzero(vanished), strict=True):
            kept[i, draw] = self._keeps(i, labels[i], counts[:, draw])
        shares: NDArray[np.float64] = kept.mean(axis=1)
        return shares

    def _rivals(self, labels: IntArray) -> NDArray[np.bool_]:
        """``[b, C]`` the classes that can win a draw: those that a used region or the whole image prefers to the label.

        In every draw the image vector is a mix of these, so no other class can overtake the label.
        """
        images = np.arange(len(labels))
        own = np.where(self.used, self.scores[images, :, labels], np.inf).astype(self.scores.dtype)
        rivals = self.of_whole > self.of_whole[images, labels, None]
        for i, scores in enumerate(self.scores):
            rivals[i] |= (scores > own[i, :, None]).any(axis=0)
        return rivals

    def _relative_weights(self) -> FloatArray:
        """``[b, steps * units]`` weights at all places, relative to the largest of their group; 0 without a region.

        Sized weights are relative to the sum of all, the whole image's among them.
        """
        weights = np.where(self.used, self.weights, 0.0)
        relative = weights if self.sized else np.zeros(weights.shape)
        for group in range(0 if self.sized else len(self.shares)):
            inside = np.where(self.group == group, weights, 0.0)
            relative += inside / np.maximum(inside.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        region, there = self.places
        return np.where(there, np.take_along_axis(relative, region, axis=1), 0).astype(self.scores.dtype)

    def _factors(
        self, relative: FloatArray, counts: FloatArray
    ) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
        """Computes the factors that make drawn weights sum to 1, ``[b, G, draws]`` of each group's relative weights.

        Under sized weights, those of the regions and the whole image sum to 1.

        Also ``[b, draws]`` whether there is any weight, or a whole image; and ``[b, draws]`` where the drawn weights of
        a group are too small for the number format.
        """
        sums = self._sums(relative, counts)
        if self.sized:
            sums += self.whole.astype(sums.dtype)[:, None, None]
        light = sums < np.finfo(sums.dtype).tiny / np.finfo(sums.dtype).eps
        drawn = self._sums(self.places[1].astype(sums.dtype), counts) > 0 if light.any() else np.ones_like(light)
        share = np.where(drawn, self.shares.astype(sums.dtype)[:, None], 0)
        total = share.sum(axis=1, keepdims=True)
        factors = np.divide(share, sums * total, out=np.zeros_like(sums), where=~light)
        answered: NDArray[np.bool_] = (total[:, 0] > 0) | (self.whole > 0)[:, None]
        vanished: NDArray[np.bool_] = (light & drawn).any(axis=1)
        return factors, answered, vanished

    def _sums(self, values: FloatArray, counts: FloatArray) -> FloatArray:
        """``[p, G, draws]`` sums over each group, in every draw, of ``[p, steps * units]`` values at all places.

        All images share their draws, so this is one matrix product.
        """
        of_crops = values.reshape(len(values), -1, self.units)
        if self.method.one_softmax:
            of_crops = of_crops.sum(axis=1)
        sums: FloatArray = np.matmul(of_crops.reshape(-1, self.units), counts)
        return sums.reshape(len(values), -1, counts.shape[1])

    def _keeps(self, i: int, label: int, times: FloatArray) -> bool:
        """Returns whether one draw keeps the label of one image, computed from scratch."""
        columns = np.flatnonzero(self.used[i])
        again = np.repeat(columns, times[self.images.chain[i, columns]].astype(np.int64))
        drawn = self.images.part(np.array([i]), again)
        weights = region_weights(self.method, drawn, self.counts, self.classes)[0]
        scores = weights.regions @ self.scores[i, again] + weights.whole * self.whole_scores[i]
        return bool(scores.max() <= scores[label] + TIE)
