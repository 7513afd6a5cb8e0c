"""How an encoder computes: its device, the floating-point type of its towers, how crops are resized, batch size."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, shown
from ..images.crops import EXACT, FAST
from .private_names import multiplies_bf16

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
RESIZES = ("auto", EXACT, FAST)

LARGE_TOWER = 20_000_000
"""Number of parameters from which an image tower gains from bfloat16 on a CPU that multiplies it natively."""


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raises a :class:`ConfigError` if ``value`` is none of the choices."""
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {shown(value)}")


def default_device() -> str:
    """Returns the best device that torch finds: cuda, then mps, then cpu."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_device(device: str) -> str:
    """Returns the name of a device.

    Raises:
        ConfigError: if torch has no such device, or this machine has none
    """
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ConfigError(f"torch has no device {device!r}; use cuda, cuda:N, mps or cpu") from error
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise ConfigError(f"device {device!r} is not available on this machine; leave it empty to choose automatically")
    return device


def resolve_precision(
    precision: str,
    device: torch.device,
    tower: torch.nn.Module,
    *,
    native_bf16: Callable[[], bool] = multiplies_bf16,
    large_tower: int = LARGE_TOWER,
) -> str:
    """Returns the floating-point type of an image tower; ``"auto"`` goes by the device and the tower's size.

    Args:
        precision: one of :data:`PRECISIONS`
        device: where the tower runs
        tower: the image tower
        native_bf16: whether this CPU multiplies in bfloat16 natively
        large_tower: number of parameters from which bfloat16 is chosen on such a CPU

    Raises:
        ConfigError: if the precision is none of :data:`PRECISIONS`
    """
    import torch

    check_choice("precision", precision, PRECISIONS)
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    large = sum(weights.numel() for weights in tower.parameters()) >= large_tower
    return "bf16" if device.type == "cpu" and large and native_bf16() else "fp32"


def resolve_resize(resize: str, precision: str) -> str:
    """Returns how crops are resized; ``"auto"`` goes by the precision.

    Raises:
        ConfigError: if it is none of :data:`RESIZES`
    """
    check_choice("resize", resize, RESIZES)
    if resize != "auto":
        return resize
    return EXACT if precision == "fp32" else FAST


def fitting_batch(free_bytes: int, bytes_each: float, most: int) -> int:
    """Returns a batch size that takes at most half of the free memory; the other half is for crops and other programs.

    Args:
        free_bytes: free memory
        bytes_each: memory that the encoder takes for one crop
        most: largest batch

    Returns:
        a power of two, or ``most``; at least 1
    """
    fitting = max(1, int(free_bytes / 2 / max(bytes_each, 1.0)))
    return min(most, 1 << (fitting.bit_length() - 1))


def with_rounded_tower(model: Any, dtype: torch.dtype) -> Any:
    """Returns a model whose image tower has rounded weights; it shares the rest with the one given.

    On the CPU, autocast would round them anew for every batch, which takes longer than it saves. The statistics of
    batch normalizations stay as they are.
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
