"""Recognizes the errors of memory that has run out, which every library words in its own way."""

from __future__ import annotations

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
