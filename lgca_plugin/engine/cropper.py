"""Crops of many images, cut and resized for an encoder: in threads of the CPU, or on the encoder's device."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ..images.crops import crop_and_resize, normalize_pixels, resize_whole
from ..images.device_crops import DeviceCutter
from .memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from ..encoder.base import Encoder
    from ..images.crops import Box
    from ..images.decoding import Picture
    from .stats import EngineStats

MIN_SHARE = 16
"""Minimum number of crops of a batch that a thread cuts."""

Owner = TypeVar("Owner")
Part = TypeVar("Part")


@dataclass(frozen=True)
class EncodeRequest(Generic[Owner]):
    """A crop to encode for an owner: a box in the pixels of the picture's file; None is the whole image."""

    owner: Owner
    picture: Picture
    box: Box | None


@dataclass
class CropBatch:
    """The crops of a batch on their way.

    Attributes:
        ready: done when the crops are cut, or all that is needed to cut them on the device is there
        pixels: the crops that threads write; empty if they are cut on the device, and after they were taken
    """

    ready: Future[Any]
    pixels: list[torch.Tensor] = field(default_factory=list)


class Cropper(Generic[Owner]):
    """Cuts and resizes crops, ``[n, 3, size, size]`` in the type that an encoder takes.

    They are uint8 for one that normalizes them itself, so that a fourth of the bytes is copied to its device, and from
    pinned memory; else float32 and normalized. Of fewer crops than ``rows``, others fill the batch up.
    """

    def __init__(self, encoder: Encoder, stats: EngineStats, *, workers: int) -> None:
        import torch

        self._preprocessing = encoder.preprocessing
        self._normalizes = encoder.normalizes
        self._pins = encoder.normalizes and str(encoder.device).startswith("cuda")
        self._stats = stats
        self._workers = workers
        self._lock = Lock()
        self._cutter: DeviceCutter | None = None
        if encoder.crops_on_device:
            self._cutter = DeviceCutter(self._preprocessing, torch.device(encoder.device or "cpu"))

    @property
    def on_device(self) -> bool:
        """Whether the encoder's device cuts the crops."""
        return self._cutter is not None

    def begin(self, batch: Sequence[EncodeRequest[Owner]], rows: int, pool: ThreadPoolExecutor) -> CropBatch:
        """Starts to cut a batch in a pool's threads, or to copy its images to the device."""
        if self._cutter is not None:
            pictures = dict.fromkeys(one.picture for one in batch)
            return CropBatch(_all_of([pool.submit(self._load, picture) for picture in pictures]))
        try:
            pixels = self._empty(len(batch), rows)
        except (RuntimeError, MemoryError) as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return CropBatch(failed)
        share = max(MIN_SHARE, -(-len(batch) // self._workers))
        parts = [slice(at, min(at + share, len(batch))) for at in range(0, len(batch), share)]
        return CropBatch(_all_of([pool.submit(self._write, batch[part], pixels[part]) for part in parts]), [pixels])

    def take(self, begun: CropBatch, batch: Sequence[EncodeRequest[Owner]], rows: int) -> torch.Tensor:
        """Returns the crops of a batch that is ready, and keeps none of them."""
        begun.ready.result()
        return begun.pixels.pop() if begun.pixels else self.cut(batch, rows)

    def cut(self, batch: Sequence[EncodeRequest[Owner]], rows: int) -> torch.Tensor:
        """Cuts a batch in the caller's thread."""
        if self._cutter is None:
            pixels = self._empty(len(batch), rows)
            self._write(batch, pixels[: len(batch)])
            return pixels
        started = time.perf_counter()
        pixels = self._cutter.cut([(one.picture, one.box) for one in batch], rows)
        if not self._normalizes:
            pixels = normalize_pixels(pixels, self._preprocessing)
        self._count(started)
        return pixels

    def _empty(self, count: int, rows: int) -> torch.Tensor:
        """Returns room for crops, a pixel's channels side by side; the rows that fill a batch up are 0."""
        import torch

        size, dtype = self._preprocessing.size, torch.uint8 if self._normalizes else torch.float32
        room = torch.empty((max(count, rows), size, size, 3), dtype=dtype, pin_memory=self._pins).permute(0, 3, 1, 2)
        room[count:] = 0
        return room

    def _load(self, picture: Picture) -> None:
        """Copies a picture to the device; if memory runs out, the copy is made when the batch is cut."""
        assert self._cutter is not None  # noqa: S101 (only submitted with a cutter)
        try:
            self._cutter.load(picture)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise

    def _write(self, batch: Sequence[EncodeRequest[Owner]], room: torch.Tensor) -> None:
        """Cuts crops into the room that there is for them."""
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
        crops = torch.cat(parts)
        room.copy_(crops if self._normalizes else normalize_pixels(crops, self._preprocessing))
        self._count(started)

    def _count(self, started: float) -> None:
        with self._lock:
            self._stats.crop_seconds += time.perf_counter() - started


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
