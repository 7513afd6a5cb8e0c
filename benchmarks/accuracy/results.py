"""Right answers, counted by set, encoder, texts, crop scale and method, and their paired differences.

An image is one draw, whatever answers it: a difference that is pooled over encoders, texts or crop scales is a mean
over images of each image's own mean difference, and its interval comes from their spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lgca_plugin.method.comparison.paired import difference_interval, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]

NORMAL_95 = 1.96


class Condition(NamedTuple):
    """What is answered: images of a group of sets, by an encoder, with texts, at a crop scale."""

    group: str
    encoder: str
    texts: str
    scale: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The accuracy of one method minus that of another on the same n images, with its 95% interval."""

    difference: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> str:
        """``"ahead"`` or ``"behind"`` where the interval leaves out 0, else ``"level"``."""
        return "ahead" if self.low > 0 else "behind" if self.high < 0 else "level"

    def __str__(self) -> str:
        ends = f"{100 * self.low:+.1f} to {100 * self.high:+.1f}"
        shown = f"{100 * self.difference:+.1f}"
        return f"{shown} ({ends})" if self.verdict == "level" else f"**{shown}** ({ends})"


class Results:
    """Which images are answered right, by :class:`Condition` and method.

    Attributes:
        conditions: those with results, in the order in which they were noted
        methods: likewise
    """

    def __init__(self) -> None:
        self._right: dict[tuple[Condition, str], dict[str, tuple[Flags, Flags]]] = {}
        self.conditions: list[Condition] = []
        self.methods: list[str] = []

    def note(self, condition: Condition, set_name: str, method: str, *, right: Flags, seen: Flags) -> None:
        """Notes ``[n]`` flags of the images of a set: whether each is answered right, and whether it was read."""
        if condition not in self.conditions:
            self.conditions.append(condition)
        if method not in self.methods:
            self.methods.append(method)
        self._right.setdefault((condition, method), {})[set_name] = (right & seen, seen)

    def values(self, field: str, **fixed: Any) -> list[Any]:
        """Returns the values of a field of the conditions that have others as given, each once."""
        return list(dict.fromkeys(getattr(one, field) for one in self.matching(**fixed)))

    def matching(self, **fixed: Any) -> Iterator[Condition]:
        """Yields the conditions whose fields are as given."""
        return (one for one in self.conditions if all(getattr(one, name) == value for name, value in fixed.items()))

    def has(self, condition: Condition, method: str) -> bool:
        """Returns whether a method was noted."""
        return (condition, method) in self._right

    def flags(self, condition: Condition, set_name: str, method: str) -> Flags:
        """Returns whether each image of a set that was read is answered right."""
        right, seen = self._right[condition, method][set_name]
        return right[seen]

    def sets(self, conditions: Sequence[Condition], *methods: str) -> list[str]:
        """Returns the names of the sets that were answered by all of these methods under all of these conditions."""
        own = [self._right[one, method] for one in conditions for method in methods]
        return [name for name in own[0] if all(name in answered for answered in own)]

    def counts(self, conditions: Sequence[Condition], method: str) -> tuple[int, int]:
        """Returns how many answers are right, and of how many, in the sets that all of the conditions have."""
        names = self.sets(conditions, method)
        parts = [self._right[one, method][name] for one in conditions for name in names]
        return sum(int(right.sum()) for right, _ in parts), sum(int(seen.sum()) for _, seen in parts)

    def top1(self, conditions: Sequence[Condition], method: str) -> float:
        """Returns the share of right answers in percent."""
        right, n = self.counts(conditions, method)
        return 100 * right / n

    def difference(self, conditions: Sequence[Condition], a: str, b: str) -> Difference:
        """Compares two methods on the same images, pooled over conditions of one group of sets.

        Only images count that were answered under all of the conditions.
        """
        spread: list[NDArray[np.float64]] = []
        for name in self.sets(conditions, a, b):
            pairs = [(self._right[one, a][name], self._right[one, b][name]) for one in conditions]
            seen = np.logical_and.reduce([flags for pair in pairs for _, flags in pair])
            apart = np.mean([one[0].astype(float) - other[0] for one, other in pairs], axis=0)
            spread.append(apart[seen])
        values = np.concatenate(spread)
        n, mean = len(values), float(values.mean())
        if len(conditions) == 1:
            low, high = difference_interval(int((values > 0).sum()), int((values < 0).sum()), n)
        else:
            half = NORMAL_95 * float(values.std(ddof=1)) / np.sqrt(n)
            low, high = mean - half, mean + half
        return Difference(difference=mean, low=low, high=high, n=n)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yields a JSON-ready line for each condition and method."""
        for condition, method in product(self.conditions, self.methods):
            if self.has(condition, method):
                right, n = self.counts([condition], method)
                yield {
                    "benchmark": "accuracy",
                    **condition._asdict(),
                    "sets": list(self._right[condition, method]),
                    "method": method,
                    "right": right,
                    "n": n,
                    "top1": round(right / n, 4),
                    "interval": [round(end, 4) for end in wilson_interval(right, n)],
                }
