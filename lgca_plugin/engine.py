"""Images in, embeddings out: decoding ahead, waves, full batches, back-off.

A wave is a group of images that go through the expansion steps together, so that every step fills its batches. Memory
is bounded by two waves (one being encoded, one being decoded), whatever the size of the dataset. What comes out depends
on the images alone, not on the wave, the batch size or the order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from .batches import Box, EngineStats, Feeder, WaveImage
from .decode import Decoded, DecodedImage, ImageSource, decode_ahead
from .errors import ConfigError, ImageError
from .method.boxes import expand_boxes, sample_boxes, select_salient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from .config import RegionPlan
    from .model.encoder import Encoder

Id = TypeVar("Id")

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
    feeder = Feeder(encoder, stats)
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


def _decoded_waves(
    images: Iterable[tuple[Id, ImageSource]], sizes: _WaveSizes, stats: EngineStats
) -> Iterator[list[tuple[Id, Decoded]]]:
    """Groups decoded images; a wave is closed when it is full or its pixels fill ``WAVE_BYTES``."""
    wave: list[tuple[Id, Decoded]] = []
    held = 0
    decoded_images = decode_ahead(images, max_images=sizes.largest, max_bytes=WAVE_BYTES)
    while True:
        started = time.perf_counter()
        item = next(decoded_images, None)
        stats.wait_seconds += time.perf_counter() - started
        if item is None:
            break
        wave.append(item)
        held += item[1].pixels.nbytes if isinstance(item[1], DecodedImage) else 0
        if len(wave) >= sizes.next() or held >= WAVE_BYTES:
            yield wave
            wave, held = [], 0
    if wave:
        yield wave


def _encode_wave(
    wave: list[tuple[Id, Decoded]], plan: RegionPlan, feeder: Feeder, stats: EngineStats
) -> Iterator[EncodedImage[Id] | FailedImage[Id]]:
    images = {index: WaveImage(decoded) for index, (_, decoded) in enumerate(wave) if isinstance(decoded, DecodedImage)}
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


def _first_boxes(image: WaveImage, plan: RegionPlan) -> NDArray[np.int64]:
    return sample_boxes(
        plan.counts[0],
        image.decoded.size_hw,
        scale_min=plan.regions.scale_min,
        scale_max=plan.regions.scale_max,
        seed=plan.regions.seed,
        content_hash=image.decoded.content_hash,
    )


def _expand(image: WaveImage, plan: RegionPlan, count: int) -> None:
    """Grows the most salient regions of the last step; of step 0, only the crops that start a chain take part."""
    boxes, chain = image.boxes[-1], image.chains[-1]
    taking_part = chain < plan.n_chains
    boxes, chain = boxes[taking_part], chain[taking_part]
    # Row by row in float64: a matrix product rounds equal rows differently by their place, and ties must be ties.
    similarity = (image.embedded(boxes).astype(np.float64) * image.embeddings[None]).sum(axis=1)
    kept = select_salient(similarity, count)
    image.add_step(expand_boxes(boxes[kept], image.decoded.size_hw, plan.regions.growth), chain[kept])


def _new_boxes(image: WaveImage) -> list[Box | None]:
    return [key for key in image.missing(image.boxes[-1]) if key is not None] if image.boxes else []


def _finished(id_: Id, image: WaveImage) -> EncodedImage[Id] | FailedImage[Id]:
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
