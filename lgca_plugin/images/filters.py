"""Pillow's filters as matrices, and products with them that are exact in float32, and on units for TF32.

Weights are whole multiples of 1 / 2**22, of which float32 can't sum products with 8-bit pixels without rounding. So
they are split in two halves of 11 bits, the sums of each of which are exact, in whatever order they are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

_FRACTION = 2**22
"""Pillow's filter weights are whole multiples of 1 / 2**22."""

_UPPER = 2**10
"""The upper half of a weight, which is at most 2, is a multiple of 1 / 2**10: 11 bits, as the lower half has."""


def filter_weights(
    lengths: Sequence[tuple[int, int, int]], size: int, interpolation: str, device: torch.device | None = None
) -> torch.Tensor:
    """Computes Pillow's filter weights, rounded as Pillow rounds them.

    Args:
        lengths: n sides: length, length after resizing, and the first pixel after resizing that the result begins with
        size: number of pixels of the result
        interpolation: ``"bicubic"`` or ``"bilinear"``
        device: where the weights are computed

    Returns:
        ``[n, size, longest]`` float32, the weight of each pixel of a side in each pixel of the result; rows sum to 1,
        and are 0 beyond the length
    """
    longest = max(length for length, _, _ in lengths)
    return filters_of(sides_of(lengths, size).to(device), longest, size, interpolation)


def sides_of(lengths: Sequence[tuple[int, int, int]], size: int) -> torch.Tensor:
    """Returns ``[n, 2 * size + 2]`` float32: where each pixel of the result lies, the filter's width and the length.

    Whole pixels and fractions are kept apart: float32 holds both, but not their sum.
    """
    import torch

    length, to_length, first = np.array(lengths, dtype=np.float64).T
    scale = length / to_length
    center = (first[:, None] + np.arange(size) + 0.5) * scale[:, None]
    whole = np.floor(center)
    sides = np.concatenate([whole, whole + 0.5 - center, np.maximum(scale, 1.0)[:, None], length[:, None]], axis=1)
    return torch.from_numpy(sides.astype(np.float32))


def filters_of(sides: torch.Tensor, longest: int, size: int, interpolation: str) -> torch.Tensor:
    """Computes what :func:`filter_weights` returns, of sides on their device."""
    import torch

    steps, rest, wider, ends = torch.split(sides, [size, size, 1, 1], dim=1)
    pixel = torch.arange(longest, dtype=torch.float32, device=sides.device)
    away = (pixel - steps[..., None]).add_(rest[..., None]).div_(wider[..., None]).abs_()
    weights = _bicubic(away) if interpolation == "bicubic" else (1 - away).clamp_(min=0)
    weights.mul_((pixel < ends)[:, None])
    # In float64, where it has it, so that a sum does not depend on how many zeros come after a length.
    precise = torch.float32 if sides.device.type == "mps" else torch.float64
    weights.div_(weights.sum(dim=-1, keepdim=True, dtype=precise).to(torch.float32))
    return weights.mul_(_FRACTION).round_().div_(_FRACTION)


def halves_of(weights: torch.Tensor) -> torch.Tensor:
    """Returns ``[n, 2 * size, longest]``: the halves of 11 bits that ``[n, size, longest]`` weights are the sums of."""
    import torch

    upper = (weights * _UPPER).round_().div_(_UPPER)
    return torch.cat([upper, weights - upper], dim=1)


def levels_of(sums: torch.Tensor, dim: int, size: int) -> torch.Tensor:
    """Rounds sums to whole levels from 0 to 255, halves up; along one dimension they come in two halves.

    The upper half has 10 bits behind the point and the lower one 22. Where they are added, no bit is lost.
    """
    import torch

    upper, lower = torch.split(sums, [size, size], dim=dim)
    upper = upper + 0.5
    whole = upper.floor()
    return whole.add_(upper.sub_(whole).add_(lower).floor_()).clamp_(0, 255)


def _bicubic(away: torch.Tensor) -> torch.Tensor:
    """Keys' cubic filter with a = -0.5, of distances of at least 0."""
    import torch

    near = (1.5 * away - 2.5) * away * away + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    return torch.where(away < 1, near, torch.where(away < 2, far, 0.0))
