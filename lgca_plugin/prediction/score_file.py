"""Numbers of many images and classes that can't be computed again quickly, in a temporary file."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from ..errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class ScoreFile:
    """Rows of ``[C]`` float32 scores: of 100,000 images and 1,000 classes they would take 400 MB of memory.

    The file has no name and goes with the object, or with the process.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._rows: list[NDArray[np.int64]] = []
        self._file = tempfile.TemporaryFile(prefix="lgca-scores-")  # noqa: SIM115

    def close(self) -> None:
        """Removes the file."""
        with suppress(OSError):  # what a full disk did not take
            self._file.close()

    def add(self, rows: NDArray[np.int64], scores: NDArray[np.floating]) -> None:
        """Adds ``[b, C]`` scores of ``[b]`` rows, each of which is added once.

        Raises:
            StoreError: if there is no room for them
        """
        try:
            self._file.write(np.ascontiguousarray(scores, dtype=np.float32).tobytes())
            self._file.flush()
        except OSError as error:
            raise StoreError(
                f"the folder of temporary files, {tempfile.gettempdir()}, has no room for the class scores "
                f"({error.strerror}): free some, or name another folder in TMPDIR"
            ) from error
        self._rows.append(rows)

    def array(self) -> NDArray[np.float32]:
        """Returns ``[n, C]`` all rows, in the order in which they were added, read from the file as they are used."""
        n = sum(map(len, self._rows))
        if not n:
            return np.zeros((0, self._classes), np.float32)
        return np.memmap(self._file, np.float32, mode="r", shape=(n, self._classes))

    def batches(self, at_once: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yields rows and their ``[b, C]`` scores, ``at_once`` at a time."""
        self._file.seek(0)
        rows = np.concatenate([np.zeros(0, np.int64), *self._rows])
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            content = self._file.read(4 * self._classes * len(part))
            yield part, np.frombuffer(content, np.float32).reshape(len(part), self._classes).copy()
        self._file.seek(0, 2)
