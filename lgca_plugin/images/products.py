"""Matrix products as float32 computes them, whatever another package has set for the process."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEW = "fp32_precision"
"""Setting of torch 2.9 and later; earlier releases have ``allow_tf32`` and the one for all float32 products."""

_lock = Lock()
_before: list[tuple[Any, str, Any]] = []
_users = 0


@contextmanager
def exact_products() -> Iterator[None]:
    """Switches torch's shortcuts for products off while the context lasts, then sets them as they were.

    Products and convolutions of float32 numbers are not rounded to TF32 or bfloat16 before, and sums of half precision
    are not made in half precision. The settings are the process's: several threads may be inside, and the last one to
    leave sets them as the first one has found them.
    """
    global _users  # noqa: PLW0603 (the settings are the process's)
    with _lock:
        if not _users:
            _before[:] = [(owner, name, getattr(owner, name)) for owner, name, _ in _settings()]
            for owner, name, value in _settings():
                setattr(owner, name, value)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for owner, name, value in _before:
                    setattr(owner, name, value)


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


def _settings() -> list[tuple[Any, str, Any]]:
    """Returns the settings: their owners, names, and the values under which products are exact."""
    from torch import backends

    products = backends.cuda.matmul
    sums = [(products, f"allow_{kind}_reduced_precision_reduction", False) for kind in ("fp16", "bf16")]
    if hasattr(products, "allow_fp16_accumulation"):
        sums.append((products, "allow_fp16_accumulation", False))
    if not hasattr(backends.mkldnn, "matmul") or not hasattr(products, _NEW):
        return [*sums, (_AllProducts(), "precision", "highest"), (backends.cudnn, "allow_tf32", False)]
    owners = (
        (backends.cuda, "matmul"),
        (backends.cudnn, "conv"),
        (backends.mkldnn, "matmul"),
        (backends.mkldnn, "conv"),
    )
    return [*sums, *((getattr(library, kind), _NEW, "ieee") for library, kind in owners)]
