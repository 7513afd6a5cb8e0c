"""Running a generator that yields its progress, with a progress bar or a function of the caller's."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

Result = TypeVar("Result")
Message = TypeVar("Message")


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        done: items finished in this call, failed ones included; most often samples
        total: items to do in this call; 0 while it is not known
        label: one line for people
        run_key: key of the run that is at work, under which it can be cancelled; None where there is none
    """

    done: int
    total: int
    label: str
    run_key: str | None = None

    @property
    def share(self) -> float:
        """What is done, as a share in [0, 1]; 0 while the total is not known."""
        return self.done / self.total if self.total else 0.0


PARTS = 1000
"""Total of the progress of a task with parts that count other things."""


def part_of(steps: Generator[Progress, None, Result], start: float, end: float) -> Generator[Progress, None, Result]:
    """Yields the progress of a part of a task as that of the whole task, and returns the part's result.

    Args:
        steps: the part
        start: share of the task that is done before it, in [0, 1]
        end: share that is done after it
    """

    def placed(step: Progress) -> list[Progress]:
        return [Progress(round(PARTS * (start + (end - start) * step.share)), PARTS, step.label, step.run_key)]

    return (yield from translated(steps, placed))


def translated(
    steps: Generator[Progress, None, Result], messages: Callable[[Progress], Iterable[Message]]
) -> Generator[Message, None, Result]:
    """Yields the messages of each of some steps, and returns what the steps return."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            yield from messages(step)


def drive(
    steps: Generator[Progress, None, Result], progress: bool | Callable[[Progress], object] | None, *, unit: str
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


def duration_text(seconds: float) -> str:
    """Returns a duration in words, such as ``40 s``, ``6 min``, ``3 h`` or ``2 days``."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    if seconds >= 20:
        return f"{5 * round(seconds / 5):.0f} s"
    return f"{max(1, round(seconds))} s"


def _run(steps: Generator[Progress, None, Result], report: Callable[[Progress], object]) -> Result:
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            report(step)


@contextmanager
def _progress_bar(progress: bool | None, unit: str) -> Iterator[Callable[[Progress], None]]:
    """Shows FiftyOne's progress bar, once the total is known."""
    import fiftyone.core.utils as fou

    with ExitStack() as stack:
        bar: Any = None

        def report(step: Progress) -> None:
            nonlocal bar
            if bar is None and step.total:
                bar = stack.enter_context(fou.ProgressBar(total=step.total, iters_str=unit, progress=progress))
            if bar is not None:
                bar.set_iteration(step.done)

        yield report
