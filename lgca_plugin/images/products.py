"""Matrix products as float32 computes them, whatever another package has set for the process."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEW = "fp32_precision"
"""Setting of torch 2.9 and later; earlier releases have ``allow_tf32`` and the one for all float32 products."""

_on_cuda = RLock()
_lock = Lock()
_before: list[tuple[Any, str, Any]] = []
_users = 0


@contextmanager
def exact_products(kind: str, *, tf32: bool = False) -> Iterator[None]:
    """Switches torch's shortcuts for products off while the context lasts, then sets them as they were.

    Products and convolutions of float32 numbers are not rounded to TF32 or bfloat16 before, and sums of half precision
    are not made in half precision. The settings are the process's. On the CPU, several threads may be inside, and the
    last one to leave sets them as the first one has found them; on CUDA, where a context lasts as long as kernels are
    launched and not as long as they run, there is one at a time.

    Args:
        kind: of the device that computes, such as ``"cuda"``
        tf32: lets CUDA use its units for TF32, which loses nothing where numbers have 11 significant bits at most
    """
    global _users  # noqa: PLW0603 (the settings are the process's)
    if kind == "cuda":
        with _on_cuda:
            before = _changed(_cuda_settings(tf32))
            try:
                yield
            finally:
                _restore(before)
        return
    with _lock:
        if not _users:
            _before[:] = _changed(_cpu_settings())
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _restore(_before)


def _changed(settings: list[tuple[Any, str, Any]]) -> list[tuple[Any, str, Any]]:
    """Changes settings, given as owner, name and value, and returns them as they were."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in settings]
    _restore(settings)
    return before


def _restore(settings: list[tuple[Any, str, Any]]) -> None:
    for owner, name, value in settings:
        setattr(owner, name, value)


def _cpu_settings() -> list[tuple[Any, str, Any]]:
    from torch import backends

    if not hasattr(backends.mkldnn, "matmul"):
        return [(_AllProducts(), "precision", "highest")]
    return [(getattr(backends.mkldnn, kind), _NEW, "ieee") for kind in ("matmul", "conv")]


def _cuda_settings(tf32: bool) -> list[tuple[Any, str, Any]]:
    from torch import backends

    products = backends.cuda.matmul
    sums = [(products, f"allow_{kind}_reduced_precision_reduction", False) for kind in ("fp16", "bf16")]
    if hasattr(products, "allow_fp16_accumulation"):
        sums.append((products, "allow_fp16_accumulation", False))
    if not hasattr(products, _NEW):
        return [*sums, (products, "allow_tf32", tf32), (backends.cudnn, "allow_tf32", False)]
    return [*sums, (products, _NEW, "tf32" if tf32 else "ieee"), (getattr(backends.cudnn, "conv"), _NEW, "ieee")]  # noqa: B009


class _AllProducts:
    """The one setting of torch before 2.9 for all products of float32 numbers, as an attribute."""

    @property
    def precision(self) -> str:
        import torch

        return torch.get_float32_matmul_precision()

    @precision.setter
    def precision(self, value: str) -> None:
        import torch

        torch.set_float32_matmul_precision(value)
