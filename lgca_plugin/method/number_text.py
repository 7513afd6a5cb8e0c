"""Numbers and lines as users read them: counts, shares, differences, contributions and p values."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS = "\u2212"
NO_NUMBER = "\u2013"


def samples_text(count: int, kind: str = "") -> str:
    """Returns a number of samples: ``"1 sample"``, ``"2,000 other samples"``."""
    return f"{count:,} {kind and f'{kind} '}{'sample' if count == 1 else 'samples'}"


def labels_text(count: int) -> str:
    """Returns a number of labels: ``"1 label"``, ``"2,000 labels"``."""
    return f"{count:,} {'label' if count == 1 else 'labels'}"


def first_of(names: Sequence[object], most: int) -> str:
    """Returns the first names in a row, and how many more there are: ``"tern, gull and 3 more"``."""
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more:,} more" if more > 0 else "")


def capitalized(line: str) -> str:
    """Returns a line with a capital letter at its start, unless an address stands there."""
    return line if "://" in line.partition(" ")[0] else f"{line[:1].upper()}{line[1:]}"


def percent_text(share: float | None) -> str:
    """Returns a share as a percentage, a dash for None and nan; only 0 itself reads as 0%."""
    if share is None or math.isnan(share):
        return NO_NUMBER
    if not share:
        return "0%"
    return f"{share:.1%}" if share >= 0.0005 else "<0.1%"


def interval_text(share: float, low: float, high: float) -> str:
    """Returns a share with its interval: ``"91.2% (88.0% to 93.6%)"``."""
    return f"{percent_text(share)} ({percent_text(low)} to {percent_text(high)})"


def points_text(difference: float) -> str:
    """Returns a difference of shares in percentage points, with its sign unless it is rounded to 0."""
    return "0.0" if abs(difference) < 0.0005 else f"{100 * difference:+.1f}"


def points_interval_text(values: Sequence[float]) -> str:
    """Returns a difference of shares with the ends of its interval: ``"+1.2 (0.4 to 2.0)"``."""
    value, low, high = (points_text(one) for one in values)
    return f"{value} ({low} to {high})"


def signed_text(value: float) -> str:
    """Returns a contribution or margin with its sign and four decimals, or six where four would all be 0."""
    if not math.isfinite(value):
        return NO_NUMBER
    if not value:
        return "0"
    digits = 6 if 5e-7 <= abs(value) < 5e-5 else 4
    return f"{'+' if value >= 0 else MINUS}{abs(value):.{digits}f}"


def p_text(p: float) -> str:
    """Returns a p value with three decimals."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
