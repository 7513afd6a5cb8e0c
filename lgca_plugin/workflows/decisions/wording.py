"""Counts of samples and their reasons as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def count_text(samples: int) -> str:
    """Returns a number of samples as text."""
    return f"{samples:,} {'sample' if samples == 1 else 'samples'}"


def sentence(start: str, reasons: Mapping[str, int]) -> str:
    """Returns a text, followed by each reason with a count above 0."""
    return "; ".join([start, *(f"{count:,} {reason}" for reason, count in reasons.items() if count)])
