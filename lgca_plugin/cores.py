"""The number of processor cores that this process may use, from which all rooms take their numbers of threads."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux has the limits of groups of processes, such as containers."""
OWN_GROUPS = Path("/proc/self/cgroup")
"""Where it has the groups of this process."""

_limits: list[int] = []


def core_count(groups: Path = GROUPS, own_groups: Path = OWN_GROUPS) -> int:
    """Returns the number of cores: those that the system gives this process, at most a container's quota or a limit."""
    affinity = getattr(os, "process_cpu_count", None) or (lambda: len(os.sched_getaffinity(0)))
    cores = (affinity() if hasattr(os, "sched_getaffinity") else os.cpu_count()) or 1
    return max(1, min([cores, *_quotas(groups, own_groups), *_limits]))


def limit_cores(count: int | None) -> None:
    """Limits the cores that this process counts on, where several share a machine; None removes the limit."""
    _limits[:] = [] if count is None else [count]


def _quotas(groups: Path, own_groups: Path) -> list[int]:
    """Returns how many cores the groups of this process may keep busy, as far as that is limited."""
    try:
        own = next(line[3:] for line in own_groups.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        own = "/"
    path = groups / own.lstrip("/")
    limits = [_text(folder / "cpu.max") for folder in (path, *path.parents) if folder.is_relative_to(groups)]
    limits.append(f"{_text(groups / 'cpu' / 'cpu.cfs_quota_us')} {_text(groups / 'cpu' / 'cpu.cfs_period_us')}")
    pairs = [limit.split() for limit in limits]
    return [ceil(int(pair[0]) / int(pair[1])) for pair in pairs if len(pair) == 2 and pair[0].isdigit()]


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
