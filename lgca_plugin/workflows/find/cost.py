"""How long a search will take on this machine: from the last run with the encoder, or measured on a few images."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...encoder.loading import load_cached_encoder
from ...encoder.precision import check_devices
from ...engine.embeddings import EncodedImage
from ...engine.engine import encode_images
from ...errors import LgcaError, StoreError
from ...fiftyone_io.database import dataset_id
from ...runs.registry import list_runs, load_run
from ...store.store import Store, geometry_of, store_exists
from ..classify.embedding_writer import stored_fingerprint
from ..classify.plan import prepare_classify
from .classification import classification
from .left import images_left

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Sequence

    from ...encoder.base import Encoder
    from ...engine.engine import Recall
    from ...images.boxed import BoxedImage
    from ..classify.plan import ClassifyPlan
    from .left import ImagesLeft
    from .request import FindRequest

    Source = tuple[str, str | BoxedImage]

FIRST_IMAGES = 4
"""Number of images that are measured first, which warm the encoder up."""

MOST_IMAGES = 48
"""Maximum number of images that are measured then."""

ENOUGH_SECONDS = 6.0
"""Time that the measurement of the images takes, if that many are there."""

FEWEST_KNOWN = 8
"""Minimum number of images of an earlier run whose speed is taken."""

TRIAGE_START, TRIAGE_SECONDS = 0.5, 0.001
"""Estimated time of a triage in seconds: at least, and for each image."""


@dataclass(frozen=True, kw_only=True)
class SearchCost:
    """What a search costs.

    Attributes:
        images: number of images with a label
        todo: number of those that are to be classified
        seconds: estimated time of the whole search
        measured: number of images that were measured; 0 if the speed is that of an earlier run, or nothing is encoded
        device: where the model runs, such as ``"cpu"``; None if nothing is encoded
        run_key: key of the run that is gone on with; None for a new run
    """

    images: int
    todo: int
    seconds: float
    measured: int
    device: str | None
    run_key: str | None


@dataclass(frozen=True)
class Speed:
    """Seconds that an image takes, where the model runs, and on how many images that was measured, 0 for a run."""

    seconds: float
    device: str
    measured: int = 0


_measured: dict[Hashable, Speed] = {}


def search_cost(request: FindRequest) -> SearchCost:
    """Returns what a search costs, measured if it is not known. It takes seconds then, and loads the model.

    Raises:
        ModelUnavailableError: if the model is not on this machine; it is not downloaded
        ConfigError: if the descriptions or the encoder can't be used
    """
    left = images_left(request)
    seconds = triage_seconds(left.total)
    speed = None
    if left.todo:
        speed = expected_speed(request)
        if speed is None:
            speed = _measured[_key(request)] = _measure(request, left)
        seconds += len(left.todo) * speed.seconds
    return SearchCost(
        images=left.total,
        todo=len(left.todo),
        seconds=seconds,
        measured=0 if speed is None else speed.measured,
        device=None if speed is None else speed.device,
        run_key=None if request.previous is None else request.previous.key,
    )


def triage_seconds(images: int) -> float:
    """Returns the estimated time of a triage."""
    return TRIAGE_START + images * TRIAGE_SECONDS


def expected_speed(request: FindRequest) -> Speed | None:
    """Returns the speed of a search as far as it is known: from an earlier run on this machine, or measured before."""
    return _speed_of_last_run(request) or _measured.get(_key(request))


def _key(request: FindRequest) -> Hashable:
    source = request.source or (request.encoder_name, str(id(request.encoder)))
    settings = (request.options.device, request.options.precision, request.methods, request.regions, request.budget)
    return (dataset_id(request.target.dataset), source, *settings)


def _speed_of_last_run(request: FindRequest) -> Speed | None:
    """Returns the speed of the latest run on the dataset with the same encoder and crops, if it was made here."""
    dataset = request.target.dataset
    wanted = (request.encoder_name, request.methods, request.regions, request.budget)
    for key in reversed(list_runs(dataset)):
        try:
            run = load_run(dataset, key)
        except LgcaError:
            continue
        config, results = run.config, run.results
        if (config.encoder, config.methods, config.regions, config.budget) != wanted:
            continue
        encoded, recalled = results.get("images_encoded", 0), results.get("images_recalled", 0)
        if str(results.get("device")).count(",") != max(0, len(_devices(request)) - 1):
            continue
        if encoded >= FEWEST_KNOWN and 10 * recalled <= encoded and _is_of_this_machine(run.token):
            return Speed(results["seconds"] / (encoded + recalled), str(results.get("device") or "cpu"))
    return None


def _is_of_this_machine(token: str) -> bool:
    """Whether a run's embeddings are in the store of this machine."""
    if not store_exists():
        return False
    try:
        with Store() as store:
            return store.run(token) is not None
    except StoreError:
        return False


def _measure(request: FindRequest, left: ImagesLeft) -> Speed:
    """Classifies a few of the images that are left, spread over all of them, and writes nothing."""
    encoder, devices = request.encoder, _devices(request)
    if encoder is None and request.source is not None:
        precision = request.options.precision
        encoder = load_cached_encoder(*request.source, device=devices[0] if devices else None, precision=precision)
    assert encoder is not None  # noqa: S101 (a request has the one or the other)
    plan = prepare_classify(classification(request.as_new_run(), None), encoder)
    seconds, measured = _measured_on_one(plan, encoder, set(left.todo))
    return Speed(seconds / max(1, len(devices)), ", ".join(devices) or str(encoder.device or "cpu"), measured)


def _measured_on_one(plan: ClassifyPlan, encoder: Encoder, todo: Collection[str]) -> tuple[float, int]:
    """Returns the seconds that an image takes on one device, and on how many images that was measured."""
    images = [image for image in plan.todo if image[0] in todo]
    first = _spread(images, FIRST_IMAGES)
    with _recalling(plan) as recall:
        seconds = _time(plan, encoder, first, recall)
        others = [image for image in images if image not in first]
        others = _spread(others, max(FIRST_IMAGES, min(MOST_IMAGES, int(ENOUGH_SECONDS * len(first) / seconds))))
        if not others:
            return seconds / len(first), len(first)
        count, more = len(others), _time(plan, encoder, others, recall)
    if seconds < ENOUGH_SECONDS:  # mostly warming up
        return more / count, len(first) + count
    return (seconds + more) / (len(first) + count), len(first) + count


def _devices(request: FindRequest) -> tuple[str, ...]:
    """Returns the devices that the caller has named."""
    return () if request.options.device is None else check_devices(request.options.device)


def _time(plan: ClassifyPlan, encoder: Encoder, images: Sequence[Source], recall: Recall | None) -> float:
    """Returns the seconds that it takes to encode and score images."""
    started = time.perf_counter()
    outcomes = encode_images(
        images,
        encoder=encoder,
        plan=plan.request.region_plan,
        batch_size=plan.request.options.batch_size,
        recall=recall,
        can_stop=plan.predictor.can_stop,
        fill_up=False,  # as nearly all batches of a whole run are full
    )
    with closing(outcomes):
        encoded = [outcome for outcome in outcomes if isinstance(outcome, EncodedImage)]
    if encoded:
        plan.predictor.predict(encoded, find=True)
    return time.perf_counter() - started


@contextmanager
def _recalling(plan: ClassifyPlan) -> Iterator[Recall | None]:
    """Yields a function that looks up the stored embeddings of an image; None if there are none of the encoder."""
    if plan.encoder.fingerprint is None or not store_exists():
        yield None
        return
    geometry = geometry_of(plan.config.regions)
    with Store() as store:
        row = store.encoder(stored_fingerprint(plan, ""))
        yield None if row is None else lambda content_hash: store.recall(row, content_hash, geometry)


def _spread(images: Sequence[Source], count: int) -> list[Source]:
    """Returns some of the images, at equal distances."""
    if len(images) <= count:
        return list(images)
    return [images[int(at * len(images) / count)] for at in range(count)]
