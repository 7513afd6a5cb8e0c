"""Loading images in threads, ahead of the caller that takes them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from threading import Lock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..cores import core_count
from ..errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_WORKERS = 16
"""Maximum number of threads, however many cores there are: these decode more than a thousand photographs a second."""

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
    taken, with a memory of ``max_bytes``; the next one to be taken comes on top. How many are begun is estimated from
    the last ones. One that turns out not to fit is given up, and loaded again when its turn has come.
    """

    def __init__(
        self, images: Iterable[tuple[Id, Item]], load: Callable[[Item], Loaded], *, max_images: int, max_bytes: int
    ) -> None:
        self._source = iter(images)
        self._load = load
        self._max_images = max_images
        self._max_bytes = max_bytes
        self.workers = min(MAX_WORKERS, core_count())
        self._ahead = min(max_images, self.workers)
        self._last: deque[int] = deque(maxlen=AHEAD_PER_WORKER * self.workers)  # memory of those taken last
        self._number = count()
        self._n_taken = 0
        self._waiting_bytes = 0
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix="lgca-decode")
        self._pending: deque[tuple[Id, Item, Future[Loaded | ImageError | None]]] = deque()

    def __enter__(self) -> LoadAhead[Id, Item, Loaded]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def head(self) -> Future[Loaded | ImageError | None] | None:
        """Returns the next image as a future, and starts loading others behind it; None after the last."""
        for id_, item in islice(self._source, max(0, self._ahead - len(self._pending))):
            self._pending.append((id_, item, self._pool.submit(self._load_ahead, next(self._number), item)))
        return self._pending[0][2] if self._pending else None

    def take(self) -> tuple[Id, Loaded | ImageError]:
        """Waits for the next image; returns its id, and the image or the error with the reason why there is none."""
        id_, item, future = self._pending.popleft()
        loaded = future.result()
        with self._lock:
            self._n_taken += 1
            self._waiting_bytes -= 0 if loaded is None or isinstance(loaded, ImageError) else loaded.nbytes
        if loaded is None:
            loaded = _try(self._load, item)
        if not isinstance(loaded, ImageError):
            self._last.append(max(1, loaded.nbytes))
            fitting = self._max_bytes * len(self._last) // sum(self._last)
            self._ahead = min(self._max_images, max(1, min(AHEAD_PER_WORKER * self.workers, fitting)))
        return id_, loaded

    def _load_ahead(self, number: int, item: Item) -> Loaded | ImageError | None:
        """Loads an image by its number in the order given; None if it is not the next one and memory is full."""
        if self._is_full(number, 0):
            return None
        try:
            loaded = self._load(item)
        except ImageError as error:
            no_memory = isinstance(error.__cause__, MemoryError) and number > self._n_taken
            return None if no_memory else _reason_alone(error)
        with self._lock:
            if self._is_full(number, loaded.nbytes):
                return None
            self._waiting_bytes += loaded.nbytes
        return loaded

    def _is_full(self, number: int, nbytes: int) -> bool:
        return number > self._n_taken and self._waiting_bytes + nbytes > self._max_bytes


def _try(load: Callable[[Item], Loaded], item: Item) -> Loaded | ImageError:
    try:
        return load(item)
    except ImageError as error:
        return _reason_alone(error)


def _reason_alone(error: ImageError) -> ImageError:
    """Returns an error without its frames, which hold the image's file and pixels."""
    return ImageError(str(error), app=error.app)
