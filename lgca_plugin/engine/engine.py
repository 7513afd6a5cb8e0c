"""Images in, embeddings out: decoding ahead, full batches, results as soon as they are there.

Many images are on their way through the expansion steps at once, each as far as it has got. A batch takes what the
images that came first want; only where that does not fill it, another image is let in. So batches are full whatever the
steps ask for, results come soon and in order, and few images are in memory. What comes out depends on the images alone,
not on the batch size or on how many are on their way. An image that a judge finds safe leaves before the others.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import ConfigError, ImageError
from ..images.crops import Preprocessing
from ..images.files import ImageSource, LoadAhead, content_hash, open_picture, read_bytes
from .embeddings import EncodedImage, FailedImage, KnownRegions
from .feeder import EncodeRequest, EngineStats, Feeder
from .known_images import Recalled, recall_ahead
from .region_expansion import RegionExpansion

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from ..config import RegionPlan
    from ..encoder.base import Encoder
    from ..images.crops import Box

Id = TypeVar("Id")

CPU_BATCH = 40
CPU_BATCH_PIXELS = 32 * 224 * 224
"""A batch on the CPU holds no more: of large crops, a few keep a core busy."""
DEVICE_BATCH = 256
WAVE_BYTES = 256 * 1024**2
ENOUGH = 2.5
"""Where crops need not be exact, large images are decoded so that the smallest crop still has so many times the pixels,
along each side, that the encoder takes."""


Recall = Callable[[str], KnownRegions | None]
"""Gives what is known of the image whose file has this content hash; called in any thread."""

EarlyStopping = Callable[[EncodedImage[Any]], bool]
"""Tells of an image on a rung of an adaptive plan whether it may stop there; called in any thread."""


def encode_images(
    images: Iterable[tuple[Id, ImageSource]],
    *,
    encoder: Encoder,
    plan: RegionPlan,
    batch_size: int | None = None,
    wave_size: int | None = None,
    stats: EngineStats | None = None,
    recall: Recall | None = None,
    can_stop: EarlyStopping | None = None,
) -> Generator[EncodedImage[Id] | FailedImage[Id], None, None]:
    """Encodes images and the regions that a set of methods needs, in the order given.

    Args:
        images: pairs of an id and a path or the bytes of an image file; read lazily
        encoder: embeds the pixels
        plan: which regions are encoded
        batch_size: crops in one call of the encoder; None takes on the CPU up to 40 that have no more pixels than 32
            of 224 x 224, elsewhere 256 or as many as fit
        wave_size: most images on their way at once, and as many again decoded ahead of them; None takes as many as fill
            the batches, fewer where their pixels take more than 256 MB
        stats: counted up while the iterator runs
        recall: gives embeddings that are known from earlier; they are not encoded again
        can_stop: tells whether an image may stop, needed where ``plan`` has an adaptive budget; what it answers must
            depend on the image alone

    Yields:
        an :class:`EncodedImage`, or a :class:`FailedImage` with the reason

    Raises:
        ConfigError: if ``batch_size`` or ``wave_size`` is less than 1, or an adaptive plan lacks a judge
    """
    if plan.adaptive and can_stop is None:
        raise ConfigError("an adaptive budget needs can_stop, which decides when an image stops early")
    for name, value in (("batch_size", batch_size), ("wave_size", wave_size)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} must be at least 1, got {value}")
    stats = stats if stats is not None else EngineStats()
    stats.batch_size = batch_size or default_batch_size(encoder)
    preprocessing = encoder.preprocessing
    load = partial(_load, plan=plan, can_stop=can_stop, recall=recall, enough=_enough(preprocessing, plan))
    feeder: Feeder[_InFlightImage[Id]]
    with ExitStack() as stack:
        feeder = stack.enter_context(Feeder(encoder, stats))
        most = wave_size or (feeder.slots + 1) * stats.batch_size
        items: Iterable[tuple[Id, ImageSource | Recalled]] = images
        if recall is not None and not plan.adaptive:
            items = stack.enter_context(closing(recall_ahead(images, recall, plan)))
        ahead = stack.enter_context(LoadAhead(items, load, max_images=most, max_bytes=WAVE_BYTES))
        yield from _Flow(ahead, feeder, stats, most).run()


def default_batch_size(encoder: Encoder) -> int:
    """Chooses a batch size by the encoder's device and the memory that is free there."""
    if encoder.device is None or str(encoder.device) == "cpu":
        return max(1, min(CPU_BATCH, CPU_BATCH_PIXELS // encoder.image_size**2))
    return encoder.fitting_batch(DEVICE_BATCH)


@dataclass(eq=False)
class _InFlightImage(Generic[Id]):
    """An image on its way.

    Attributes:
        id: the caller's
        image: the image; None once there is a result
        nbytes: memory that it held when it was let in
        wanted: what the present step needs encoded and no batch has taken yet
        awaited: how many embeddings are missing before it can go on
        result: what becomes of it
    """

    id: Id
    image: RegionExpansion | None
    nbytes: int = 0
    wanted: deque[Box | None] = field(default_factory=deque)
    awaited: int = 0
    result: EncodedImage[Id] | FailedImage[Id] | None = None


class _Flow(Generic[Id]):
    """Brings images through the steps of a plan.

    Args:
        ahead: the images
        feeder: encodes what they want
        stats: counted up
        most_images: how many may be on their way at once
    """

    def __init__(
        self,
        ahead: LoadAhead[Id, ImageSource | Recalled, RegionExpansion | Recalled],
        feeder: Feeder[_InFlightImage[Id]],
        stats: EngineStats,
        most_images: int,
    ) -> None:
        self._ahead = ahead
        self._feeder = feeder
        self._stats = stats
        self._most_images = most_images
        self._travellers: deque[_InFlightImage[Id]] = deque()  # in the order given
        self._wanted = 0
        self._bytes = 0

    def run(self) -> Iterator[EncodedImage[Id] | FailedImage[Id]]:
        """Yields the results in the order of the images."""
        while True:
            while self._travellers and self._travellers[0].result is not None:
                yield self._leave()
            if self._feeder.has_room and self._wanted >= self._stats.batch_size:
                self._feeder.submit(self._batch(self._stats.batch_size))
                continue
            head = self._ahead.head() if self._may_enter() else None
            if head is not None and (head.done() or not self._feeder.busy):
                self._enter()
            elif head is None and self._wanted and self._feeder.idle:
                self._submit_the_rest()
            elif self._feeder.busy:
                self._feeder.wait(head)
                self._receive()
            else:
                return

    def _may_enter(self) -> bool:
        """Tells whether another image is wanted, and there is room for it."""
        if self._wanted >= self._stats.batch_size or len(self._travellers) >= self._most_images:
            return False
        return self._bytes < WAVE_BYTES

    def _enter(self) -> None:
        """Lets the next image in."""
        started = time.perf_counter()
        id_, loaded = self._ahead.take()
        self._stats.wait_seconds += time.perf_counter() - started
        if isinstance(loaded, ImageError):
            self._travellers.append(_InFlightImage(id_, None, result=FailedImage(id_, str(loaded))))
            return
        self._bytes += loaded.nbytes
        if isinstance(loaded, Recalled):
            result = replace(loaded.result, id=id_)
            self._travellers.append(_InFlightImage(id_, None, loaded.nbytes, result=result))
            return
        traveller = _InFlightImage(id_, loaded, loaded.nbytes)
        self._travellers.append(traveller)
        self._want(traveller)

    def _want(self, traveller: _InFlightImage[Id]) -> None:
        """Goes on as far as the known embeddings reach."""
        image = traveller.image
        assert image is not None  # noqa: S101 (only images without a result go on)
        while not (missing := image.missing()):
            if not image.grow():
                traveller.result, traveller.image = image.finished(traveller.id), None
                return
        traveller.wanted.extend(missing)
        traveller.awaited = len(missing)
        self._wanted += len(missing)

    def _leave(self) -> EncodedImage[Id] | FailedImage[Id]:
        """Lets the first image out."""
        traveller = self._travellers.popleft()
        result = traveller.result
        assert result is not None  # noqa: S101 (asked before)
        self._bytes -= traveller.nbytes
        if isinstance(result, FailedImage):
            self._stats.failed += 1
        else:
            self._stats.images += 1
            self._stats.recalled += not result.encodes
            self._stats.levels[result.level] = self._stats.levels.get(result.level, 0) + 1
        return result

    def _batch(self, size: int) -> list[EncodeRequest[_InFlightImage[Id]]]:
        """Takes what the images want, those that came first first."""
        batch: list[EncodeRequest[_InFlightImage[Id]]] = []
        for traveller in self._travellers:
            if traveller.image is None or traveller.image.picture is None:
                continue
            while traveller.wanted and len(batch) < size:
                batch.append(EncodeRequest(traveller, traveller.image.picture, traveller.wanted.popleft()))
            if len(batch) == size:
                break
        self._wanted -= len(batch)
        return batch

    def _submit_the_rest(self) -> None:
        """Has encoded what no other image can fill up, in equal parts for all who have nothing to do."""
        size = min(self._stats.batch_size, ceil(self._wanted / self._feeder.idle))
        while self._wanted and self._feeder.idle:
            self._feeder.submit(self._batch(size))

    def _receive(self) -> None:
        """Gives embeddings to the images that wait for them, which may then go on."""
        for wanted, vector in self._feeder.results():
            traveller = wanted.owner
            assert traveller.image is not None  # noqa: S101 (it waits for this embedding)
            traveller.image.embeddings[wanted.box] = vector
            traveller.awaited -= 1
            if not traveller.awaited:
                self._want(traveller)


def _enough(preprocessing: Preprocessing, plan: RegionPlan) -> float | None:
    """Tells how long the shorter side of an image must be for its smallest crop; None is as long as it is."""
    if preprocessing.exact:
        return None
    return ENOUGH * preprocessing.size / (plan.regions.scale_min if plan.counts else 1.0)


def _load(
    source: ImageSource | Recalled,
    plan: RegionPlan,
    can_stop: EarlyStopping | None,
    recall: Recall | None,
    enough: float | None,
) -> RegionExpansion | Recalled:
    """Reads an image; one whose embeddings are all known is not decoded."""
    if isinstance(source, Recalled):
        return source
    data = read_bytes(source)
    hashed = content_hash(data)
    known = recall(hashed) if recall else None
    if known is not None:
        image = RegionExpansion(hashed, plan, can_stop=can_stop, known=known)
        result = image.replay()
        if result is not None:
            return Recalled(result, image.nbytes)
    picture = open_picture(data, enough=enough)
    return RegionExpansion(hashed, plan, can_stop=can_stop, picture=picture, known=known)
