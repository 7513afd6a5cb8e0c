"""Which errors say that memory has run out."""

import numpy as np
import pytest
import torch

from lgca_plugin.engine.memory import is_out_of_memory


@pytest.mark.parametrize("allocate", [torch.empty, lambda n: np.empty(n, np.uint8), bytearray])
def test_out_of_memory__of_torch_numpy_and_python_is_recognized(allocate):
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        allocate(2**55)
    assert is_out_of_memory(raised.value)


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.58 GiB",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "GET was unable to find an engine to execute this computation",
        "MPS backend out of memory (MPS allocated: 5.05 GB)",
        "[enforce fail at alloc_cpu.cpp:118] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9",
    ],
)
def test_out_of_memory__in_the_words_of_cudas_libraries_is_recognized(words):
    assert is_out_of_memory(RuntimeError(words))


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory")]
)
def test_out_of_memory__is_no_other_error(error):
    assert not is_out_of_memory(error)
