"""How an encoder computes: the floating-point type of its towers, how crops are resized for it, how many at once."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..images.crops import EXACT, FAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
RESIZES = ("auto", EXACT, FAST)

LARGE_TOWER = 20_000_000
"""From so many parameters on, an image tower gains from bfloat16 on a CPU that multiplies it natively."""


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raises a :class:`ConfigError` if ``value`` is none of the choices."""
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def resolve_precision(precision: str, device: torch.device, tower: torch.nn.Module) -> str:
    """Chooses a floating-point type where ``"auto"`` leaves it open, by the device and the size of the image tower.

    Raises:
        ConfigError: if the precision is none of :data:`PRECISIONS`
    """
    import torch

    check_choice("precision", precision, PRECISIONS)
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    large = sum(weights.numel() for weights in tower.parameters()) >= LARGE_TOWER
    return "bf16" if device.type == "cpu" and large and multiplies_bf16() else "fp32"


def multiplies_bf16() -> bool:
    """Tells whether this CPU multiplies matrices in bfloat16 natively: Intel's AMX, or AVX-512 with bf16, as AMD's has.

    With AVX-512's, ViT-B-32 and RN50 took half the time of float32 (AMD EPYC, one and two threads).
    """
    import torch

    asked = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return any(supported() for supported in asked if supported is not None)


def resolve_resize(resize: str, precision: str) -> str:
    """Chooses how crops are resized where ``"auto"`` leaves it open, by the precision.

    Raises:
        ConfigError: if it is none of :data:`RESIZES`
    """
    check_choice("resize", resize, RESIZES)
    if resize != "auto":
        return resize
    return EXACT if precision == "fp32" else FAST


def fitting_batch(free_bytes: int, bytes_each: float, most: int) -> int:
    """Chooses a batch that takes half of the free memory at most: the other half is for crops, and for whoever else.

    Args:
        free_bytes: free memory
        bytes_each: what a crop takes inside the encoder
        most: largest batch

    Returns:
        a power of two, or ``most``; at least 1
    """
    fitting = max(1, int(free_bytes / 2 / max(bytes_each, 1.0)))
    return min(most, 1 << (fitting.bit_length() - 1))


def with_rounded_tower(model: Any, dtype: torch.dtype) -> Any:
    """Gives a model whose image tower has rounded weights; the rest it shares with the one given, which stays as it is.

    On the CPU autocast would round them anew for every batch, which takes longer than it saves. Batch normalizations
    keep their statistics as they are.
    """
    from torch import nn

    from .shortcuts import with_modules

    tower = copy.deepcopy(model.visual)
    for layer in tower.modules():
        if not isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            for owned in (*layer.parameters(recurse=False), *layer.buffers(recurse=False)):
                if owned.is_floating_point():
                    owned.data = owned.data.to(dtype)
    return with_modules(model, visual=tower)
