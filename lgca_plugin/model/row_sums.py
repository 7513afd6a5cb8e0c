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

Taps = tuple[Tensor, Tensor, Tensor]
"""Which pixels are summed, int32; where the ``2 size`` sums start in them, int32; what the pixels count, float32."""


def resize_parts(
    planes: Tensor,
    boxes: list[tuple[int, int, int, int]],
    across: list[Taps],
    down: list[Taps],
    size: int,
    unit: float,
    most_values: int,
) -> Tensor:
    """Resizes parts of an image to squares.

    Args:
        planes: the image, ``[width, 3, height]`` uint8
        boxes: ``(left, top, width, height)`` of n parts
        across: for each, the sums that resize its rows
        down: for each, the sums that resize its columns
        size: side of the squares that come out
        unit: a unit of the low sums in levels
        most_values: so many values are summed or rounded at once

    Returns:
        ``[n, size, size, 3]`` uint8
    """
    resized = torch.empty([len(boxes), size, size, 3], dtype=torch.uint8)
    waiting: list[Tensor] = []  # sums of small squares are rounded together
    room = torch.empty([0], dtype=torch.uint8)
    factors = torch.tensor([0, 0, 128, 63, 0, 0, 0, 0], dtype=torch.uint8)  # 1 and 0 in float32
    for at in range(len(boxes)):
        left, top, width, height = boxes[at]
        turned: list[Tensor] = []
        rows = max(1, most_values // (3 * width))
        for first in range(top, top + height, rows):
            last = min(first + rows, top + height)
            values = 3 * (last - first)
            taken = width * (values + 8)
            if taken > room.numel():
                room = torch.empty([taken], dtype=torch.uint8)
            table = room[:taken].view(width, values + 8)
            table[:, :values].view(width, 3, last - first).copy_(planes[left : left + width, :, first:last])
            table[:, values:] = factors
            narrow = levels_of_sums(sums_of_bytes(table, across[at]), size, unit)
            # [3 size, rows] turned as torch turns pictures, which is its quickest way
            pictures = narrow.view(1, 3 * size, 1, last - first).contiguous(memory_format=torch.channels_last)
            turned.append(pictures.permute(0, 2, 3, 1).reshape(last - first, 3 * size))
        waiting.append(sums_of_rows(turned[0] if len(turned) == 1 else torch.cat(turned), down[at]))
        squares = len(waiting)
        if at + 1 == len(boxes) or 4 * squares * waiting[0].numel() >= most_values:
            levels = levels_of_sums(torch.cat(waiting), squares * size, unit).view(squares, size, size, 3)
            resized[at + 1 - squares : at + 1] = levels.to(torch.int16)  # by way of which torch gets to 8 bits soonest
            waiting.clear()
    return resized


def sums_of_bytes(table: Tensor, taps: Taps) -> Tensor:
    """Sums the rows of a table of bytes as :func:`sums_of_rows` does, ``[side, n + 8]`` uint8 to ``[2 size, n]``.

    Each row ends with the factor and the summand by which torch takes its bytes to float32, here 1 and 0.
    """
    pixels, starts, weights = taps
    sums: Tensor = torch.ops.quantized.embedding_bag_byte_rowwise_offsets(
        table, pixels, starts, False, 0, False, weights, None, False
    )
    return sums


def sums_of_rows(rows: Tensor, taps: Taps) -> Tensor:
    """Sums ``[side, n]`` float32 rows, ``[2 size, n]``."""
    pixels, starts, weights = taps
    return torch.embedding_bag(rows, pixels, starts, False, 0, False, weights)[0]


def levels_of_sums(sums: Tensor, count: int, unit: float) -> Tensor:
    """Rounds ``[2 count, n]`` sums, high and low in turns, to levels from 0 to 255, halves up, ``[count, n]``."""
    pairs = sums.view(count, 2, -1)
    high, low = pairs.select(1, 0), pairs.select(1, 1).floor_()
    return torch.add(high, low, alpha=unit).add_(0.5).floor_().clamp_(0, 255)
