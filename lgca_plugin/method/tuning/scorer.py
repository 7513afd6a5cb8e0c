"""Many settings of the methods, scored in one pass over the images.

Scores are linear: the weighted sum behind a setting's label mixes a few vectors that many settings share, namely the
whole image and, for each softmax scale, the weighted means of the regions of one step. These are pooled once and
multiplied once with each distinct matrix of class vectors; a setting is then a row of shares. The norm divides all
scores alike and does not change the best class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...errors import ConfigError
from ..core.regions import RegionEmbeddings
from ..core.scores import MIN_PIXELS, class_scores, confidences, relative_entropy, sized_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ..core.methods import Method, Weighting
    from ..core.regions import CropCounts, RegionKind

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

CHUNK_BYTES = 32 * 1024**2
"""Approximate size of the intermediate arrays."""


@dataclass(frozen=True)
class SettingsScores:
    """The labels of every setting for a batch of images.

    Attributes:
        labels: ``[S, b]`` int64, index of the class with the highest score, the lower index of equals
        effective: ``[S, b]`` float64, effective number of regions, ``1 / sum_r a_r^2``; nan where a setting uses none.
            Under sized weights, the whole image is one of them
        used: ``[S, b]`` int64, number of regions with a weight, the upper bound of ``effective``
    """

    labels: NDArray[np.int64]
    effective: NDArray[np.float64]
    used: NDArray[np.int64]


class _Part(NamedTuple):
    """Weights that settings share: a softmax over the used regions of one step, or over all of them (None)."""

    regions: RegionKind
    weighting: Weighting
    scale: float
    step: int | None
    temperature: float | None = None  # of weights by class


class _SharedClasses(NamedTuple):
    """The settings with the same class vectors: ``vectors`` [C, d] float32, ``members`` [s] indices of settings."""

    vectors: NDArray[np.float32]
    members: list[int]


class SettingsScorer:
    """Scores batches of images under many settings at once.

    The labels are those of :func:`~.scores.class_scores` of :func:`~.scores.image_vector` under
    :func:`~.scores.region_weights`, setting by setting, except between classes whose scores differ by less than float32
    rounding.

    Args:
        settings: the presets to score; names may repeat
        class_vectors: returns a preset's ``[C, d]`` class vectors; called once for each distinct matrix
        counts: how many of an image's crops the methods use
        logit_scale: the encoder's factor on similarities
        chunk_bytes: approximate size of the intermediate arrays

    Raises:
        ConfigError: if there are no settings
    """

    def __init__(
        self,
        settings: Sequence[Method],
        class_vectors: Callable[[Method], FloatArray],
        counts: CropCounts,
        *,
        logit_scale: float,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        if not settings:
            raise ConfigError("settings is empty; give at least one")
        self.settings = tuple(settings)
        self._counts = counts
        self._chunk_bytes = chunk_bytes
        self._logit_scale = logit_scale
        members: dict[tuple[object, ...], list[int]] = {}
        for index, setting in enumerate(self.settings):
            text_scale = setting.text_scale if setting.class_vectors == "weighted" else None
            members.setdefault((setting.class_vectors, text_scale), []).append(index)
        self._by_classes = [
            _SharedClasses(np.asarray(class_vectors(self.settings[indices[0]]), dtype=np.float32), indices)
            for indices in members.values()
        ]

    def score(self, images: RegionEmbeddings) -> SettingsScores:
        """Scores a batch of b images under every setting.

        Memory beyond the arguments and the result stays near ``chunk_bytes`` for any batch size. Raises ValueError if a
        setting's regions are missing, or its ``step_weights`` do not match the steps.
        """
        b, n, dim = images.regions.shape
        step, chain = np.broadcast_to(images.step, (b, n)), np.broadcast_to(images.chain, (b, n))
        kinds: tuple[RegionKind, ...] = ("crops", "chains", "all")
        used = {kind: self._counts.used(kind, step, chain) for kind in kinds}
        if any(setting.weighting == "sized" for setting in self.settings) and (
            images.side is None or images.pixels is None
        ):
            raise ValueError("sized weights need the sides of the regions")
        shares = self._shares(step, used)
        size = self._chunk_size(n, dim, len({part for row in shares for part in row}))
        shape = (len(self.settings), b)
        result = SettingsScores(np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape, np.int64))
        for start in range(0, b, size):
            chunk = slice(start, start + size)
            part = _Images(
                np.asarray(images.regions[chunk], dtype=np.float32),
                np.asarray(images.whole[chunk], dtype=np.float32),
                step[chunk],
                {kind: mask[chunk] for kind, mask in used.items()},
                None if images.side is None else images.side[chunk],
                None if images.pixels is None else images.pixels[chunk],
            )
            self._score_chunk(part, shares, SettingsScores(*(array[:, chunk] for array in vars(result).values())))
        return result

    def _shares(self, step: IntArray, used: dict[RegionKind, NDArray[np.bool_]]) -> list[dict[_Part, float]]:
        """Splits each setting's region weights into parts; returns their shares, which sum to 1."""
        kinds = {setting.regions: setting for setting in self.settings if setting.regions != "none" and len(step)}
        present: dict[RegionKind, list[int]] = {}
        for kind, setting in kinds.items():
            steps = {t: (used[kind] & (step == t)).any(axis=-1) for t in range(int(step.max(initial=0)) + 1)}
            present[kind] = [t for t, of_images in steps.items() if of_images.any()]
            if not present[kind]:
                raise ValueError(f"{setting.name} needs {kind}, and the images were encoded without them")
            if not all(steps[t].all() for t in present[kind]):
                raise ValueError(f"{setting.name} needs {kind} of the same steps in all images of a batch")
        return [
            _parts(setting, present[setting.regions]) if setting.regions in present else {} for setting in self.settings
        ]

    def _score_chunk(self, images: _Images, shares: list[dict[_Part, float]], result: SettingsScores) -> None:
        """Fills the chunk's columns of the result, one matrix of class vectors at a time."""
        parts = list(dict.fromkeys(part for row in shares for part in row))
        shared = images.pool([part for part in parts if part.temperature is None])
        for vectors, members in self._by_classes:
            own = dict.fromkeys(part for index in members for part in shares[index] if part.temperature is not None)
            pooled = (
                shared.joined(images.pool(list(own), _Entropy(images, vectors, self._logit_scale))) if own else shared
            )
            mix = np.zeros((len(members), 1 + len(pooled.parts)))  # the whole image, then the parts
            for row, index in zip(mix, members, strict=True):
                row[0] = self.settings[index].global_weight
                row[1:] = [shares[index].get(part, 0.0) for part in pooled.parts]
            rows = np.concatenate([images.whole[:, None], pooled.vectors], axis=1)
            of_rows = class_scores(rows.reshape(-1, rows.shape[-1]), vectors).reshape(*rows.shape[:2], -1)
            result.labels[members] = np.matmul(mix.astype(np.float32), of_rows).argmax(axis=-1).T
            # A setting's steps share no region, so their squared weights add up.
            result.effective[members] = _inverse(mix[:, 1:] ** 2 @ pooled.squares.T)
            result.used[members] = (mix[:, 1:] > 0) @ pooled.counts.T

    def _chunk_size(self, n: int, dim: int, parts: int) -> int:
        """Number of images whose intermediate arrays fit ``chunk_bytes``."""
        classes = len(self._by_classes[0].vectors)
        members = max(len(shared.members) for shared in self._by_classes)
        floats = 4 * n * parts + 2 * dim * (parts + 1) + classes * (parts + 1 + members)
        if any(setting.by_class for setting in self.settings):
            floats += 8 * n * classes
        return max(1, self._chunk_bytes // (4 * floats))


@dataclass(frozen=True)
class _Pooled:
    """Weighted means of regions, one for each part.

    Attributes:
        parts: P parts
        vectors: ``[b, P, d]`` float32
        squares: ``[b, P]`` sums of squared weights
        counts: ``[b, P]`` numbers of regions with a weight
    """

    parts: list[_Part]
    vectors: NDArray[np.float32]
    squares: NDArray[np.float64]
    counts: NDArray[np.int64]

    def joined(self, other: _Pooled) -> _Pooled:
        """Joins two sets of parts of the same images."""
        return _Pooled(
            self.parts + other.parts,
            np.concatenate([self.vectors, other.vectors], axis=1),
            np.concatenate([self.squares, other.squares], axis=1),
            np.concatenate([self.counts, other.counts], axis=1),
        )


class _Images:
    """A chunk of images: ``regions`` [b, n, d], ``whole`` [b, d], ``step`` [b, n], ``used`` [b, n] by kind."""

    def __init__(
        self,
        regions: NDArray[np.float32],
        whole: NDArray[np.float32],
        step: IntArray,
        used: dict[RegionKind, NDArray[np.bool_]],
        side: FloatArray | None,
        pixels: IntArray | None,
    ) -> None:
        self.regions = regions
        self.whole = whole
        self._step = step
        self._used = used
        self._side = side
        self._pixels = pixels
        self._salience = RegionEmbeddings(regions, whole, step, step).similarity.astype(np.float64)

    def pool(self, parts: list[_Part], entropy: _Entropy | None = None) -> _Pooled:
        """Pools the regions under each part's weights; parts by class need the relative entropy."""
        weights = np.zeros((len(self.regions), len(parts), self.regions.shape[1]))
        wholes = np.zeros(weights.shape[:2])
        counts = np.zeros(weights.shape[:2], dtype=np.int64)
        for column, part in enumerate(parts):
            inside = (
                self._used[part.regions] if part.step is None else self._used[part.regions] & (self._step == part.step)
            )
            if entropy is not None and part.temperature is not None:
                of_regions, of_whole = entropy.at(part.temperature)
                logits = -part.scale * of_regions
                if part.weighting == "sized" and self._side is not None and self._pixels is not None:
                    inside = inside & (self._pixels >= MIN_PIXELS)
                    sized = sized_weights(logits, -part.scale * of_whole, inside, self._side)
                    weights[:, column], wholes[:, column] = sized.regions, sized.whole
                    counts[:, column] = inside.sum(axis=-1) + 1
                    continue
            elif part.weighting == "uniform":
                logits = np.zeros_like(self._salience)
            else:
                logits = np.exp(part.scale) * self._salience
            weights[:, column] = confidences(np.where(inside, logits, -np.inf), 1.0)
            counts[:, column] = inside.sum(axis=-1)
        vectors = np.matmul(weights.astype(np.float32), self.regions)
        vectors += wholes.astype(np.float32)[..., None] * self.whole[:, None]
        return _Pooled(parts, vectors, (weights**2).sum(axis=-1) + wholes**2, counts)


class _Entropy:
    """The relative entropies of a chunk's ``[b, n]`` regions and ``[b]`` whole images under some class vectors."""

    def __init__(self, images: _Images, class_vectors: NDArray[np.float32], logit_scale: float) -> None:
        flat = images.regions.reshape(-1, images.regions.shape[-1])
        self._of_regions = class_scores(flat, class_vectors)
        self._of_wholes = class_scores(images.whole.astype(np.float64), class_vectors)
        self._shape = images.regions.shape[:2]
        self._logit_scale = logit_scale
        self._known: dict[float, tuple[FloatArray, FloatArray]] = {}

    def at(self, temperature: float) -> tuple[FloatArray, FloatArray]:
        """Returns both at a temperature, computed once."""
        if temperature not in self._known:
            scale = self._logit_scale / temperature
            of_regions = relative_entropy(self._of_regions, scale).reshape(self._shape)
            self._known[temperature] = of_regions, relative_entropy(self._of_wholes, scale)
        return self._known[temperature]


def _parts(setting: Method, present: list[int]) -> dict[_Part, float]:
    """Splits a setting's region weights into parts with their shares."""
    if setting.by_class:
        return {_Part(setting.regions, setting.weighting, setting.decisiveness, None, setting.temperature): 1.0}
    shares = setting.step_weights or (1.0,) * (max(present) + 1)
    if len(shares) <= max(present):
        raise ValueError(f"step_weights has {len(shares)} entries for {max(present) + 1} steps")
    total = sum(shares[step] for step in present)
    if not total:
        raise ValueError(f"step_weights gives no weight to the steps that there are: {setting.step_weights}")
    scale = setting.image_scale if setting.weighting == "salience" else 0.0
    return {
        _Part(setting.regions, setting.weighting, scale, step): shares[step] / total for step in present if shares[step]
    }


def _inverse(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse: NDArray[np.float64] = np.divide(1.0, squares, out=np.full(squares.shape, np.nan), where=squares > 0)
    return inverse
