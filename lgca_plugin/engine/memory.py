"""Recognizes the errors of memory that has run out, which every library words in its own way."""

from __future__ import annotations

_SENTENCES = (
    "out of memory",  # CUDA, MPS
    "allocate memory",  # torch on the CPU: "can't allocate memory: you tried to allocate 39321600 bytes"
    "could not create a primitive",  # oneDNN, whose kernels are compiled when they are first used
    "could not create a memory object",
    "bad_alloc",  # C++
)


def is_out_of_memory(error: BaseException) -> bool:
    """Returns True if an error says that memory has run out, on the CPU or on a device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(sentence in str(error).lower() for sentence in _SENTENCES)
