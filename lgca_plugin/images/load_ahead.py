"""Loading images in threads, ahead of the caller that takes them."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_WORKERS = 8
"""Maximum number of threads."""

AHEAD_PER_WORKER = 8
"""Maximum number of images that wait to be taken, for each thread."""


class _Sized(Protocol):
    @property
    def nbytes(self) -> int:
        """Memory that the object holds."""


Id = TypeVar("Id")
Item = TypeVar("Item")
Loaded = TypeVar("Loaded", bound=_Sized)


class LoadAhead(Generic[Id, Item, Loaded]):
    """Loads images in threads, ahead of the caller, in the order given. A context manager.

    The images are pairs of an id and an argument of ``load``, and are read lazily. At most ``max_images`` wait to be
    taken, with a memory of ``max_bytes``, estimated from those taken so far; those being loaded come on top.
    """

    def __init__(
        self, images: Iterable[tuple[Id, Item]], load: Callable[[Item], Loaded], *, max_images: int, max_bytes: int
    ) -> None:
        self._source = iter(images)
        self._load = load
        self._max_images = max_images
        self._max_bytes = max_bytes
        self._workers = min(MAX_WORKERS, os.cpu_count() or 1)
        self._ahead = min(max_images, self._workers)
        self._taken = self._taken_bytes = 0
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="lgca-decode")
        self._pending: deque[tuple[Id, Future[Loaded | ImageError]]] = deque()

    def __enter__(self) -> LoadAhead[Id, Item, Loaded]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def head(self) -> Future[Loaded | ImageError] | None:
        """Returns the next image as a future, and starts loading others behind it; None after the last."""
        for id_, item in islice(self._source, max(0, self._ahead - len(self._pending))):
            self._pending.append((id_, self._pool.submit(_try, self._load, item)))
        return self._pending[0][1] if self._pending else None

    def take(self) -> tuple[Id, Loaded | ImageError]:
        """Waits for the next image; returns its id, and the image or the error with the reason why there is none."""
        id_, future = self._pending.popleft()
        loaded = future.result()
        if not isinstance(loaded, ImageError):
            self._taken, self._taken_bytes = self._taken + 1, self._taken_bytes + loaded.nbytes
            fitting = self._max_bytes * self._taken // max(1, self._taken_bytes)
            self._ahead = min(self._max_images, max(self._workers, min(AHEAD_PER_WORKER * self._workers, fitting)))
        return id_, loaded


def _try(load: Callable[[Item], Loaded], item: Item) -> Loaded | ImageError:
    try:
        return load(item)
    except ImageError as error:
        return error
