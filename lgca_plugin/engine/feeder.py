"""Batches of many images' crops: cut, resized and encoded in threads, smaller ones when memory runs out."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    import torch
    from numpy.typing import NDArray

    from ..encoder.base import Encoder
    from ..images.crops import Box
    from ..images.files import Picture

logger = logging.getLogger(__name__)

MOST_SIDE_BY_SIDE = 4
"""So many batches go through an encoder on the CPU at the same time, at most; each takes memory of its own."""

BATCHES_AHEAD = 2
"""So many batches are cut or encoded at a time where the encoder takes one after the other."""

MOST_CUTTERS = 16
"""So many threads cut crops for an encoder that takes one batch after the other, at most."""

SMALLEST_SHARE = 16
"""A thread cuts at least so many crops of a batch."""

Owner = TypeVar("Owner")
Part = TypeVar("Part")


@dataclass
class EngineStats:
    """What the engine did, counted as it goes.

    Attributes:
        images: images with a result
        recalled: images among them whose embeddings were all known, so that nothing was decoded or encoded
        failed: images that gave no result
        encodes: encodes of whole images and regions
        batches: batches given to the encoder
        batch_capacity: encodes that those batches could have held
        encoder_seconds: time inside the encoder, summed over the threads that were in it
        crop_seconds: time spent cropping and resizing, summed over threads
        wait_seconds: time during which nothing could be encoded, since no image was decoded yet
        batch_size: current batch size; smaller than asked for after running out of memory
        levels: rung of the plan to the number of images that have ended on it; under a full budget there is one
    """

    images: int = 0
    recalled: int = 0
    failed: int = 0
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
        """Share of the batches' places that were used, in [0, 1]."""
        return self.encodes / self.batch_capacity if self.batch_capacity else 0.0


@dataclass(frozen=True)
class EncodeRequest(Generic[Owner]):
    """Something to encode.

    Attributes:
        owner: who wants it
        picture: the image
        box: which part of it, in the file's pixels; None is the whole image
    """

    owner: Owner
    picture: Picture
    box: Box | None


class Feeder(Generic[Owner]):
    """Gives an encoder batches of crops, which threads cut and resize. A context manager.

    An encoder that may be called from several threads at once (``concurrent``, as open_clip's models on the CPU may)
    gets as many batches side by side as torch has threads, each with its share of them: small towers keep one thread
    busy, but not two, and no thread waits for the crops. Any other is called from the caller's thread, while other
    threads cut what comes next; or, where the encoder wants its crops cut on its own device (``crops_on_device``),
    bring the next images there.
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
        self.side_by_side = encoder.concurrent and threads > 1 and self._cutter is None
        """Whether the encoder takes several batches at once."""
        if self.side_by_side:
            workers = self.slots = min(threads, MOST_SIDE_BY_SIDE)
        else:
            workers, self.slots = min(MOST_CUTTERS, os.cpu_count() or 1), BATCHES_AHEAD
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lgca-crop")
        self._running: dict[Future[Any], Sequence[EncodeRequest[Owner]]] = {}
        self._share_threads(threads, max(1, threads // workers) if self.side_by_side else 1)

    def __enter__(self) -> Feeder[Owner]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def busy(self) -> bool:
        """Whether a batch is on its way."""
        return bool(self._running)

    @property
    def has_room(self) -> bool:
        """Whether another batch may be submitted."""
        return len(self._running) < self.slots

    @property
    def idle(self) -> int:
        """How many batches the encoder could take at once, beside those that are on their way."""
        return max(0, (self.slots if self.side_by_side else 1) - len(self._running))

    def submit(self, batch: Sequence[EncodeRequest[Owner]]) -> None:
        """Has a batch cut and encoded."""
        if self.side_by_side:
            self._running[self._pool.submit(self._cut_and_encode, batch)] = batch
            return
        if self._cutter is not None:
            pictures = dict.fromkeys(one.picture for one in batch)
            self._running[_all_of([self._pool.submit(self._load, picture) for picture in pictures])] = batch
            return
        share = max(SMALLEST_SHARE, -(-len(batch) // self._workers))
        parts = [self._pool.submit(self._cut, batch[at : at + share]) for at in range(0, len(batch), share)]
        self._running[_all_of(parts)] = batch

    def wait(self, also: Future[Any] | None = None) -> None:
        """Waits until a batch is through, or something else that is given."""
        wait([*self._running, *((also,) if also is not None else ())], return_when=FIRST_COMPLETED)

    def results(self) -> Iterator[tuple[EncodeRequest[Owner], NDArray[np.float32]]]:
        """Gives the embeddings of a batch that is through, if there is one, as ``[dim]`` unit vectors."""
        future = next((future for future in self._running if future.done()), None)
        if future is None:
            return
        batch, found = self._running.pop(future), future.result()
        if not self.side_by_side:
            pixels = partial(self._cut_on_device, batch) if self._cutter is not None else _joined(found).__getitem__
            found = self._encode(pixels, slice(0, len(batch)))
        yield from zip(batch, found, strict=True)

    def _share_threads(self, all_threads: int, threads: int) -> None:
        """Starts the threads and tells each how many of torch's threads it may use.

        Torch keeps that number for each thread, and the one set last for threads that are yet to come: so that one is
        set again. A thread's own is settled when it first asks, so that it must ask before it is told.
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
        return self._encode(self._cut(batch).__getitem__, slice(0, len(batch)))

    def _load(self, picture: Picture) -> None:
        """Brings a picture to the device; where memory runs out, it is tried again with the batch."""
        assert self._cutter is not None  # noqa: S101 (there are no such tasks else)
        try:
            self._cutter.load(picture)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise

    def _cut_on_device(self, batch: Sequence[EncodeRequest[Owner]], part: slice) -> torch.Tensor:
        """Cuts and resizes a part of a batch where the encoder is, normalized."""
        assert self._cutter is not None  # noqa: S101 (asked before)
        started = time.perf_counter()
        pixels = self._cutter.cut([(one.picture, one.box) for one in batch[part]])
        normalized = normalize_pixels(pixels, self._preprocessing)
        self._stats.crop_seconds += time.perf_counter() - started
        return normalized

    def _cut(self, batch: Sequence[EncodeRequest[Owner]]) -> torch.Tensor:
        """Cuts and resizes crops, ``[n, 3, size, size]``, normalized."""
        import torch

        started = time.perf_counter()
        parts = []
        for (_, is_whole), group in groupby(batch, lambda one: (id(one.picture), one.box is None)):
            wanted = list(group)
            picture = wanted[0].picture
            if is_whole:
                parts.append(resize_whole(picture.image, self._preprocessing)[None])
            else:
                boxes = np.array([one.box for one in wanted])
                parts.append(crop_and_resize(picture.image, boxes, self._preprocessing, reduction=picture.reduction))
        normalized = normalize_pixels(torch.cat(parts), self._preprocessing)
        with self._lock:
            self._stats.crop_seconds += time.perf_counter() - started
        return normalized

    def _encode(self, pixels: Callable[[slice], torch.Tensor], part: slice) -> NDArray[np.float32]:
        """Encodes a part of a batch; where memory runs out, one half of it after the other."""
        started, count = time.perf_counter(), part.stop - part.start
        try:
            cut = pixels(part)
            started = time.perf_counter()  # what cutting takes is counted by itself
            vectors = self._encoder.encode_images(cut)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            if count == 1:
                raise LgcaError(
                    "the device has too little free memory for a single crop; free some, or pass device='cpu'"
                ) from error
            vectors = None
        with self._lock:
            self._stats.encoder_seconds += time.perf_counter() - started
            if vectors is not None:
                self._stats.encodes += count
                self._stats.batches += 1
                self._stats.batch_capacity += self._stats.batch_size
        return vectors if vectors is not None else self._encode_halves(pixels, part)

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
    """Gives a future that is done when all are, with their results."""
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
        except BaseException as error:  # noqa: BLE001 (raised again by whoever asks for the result)
            together.set_exception(error)

    for future in futures:
        future.add_done_callback(one_is_done)
    return together


def _joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    import torch

    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Tells memory errors from others: CUDA has a class of its own, MPS and the CPU raise plain RuntimeErrors."""
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error).lower()
