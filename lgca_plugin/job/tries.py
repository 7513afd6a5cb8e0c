"""Which parts and rows were begun and never ended: what kills its process is found out without anybody watching.

A process leaves a mark before it begins a part and removes it when it has ended, be it by an error. So a mark that
stays is of a process that was killed, or is still at work. A part that was begun twice in vain is done a row at a time,
with a mark for each row; a row that was begun twice in vain is given up.
"""

from __future__ import annotations

import os
import platform
import uuid
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .folder import JobFolder

TRIES = "tries"
MAX_TRIES = 2
"""Number of times that a part, and then each of its rows, may end its process."""


class Tries:
    """The marks of a job's folder."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder

    @contextmanager
    def of(self, part: int, row: int | None = None) -> Iterator[None]:
        """Leaves a mark at a part, or at one of its rows, for the time of a ``with`` statement."""
        mark = self.begin(part, row)
        try:
            yield
        finally:
            self.end(mark)

    def begin(self, part: int, row: int | None = None) -> str:
        """Leaves a mark at a part, or at one of its rows, and returns its name."""
        mark = f"{TRIES}/{part}{'' if row is None else f'-{row}'}.{uuid.uuid4().hex}"
        self._folder.mark(mark, f"process {os.getpid()} on {platform.node()}")
        return mark

    def end(self, mark: str) -> None:
        """Removes a mark."""
        self._folder.delete(mark)

    def counts(self) -> dict[tuple[int, int | None], int]:
        """Returns the number of marks of each part, and of each row of a part."""
        found: Counter[tuple[int, int | None]] = Counter()
        for name in self._folder.names(TRIES):
            part, _, row = name.partition(".")[0].partition("-")
            if part.isdecimal() and (not row or row.isdecimal()):
                found[int(part), int(row) if row else None] += 1
        return dict(found)

    def forget(self, part: int) -> None:
        """Removes all marks of a part, which is done."""
        for name in self._folder.names(TRIES):
            if name.partition(".")[0].partition("-")[0] == str(part):
                self._folder.delete(f"{TRIES}/{name}")
