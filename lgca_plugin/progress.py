"""Running a generator that yields its progress, with a progress bar or a function of the caller's."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


class Step(Protocol):
    """The progress of a generator."""

    @property
    def done(self) -> int:
        """Number of finished items."""

    @property
    def total(self) -> int:
        """Number of items; 0 while it is not known."""


StepType = TypeVar("StepType", bound=Step)
Item = TypeVar("Item")
Result = TypeVar("Result")


def drive(
    steps: Generator[StepType, None, Result],
    progress: bool | Callable[[StepType], object] | None,
    *,
    unit: str,
) -> Result:
    """Runs a generator to its end and returns its result.

    Args:
        steps: yields its progress and returns the result
        progress: True or None shows a progress bar as FiftyOne is configured to, False none; or a function of a step
        unit: what the bar counts, in the plural
    """
    if progress is False:
        return _run(steps, lambda _: None)
    if callable(progress):
        return _run(steps, progress)
    with _progress_bar(progress, unit) as report:
        return _run(steps, report)


class Steps(Generic[Item, Result]):
    """Iterates over a generator once and holds its result.

    Attributes:
        result: what the generator has returned, set at its end
    """

    result: Result

    def __init__(self, steps: Generator[Item, None, Result]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[Item]:
        self.result = yield from self._steps


def _run(steps: Generator[StepType, None, Result], report: Callable[[StepType], object]) -> Result:
    with closing(steps):
        iterated = Steps(steps)
        for step in iterated:
            report(step)
    return iterated.result


@contextmanager
def _progress_bar(progress: bool | None, unit: str) -> Iterator[Callable[[Step], object]]:
    """Shows FiftyOne's progress bar, once the total is known."""
    import fiftyone.core.utils as fou

    with ExitStack() as stack:
        bar: Any = None

        def report(step: Step) -> None:
            nonlocal bar
            if bar is None and step.total:
                bar = stack.enter_context(fou.ProgressBar(total=step.total, iters_str=unit, progress=progress))
            if bar is not None:
                bar.set_iteration(step.done)

        yield report


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        done: items finished in this call, failed ones included; most often samples
        total: items to do in this call
        label: one line for people
    """

    done: int
    total: int
    label: str
