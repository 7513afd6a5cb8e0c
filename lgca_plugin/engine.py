"""Images in, embeddings out: decoding ahead, waves, full batches, back-off.

A wave is a group of images that go through the expansion steps together, so that every step fills its batches; memory
is bounded by two waves (one being encoded, one being decoded), whatever the size of the dataset. What comes out depends
on the images alone, not on the wave, the batch size or the order.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from .decode import DecodedImage, ImageSource, decode
from .errors import ConfigError, ImageError
from .method.boxes import expand_boxes, sample_boxes, select_salient
from .model.crops import Preprocessing, crop_and_resize, normalize_pixels, resize_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch
    from numpy.typing import NDArray

    from .config import RegionPlan
    from .model.encoder import Encoder

logger = logging.getLogger(__name__)

Id = TypeVar("Id")
Box = tuple[int, int, int, int]

CPU_BATCH = 64
DEVICE_BATCH = 256
WAVE_BYTES = 256 * 1024**2
WAVE_SECONDS = 3.0
BATCHES_PER_STEP = 4  # a wave fills at least so many batches in its smallest step, so that few run part empty


@dataclass(frozen=True)
class EncodedImage(Generic[Id]):
    """The embeddings of one image and its regions.

    Attributes:
        id: the caller's
        content_hash: hash of the file's bytes
        image_size_hw: height and width in pixels, EXIF orientation applied
        boxes: ``[n, 4]`` int64, absolute pixels, ``(left, top, width, height)``
        step: ``[n]`` expansion step of each region, ascending
        chain: ``[n]`` number of the crop that each region grew from
        regions: ``[n, dim]`` float32 unit region embeddings
        whole: ``[dim]`` float32 unit embedding of the whole image
        encodes: how many encodes the image took; fewer than ``n + 1`` where regions have grown equal
    """

    id: Id
    content_hash: str
    image_size_hw: tuple[int, int]
    boxes: NDArray[np.int64]
    step: NDArray[np.int64]
    chain: NDArray[np.int64]
    regions: NDArray[np.float32]
    whole: NDArray[np.float32]
    encodes: int


@dataclass(frozen=True)
class FailedImage(Generic[Id]):
    """An image that gave no result.

    Attributes:
        id: the caller's
        reason: one sentence
    """

    id: Id
    reason: str


@dataclass
class EngineStats:
    """What the engine did, counted as it goes.

    Attributes:
        images: images encoded
        failed: images that gave no result
        encodes: encodes of whole images and regions
        batches: batches given to the encoder
        batch_capacity: encodes that those batches could have held
        encoder_seconds: time inside the encoder
        crop_seconds: time spent cropping and resizing
        wait_seconds: time spent waiting for decoded images
        batch_size: current batch size; smaller than asked for after running out of memory
    """

    images: int = 0
    failed: int = 0
    encodes: int = 0
    batches: int = 0
    batch_capacity: int = 0
    encoder_seconds: float = 0.0
    crop_seconds: float = 0.0
    wait_seconds: float = 0.0
    batch_size: int = 0

    @property
    def batch_fill(self) -> float:
        """Share of the batches' places that were used, in [0, 1]."""
        return self.encodes / self.batch_capacity if self.batch_capacity else 0.0


def encode_images(
    images: Iterable[tuple[Id, ImageSource]],
    *,
    encoder: Encoder,
    plan: RegionPlan,
    batch_size: int | None = None,
    wave_size: int | None = None,
    stats: EngineStats | None = None,
) -> Iterator[EncodedImage[Id] | FailedImage[Id]]:
    """Encodes images and the regions that a set of methods needs, in the order given.

    Args:
        images: pairs of an id and a path or the bytes of an image file; read lazily, at most two waves ahead
        encoder: embeds the pixels
        plan: which regions are encoded
        batch_size: crops in one call of the encoder; None takes 64 on the CPU and 256 elsewhere
        wave_size: images in a wave; None takes as many as fill every step's
            batches, fewer where that would take more than seconds
        stats: counted up while the iterator runs

    Yields:
        an :class:`EncodedImage`, or a :class:`FailedImage` with the reason

    Raises:
        ConfigError: if ``batch_size`` or ``wave_size`` is less than 1
    """
    for name, value in (("batch_size", batch_size), ("wave_size", wave_size)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} must be at least 1, got {value}")
    stats = stats if stats is not None else EngineStats()
    stats.batch_size = batch_size or default_batch_size(encoder)
    feeder = _Feeder(encoder, stats)
    sizes = _WaveSizes(plan, stats, fixed=wave_size)
    for wave in _decoded_waves(images, sizes, stats):
        yield from _encode_wave(wave, plan, feeder, stats)


def default_batch_size(encoder: Encoder) -> int:
    """Chooses a batch size by the encoder's device."""
    return CPU_BATCH if str(getattr(encoder, "device", "cpu")) == "cpu" else DEVICE_BATCH


class _WaveSizes:
    """Chooses how many images go through the steps together.

    Enough to fill every step's batches, but, where the encoder is slow, no more than a few seconds' work: results come
    out at the end of a wave, and people watch them come.
    """

    def __init__(self, plan: RegionPlan, stats: EngineStats, *, fixed: int | None) -> None:
        self._stats = stats
        self._fixed = fixed
        self._encodes_per_image = plan.encodes_per_image
        self.largest = fixed or ceil(BATCHES_PER_STEP * stats.batch_size / min(plan.counts, default=1))

    def next(self) -> int:
        if self._fixed:
            return self._fixed
        encodes, seconds = self._stats.encodes, self._stats.encoder_seconds + self._stats.crop_seconds
        quick_enough = WAVE_SECONDS * encodes / seconds if seconds else self._stats.batch_size
        return min(self.largest, max(1, ceil(quick_enough / self._encodes_per_image)))


_Decoded = DecodedImage | ImageError


def _decoded_waves(
    images: Iterable[tuple[Id, ImageSource]], sizes: _WaveSizes, stats: EngineStats
) -> Iterator[list[tuple[Id, _Decoded]]]:
    """Decodes in threads, up to a wave ahead, and closes a wave when it is full or its pixels fill ``WAVE_BYTES``."""
    source = iter(images)
    workers = min(8, os.cpu_count() or 1)
    ahead = min(sizes.largest, 8 * workers)
    with ThreadPoolExecutor(workers, thread_name_prefix="lgca-decode") as pool:
        pending: deque[tuple[Id, Future[_Decoded]]] = deque()

        def submit(count: int) -> None:
            pending.extend((id_, pool.submit(_try_decode, item)) for id_, item in islice(source, count))

        try:
            submit(ahead)
            wave: list[tuple[Id, _Decoded]] = []
            held = 0
            while pending:
                id_, future = pending.popleft()
                started = time.perf_counter()
                decoded = future.result()
                stats.wait_seconds += time.perf_counter() - started
                submit(1)
                wave.append((id_, decoded))
                held += decoded.pixels.nbytes if isinstance(decoded, DecodedImage) else 0
                if len(wave) >= sizes.next() or held >= WAVE_BYTES:
                    yield wave
                    wave, held = [], 0
            if wave:
                yield wave
        finally:
            for _, future in pending:
                future.cancel()


def _try_decode(source: ImageSource) -> _Decoded:
    try:
        return decode(source)
    except ImageError as error:
        return error


@dataclass
class _Image:
    """An image on its way through the steps of a wave."""

    decoded: DecodedImage
    boxes: list[NDArray[np.int64]] = field(default_factory=list)
    chains: list[NDArray[np.int64]] = field(default_factory=list)
    embeddings: dict[Box | None, NDArray[np.float32]] = field(default_factory=dict)

    def key(self, box: NDArray[np.int64]) -> Box | None:
        """Names what a box shows; the box of a whole square image shows what the whole image shows, None."""
        left, top, width, height = box.tolist()
        return None if (height, width) == self.decoded.size_hw else (left, top, width, height)

    def add_step(self, boxes: NDArray[np.int64], chain: NDArray[np.int64]) -> None:
        self.boxes.append(boxes)
        self.chains.append(chain)

    def embedded(self, boxes: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.stack([self.embeddings[self.key(box)] for box in boxes])

    def missing(self, boxes: NDArray[np.int64]) -> list[Box | None]:
        keys = dict.fromkeys(self.key(box) for box in boxes)
        return [key for key in keys if key not in self.embeddings]


def _encode_wave(
    wave: list[tuple[Id, _Decoded]], plan: RegionPlan, feeder: _Feeder, stats: EngineStats
) -> Iterator[EncodedImage[Id] | FailedImage[Id]]:
    images = {index: _Image(decoded) for index, (_, decoded) in enumerate(wave) if isinstance(decoded, DecodedImage)}
    for image in images.values():
        if plan.counts:
            image.add_step(_first_boxes(image, plan), np.arange(plan.counts[0]))
    feeder.encode([(image, [None, *_new_boxes(image)]) for image in images.values()])
    for count in plan.counts[1:]:
        for image in images.values():
            _expand(image, plan, count)
        feeder.encode([(image, _new_boxes(image)) for image in images.values()])

    for index, (id_, decoded) in enumerate(wave):
        result: EncodedImage[Id] | FailedImage[Id]
        if isinstance(decoded, ImageError):
            result = FailedImage(id_, str(decoded))
        else:
            result = _finished(id_, images.pop(index))
        if isinstance(result, FailedImage):
            stats.failed += 1
        else:
            stats.images += 1
        yield result


def _first_boxes(image: _Image, plan: RegionPlan) -> NDArray[np.int64]:
    return sample_boxes(
        plan.counts[0],
        image.decoded.size_hw,
        scale_min=plan.regions.scale_min,
        scale_max=plan.regions.scale_max,
        seed=plan.regions.seed,
        content_hash=image.decoded.content_hash,
    )


def _expand(image: _Image, plan: RegionPlan, count: int) -> None:
    """Grows the most salient regions of the last step; of step 0, only the crops that start a chain take part."""
    boxes, chain = image.boxes[-1], image.chains[-1]
    taking_part = chain < plan.n_chains
    boxes, chain = boxes[taking_part], chain[taking_part]
    similarity = image.embedded(boxes) @ image.embeddings[None]
    kept = select_salient(similarity, count)
    image.add_step(expand_boxes(boxes[kept], image.decoded.size_hw, plan.regions.growth), chain[kept])


def _new_boxes(image: _Image) -> list[Box | None]:
    return [key for key in image.missing(image.boxes[-1]) if key is not None] if image.boxes else []


def _finished(id_: Id, image: _Image) -> EncodedImage[Id] | FailedImage[Id]:
    whole = image.embeddings[None]
    steps = [np.full(len(boxes), step) for step, boxes in enumerate(image.boxes)]
    boxes = np.concatenate(image.boxes) if image.boxes else np.zeros((0, 4), np.int64)
    regions = image.embedded(boxes) if len(boxes) else np.zeros((0, len(whole)), np.float32)
    if not (np.isfinite(whole).all() and np.isfinite(regions).all()):
        return FailedImage(id_, "the encoder gave values that are no numbers; try precision fp32")
    return EncodedImage(
        id=id_,
        content_hash=image.decoded.content_hash,
        image_size_hw=image.decoded.size_hw,
        boxes=boxes,
        step=np.concatenate(steps) if steps else np.zeros(0, np.int64),
        chain=np.concatenate(image.chains) if image.chains else np.zeros(0, np.int64),
        regions=regions,
        whole=whole,
        encodes=len(image.embeddings),
    )


class _Feeder:
    """Gives the encoder full batches made of many images' crops, smaller ones when memory runs out."""

    def __init__(self, encoder: Encoder, stats: EngineStats) -> None:
        self._encoder = encoder
        self._preprocessing = Preprocessing.of(encoder)
        self._stats = stats

    def encode(self, wanted: list[tuple[_Image, list[Box | None]]]) -> None:
        """Encodes boxes (None is the whole image) and stores the embeddings with their images."""
        jobs = [(image, key) for image, keys in wanted for key in keys]
        start = 0
        while start < len(jobs):
            batch = jobs[start : start + self._stats.batch_size]
            vectors = self._encode_or_back_off(self._pixels(batch))
            if vectors is None:
                continue
            for (image, key), vector in zip(batch, vectors, strict=True):
                image.embeddings[key] = vector
            start += len(batch)
            self._stats.encodes += len(batch)
            self._stats.batches += 1
            self._stats.batch_capacity += self._stats.batch_size

    def _pixels(self, batch: list[tuple[_Image, Box | None]]) -> torch.Tensor:
        import torch

        started = time.perf_counter()
        parts = []
        start = 0
        while start < len(batch):
            image, key = batch[start]
            pixels = image.decoded.pixels
            if key is None:
                parts.append(resize_whole(pixels, self._preprocessing)[None])
                start += 1
                continue
            boxes = []
            while start < len(batch) and batch[start][0] is image and batch[start][1] is not None:
                boxes.append(batch[start][1])
                start += 1
            parts.append(crop_and_resize(pixels, np.array(boxes), self._preprocessing))
        normalized = normalize_pixels(torch.cat(parts), self._preprocessing)
        self._stats.crop_seconds += time.perf_counter() - started
        return normalized

    def _encode_or_back_off(self, pixels: torch.Tensor) -> NDArray[np.float32] | None:
        """Encodes a batch; None means that memory ran out and the batch size has been halved."""
        import torch

        started = time.perf_counter()
        try:
            vectors = self._encoder.encode_images(pixels)
        except torch.OutOfMemoryError:
            if len(pixels) == 1:
                raise
            self._stats.batch_size = len(pixels) // 2
            logger.warning("Out of memory: going on with batches of %d", self._stats.batch_size)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            return None
        finally:
            self._stats.encoder_seconds += time.perf_counter() - started
        return vectors
