"""Running a generator that reports its progress, with a bar or a function of the caller's."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


class Step(Protocol):
    """How far something has got."""

    @property
    def done(self) -> int:
        """What is finished."""

    @property
    def total(self) -> int:
        """What there is to do; 0 while that is not known."""


StepType = TypeVar("StepType", bound=Step)
Item = TypeVar("Item")
Result = TypeVar("Result")


def drive(
    steps: Generator[StepType, None, Result],
    progress: bool | Callable[[StepType], object] | None,
    *,
    unit: str,
) -> Result:
    """Runs a generator to its end.

    Args:
        steps: yields its progress and returns the result
        progress: True or None shows a progress bar as FiftyOne is configured to, False none; or a function of a step
        unit: what the bar counts, in the plural

    Returns:
        what the generator returns
    """
    if progress is False:
        return _run(steps, lambda _: None)
    if callable(progress):
        return _run(steps, progress)
    with _progress_bar(progress, unit) as report:
        return _run(steps, report)


class Steps(Generic[Item, Result]):
    """The steps of a generator, to go through once, and then what it returns.

    Attributes:
        result: what the generator returns, once it has been gone through
    """

    result: Result

    def __init__(self, steps: Generator[Item, None, Result]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[Item]:
        self.result = yield from self._steps


def _run(steps: Generator[StepType, None, Result], report: Callable[[StepType], object]) -> Result:
    with closing(steps):
        for step in (gone_through := Steps(steps)):
            report(step)
    return gone_through.result


@contextmanager
def _progress_bar(progress: bool | None, unit: str) -> Iterator[Callable[[Step], object]]:
    """Shows FiftyOne's progress bar, from the moment on at which the total is known."""
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
    """How far a run has got.

    Attributes:
        done: samples written in this call, failed ones included
        total: samples to do in this call
        label: one line for people
    """

    done: int
    total: int
    label: str
