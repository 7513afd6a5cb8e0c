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
    "error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory")]
)
def test_out_of_memory__is_no_other_error(error):
    assert not is_out_of_memory(error)
