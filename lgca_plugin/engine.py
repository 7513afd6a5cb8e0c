"""Images in, embeddings out: decoding ahead, waves, full batches, back-off.

A wave is a group of images that go through the expansion steps together, so that every step fills its batches. Memory
is bounded by two waves (one being encoded, one being decoded), whatever the size of the dataset. What comes out depends
on the images alone, not on the wave, the batch size or the order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from .batches import EngineStats, Feeder
from .decode import ImageSource, content_hash, decode_pixels, load_ahead, read_bytes
from .errors import ConfigError, ImageError
from .growing import EncodedImage, FailedImage, GrowingImage, KnownRegions

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from .config import RegionPlan
    from .model.encoder import Encoder

Id = TypeVar("Id")

CPU_BATCH = 64
DEVICE_BATCH = 256
WAVE_BYTES = 256 * 1024**2
WAVE_SECONDS = 3.0
BATCHES_PER_STEP = 4  # a wave fills at least so many batches in its smallest step, so that few run part empty


Recall = Callable[[str], KnownRegions | None]
"""Gives what is known of the image whose file has this content hash; called in any thread."""


def encode_images(
    images: Iterable[tuple[Id, ImageSource]],
    *,
    encoder: Encoder,
    plan: RegionPlan,
    batch_size: int | None = None,
    wave_size: int | None = None,
    stats: EngineStats | None = None,
    recall: Recall | None = None,
) -> Generator[EncodedImage[Id] | FailedImage[Id], None, None]:
    """Encodes images and the regions that a set of methods needs, in the order given.

    Args:
        images: pairs of an id and a path or the bytes of an image file; read lazily, at most two waves ahead
        encoder: embeds the pixels
        plan: which regions are encoded
        batch_size: crops in one call of the encoder; None takes 64 on the CPU and 256 elsewhere
        wave_size: images in a wave; None takes as many as fill every step's
            batches, fewer where that would take more than seconds
        stats: counted up while the iterator runs
        recall: gives embeddings that are known from earlier; they are not encoded again

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
    for wave in _waves(images, partial(_load, plan=plan, recall=recall), sizes, stats):
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


def _waves(
    images: Iterable[tuple[Id, ImageSource]],
    load: Callable[[ImageSource], GrowingImage],
    sizes: _WaveSizes,
    stats: EngineStats,
) -> Iterator[list[tuple[Id, GrowingImage | ImageError]]]:
    """Groups loaded images; a wave is closed when it is full or its images fill ``WAVE_BYTES``."""
    wave: list[tuple[Id, GrowingImage | ImageError]] = []
    held = 0
    loaded_images = load_ahead(images, load, max_images=sizes.largest, max_bytes=WAVE_BYTES)
    while True:
        started = time.perf_counter()
        item = next(loaded_images, None)
        stats.wait_seconds += time.perf_counter() - started
        if item is None:
            break
        wave.append(item)
        held += item[1].nbytes if isinstance(item[1], GrowingImage) else 0
        if len(wave) >= sizes.next() or held >= WAVE_BYTES:
            yield wave
            wave, held = [], 0
    if wave:
        yield wave


def _encode_wave(
    wave: list[tuple[Id, GrowingImage | ImageError]], plan: RegionPlan, feeder: Feeder, stats: EngineStats
) -> Iterator[EncodedImage[Id] | FailedImage[Id]]:
    images = {index: loaded for index, (_, loaded) in enumerate(wave) if isinstance(loaded, GrowingImage)}
    for step in range(max(1, len(plan.counts))):
        present = [image for image in images.values() if image.step == step]  # others were known, and are further
        feeder.encode([(image, image.missing()) for image in present])
        for image in present:
            image.grow()

    for index, (id_, loaded) in enumerate(wave):
        result: EncodedImage[Id] | FailedImage[Id]
        result = FailedImage(id_, str(loaded)) if isinstance(loaded, ImageError) else images.pop(index).finished(id_)
        if isinstance(result, FailedImage):
            stats.failed += 1
        else:
            stats.images += 1
            stats.recalled += not result.encodes
        yield result


def _load(source: ImageSource, plan: RegionPlan, recall: Recall | None) -> GrowingImage:
    """Reads an image; one whose embeddings are all known is not decoded."""
    data = read_bytes(source)
    hashed = content_hash(data)
    known = recall(hashed) if recall else None
    if known is not None:
        image = GrowingImage(hashed, plan, known=known)
        if image.replay():
            return image
    return GrowingImage(hashed, plan, pixels=decode_pixels(data), known=known)
