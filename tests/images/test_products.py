"""Products of float32 numbers, whatever another package has set."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Thread

import pytest
import torch

from lgca_plugin.images.products import exact_products

A = torch.randn((256, 256), generator=torch.Generator().manual_seed(0))
EXACT = A.double() @ A.double()


def off() -> float:
    return float((A @ A - EXACT).abs().max())


@pytest.fixture(autouse=True)
def rounded() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision("highest")


def test_products__are_exact_inside_and_as_before_after_it() -> None:
    before = off()
    with exact_products("cpu"):
        inside = off()
    assert inside < 1e-4
    assert off() == before
    assert torch.get_float32_matmul_precision() == "medium"


def test_products__are_exact_until_the_last_thread_has_left() -> None:
    """The second thread comes after the first one, and stays longer."""
    entered, left, found = Barrier(2), Barrier(2), []

    def second() -> None:
        with exact_products("cpu"):
            entered.wait()
            left.wait()
            found.append(off())

    with exact_products("cpu"):
        thread = Thread(target=second)
        thread.start()
        entered.wait()
    left.wait()
    thread.join()
    assert found[0] < 1e-4
    assert torch.get_float32_matmul_precision() == "medium"


@pytest.mark.parametrize("tf32", [True, False])
def test_settings__of_cuda_are_as_before_afterwards(*, tf32: bool) -> None:
    """They can be read without a device."""
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn

    def current() -> tuple[bool, bool, bool]:
        return products.allow_tf32, convolutions.allow_tf32, products.allow_bf16_reduced_precision_reduction

    products.allow_fp16_reduced_precision_reduction = (False, False)
    convolutions.allow_tf32 = True
    try:
        with exact_products("cuda", tf32=tf32):
            assert current() == (tf32, False, False)
        assert current() == (True, True, True), "the fixture's setting is TF32 on CUDA"
        assert not products.allow_fp16_reduced_precision_reduction_split_k
    finally:
        products.allow_fp16_reduced_precision_reduction = True
