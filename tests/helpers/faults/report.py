"""The table at the end of ``make test-faults``: each fault, how often, and what it lost, duplicated or changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest


class Damage(NamedTuple):
    """Numbers of values that a fault has damaged, compared with a run that nothing disturbed."""

    lost: int = 0
    duplicated: int = 0
    changed: int = 0

    def __add__(self, other: object) -> Damage:
        assert isinstance(other, Damage)
        return Damage(*(a + b for a, b in zip(self, other, strict=True)))


Count = Callable[..., None]


@pytest.fixture
def count_fault(record_property) -> Count:
    """``count_fault("kill -9", damage, times=5)`` adds a line to the table, and fails the test if there is damage."""

    def count(fault: str, damage: Damage = Damage(), *, times: int = 1) -> None:  # noqa: B008 (immutable)
        record_property("fault", [fault, times, *damage])
        assert damage == Damage(), f"{fault}: {damage}"

    return count


@pytest.fixture
def measured(record_property) -> Callable[[str], None]:
    """``measured("200 MB")`` adds a line below the table."""
    return partial(record_property, "measured")


def pytest_terminal_summary(terminalreporter) -> None:
    rows: dict[str, list[int]] = {}
    lines: list[str] = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "call":
                continue
            for name, value in report.user_properties:
                if name == "fault":
                    row = rows.setdefault(value[0], [0, 0, 0, 0])
                    row[:] = [total + new for total, new in zip(row, value[1:], strict=True)]
                elif name == "measured":
                    lines.append(value)
    if rows:
        terminalreporter.section("faults")
        width = max(map(len, rows))
        terminalreporter.line(f"{'fault':<{width}} {'times':>7} {'lost':>7} {'duplicated':>11} {'changed':>8}")
        for fault, (times, lost, duplicated, changed) in sorted(rows.items()):
            terminalreporter.line(f"{fault:<{width}} {times:>7} {lost:>7} {duplicated:>11} {changed:>8}")
    for line in lines:
        terminalreporter.line(line)
