"""Batches of crops of many images: cut, resized and encoded in threads, halved when memory runs out."""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Barrier, Lock
from typing import TYPE_CHECKING, Any, Generic

import numpy as np

from ..cores import core_count
from ..errors import LgcaError
from .cropper import CropBatch, Cropper, EncodeRequest, Owner
from .memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from ..encoder.base import Encoder
    from .stats import EngineStats

logger = logging.getLogger(__name__)

MAX_CONCURRENT = 4
"""Maximum number of batches that a concurrent encoder is given at the same time; each takes memory of its own."""

BATCHES_AHEAD = 3
"""Number of batches under way if the encoder takes one after the other: one is cut, one waits on the device behind the
one that is encoded, so that the device has work while the host goes through the results of the last one."""

MAX_CUTTERS = 16
"""Maximum number of threads that cut crops for an encoder that takes one batch after the other."""

MEMORY_ATTEMPTS = 4
"""Number of times that a single crop is encoded before memory is too small for it."""

MEMORY_PAUSE = 0.3
"""Seconds between them."""


class Feeder(Generic[Owner]):
    """Cuts and resizes batches of crops in threads, and encodes them. A context manager.

    A ``concurrent`` encoder, such as open_clip's models on the CPU, is given as many batches at the same time as torch
    has threads, each with its share of the threads: small towers keep one thread busy, but not two, and no thread waits
    for crops. Any other encoder is called from the caller's thread, while other threads cut the next batch or, for an
    encoder with ``crops_on_device``, copy the next images to the device; one more thread waits for what the encoder has
    started, so that a device gets the next batch before the last one is through.
    At most ``slots`` batches are under way at the same time. With ``fill_up``, batches for an encoder that ``pads`` are
    all of one size.
    """

    def __init__(self, encoder: Encoder, stats: EngineStats, *, fill_up: bool = True) -> None:
        import torch

        self._encoder = encoder
        self._stats = stats
        self._fills_up = fill_up and encoder.pads
        self._lock = Lock()
        threads = min(torch.get_num_threads(), core_count())  # in a container, torch counts the cores of the machine
        self._side_by_side = encoder.concurrent and threads > 1 and not encoder.crops_on_device
        if self._side_by_side:
            self._workers = self.slots = min(threads, MAX_CONCURRENT)
        else:
            self._workers, self.slots = min(MAX_CUTTERS, core_count()), BATCHES_AHEAD
        self._cropper: Cropper[Owner] = Cropper(encoder, stats, workers=self._workers)
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="lgca-crop")
        self._results = ThreadPoolExecutor(1, thread_name_prefix="lgca-result")
        self._cutting: dict[Future[Any], tuple[Sequence[EncodeRequest[Owner]], CropBatch]] = {}
        self._encoding: dict[Future[NDArray[np.float32]], Sequence[EncodeRequest[Owner]]] = {}
        self._last_end = 0.0
        self._share_threads(threads, threads // self._workers if self._side_by_side else 1)

    def __enter__(self) -> Feeder[Owner]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._results.shutdown(cancel_futures=True)

    @property
    def busy(self) -> bool:
        """Whether a batch is being cut or encoded."""
        return bool(self._cutting or self._encoding)

    @property
    def has_free_slot(self) -> bool:
        """Whether another batch may be submitted."""
        return len(self._cutting) + len(self._encoding) < self.slots

    @property
    def n_idle(self) -> int:
        """Number of further batches that could be encoded at the same time."""
        under_way = len(self._cutting) + len(self._encoding)
        return max(0, (self.slots if self._side_by_side else 1) - under_way)

    def submit(self, batch: Sequence[EncodeRequest[Owner]]) -> None:
        """Starts cutting and encoding a batch."""
        if self._side_by_side:
            self._encoding[self._pool.submit(self._encode, batch)] = batch
            return
        begun = self._cropper.begin(batch, self._rows(batch), self._pool)
        self._cutting[begun.ready] = batch, begun

    def wait(self, also: Future[Any] | None = None) -> None:
        """Waits until a batch is cut or done, or another future."""
        futures = [*self._cutting, *self._encoding, *((also,) if also is not None else ())]
        wait(futures, return_when=FIRST_COMPLETED)

    def results(self) -> Iterator[tuple[EncodeRequest[Owner], NDArray[np.float32]]]:
        """Yields the ``[dim]`` unit vectors of a batch that is done, if there is one; starts to encode those cut."""
        for future in [future for future in self._cutting if future.done()]:
            batch, begun = self._cutting.pop(future)
            self._encoding[self._start(batch, begun)] = batch
        done = next((future for future in self._encoding if future.done()), None)
        if done is not None:
            batch = self._encoding.pop(done)
            yield from zip(batch, done.result(), strict=True)

    def _rows(self, batch: Sequence[EncodeRequest[Owner]]) -> int:
        """Returns the number of rows that the encoder is given for a batch."""
        return max(len(batch), self._stats.batch_size) if self._fills_up else len(batch)

    def _share_threads(self, all_threads: int, threads: int) -> None:
        """Starts the threads and limits the torch threads that each may use.

        Torch keeps that number per thread, and the number set last for new threads: so it is restored at the end. A
        thread reads its number when it first needs it, which would overwrite one set before: so it is read first.
        """
        import torch

        started = Barrier(self._workers)

        def start() -> None:
            torch.get_num_threads()
            torch.set_num_threads(threads)
            started.wait()

        wait([self._pool.submit(start) for _ in range(self._workers)])
        torch.set_num_threads(all_threads)

    def _start(self, batch: Sequence[EncodeRequest[Owner]], begun: CropBatch) -> Future[NDArray[np.float32]]:
        """Starts to encode a batch that is cut; if memory runs out, it is encoded in parts, and done when they are."""
        pixels: torch.Tensor | None = None
        started = time.perf_counter()
        try:
            pixels = self._cropper.take(begun, batch, self._rows(batch))
            started = time.perf_counter()  # cutting is timed separately
            vectors = self._encoder.start_images(pixels)
            return self._results.submit(self._finish, vectors, started, len(batch))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        finally:
            pixels = None
        begun.pixels.clear()
        self._count(started, 0)
        done: Future[NDArray[np.float32]] = Future()
        done.set_result(self._encode(batch, attempts=MEMORY_ATTEMPTS - 1) if len(batch) == 1 else self._halves(batch))
        return done

    def _finish(self, vectors: Callable[[], NDArray[np.float32]], started: float, count: int) -> NDArray[np.float32]:
        found = vectors()[:count]
        self._count(max(started, self._last_end), count)
        self._last_end = time.perf_counter()
        return found

    def _count(self, started: float, count: int) -> None:
        """Counts ``count`` encodes that were begun at a time and have just ended; of a batch that failed, the time."""
        with self._lock:
            self._stats.encoder_seconds += time.perf_counter() - started
            if count:
                self._stats.encodes += count
                self._stats.batches += 1
                self._stats.batch_capacity += self._stats.batch_size

    def _encode(self, batch: Sequence[EncodeRequest[Owner]], attempts: int = MEMORY_ATTEMPTS) -> NDArray[np.float32]:
        """Cuts and encodes a batch; if memory runs out, one half of it after the other.

        A single crop is tried again, ``attempts`` times in all: others may hold the memory for a moment.
        """
        pixels: torch.Tensor | None = None
        started = time.perf_counter()
        try:
            pixels = self._cropper.cut(batch, self._rows(batch))
            started = time.perf_counter()
            vectors = self._encoder.encode_images(pixels)[: len(batch)]
            self._count(started, len(batch))
            return vectors
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1 and attempts <= 1:
                raise LgcaError(self._too_little_memory()) from error
        finally:
            pixels = None  # halves need the memory
        self._count(started, 0)
        if len(batch) > 1:
            return self._halves(batch)
        time.sleep(MEMORY_PAUSE)
        return self._encode(batch, attempts - 1)

    def _too_little_memory(self) -> str:
        if str(self._encoder.device or "cpu") == "cpu":
            return (
                "this machine has too little free memory for a single crop; close other programs, then start the same "
                "again: it goes on where it stopped"
            )
        return "the device has too little free memory for a single crop; free some, or pass device='cpu'"

    def _halves(self, batch: Sequence[EncodeRequest[Owner]]) -> NDArray[np.float32]:
        import torch

        half = len(batch) // 2
        with self._lock:
            if half < self._stats.batch_size:
                self._stats.batch_size = half
                logger.warning("Out of memory: going on with batches of %d", half)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return np.concatenate([self._encode(batch[at : at + half]) for at in range(0, len(batch), half)])
