"""Memory that threads share: each waits until what it is about to take is free."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryBudget:
    """A number of bytes that threads share, in the order in which they need some.

    Attributes:
        nbytes: size of the budget
    """

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self._free = nbytes
        self._waiting: deque[object] = deque()
        self._changed = Condition()

    @contextmanager
    def reserve(self, nbytes: int) -> Iterator[None]:
        """Waits until so many bytes are free, and takes them while the context lasts.

        Raises:
            ValueError: if the budget is smaller
        """
        if nbytes > self.nbytes:
            raise ValueError(f"{nbytes:,} bytes are more than the whole budget of {self.nbytes:,}")
        place = object()
        with self._changed:
            self._waiting.append(place)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is place and nbytes <= self._free)
                self._free -= nbytes
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += nbytes
                self._changed.notify_all()


MAX_FILE_BYTES = 1024**3
"""Maximum size of an image file, and of all that are in memory at the same time."""

MAX_PIXEL_BYTES = 3 * 1024**3
"""Maximum memory that decoding and cutting take, of one image and of all threads together: enough for 178 million
pixels of a JPEG or a PNG, and for 100 million of the formats whose decoders take most."""

FILES, PIXELS = MemoryBudget(MAX_FILE_BYTES), MemoryBudget(MAX_PIXEL_BYTES)
"""What all threads together hold of image files, and take to decode and cut images."""
