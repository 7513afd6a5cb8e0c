"""Floating-point types and batch sizes, by the device and its free memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from lgca_plugin.encoder.precision import auto_precisions, fitting_batch
from lgca_plugin.encoder.private_names import multiplies_bf16


@pytest.mark.parametrize(
    ("native", "large_tower", "expected"), [(True, 10, "bf16"), (True, 10**9, "fp32"), (False, 10, "fp32")]
)
def test_auto__is_bf16_for_large_towers_on_cpus_that_multiply_it(native: bool, large_tower: int, expected: str) -> None:
    tower = torch.nn.Linear(4, 4)
    found = auto_precisions(torch.device("cpu"), tower, native_bf16=lambda: native, large_tower=large_tower)
    assert found[0] == expected
    assert found[-1] == "fp32"


GPUS = {
    "cuda:0": ((9, 0), ("fp16", "bf16", "fp32")),  # H100
    "cuda:1": ((8, 6), ("fp16", "bf16", "fp32")),  # RTX 3090
    "cuda:2": ((7, 5), ("fp16", "fp32")),  # T4, which emulates bf16
    "cuda:3": ((7, 0), ("fp16", "fp32")),  # V100, likewise
    "cuda:4": ((6, 1), ("fp32",)),  # GTX 1080, whose fp16 takes 64 times as long as fp32
}


@pytest.mark.parametrize("device", GPUS)
def test_auto__on_cuda_goes_by_what_the_device_that_is_meant_computes_natively(device: str) -> None:
    """The table stands in for devices that no machine has all of."""
    found = auto_precisions(torch.device(device), torch.nn.Linear(4, 4), capability=lambda meant: GPUS[str(meant)][0])
    assert found == GPUS[device][1]


CHECKS = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


@pytest.mark.parametrize(
    ("units", "native"),
    [
        ({CHECKS[0]: True, CHECKS[1]: False}, True),
        ({CHECKS[0]: False, CHECKS[1]: True}, True),
        ({CHECKS[0]: False, CHECKS[1]: False}, False),
        ({CHECKS[1]: True}, True),
        ({}, False),
    ],
)
def test_multiplies_bf16__with_amx_or_avx512_and_not_where_torch_does_not_report_it(
    monkeypatch: pytest.MonkeyPatch, units: dict[str, bool], native: bool
) -> None:
    monkeypatch.setattr(torch, "cpu", SimpleNamespace(**{name: lambda name=name: units[name] for name in units}))
    assert multiplies_bf16() is native


@pytest.mark.parametrize(
    ("free", "each", "expected"),
    [(80e9, 5e6, 256), (2e9, 5e6, 128), (1.2e9, 5e6, 64), (1e6, 5e6, 1), (0, 5e6, 1), (1e9, 0, 256)],
)
def test_batch__takes_half_of_the_free_memory_at_most(free: float, each: float, expected: int) -> None:
    assert fitting_batch(int(free), each, 256) == expected
