"""Batches of crops of many images: cut, resized and encoded in threads, halved when memory runs out."""

from __future__ import annotations

import logging
import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from threading import Barrier, Lock
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from ..errors import LgcaError
from ..images.crops import crop_and_resize, normalize_pixels, resize_whole
from ..images.device_crops import DeviceCutter
from .memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    import torch
    from numpy.typing import NDArray

    from ..encoder.base import Encoder
    from ..images.crops import Box
    from ..images.decoding import Picture

logger = logging.getLogger(__name__)

MAX_CONCURRENT = 4
"""Maximum number of batches that a concurrent encoder is given at the same time; each takes memory of its own."""

BATCHES_AHEAD = 2
"""Number of batches that are cut or encoded at the same time if the encoder takes one after the other."""

MAX_CUTTERS = 16
"""Maximum number of threads that cut crops for an encoder that takes one batch after the other."""

MIN_SHARE = 16
"""Minimum number of crops of a batch that a thread cuts."""

MEMORY_ATTEMPTS = 4
"""Number of times that a single crop is encoded before memory is too small for it."""

MEMORY_PAUSE = 0.3
"""Seconds between them."""

Owner = TypeVar("Owner")
Part = TypeVar("Part")


@dataclass
class EngineStats:
    """Counts and times of the engine.

    Attributes:
        images: images with a result
        recalled: images among them that were neither decoded nor encoded, because all embeddings were known
        failed: images without a result
        guessed_depth: images whose values have fewer bits than their type, see :data:`~.pixels.DEPTHS`
        encodes: encodes of whole images and regions
        batches: batches given to the encoder
        batch_capacity: maximum number of encodes in those batches
        encoder_seconds: time inside the encoder, summed over threads
        crop_seconds: time spent cropping and resizing, summed over threads
        wait_seconds: time during which nothing could be encoded, because no image was decoded yet
        batch_size: current batch size; smaller than the one passed after memory ran out
        levels: number of images that stopped at each budget level of the plan; a full budget has one level
    """

    images: int = 0
    recalled: int = 0
    failed: int = 0
    guessed_depth: int = 0
    encodes: int = 0
    batches: int = 0
    batch_capacity: int = 0
    encoder_seconds: float = 0.0
    crop_seconds: float = 0.0
    wait_seconds: float = 0.0
    batch_size: int = 0
    levels: dict[int, int] = field(default_factory=dict)

    @property
    def batch_fill(self) -> float:
        """Share of the batches' capacity that was used, in [0, 1]."""
        return self.encodes / self.batch_capacity if self.batch_capacity else 0.0


@dataclass(frozen=True)
class EncodeRequest(Generic[Owner]):
    """A crop to encode for an owner: a box in the pixels of the picture's file; None is the whole image."""

    owner: Owner
    picture: Picture
    box: Box | None


class Feeder(Generic[Owner]):
    """Cuts and resizes batches of crops in threads, and encodes them. A context manager.

    A ``concurrent`` encoder, such as open_clip's models on the CPU, is given as many batches at the same time as torch
    has threads, each with its share of the threads: small towers keep one thread busy, but not two, and no thread waits
    for crops. Any other encoder is called from the caller's thread, while other threads cut the next batch or, for an
    encoder with ``crops_on_device``, copy the next images to the device.
    At most ``slots`` batches are cut or encoded at the same time.
    """

    def __init__(self, encoder: Encoder, stats: EngineStats) -> None:
        import torch

        self._encoder = encoder
        self._preprocessing = encoder.preprocessing
        self._stats = stats
        self._lock = Lock()
        threads = torch.get_num_threads()
        self._cutter: DeviceCutter | None = None
        if encoder.crops_on_device:
            self._cutter = DeviceCutter(self._preprocessing, torch.device(encoder.device or "cpu"))
        self._side_by_side = encoder.concurrent and threads > 1 and self._cutter is None
        if self._side_by_side:
            self._workers = self.slots = min(threads, MAX_CONCURRENT)
        else:
            self._workers, self.slots = min(MAX_CUTTERS, os.cpu_count() or 1), BATCHES_AHEAD
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="lgca-crop")
        self._running: dict[Future[Any], Sequence[EncodeRequest[Owner]]] = {}
        self._share_threads(threads, threads // self._workers if self._side_by_side else 1)

    def __enter__(self) -> Feeder[Owner]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def busy(self) -> bool:
        """Whether a batch is being cut or encoded."""
        return bool(self._running)

    @property
    def has_free_slot(self) -> bool:
        """Whether another batch may be submitted."""
        return len(self._running) < self.slots

    @property
    def n_idle(self) -> int:
        """Number of further batches that could be encoded at the same time."""
        return max(0, (self.slots if self._side_by_side else 1) - len(self._running))

    def submit(self, batch: Sequence[EncodeRequest[Owner]]) -> None:
        """Starts cutting and encoding a batch."""
        if self._side_by_side:
            self._running[self._pool.submit(self._cut_and_encode, batch)] = batch
            return
        if self._cutter is not None:
            pictures = dict.fromkeys(one.picture for one in batch)
            self._running[_all_of([self._pool.submit(self._load, picture) for picture in pictures])] = batch
            return
        share = max(MIN_SHARE, -(-len(batch) // self._workers))
        parts = [self._pool.submit(self._cut, batch[at : at + share]) for at in range(0, len(batch), share)]
        self._running[_all_of(parts)] = batch

    def wait(self, also: Future[Any] | None = None) -> None:
        """Waits until a batch is done, or another future."""
        wait([*self._running, *((also,) if also is not None else ())], return_when=FIRST_COMPLETED)

    def results(self) -> Iterator[tuple[EncodeRequest[Owner], NDArray[np.float32]]]:
        """Yields the ``[dim]`` unit vectors of a batch that is done, if there is one."""
        future = next((future for future in self._running if future.done()), None)
        if future is None:
            return
        batch = self._running.pop(future)
        if self._side_by_side:
            found = future.result()
        else:
            found = self._encode(self._pixels_of(batch, future), slice(0, len(batch)))
        yield from zip(batch, found, strict=True)

    def _pixels_of(self, batch: Sequence[EncodeRequest[Owner]], cut: Future[Any]) -> Callable[[slice], torch.Tensor]:
        """Returns a function that returns a part of a batch as pixels; if it did not fit, it is cut part by part."""
        import torch

        try:
            parts = cut.result()
            return partial(self._cut_on_device, batch) if self._cutter is not None else torch.cat(parts).__getitem__
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        return lambda part: self._cut(batch[part])

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

    def _cut_and_encode(self, batch: Sequence[EncodeRequest[Owner]]) -> NDArray[np.float32]:
        return self._encode(lambda part: self._cut(batch[part]), slice(0, len(batch)))

    def _load(self, picture: Picture) -> None:
        """Copies a picture to the device; if memory runs out, the copy is made when the batch is cut."""
        assert self._cutter is not None  # noqa: S101 (only submitted with a cutter)
        try:
            self._cutter.load(picture)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise

    def _cut_on_device(self, batch: Sequence[EncodeRequest[Owner]], part: slice) -> torch.Tensor:
        """Cuts, resizes and normalizes a part of a batch on the encoder's device."""
        assert self._cutter is not None  # noqa: S101 (checked by the caller)
        started = time.perf_counter()
        pixels = self._cutter.cut([(one.picture, one.box) for one in batch[part]])
        normalized = normalize_pixels(pixels, self._preprocessing)
        self._stats.crop_seconds += time.perf_counter() - started
        return normalized

    def _cut(self, batch: Sequence[EncodeRequest[Owner]]) -> torch.Tensor:
        """Cuts, resizes and normalizes crops, ``[n, 3, size, size]``."""
        import torch

        started = time.perf_counter()
        parts = []
        for (_, is_whole), group in groupby(batch, lambda one: (id(one.picture), one.box is None)):
            requests = list(group)
            picture = requests[0].picture
            if is_whole:
                parts.append(resize_whole(picture.whole_image, self._preprocessing)[None])
            else:
                boxes = np.array([one.box for one in requests]) - np.array([*picture.origin, 0, 0])
                parts.append(crop_and_resize(picture.image, boxes, self._preprocessing, reduction=picture.reduction))
        normalized = normalize_pixels(torch.cat(parts), self._preprocessing)
        with self._lock:
            self._stats.crop_seconds += time.perf_counter() - started
        return normalized

    def _encode(
        self, pixels: Callable[[slice], torch.Tensor], part: slice, attempts: int = MEMORY_ATTEMPTS
    ) -> NDArray[np.float32]:
        """Encodes a part of a batch; if memory runs out, one half of it after the other.

        A single crop is tried again, ``attempts`` times in all: others may hold the memory for a moment.
        """
        started, count = time.perf_counter(), part.stop - part.start
        try:
            cut = pixels(part)
            started = time.perf_counter()  # cutting is timed separately
            vectors = self._encoder.encode_images(cut)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if count == 1 and attempts == 1:
                raise LgcaError(self._too_little_memory()) from error
            vectors = None
        with self._lock:
            self._stats.encoder_seconds += time.perf_counter() - started
            if vectors is not None:
                self._stats.encodes += count
                self._stats.batches += 1
                self._stats.batch_capacity += self._stats.batch_size
        if vectors is not None:
            return vectors
        if count > 1:
            return self._encode_halves(pixels, part)
        time.sleep(MEMORY_PAUSE)
        return self._encode(pixels, part, attempts - 1)

    def _too_little_memory(self) -> str:
        if str(self._encoder.device or "cpu") == "cpu":
            return (
                "this machine has too little free memory for a single crop; close other programs, then start the same "
                "again: it goes on where it stopped"
            )
        return "the device has too little free memory for a single crop; free some, or pass device='cpu'"

    def _encode_halves(self, pixels: Callable[[slice], torch.Tensor], part: slice) -> NDArray[np.float32]:
        import torch

        half = (part.stop - part.start) // 2
        with self._lock:
            if half < self._stats.batch_size:
                self._stats.batch_size = half
                logger.warning("Out of memory: going on with batches of %d", half)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        starts = range(part.start, part.stop, half)
        return np.concatenate([self._encode(pixels, slice(at, min(at + half, part.stop))) for at in starts])


def _all_of(futures: Sequence[Future[Part]]) -> Future[list[Part]]:
    """Returns a future that is done when all are, with their results."""
    together: Future[list[Part]] = Future()
    left, lock = len(futures), Lock()

    def one_is_done(_: Future[Part]) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left:
                return
        try:
            together.set_result([future.result() for future in futures])
        except BaseException as error:  # noqa: BLE001 (raised again where the result is read)
            together.set_exception(error)

    for future in futures:
        future.add_done_callback(one_is_done)
    return together
