"""The engine's loop: images are decoded ahead, batches are full, results come in order as soon as they are complete.

Many images are in flight at once, each at its own expansion step. A batch takes the requests of the earliest images
first; a new image is admitted only if those in flight cannot fill the batch. So results come soon and few images are in
memory. They depend on the images alone, not on the batch size or on how many images are in flight.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TYPE_CHECKING, Any, Generic

from ..errors import ConfigError, ImageError
from ..images.boxed import BoxedImage, OpenedFiles
from ..images.decoding import open_picture
from ..images.files import ImageSource, content_hash, file_bytes
from ..images.load_ahead import LoadAhead
from .cropper import EncodeRequest
from .embeddings import EncodedImage, FailedImage, Id, KnownRegions
from .feeder import Feeder
from .region_expansion import RegionExpansion
from .stats import EngineStats

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from ..config import RegionPlan
    from ..encoder.base import Encoder
    from ..images.crops import Box, Preprocessing
    from ..images.decoding import Picture

CPU_BATCH = 40
"""Maximum number of crops in a batch on the CPU."""

CPU_BATCH_PIXELS = 32 * 224 * 224
"""Maximum number of pixels in a batch on the CPU: of large crops, a few keep a core busy."""

DEVICE_BATCH = 256
"""Maximum number of crops in a batch elsewhere."""

WAVE_BYTES = 256 * 1024**2
"""Maximum memory of the images in flight, and of those decoded ahead of them."""

DECODED_SCALE = 2.5
"""Where crops need not be exact, large images are decoded at a fraction of their size: the smallest crop still has this
many times the encoder's pixels, along each side."""

Recall = Callable[[str], KnownRegions | None]
"""Returns the known embeddings of the image whose file has this content hash; called in any thread."""

EarlyStopping = Callable[[EncodedImage[Any]], bool]
"""True if an image can stop at its budget level; called in any thread."""


def encode_images(
    images: Iterable[tuple[Id, ImageSource | BoxedImage]],
    *,
    encoder: Encoder,
    plan: RegionPlan,
    batch_size: int | None = None,
    wave_size: int | None = None,
    stats: EngineStats | None = None,
    recall: Recall | None = None,
    can_stop: EarlyStopping | None = None,
    wave_bytes: int = WAVE_BYTES,
    fill_up: bool = True,
) -> Generator[EncodedImage[Id] | FailedImage[Id], None, None]:
    """Encodes images and the regions that a set of methods needs, in the order given.

    Args:
        images: pairs of an id and a path or the bytes of an image file, or a box in one; read lazily
        encoder: embeds the pixels
        plan: which regions are encoded
        batch_size: crops in one call of the encoder; None takes on the CPU up to 40 that have no more pixels than 32
            of 224 x 224, elsewhere 256 or as many as fit
        wave_size: maximum number of images in flight, and of those decoded ahead of them; None takes as many as fill
            the batches
        stats: counted up while the iterator runs
        recall: returns embeddings known from earlier; they are not encoded again
        can_stop: whether an image can stop at its budget level, needed if ``plan`` is adaptive; its result must depend
            on the image alone
        wave_bytes: maximum memory of the images in flight, and of those decoded ahead of them
        fill_up: whether the last batches, which are partly empty, are filled up for an encoder whose embeddings depend
            on the size of a batch; for images that come one by one, that takes several times as long

    Yields:
        an :class:`EncodedImage`, or a :class:`FailedImage` with the reason

    Raises:
        ConfigError: if ``batch_size`` or ``wave_size`` is less than 1, or an adaptive plan lacks ``can_stop``
    """
    if plan.adaptive and can_stop is None:
        raise ConfigError("an adaptive budget needs can_stop, which decides when an image stops early")
    for name, value in (("batch_size", batch_size), ("wave_size", wave_size)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} must be at least 1, got {value}")
    stats = stats if stats is not None else EngineStats()
    stats.batch_size = batch_size or default_batch_size(encoder)
    load = _Loading(plan, can_stop, recall, _enough_pixels(encoder.preprocessing, plan))
    feeder: Feeder[_InFlightImage] = Feeder(encoder, stats, fill_up=fill_up)
    limits = {"max_images": wave_size or (feeder.slots + 1) * stats.batch_size, "max_bytes": wave_bytes}
    with feeder, LoadAhead(images, load, **limits) as ahead:
        yield from _Flow(ahead, feeder, stats, **limits).run()


def default_batch_size(encoder: Encoder) -> int:
    """Returns a batch size by the encoder's device and its free memory."""
    if encoder.device is None or str(encoder.device) == "cpu":
        return max(1, min(CPU_BATCH, CPU_BATCH_PIXELS // encoder.image_size**2))
    return encoder.fitting_batch(DEVICE_BATCH)


@dataclass(eq=False)
class _InFlightImage:
    """An image between loading and its result.

    Attributes:
        expansion: the image's expansion steps; None once there is a result
        nbytes: memory that it held when it was loaded
        result: the result under an id of None, once it is complete
        requests: what the current step needs encoded and no batch has taken yet
        n_missing: number of embeddings without which it can't go on
    """

    expansion: RegionExpansion | None
    nbytes: int = 0
    result: EncodedImage[Any] | FailedImage[Any] | None = None
    requests: deque[Box | None] = field(default_factory=deque)
    n_missing: int = 0


class _Flow(Generic[Id]):
    """Brings at most ``max_images`` images of ``max_bytes`` at the same time through the steps of a plan."""

    def __init__(
        self,
        ahead: LoadAhead[Id, ImageSource | BoxedImage, _InFlightImage],
        feeder: Feeder[_InFlightImage],
        stats: EngineStats,
        *,
        max_images: int,
        max_bytes: int,
    ) -> None:
        self._ahead = ahead
        self._feeder = feeder
        self._stats = stats
        self._max_images = max_images
        self._max_bytes = max_bytes
        self._in_flight: deque[tuple[Id, _InFlightImage]] = deque()  # in the order given
        self._n_requests = 0
        self._bytes = 0

    def run(self) -> Iterator[EncodedImage[Id] | FailedImage[Id]]:
        """Yields the results in the order of the images."""
        while True:
            while self._in_flight and self._in_flight[0][1].result is not None:
                yield self._pop_result()
            if self._feeder.has_free_slot and self._n_requests >= self._stats.batch_size:
                self._feeder.submit(self._batch(self._stats.batch_size))
                continue
            head = self._ahead.head() if self._may_admit() else None
            if head is not None and (head.done() or not self._feeder.busy):
                self._admit()
            elif head is None and self._n_requests and self._feeder.n_idle:
                self._submit_rest()
            elif self._feeder.busy:
                self._feeder.wait(head)
                self._receive()
            else:
                return

    def _may_admit(self) -> bool:
        """True if another image is needed to fill a batch, and memory allows it."""
        if self._n_requests >= self._stats.batch_size or len(self._in_flight) >= self._max_images:
            return False
        return self._bytes < self._max_bytes

    def _admit(self) -> None:
        """Takes the next image."""
        started = time.perf_counter()
        id_, loaded = self._ahead.take()
        self._stats.wait_seconds += time.perf_counter() - started
        if isinstance(loaded, ImageError):
            loaded = _InFlightImage(None, result=FailedImage(None, str(loaded)))
        self._bytes += loaded.nbytes
        self._in_flight.append((id_, loaded))
        if loaded.expansion is not None:
            picture = loaded.expansion.picture
            self._stats.guessed_depth += picture is not None and picture.guessed_depth
            self._advance(loaded, loaded.expansion)

    def _advance(self, image: _InFlightImage, expansion: RegionExpansion) -> None:
        """Takes an image as far as its embeddings reach."""
        while not (missing := expansion.missing()):
            if not expansion.next_step():
                image.result, image.expansion = expansion.result(None), None
                return
        image.requests.extend(missing)
        image.n_missing = len(missing)
        self._n_requests += len(missing)

    def _pop_result(self) -> EncodedImage[Id] | FailedImage[Id]:
        """Removes the first image and returns its result."""
        id_, image = self._in_flight.popleft()
        assert image.result is not None  # noqa: S101 (checked by the caller)
        result = replace(image.result, id=id_)
        self._bytes -= image.nbytes
        if isinstance(result, FailedImage):
            self._stats.failed += 1
        else:
            self._stats.images += 1
            self._stats.recalled += not result.encodes
            self._stats.levels[result.level] = self._stats.levels.get(result.level, 0) + 1
        return result

    def _batch(self, size: int) -> list[EncodeRequest[_InFlightImage]]:
        """Takes requests, those of the earliest images first."""
        batch: list[EncodeRequest[_InFlightImage]] = []
        for _, image in self._in_flight:
            if image.expansion is None or image.expansion.picture is None:
                continue
            while image.requests and len(batch) < size:
                batch.append(EncodeRequest(image, image.expansion.picture, image.requests.popleft()))
            if len(batch) == size:
                break
        self._n_requests -= len(batch)
        return batch

    def _submit_rest(self) -> None:
        """Submits the requests that no other image can complete to a full batch, in equal parts for all idle slots."""
        size = min(self._stats.batch_size, ceil(self._n_requests / self._feeder.n_idle))
        while self._n_requests and self._feeder.n_idle:
            self._feeder.submit(self._batch(size))

    def _receive(self) -> None:
        """Hands embeddings to their images, which then may advance."""
        for request, vector in self._feeder.results():
            image = request.owner
            assert image.expansion is not None  # noqa: S101 (it waits for this embedding)
            image.expansion.embeddings[request.box] = vector
            image.n_missing -= 1
            if not image.n_missing:
                self._advance(image, image.expansion)


def _enough_pixels(preprocessing: Preprocessing, plan: RegionPlan) -> float | None:
    """Returns the length in pixels that the shorter side of an image must keep for its smallest crop; None: its own."""
    if preprocessing.exact:
        return None
    return DECODED_SCALE * preprocessing.size / (plan.regions.scale_min if plan.counts else 1.0)


@dataclass(frozen=True)
class _Loading:
    """Reads images; one is not decoded if its embeddings are all known."""

    plan: RegionPlan
    can_stop: EarlyStopping | None
    recall: Recall | None
    enough: float | None
    files: OpenedFiles = field(default_factory=OpenedFiles)

    def __call__(self, source: ImageSource | BoxedImage) -> _InFlightImage:
        if isinstance(source, BoxedImage):
            key = self.files.key(source)
            return self._load(key, lambda: self.files.picture(source, key, self.enough))
        with file_bytes(source) as data:
            return self._load(content_hash(data), lambda: open_picture(data, enough=self.enough))

    def _load(self, hashed: str, opened: Callable[[], Picture]) -> _InFlightImage:
        known = self.recall(hashed) if self.recall else None
        if known is not None:
            expansion = RegionExpansion(hashed, self.plan, can_stop=self.can_stop, known=known)
            result = expansion.replay()
            if result is not None:
                return _InFlightImage(None, expansion.nbytes, result)
        expansion = RegionExpansion(hashed, self.plan, can_stop=self.can_stop, picture=opened(), known=known)
        return _InFlightImage(expansion, expansion.nbytes)
