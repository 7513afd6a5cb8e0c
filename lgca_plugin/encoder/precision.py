"""How an encoder computes: its device, the floating-point type of its towers, how crops are resized, batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigError, shown
from ..images.crops import EXACT, FAST
from .private_names import multiplies_bf16

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
RESIZES = ("auto", EXACT, FAST)
ALL_DEVICES = "all"
"""Stands for all CUDA GPUs of this machine."""
MAX_DEVICES = 16
"""Maximum number of devices that are named, each of which gets a process."""

LARGE_TOWER = 20_000_000
"""Number of parameters from which an image tower gains from bfloat16 on a CPU that multiplies it natively."""

FAST_HALF, NATIVE_BF16 = 7, 8
"""Compute capability (major) from which a CUDA device multiplies fp16 fast, and bf16 without emulation."""


def cuda_capability(device: torch.device) -> tuple[int, int]:
    """Returns major and minor compute capability of the device that is meant, which may not be torch's current one."""
    import torch

    return torch.cuda.get_device_capability(device)


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
        found = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"torch has no device {device!r}; use cuda, cuda:N, mps or cpu") from error
    cuda = torch.cuda.is_available() and (found.index or 0) < torch.cuda.device_count()
    if (found.type == "cuda" and not cuda) or (found.type == "mps" and not torch.backends.mps.is_available()):
        raise ConfigError(f"device {device!r} is not available on this machine; leave it empty to choose automatically")
    return device


def check_devices(devices: str) -> tuple[str, ...]:
    """Returns the devices that a text names: one, several of a kind such as ``"cuda:0,1"``, or all GPUs: ``"all"``.

    Raises:
        ConfigError: if torch has no such device, this machine has none, or they are of several kinds
    """
    import torch

    if devices == ALL_DEVICES:
        if not torch.cuda.is_available():
            raise ConfigError(
                f"device {ALL_DEVICES!r} are all CUDA GPUs, and this machine has none; leave it empty to choose "
                "automatically"
            )
        return tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    names, found = [name.strip() for name in devices.split(",")], list[str]()
    if len(names) > MAX_DEVICES:
        raise ConfigError(f"device names {len(names):,} devices: name {MAX_DEVICES} at most, or {ALL_DEVICES!r}")
    for name in names:
        found.append(check_device(f"{found[-1].partition(':')[0]}:{name}" if found and name.isdecimal() else name))
    if len({name.partition(":")[0] for name in found}) > 1:
        raise ConfigError(f"device {devices!r} names several kinds of device, and each rounds otherwise: name one kind")
    return tuple(found)


def auto_precisions(
    device: torch.device,
    tower: torch.nn.Module,
    *,
    native_bf16: Callable[[], bool] = multiplies_bf16,
    large_tower: int = LARGE_TOWER,
    capability: Callable[[torch.device], tuple[int, int]] = cuda_capability,
) -> tuple[str, ...]:
    """Returns the floating-point types that ``"auto"`` stands for, best first: the next one where one overflows.

    On CUDA that is fp16, whose embeddings are some fifty times nearer to float32's than those of bf16, and bf16 where
    the device multiplies it natively: others only emulate it. A device without fast half precision takes fp32.

    Args:
        device: where the tower runs
        tower: the image tower
        native_bf16: whether this CPU multiplies in bfloat16 natively
        large_tower: number of parameters from which bfloat16 is chosen on such a CPU
        capability: returns major and minor compute capability of a CUDA device

    Returns:
        some of :data:`PRECISIONS`, the last of them fp32
    """
    if device.type == "cuda":
        major, _ = capability(device)
        if major < FAST_HALF:
            return ("fp32",)
        return ("fp16", "bf16", "fp32") if major >= NATIVE_BF16 else ("fp16", "fp32")
    large = sum(weights.numel() for weights in tower.parameters()) >= large_tower
    return ("bf16", "fp32") if device.type == "cpu" and large and native_bf16() else ("fp32",)


def resolve_resize(resize: str, precision: str) -> str:
    """Returns how crops are resized; ``"auto"`` goes by the precision.

    Raises:
        ConfigError: if it is none of :data:`RESIZES`
    """
    check_choice("resize", resize, RESIZES)
    if resize != "auto":
        return resize
    return EXACT if precision == "fp32" else FAST


def free_memory(device: torch.device) -> int:
    """Returns the bytes of a CUDA device's memory that a batch can take: free, or held unused by torch's allocator."""
    import torch

    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0] + held)


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
