"""Crops resized to the last bit as Pillow does it, in about half of its time.

Pillow resizes one side of an image and then the other. Each value that comes out is a sum of pixels times weights,
which are whole multiples of 1 / 2**22, rounded to 8 bits. Torch's ``embedding_bag`` is such a sum of rows of a table,
at the speed of the processor's vector units; but in float32, which holds 24 bits where Pillow's sums have 31. So each
weight is split into a high part and a low part, such that the sums of either fit into 24 bits. Every number on the way
is then exact, in whatever order it is summed, and the two sums together tell the level.

A picture is turned first, so that a row of the table is a column of a crop: all values of it are summed at once.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True)
class Taps:
    """What is summed to resize one side of a crop: for each pixel that comes out, its high parts, then its low parts.

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
    """Tells whether crops can be resized by sums of rows, and in less time than Pillow takes.

    Torch's fast sums are FBGEMM's, which need AVX2.
    """
    import torch

    return torch.backends.cpu.get_cpu_capability().startswith("AVX") and _compiled() is not None


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
    import torch

    resize = _compiled() if interpolation in _SUPPORTS else None
    if resize is None:
        return None
    taps = [taps_of(side, size, interpolation) for side in boxes[:, 2].tolist()]
    known = [one for one in taps if one is not None]
    if len(known) < len(taps):
        return None
    with torch.inference_mode():
        resized: torch.Tensor = resize(
            planes,
            [(left, top, side) for left, top, side, _ in boxes.tolist()],
            [one.pixels for one in known],
            [one.starts for one in known],
            [one.weights for one in known],
            size,
            2.0 ** (_LOW_BITS - WEIGHT_BITS),
            _MOST_VALUES,
        )
    return resized


@cache
def _compiled() -> Any:
    """Gives :func:`~lgca_plugin.model.row_sums.resize_squares` compiled, or None where this torch can't."""
    import torch

    from .row_sums import resize_squares

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated
            return torch.jit.script(resize_squares)
    except Exception:  # whatever a later torch says to it, Pillow does as well
        logger.info("This torch compiles no TorchScript: crops are resized by Pillow", exc_info=True)
        return None


@lru_cache(maxsize=256)
def taps_of(length: int, size: int, interpolation: str) -> Taps | None:
    """Computes Pillow's weights for a side of ``length`` pixels, resized to ``size``; None where sums are not exact."""
    import torch

    pixels, counts, weights = pillow_weights(length, size, interpolation)
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
