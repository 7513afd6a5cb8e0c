"""Crops resized by sums of rows, many in one call; :mod:`~lgca_plugin.model.exact_crops` says what is summed.

A crop takes a dozen short operations. Called one by one, each lets go of Python's lock and takes it again, and threads
that cut beside each other lose much of the time, with small crops most of it, by handing it over. So the functions are
compiled with TorchScript: then the crops of an image are one call, without that lock. Torch calls TorchScript
deprecated and names nothing else that does this where there is no C++ compiler. Where it is gone, crops are Pillow's,
and the same.
"""

from __future__ import annotations

import torch
from torch import Tensor


def resize_squares(
    planes: Tensor,
    boxes: list[tuple[int, int, int]],
    pixels: list[Tensor],
    starts: list[Tensor],
    weights: list[Tensor],
    size: int,
    unit: float,
    most_values: int,
) -> Tensor:
    """Resizes squares of an image.

    Args:
        planes: the image, ``[width, 3, height]`` uint8
        boxes: ``(left, top, side)`` of n squares
        pixels: for each square, which pixels of a side are summed, int32
        starts: for each, where the ``2 size`` sums start in them, int32
        weights: for each, what the pixels count, float32
        size: side of the squares that come out
        unit: a unit of the low sums in levels
        most_values: so many values of a square are summed at once

    Returns:
        ``[n, size, size, 3]`` uint8
    """
    resized = torch.empty([len(boxes), size, size, 3], dtype=torch.uint8)
    for at in range(len(boxes)):
        left, top, side = boxes[at]
        turned = torch.empty([side, size * 3])
        rows = max(1, most_values // (3 * side))
        for first in range(0, side, rows):
            last = min(first + rows, side)
            part = planes[left : left + side, :, top + first : top + last].to(torch.float32).view(side, -1)
            narrow = levels_of_sums(part, pixels[at], starts[at], weights[at], size, unit)
            turned[first:last] = narrow.view(size * 3, last - first).t()
        levels = levels_of_sums(turned, pixels[at], starts[at], weights[at], size, unit)
        resized[at] = levels.view(size, size, 3).to(torch.int16)  # by way of which torch gets to 8 bits soonest
    return resized


def levels_of_sums(rows: Tensor, pixels: Tensor, starts: Tensor, weights: Tensor, size: int, unit: float) -> Tensor:
    """Sums ``[side, n]`` float32 rows and rounds the sums to levels from 0 to 255, halves up, ``[size, n]`` float32."""
    sums = torch.embedding_bag(rows, pixels, starts, False, 0, False, weights)[0].view(size, 2, -1)
    high, low = sums.select(1, 0), sums.select(1, 1).floor_()
    return torch.add(high, low, alpha=unit).add_(0.5).floor_().clamp_(0, 255)
