"""TODO."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def count_text(samples: int) -> str:
    """Puts a number of samples into words."""
    return f"{samples:,} {'sample' if samples == 1 else 'samples'}"


def sentence(start: str, reasons: Mapping[str, int]) -> str:
    """Joins a text with the reasons that count something."""
    return "; ".join([start, *(f"{count:,} {reason}" for reason, count in reasons.items() if count)])
