"""Waiting for a database that is away: a run of hours survives a restart of MongoDB, or a network that is down.

What is written is written again once the database answers: all functions marked with :func:`waits_for_database` can be
repeated. Only inside :func:`patient` they wait; a click in the App fails at once.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from contextvars import ContextVar, Token
from functools import wraps
from threading import Event
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ..errors import DatabaseAwayError
from ..progress import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

logger = logging.getLogger(__name__)

DATABASE_PATIENCE = 600.0
"""Seconds that a run waits for the database."""
PAUSE = 1.0
"""Seconds between two attempts."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Step = TypeVar("Step")


class _Patience:
    """How long a run waits for the database, and since when it is waiting."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._over = Event()

    def end(self) -> None:
        """Makes every wait, of other threads too, fail."""
        self._over.set()

    def wait(self, error: Exception) -> None:
        """Waits a moment; raises DatabaseAwayError if there has been no answer for too long."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
            logger.warning(self.line())
        if self._over.is_set() or now - self._since >= self._seconds:
            raise DatabaseAwayError(
                f"the database has not answered for {duration_text(now - self._since)}, so this has stopped; once "
                "MongoDB runs again, start the same again: it goes on where it stopped"
            ) from error
        try:
            self._over.wait(PAUSE)
        except KeyboardInterrupt:
            self.end()
            raise

    def answered(self) -> None:
        """Ends the wait."""
        if self._since is not None:
            logger.warning("The database answers again, after %s", duration_text(time.monotonic() - self._since))
            self._since = None

    def line(self) -> str | None:
        """Returns one line for people while the database is away."""
        if self._since is None:
            return None
        left = max(0.0, self._seconds - (time.monotonic() - self._since))
        return f"The database does not answer. Waiting for it, {duration_text(left)} at most"


_current: ContextVar[_Patience | None] = ContextVar("patience", default=None)


def waits_for_database(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Makes a function that can be repeated wait for the database, in runs that have patience."""

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        patience = _current.get()
        while True:
            try:
                result = function(*args, **kwargs)
            except Exception as error:  # noqa: PERF203 (it is repeated)
                if patience is None or not is_outage(error):
                    raise
                patience.wait(error)
            else:
                if patience is not None:
                    patience.answered()
                return result

    return call


def patient(steps: Generator[Step, None, Result], seconds: float = DATABASE_PATIENCE) -> Generator[Step, None, Result]:
    """Runs a generator in which the database may be away for so many seconds; after an end from outside, no more."""
    patience = _Patience(seconds)
    with closing(steps):
        try:
            while True:
                token: Token[_Patience | None] = _current.set(patience)
                try:
                    step = next(steps)
                except StopIteration as end:
                    result: Result = end.value
                    return result
                finally:
                    _current.reset(token)
                yield step
        finally:
            patience.end()


def stop_waiting() -> None:
    """Makes what is still to be done in this run fail if the database is away; for a run that was stopped."""
    patience = _current.get()
    if patience is not None:
        patience.end()


def waiting_line() -> str | None:
    """Returns one line for people while this run waits for the database; None if it does not."""
    patience = _current.get()
    return None if patience is None else patience.line()


def is_outage(error: BaseException) -> bool:
    """Returns True if an error says that the database is away, or was while it was read."""
    from pymongo.errors import ConnectionFailure, CursorNotFound

    return isinstance(error, (ConnectionFailure, CursorNotFound))
