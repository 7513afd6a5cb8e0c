"""Markdown tables and shares with intervals, for benchmarks that count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lgca_plugin.method.comparison.paired import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Share:
    """``k`` of ``n``, with Wilson's 95% interval as text."""

    k: int
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = wilson_interval(self.k, self.n)
        return f"{self.k} of {self.n}, {self.k / self.n:.1%} ({low:.1%} to {high:.1%})"

    @classmethod
    def of(cls, flags: Iterable[bool]) -> Share:
        """Counts the flags that are set."""
        flags = list(flags)
        return cls(sum(map(bool, flags)), len(flags))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
