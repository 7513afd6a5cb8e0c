"""Recognizes the errors of memory that has run out, which every library words in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")

_SENTENCES = (
    "out of memory",  # CUDA, MPS
    "allocate memory",  # torch on the CPU: "can't allocate memory: you tried to allocate 39321600 bytes"
    "could not create a primitive",  # oneDNN, whose kernels are compiled when they are first used
    "could not create a memory object",
    "bad_alloc",  # C++
    "not enough memory",  # torch on the CPU of Windows
    "status_alloc_failed",  # CUBLAS_, CUDNN_, CUSOLVER_STATUS_ALLOC_FAILED: the workspaces of CUDA's libraries
    "cublas_status_not_initialized",  # their handles, which are made when they are first used
    "cudnn_status_not_initialized",
    "unable to find an engine",  # cuDNN, where no algorithm of a convolution finds a workspace
)


def is_out_of_memory(error: BaseException) -> bool:
    """Returns True if an error says that memory has run out, on the CPU or on a device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(sentence in str(error).lower() for sentence in _SENTENCES)


def in_halves(work: Callable[[Sequence[Item]], None], items: Sequence[Item]) -> None:
    """Does some work on items that can be repeated; if memory runs out, on one half of them after the other."""
    try:
        work(items)
        return
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or len(items) == 1:
            raise
    half = len(items) // 2
    in_halves(work, items[:half])
    in_halves(work, items[half:])
