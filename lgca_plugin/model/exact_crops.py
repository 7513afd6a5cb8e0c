"""Crops resized to the last bit as Pillow does it, in about half of its time.

Pillow resizes one side of an image and then the other. Each value that comes out is a sum of pixels times weights,
which are whole multiples of 1 / 2**22, rounded to 8 bits. Torch's ``embedding_bag`` is such a sum of rows of a table,
of bytes or of float32, at the speed of the processor's vector units; but it sums in float32, which holds 24 bits where
Pillow's sums have 31. So each weight is split into a high part and a low part, such that the sums of either fit into
24 bits. Every number on the way is then exact, in whatever order it is summed, and the two sums together tell the
level.

A picture is turned first, so that a row of the table is a column of a crop: all values of it are summed at once.
"""

from __future__ import annotations

import logging
import warnings
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from PIL import Image

logger = logging.getLogger(__name__)

WEIGHT_BITS = 22
"""Pillow's filter weights are whole multiples of 2 to the minus 22."""

_LOW_BITS = 7
"""So many bits of a weight go to its low part. Up to 1,000 weights a pixel leave its sums below 24 bits."""

_MOST_EXACT = 2**24
"""Up to here float32 holds every whole number."""

_MOST_VALUES = 2**19
"""So many values of a crop are summed at once: they stay in the processor's cache."""

_SUPPORTS = {"bicubic": 2.0, "bilinear": 1.0}


class Taps(NamedTuple):
    """What is summed to resize one side of a part: for each pixel that comes out, its high parts, then its low parts.

    Attributes:
        pixels: which pixels of the side, ``[taps]`` int32
        starts: where the sums start in them, two for each of n pixels that come out, ``[2 n]`` int32
        weights: what they count, ``[taps]`` float32: high parts in levels, low parts in units of the high ones
    """

    pixels: torch.Tensor
    starts: torch.Tensor
    weights: torch.Tensor


@cache
def sums_are_fast() -> bool:
    """Tells whether crops can be resized by sums of rows, in less time than Pillow takes, and are the same.

    Torch's fast sums are FBGEMM's, which need AVX2. The last is tried, for Pillow may come to sum in another way.
    """
    import torch

    fast = torch.backends.cpu.get_cpu_capability().startswith("AVX") and _compiled() is not None
    return fast and all(_are_pillows(interpolation) for interpolation in _SUPPORTS)


def _are_pillows(interpolation: str) -> bool:
    """Compares an image of noise and two parts of it with Pillow's, made smaller and larger."""
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (47, 61, 3), dtype=np.uint8)
    image, how = Image.fromarray(noise), Image.Resampling[interpolation.upper()]
    planes, boxes, size = turned_planes(image), np.array([[0, 0, 47, 47], [40, 20, 13, 13]]), 20
    parts = resize_exactly(planes, boxes, size, interpolation)
    middle = resize_middle_exactly(planes, (25, size), size, interpolation)
    if parts is None or middle is None:
        return False
    crops = [image.crop((x, y, x + w, y + h)).resize((size, size), how) for x, y, w, h in boxes.tolist()]
    crops.append(image.resize((25, size), how).crop((2, 0, 2 + size, size)))
    return np.array_equal([*parts.numpy(), middle.numpy()], [np.asarray(crop) for crop in crops])


def turned_planes(image: Image.Image) -> torch.Tensor:
    """Gives an RGB image's pixels as ``[width, 3, height]`` uint8, what :func:`resize_exactly` takes them from."""
    import torch

    return torch.from_numpy(np.array(np.asarray(image).transpose(1, 2, 0), order="C"))


def resize_exactly(
    planes: torch.Tensor, boxes: NDArray[np.int64], size: int, interpolation: str
) -> torch.Tensor | None:
    """Resizes square parts of an image to the last bit as Pillow does.

    Args:
        planes: the image as :func:`turned_planes` gives it
        boxes: ``[n, 4]``, ``(left, top, width, height)``, square and inside the image
        size: side of the squares that come out
        interpolation: Pillow's name of the filter

    Returns:
        ``[n, size, size, 3]`` uint8, or None where it can't be done so: the filter is neither ``"bicubic"`` nor
        ``"bilinear"``, a box is so large that its sums are not exact, or this torch compiles nothing
    """
    taps = [taps_of(side, size, interpolation) for side in boxes[:, 2].tolist()]
    return _resize(planes, [tuple(box) for box in boxes.tolist()], taps, taps, size)


def resize_middle_exactly(
    planes: torch.Tensor, resized_wh: tuple[int, int], size: int, interpolation: str
) -> torch.Tensor | None:
    """Resizes a whole image to the last bit as Pillow does, and takes the square in the middle, as torchvision does.

    Args:
        planes: the image as :func:`turned_planes` gives it; no higher than wide, for the columns of a tall image Pillow
            may sum before its rows
        resized_wh: width and height that it is resized to, at least ``size``
        size: side of the square that comes out
        interpolation: Pillow's name of the filter

    Returns:
        ``[size, size, 3]`` uint8, or None where :func:`resize_exactly` gives None
    """
    width, _, height = planes.shape
    across, down = (
        taps_of(length, to, interpolation, round((to - size) / 2.0), size)
        for length, to in zip((width, height), resized_wh, strict=True)
    )
    resized = _resize(planes, [(0, 0, width, height)], [across], [down], size)
    return None if resized is None else resized[0]


def _resize(
    planes: torch.Tensor,
    boxes: list[tuple[int, ...]],
    across: list[Taps | None],
    down: list[Taps | None],
    size: int,
) -> torch.Tensor | None:
    """Resizes parts of an image, ``[n, size, size, 3]``; None if some taps are unknown, or torch compiles nothing."""
    import torch

    resize = _compiled()
    if resize is None or None in across or None in down:
        return None
    with torch.inference_mode():
        resized: torch.Tensor = resize(
            planes, boxes, across, down, size, 2.0 ** (_LOW_BITS - WEIGHT_BITS), _MOST_VALUES
        )
    return resized


@cache
def _compiled() -> Any:
    """Gives :func:`~lgca_plugin.model.row_sums.resize_parts` compiled, or None where this torch can't."""
    import torch

    from .row_sums import resize_parts

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated
            return torch.jit.script(resize_parts)
    except Exception:  # whatever a later torch says to it, Pillow does as well
        logger.info("This torch compiles no TorchScript: crops are resized by Pillow", exc_info=True)
        return None


@lru_cache(maxsize=256)
def taps_of(length: int, resized: int, interpolation: str, first: int = 0, count: int | None = None) -> Taps | None:
    """Computes Pillow's weights for a side, split into two parts each.

    Args:
        length: pixels of the side
        resized: pixels that it is resized to
        interpolation: Pillow's name of the filter
        first: first of these that is wanted
        count: how many are wanted; None takes all from there on

    Returns:
        the weights, or None if float32 can't hold their sums, or the filter is neither ``"bicubic"`` nor ``"bilinear"``
    """
    import torch

    if interpolation not in _SUPPORTS:
        return None

    wanted = slice(first, None if count is None else first + count)
    pixels, counts, weights = (one[wanted] for one in pillow_weights(length, resized, interpolation))
    high = np.rint(weights / 2**_LOW_BITS)
    low = weights - high * 2**_LOW_BITS
    for part in (high, low):
        if 255 * np.abs(part).sum(axis=1).max() >= _MOST_EXACT:
            return None
    used = np.arange(weights.shape[1]) < counts[:, None]
    used = np.stack([used, used], axis=1)
    parts = np.stack([high * 2.0 ** (_LOW_BITS - WEIGHT_BITS), low * 2.0**-_LOW_BITS], axis=1)
    starts = np.concatenate([[0], used.sum(axis=2).ravel().cumsum()[:-1]])
    return Taps(
        torch.from_numpy(np.broadcast_to(pixels[:, None], used.shape)[used].astype(np.int32)),
        torch.from_numpy(starts.astype(np.int32)),
        torch.from_numpy(parts[used].astype(np.float32)),
    )


def pillow_weights(
    length: int, size: int, interpolation: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Computes the weights with which Pillow resizes a side, by the same operations on the same numbers.

    Args:
        length: pixels of the side
        size: n pixels that come out
        interpolation: ``"bicubic"`` or ``"bilinear"``

    Returns:
        ``[n, most]`` the pixels that count, ``[n]`` how many of them do, and ``[n, most]`` what they count, in whole
        multiples of 2 to the minus 22; what lies beyond the number that count is 0
    """
    scale = length / size
    wider = max(scale, 1.0)
    support = _SUPPORTS[interpolation] * wider
    center = (np.arange(size) + 0.5) * scale
    first = np.maximum((center - support + 0.5).astype(np.int64), 0)
    counts = np.minimum((center + support + 0.5).astype(np.int64), length) - first
    at = np.arange(counts.max())
    away = np.abs((at + first[:, None] - center[:, None] + 0.5) * (1.0 / wider))
    weights = np.where(at < counts[:, None], _cubic(away) if interpolation == "bicubic" else _hat(away), 0.0)
    weights /= weights.cumsum(axis=1)[:, -1:]  # summed one after the other, as Pillow does
    whole = np.trunc(weights * 2**WEIGHT_BITS + np.copysign(0.5, weights))
    return np.minimum(at + first[:, None], length - 1), counts, whole


def _cubic(away: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic filter with a = -0.5, of distances of at least 0."""
    near = (1.5 * away - 2.5) * away * away + 1
    far = (((away - 5) * away + 8) * away - 4) * -0.5
    return np.where(away < 1, near, np.where(away < 2, far, 0.0))


def _hat(away: NDArray[np.float64]) -> NDArray[np.float64]:
    """The linear filter, of distances of at least 0."""
    return np.maximum(1.0 - away, 0.0)
