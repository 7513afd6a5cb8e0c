"""The process of one device: it asks for images, encodes and scores them, and sends what it has found."""

from __future__ import annotations

import logging
import signal
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ..config import RunConfig
from ..cores import limit_cores
from ..engine.embeddings import EncodedImage
from ..engine.engine import default_batch_size, encode_images
from ..engine.memory import in_halves
from ..engine.stats import EngineStats
from ..errors import LgcaError, StoreError
from ..job.description import JobTexts
from ..prediction.elsewhere import SCORE_IMAGES, SCORED_AHEAD, load_predictor
from ..store.store import Store, geometry_of
from .messages import COUNTED, ENDED, FAILED, READY, SCORED, plain_outcome, read_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    from ..engine.embeddings import FailedImage, KnownRegions
    from .messages import Source

logger = logging.getLogger(__name__)

SEND_SECONDS = 1.0
"""Seconds after which images are scored and sent although they are fewer."""


@dataclass(frozen=True, kw_only=True)
class DeviceWork:
    """What the process of a device has to know of a run.

    Attributes:
        device: where the model runs
        cpus: number of cores that the process may use
        encoder_source: name, and pretrained tag or path, under which ``load_encoder`` finds the model
        config: the run's settings, as :meth:`RunConfig.to_json` returns them
        class_vectors: method to its ``[C, dim]`` class vectors
        offsets: method to what known shares of the classes add to each class's logit
        store: folder of the store of embeddings
        store_fingerprint: key of the encoder's embeddings in the store; None if nothing is read from it
    """

    device: str
    cpus: int
    encoder_source: tuple[str, str | None]
    config: dict[str, Any]
    class_vectors: Mapping[str, NDArray[Any]]
    offsets: Mapping[str, NDArray[Any]]
    store: str
    store_fingerprint: str | None


def main(work: Connection, results: Connection, given: dict[str, Any]) -> None:
    """Asks for images through one connection until there are no more, and sends what is found through the other."""
    with suppress(ValueError):  # in another thread than the main one
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches its parent, too, which ends it
    try:
        _Process(DeviceWork(**given)).run(work, results)
    except (EOFError, BrokenPipeError, ConnectionResetError):  # its parent has ended
        return
    except Exception as error:
        if not isinstance(error, LgcaError):
            logger.exception("the process on %s can't go on", given["device"])
        reason = str(error) if isinstance(error, LgcaError) else f"{type(error).__name__}: {error}"
        with suppress(OSError):
            results.send((FAILED, reason))


class _Process:
    def __init__(self, given: DeviceWork) -> None:
        import torch

        torch.set_num_threads(given.cpus)
        limit_cores(given.cpus)
        self._config = config = RunConfig.from_json(given.config)
        self._encoder, self._predictor = load_predictor(
            config,
            JobTexts(config.classes, config.descriptions_hash, given.class_vectors),
            given.encoder_source,
            device=given.device,
            offsets=given.offsets,
            other_weights=LgcaError(
                f"the weights that load_encoder finds for {config.encoder} are not those of the encoder that was "
                "passed, so other processes can't load it: name one device",
                app=f"the weights of {config.encoder} have changed meanwhile: start again",
            ),
        )
        self._recall = None
        if given.store_fingerprint is not None:
            self._recall = _Recall(Path(given.store), given.store_fingerprint, geometry_of(config.regions))

    def run(self, work: Connection, results: Connection) -> None:
        """Encodes and scores images until there are no more."""
        results.send((READY, default_batch_size(self._encoder)))
        batch_size = work.recv()
        stats, before, last = EngineStats(), EngineStats(), time.monotonic()
        waiting: list[EncodedImage[str] | FailedImage[str]] = []
        sending: deque[Future[None]] = deque()

        def send() -> None:
            nonlocal waiting, before, last
            sending.append(pool.submit(self._send, results, waiting, stats.since(before)))
            waiting, before, last = [], stats.copy(), time.monotonic()

        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="lgca-score"))
            stack.callback(pool.shutdown, cancel_futures=True)
            outcomes = encode_images(
                _sources(work),
                encoder=self._encoder,
                plan=self._config.region_plan,
                batch_size=batch_size,
                stats=stats,
                recall=self._recall,
                can_stop=self._predictor.can_stop,
            )
            for outcome in stack.enter_context(closing(outcomes)):
                waiting.append(outcome)
                if len(waiting) >= SCORE_IMAGES or time.monotonic() - last >= SEND_SECONDS:
                    send()
                while sending and (sending[0].done() or len(sending) > SCORED_AHEAD):
                    sending.popleft().result()
            send()
            for future in sending:
                future.result()
        results.send((ENDED,))

    def _send(
        self, results: Connection, outcomes: list[EncodedImage[str] | FailedImage[str]], stats: EngineStats
    ) -> None:
        results.send((COUNTED, asdict(stats)))
        in_halves(lambda part: results.send((SCORED, self._scored(part))), outcomes)

    def _scored(self, outcomes: Sequence[EncodedImage[str] | FailedImage[str]]) -> list[Any]:
        encoded = [one for one in outcomes if isinstance(one, EncodedImage)]
        find = any(image.encodes for image in encoded)  # where nothing is encoded, a triage makes its findings
        predictions = {
            one.id: own for one, own in zip(encoded, self._predictor.predict(encoded, find=find), strict=True)
        }
        logits = self._config.logits
        return [plain_outcome(one, predictions.get(one.id), logits=logits) for one in outcomes]


def _sources(work: Connection) -> Iterator[Source]:
    """Asks for images until there are no more."""
    while True:
        work.send(None)
        images = work.recv()
        if not images:
            return
        yield from read_sources(images)


class _Recall:
    """Looks up stored regions by the hash of an image's content; after an error of the store, nothing any more."""

    def __init__(self, folder: Path, fingerprint: str, geometry: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._geometry = geometry
        self._lock = Lock()
        self._store: Store | None = None
        self._encoder: int | None = None
        self._failed = False

    def __call__(self, content_hash: str) -> KnownRegions | None:
        """Returns the known embeddings of an image; called in any thread."""
        if self._failed:
            return None
        try:
            with self._lock:
                if self._store is None:  # with the first image: only then the run has its entry
                    self._store = Store(self._folder)
                    self._encoder = self._store.encoder(self._fingerprint)
            return None if self._encoder is None else self._store.recall(self._encoder, content_hash, self._geometry)
        except StoreError as error:
            logger.warning("%s; images are encoded that an earlier run may have encoded", error)
            self._failed = True
            return None
