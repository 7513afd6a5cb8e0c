"""Work that goes on in the App's server while nobody looks: a page that is closed ends no run.

FiftyOne's server takes a step of an operator whenever the page has read the one before. When the page is closed, it
takes no more and does not say so: the operator would stand still, with all its threads and its memory, until the server
ends. So the steps of a run are taken in a thread, and the page is shown the latest of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import closing
from typing import Generic, TypeVar

from ...lgca_plugin.progress import Progress

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_SIGNS = 5.0
"""Seconds after which the latest step is shown again, so that the server notices that the page was closed."""

Result = TypeVar("Result")


def in_background(
    steps: Generator[Progress, None, Result], *, every: float = SECONDS_BETWEEN_SIGNS
) -> Generator[Progress, None, Result]:
    """Takes steps in a thread, to their end; yields the latest one, and returns the result or raises the error."""
    work = _Work(steps)
    seen: Progress | None = None
    while True:
        step = work.wait_for_another(seen, every)
        if step is None:
            return work.result()
        if step.label:
            yield step
        seen = step


class _Work(Generic[Result]):
    """A thread that takes steps."""

    def __init__(self, steps: Generator[Progress, None, Result]) -> None:
        self._steps = steps
        self._changed = threading.Condition()
        self._latest = Progress(0, 0, "")
        self._result: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="lgca-run", daemon=True)
        self._thread.start()

    def wait_for_another(self, seen: Progress | None, seconds: float) -> Progress | None:
        """Returns the latest step once it is another one than ``seen``, or after some seconds; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest is not seen or self._has_ended, seconds)
            return None if self._has_ended and self._latest is seen else self._latest

    @property
    def _has_ended(self) -> bool:
        return bool(self._result) or self._error is not None

    def result(self) -> Result:
        """Returns the result, or raises the error."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _run(self) -> None:
        try:
            with closing(self._steps):
                while True:
                    step = next(self._steps)
                    with self._changed:
                        self._latest = step
                        self._changed.notify_all()
        except StopIteration as end:
            self._end(result=[end.value])
        except BaseException as error:  # noqa: BLE001 (raised again where the result is read)
            logger.info("A run in the App has ended: %s", error)
            self._end(error=error)

    def _end(self, *, result: list[Result] | None = None, error: BaseException | None = None) -> None:
        with self._changed:
            self._result, self._error = result or [], error
            self._changed.notify_all()
