"""One progress over phases that take different times, with the time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from ...progress import Progress, duration_text, translated

if TYPE_CHECKING:
    from collections.abc import Generator

Result = TypeVar("Result")


class Timeline:
    """Phases in a row, of which the time is estimated, as one progress that never goes back.

    Args:
        total: number of items that the progress counts
        expected: estimated seconds of each phase, in their order; None while that is not known
    """

    def __init__(self, total: int, expected: dict[str, float | None]) -> None:
        self._total = total
        self._expected = expected
        self._started = time.perf_counter()
        self._share = 0.0

    def run(
        self, phase: str, steps: Generator[Progress, None, Result], *, label: str
    ) -> Generator[Progress, None, Result]:
        """Yields the progress of a phase as a part of the whole, under a label, and returns what the phase returns."""
        started = time.perf_counter()
        yield self._progress(phase, label, self._expected.get(phase))

        def timed(step: Progress) -> list[Progress]:
            nonlocal started
            if not step.total:  # loading, or reading, which is no part of the rate
                started = time.perf_counter()
                return [self._progress(phase, step.label, self._expected.get(phase))]
            expected, spent = self._expected.get(phase), time.perf_counter() - started
            left = None if expected is None else max(0.0, expected - spent)
            if step.done:
                left = (step.total - step.done) * spent / step.done
            total = min(step.total, self._total)  # a phase may go over its items more than once
            return [self._progress(phase, f"{label}: {step.done * total // step.total:,} of {total:,}", left)]

        result = yield from translated(steps, timed)
        self._expected.pop(phase, None)
        return result

    def _progress(self, phase: str, label: str, left: float | None) -> Progress:
        """Returns the progress; ``left`` is the time in seconds that is left of the phase, None if it is not known."""
        later = [seconds for name, seconds in self._expected.items() if name != phase]
        if left is not None and None not in later:
            rest = left + sum(seconds or 0.0 for seconds in later)
            elapsed = time.perf_counter() - self._started
            self._share = max(self._share, elapsed / (elapsed + rest) if elapsed + rest else 1.0)
            label = f"{label}, {left_text(rest)}"
        return Progress(int(self._share * self._total), self._total, label)


def left_text(seconds: float) -> str:
    """Returns how much time is left, in words."""
    return f"about {duration_text(seconds)} left" if seconds >= 1 else "nearly done"
