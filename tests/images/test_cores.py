"""The number of cores is that which this process may use."""

import os

import numpy as np
import pytest

from lgca_plugin.cores import core_count, limit_cores
from lgca_plugin.images.load_ahead import LoadAhead


@pytest.fixture
def one_core():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
@pytest.mark.usefixtures("one_core")
def test_cores__are_those_of_the_affinity_and_so_are_the_threads_that_decode():
    assert core_count() == 1
    images: list[tuple[int, np.ndarray]] = []
    with LoadAhead(images, np.copy, max_images=8, max_bytes=8) as ahead:
        assert ahead.workers == 1


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000", "slurm/cpu.max": "100000 100000"}, 1),
        ({"slurm/job/cpu.max": "300000 100000", "slurm/cpu.max": "200000 100000"}, 2),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 16),
        ({"other/cpu.max": "100000 100000"}, 16),
        ({}, 16),
    ],
)
def test_cores__are_at_most_those_of_a_quota(tmp_path, monkeypatch, files, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr(os, "process_cpu_count", lambda: 16, raising=False)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    own = tmp_path / "own"
    own.write_text("0::/slurm/job\n")
    assert core_count(tmp_path, own) == expected


def test_cores__are_at_most_those_of_a_limit():
    every = core_count()
    for limit, expected in ((1, 1), (10_000, every), (None, every)):
        limit_cores(limit)
        assert core_count() == expected
