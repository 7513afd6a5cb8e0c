"""Matrix products as float32 computes them, whatever another package has set for the process."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEW = "fp32_precision"
"""Setting of each product since torch 2.9; earlier releases have ``allow_tf32`` and the one for all products."""

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
    from torch import backends

    global _users  # noqa: PLW0603 (the settings are the process's)
    if kind == "cuda":
        with _on_cuda:
            before = _of_cuda()
            _set([(owner, name, False) for owner, name in _sums()])
            backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32 = tf32, False
            try:
                yield
            finally:
                _set(before)
        return
    with _lock:
        if not _users:
            exact = _of_cpu()
            _before[:] = [(owner, name, getattr(owner, name)) for owner, name, _ in exact]
            _set(exact)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _set(_before)


def _set(settings: list[tuple[Any, str, Any]]) -> None:
    """Sets attributes, given as owner, name and value."""
    for owner, name, value in settings:
        setattr(owner, name, value)


def _of_cpu() -> list[tuple[Any, str, Any]]:
    """Returns the settings under which products on the CPU are exact."""
    from torch import backends

    if not hasattr(backends.mkldnn, "matmul"):
        return [(_AllProducts(), "precision", "highest")]
    return [(getattr(backends.mkldnn, kind), _NEW, "ieee") for kind in ("matmul", "conv")]


def _of_cuda() -> list[tuple[Any, str, Any]]:
    """Returns CUDA's settings as they are, in the order in which they are to be set again.

    Each product has a new setting, and there are old ones for several, which have to agree with the new ones where
    they are read, be it by torch's own kernels; so the old ones are changed, which changes the new ones, too. Old ones
    that can't be read do not agree with the new ones, and whoever has set these reads no old ones.
    """
    from torch import backends

    products, convolutions = backends.cuda.matmul, backends.cudnn
    before = []
    for owner, name in _sums():
        value, split = getattr(owner, name), getattr(owner, f"{name}_split_k", None)
        before.append((owner, name, value if split is None else (value, split)))  # read apart, set together
    for owner, name in ((_AllProducts(), "precision"), (convolutions, "allow_tf32")):
        with suppress(RuntimeError):
            before.append((owner, name, getattr(owner, name)))
    new = ((backends.mkldnn, "matmul"), (backends.cuda, "matmul"), (convolutions, "conv"), (convolutions, "rnn"))
    owners = [getattr(library, kind, None) for library, kind in new] if hasattr(products, _NEW) else []
    return [*before, *((owner, _NEW, getattr(owner, _NEW)) for owner in owners if owner is not None)]


def _sums() -> list[tuple[Any, str]]:
    """Lists what lets CUDA make sums in half precision."""
    from torch import backends

    names = ("allow_fp16_reduced_precision_reduction", "allow_bf16_reduced_precision_reduction")
    optional = ("allow_fp16_accumulation",) if hasattr(backends.cuda.matmul, "allow_fp16_accumulation") else ()
    return [(backends.cuda.matmul, name) for name in (*names, *optional)]


class _AllProducts:
    """The old setting for all products of float32 numbers, as an attribute."""

    @property
    def precision(self) -> str:
        import torch

        return torch.get_float32_matmul_precision()

    @precision.setter
    def precision(self, value: str) -> None:
        import torch

        torch.set_float32_matmul_precision(value)
