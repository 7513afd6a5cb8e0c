"""Replay of the expansion steps of many images at once, on embeddings that are all known.

The results equal those of :class:`~.region_expansion.RegionExpansion`, which goes image by image. Here the steps are
array operations: every box has a number by which it is looked up among the known ones, and embeddings are gathered
once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..method.core.boxes import expand_boxes, sample_boxes_of_images, select_salient
from ..method.core.frames import Frames, frame_of, frames_of
from ..method.core.regions import RegionEmbeddings
from .embeddings import EncodedImage, products_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..config import RegionPlan
    from .embeddings import KnownRegions

_MAX_BOX_NUMBERS = 2.0**54
"""Upper bound on box numbers per image, so that those of some hundred images fit into 63 bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionBatch:
    """The embeddings of several images and their regions, stacked.

    Attributes:
        ids: the b images' ids
        content_hashes: hashes of their files' bytes
        image_size_hw: ``[b, 2]`` int64 heights and widths in pixels, EXIF orientation applied
        boxes: ``[b, n, 4]`` int64, absolute pixels, ``(left, top, width, height)``
        step: ``[b, n]`` expansion step of each region, ascending, the same for all images; read-only
        chain: ``[b, n]`` number of the crop that each region was expanded from
        whole: ``[b, dim]`` float32 unit embeddings of the whole images
        level: budget level of the plan at which the images stopped
    """

    ids: tuple[str, ...]
    content_hashes: tuple[str, ...]
    image_size_hw: NDArray[np.int64]
    boxes: NDArray[np.int64]
    step: NDArray[np.int64]
    chain: NDArray[np.int64]
    whole: NDArray[np.float32]
    level: int
    _known: _Known
    _image: NDArray[np.int64]  # [b] number of each image among the known ones
    _rows: NDArray[np.int64]  # [b, n] row of each region's embedding among the known ones

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def regions(self) -> NDArray[np.float32]:
        """``[b, n, dim]`` unit region embeddings."""
        return self._known.embedded(self._image, self._rows)

    def part(self, images: NDArray[np.integer], regions: NDArray[np.integer]) -> RegionEmbeddings:
        """Returns some regions of some images, by their indices."""
        rows = images[:, None], regions
        embeddings = self._known.embedded(self._image[images], self._rows[rows])
        side = self.boxes[..., 2][rows]
        shorter = frames_of([self.content_hashes[i] for i in images.tolist()], self.image_size_hw[images]).shorter
        return RegionEmbeddings(
            embeddings, self.whole[images], self.step[rows], self.chain[rows], side / shorter[:, None], side
        )

    def images(self) -> list[EncodedImage[str]]:
        """Returns the images one by one; their arrays are views of these."""
        fresh = np.zeros(self.step.shape[1], dtype=bool)
        sizes = self.image_size_hw.tolist()
        return [
            EncodedImage(
                id=id_,
                content_hash=self.content_hashes[i],
                image_size_hw=(sizes[i][0], sizes[i][1]),
                boxes=self.boxes[i],
                step=self.step[i],
                chain=self.chain[i],
                regions=self.regions[i],
                whole=self.whole[i],
                fresh=fresh,
                encodes=0,
                level=self.level,
            )
            for i, id_ in enumerate(self.ids)
        ]


def replay_batch(
    images: Sequence[tuple[str, str, KnownRegions]], plan: RegionPlan, level: int = 0
) -> RegionBatch | None:
    """Goes through the expansion steps of a plan on known embeddings.

    Args:
        images: id, content hash and known embeddings of each image, some hundred at most, all of one encoder
        plan: which regions are replayed
        level: budget level of the plan at which the images stopped

    Returns:
        the images in their order, without those of which an embedding is missing or not finite; None if none is left
    """
    images = [one for one in images if _fits(one[1], one[2].image_size_hw)]
    if not images:
        return None
    hashes = [content_hash for _, content_hash, _ in images]
    plan = plan.at(level)
    with np.errstate(over="ignore", invalid="ignore"):  # images with such embeddings are left out below
        known = _Known([one for _, _, one in images], hashes)
        boxes, chain, rows = _steps(known, hashes, plan)
    complete = (rows >= 0).all(axis=1) & known.finite(rows)
    if not complete.any():
        return None
    which = np.flatnonzero(complete)
    step = np.repeat(np.arange(len(plan.counts)), plan.counts)
    return RegionBatch(
        ids=tuple(images[i][0] for i in which),
        content_hashes=tuple(hashes[i] for i in which),
        image_size_hw=known.sizes_hw[which],
        boxes=boxes[which],
        step=np.broadcast_to(step, (len(which), len(step))),
        chain=chain[which],
        whole=known.whole[which],
        level=level,
        _known=known,
        _image=which,
        _rows=rows[which],
    )


def _fits(content_hash: str, image_size_hw: tuple[int, int]) -> bool:
    """True if an image's boxes can be numbered; a damaged size must not fail the other images."""
    height, width = image_size_hw
    if min(height, width) < 1 or float(height) * width * min(height, width) > _MAX_BOX_NUMBERS:
        return False
    return min(frame_of(content_hash, image_size_hw).inner[2:]) >= 1


def _steps(
    known: _Known, hashes: Sequence[str], plan: RegionPlan
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Returns ``[b, n, 4]`` boxes, ``[b, n]`` chains and ``[b, n]`` rows of their embeddings, -1 if unknown."""
    b, regions, frames = len(hashes), plan.regions, known.frames
    none = np.zeros((b, 0), np.int64)
    all_boxes, all_chains, all_rows = [np.zeros((b, 0, 4), np.int64)], [none], [none]
    for step, count in enumerate(plan.counts):
        if step == 0:
            boxes = _corners(frames.inner) + sample_boxes_of_images(
                count,
                frames.inner[:, :1:-1],
                scale_min=regions.scale_min,
                scale_max=regions.scale_max,
                seed=regions.seed,
                content_hashes=hashes,
                spread_of=plan.spread_of,
            )
            chain = np.broadcast_to(np.arange(count), (b, count))
        else:
            candidates = slice(plan.n_chains)  # of step 0, the crops that start a chain; of later steps, all
            salient = known.most_salient(all_rows[-1][:, candidates], count)
            boxes = np.take_along_axis(all_boxes[-1], salient[..., None], axis=1)
            corner = _corners(frames.outer)
            boxes = expand_boxes(boxes - corner, frames.outer[:, :1:-1], regions.growth) + corner
            chain = np.take_along_axis(all_chains[-1], salient, axis=1)
        all_boxes.append(boxes)
        all_chains.append(chain)
        all_rows.append(known.rows_of(boxes))
    return np.concatenate(all_boxes, axis=1), np.concatenate(all_chains, axis=1), np.concatenate(all_rows, axis=1)


def _corners(boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns ``[b, 1, 4]`` left and top edges of ``[b, 4]`` boxes, to be added to boxes inside them."""
    return np.concatenate([boxes[:, None, :2], np.zeros_like(boxes[:, None, :2])], axis=-1)


class _Known:
    """The known embeddings of b images as one list of rows: all regions', then those of the whole images."""

    def __init__(self, images: Sequence[KnownRegions], content_hashes: Sequence[str]) -> None:
        counts = [len(one.boxes) for one in images]
        self.sizes_hw = np.array([one.image_size_hw for one in images], dtype=np.int64)
        self.frames: Frames = frames_of(content_hashes, self.sizes_hw)
        self.whole = np.stack([one.whole for one in images])
        self._regions = [one.regions for one in images]
        self._starts = np.cumsum([0, *counts])
        self._first_whole = int(self._starts[-1])
        self._salience, self._squares = self._products(images)
        self._max_error = self._similarity_error()
        volume = self.sizes_hw.prod(axis=1) * self.sizes_hw.min(axis=1)
        self._first_number = np.cumsum(volume) - volume
        boxes = np.concatenate([one.boxes for one in images]).astype(np.int64)
        numbers = self._numbers(boxes, np.repeat(np.arange(len(images)), counts))
        order = np.argsort(numbers, kind="stable")
        # The first of both is for boxes that are not among them.
        self._sorted_numbers = np.concatenate([[-1], numbers[order]])
        self._sorted_rows = np.concatenate([[-1], order])

    def rows_of(self, boxes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the ``[b, k]`` rows of ``[b, k, 4]`` boxes; -1 for unknown ones."""
        image = np.arange(len(boxes))[:, None]
        numbers = self._numbers(boxes, image)
        place = np.searchsorted(self._sorted_numbers, numbers, side="right") - 1  # of equal boxes, the last counts
        rows = np.where(self._sorted_numbers[place] == numbers, self._sorted_rows[place], -1)
        whole = (boxes == self.frames.whole[:, None]).all(axis=-1)
        return np.where(whole, self._first_whole + image, rows)

    def most_salient(self, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """Selects the ``count`` most salient of ``[b, k]`` rows, exactly as :meth:`~.RegionExpansion.next_step` does.

        That compares float64 sums. Float32 is much faster, and selects the same regions unless the similarities of the
        last selected and another region are closer than their rounding errors; those images are compared in float64.
        """
        salience = self._salience[rows].astype(np.float64)
        selected = select_salient(salience, count)
        last = np.argsort(-salience, axis=1, kind="stable")[:, count - 1, None]
        distance = np.abs(salience - np.take_along_axis(salience, last, axis=1))
        tied = rows == np.take_along_axis(rows, last, axis=1)  # the same embedding, so a true tie
        uncertain = np.flatnonzero((~(distance > self._max_error[:, None]) & ~tied).any(axis=1))
        if len(uncertain):
            exact = self.embedded(uncertain, rows[uncertain]).astype(np.float64) * self.whole[uncertain, None]
            selected[uncertain] = select_salient(exact.sum(axis=-1), count)
        return selected

    def finite(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Returns ``[b]``: whether the embeddings of ``[b, k]`` rows, and of the whole image, are finite."""
        finite = np.isfinite(self._squares)
        return finite[rows].all(axis=1) & finite[self._first_whole :]

    def embedded(self, which: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns ``[len(which), k, dim]`` embeddings of ``[len(which), k]`` rows of some of the images."""
        regions = np.empty((*rows.shape, self.whole.shape[1]), dtype=np.float32)
        for out, image, own in zip(regions, which, rows - self._starts[which, None], strict=True):
            if len(self._regions[image]):
                np.take(self._regions[image], own, axis=0, out=out, mode="clip")
            else:
                out[:] = self.whole[image]
        whole = rows >= self._first_whole
        if whole.any():
            regions[whole] = self.whole[np.broadcast_to(which[:, None], rows.shape)[whole]]
        return regions

    def _products(self, images: Sequence[KnownRegions]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns ``[rows]`` similarity of each row to its whole image, and ``[rows]`` squared lengths."""
        salience, squares = np.empty((2, self._first_whole + len(self.whole)), dtype=np.float32)
        for i, one in enumerate(images):
            own = slice(self._starts[i], self._starts[i + 1])
            products = products_of(one.regions, one.whole) if one.products is None else one.products
            salience[own], squares[own] = products
        np.einsum("bd,bd->b", self.whole, self.whole, out=squares[self._first_whole :])
        salience[self._first_whole :] = squares[self._first_whole :]
        return salience, squares

    def _similarity_error(self) -> NDArray[np.float64]:
        """Returns ``[b]`` upper bounds on the difference, in float32, of two equal similarities.

        The error of a sum of d products, in any order, is at most d roundings of the product of the lengths. A little
        is added for the float64 sums, which are not exact either.
        """
        lengths = np.sqrt(self._squares.astype(np.float64))
        wholes = lengths[self._first_whole :]
        spans = zip(self._starts[:-1], self._starts[1:], wholes, strict=True)
        longest = np.array([lengths[start:end].max(initial=whole) for start, end, whole in spans])
        error: NDArray[np.float64] = 2.01 * self.whole.shape[1] * 2.0**-24 * longest * wholes
        return error

    def _numbers(self, boxes: NDArray[np.int64], image: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns ``[...]`` numbers of ``[..., 4]`` boxes, unique among all images; -1 for impossible boxes."""
        height, width = self.sizes_hw[image, 0], self.sizes_hw[image, 1]
        left, top, side = boxes[..., 0], boxes[..., 1], boxes[..., 2]
        possible = (left >= 0) & (top >= 0) & (side >= 1) & (side == boxes[..., 3])
        possible &= (left + side <= width) & (top + side <= height)
        numbers = self._first_number[image] + (top * width + left) * np.minimum(height, width) + side - 1
        return np.where(possible, numbers, -1)
