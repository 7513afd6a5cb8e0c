"""Which images a search has to classify: those without a prediction, and those whose file has changed since."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ImageError, StoreError
from ...fiftyone_io.documents import as_utc
from ...fiftyone_io.fields import error_field
from ...images.files import content_hash, file_bytes
from ...method.core.frames import file_hash
from ...runs.stored_run import find_stored_run
from ...store.store import Store, store_exists
from ..classify.sample_ids import SampleIds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...images.boxed import BoxedImage
    from ...runs.record import RunRecord
    from .request import FindRequest

SLACK_SECONDS = 2.0
"""Tolerance for file systems that round times."""


@dataclass(frozen=True, kw_only=True)
class ImagesLeft:
    """The images of a search.

    Attributes:
        total: number of images with a label
        todo: ids of the samples to classify
        changed: ids of those among them that have predictions, of an image that was there before
    """

    total: int
    todo: Sequence[str]
    changed: list[str]


def images_left(request: FindRequest) -> ImagesLeft:
    """Finds the images that a search has to classify; reads files that were touched since, and writes nothing."""
    run = request.previous
    fields = [] if run is None else [field for field in run.fields if field != error_field(run.key)]
    schema = request.target.dataset.get_field_schema()
    since = 0.0 if run is None else _classified_at(request, run)
    total, todo = 0, SampleIds()
    changed: list[str] = []
    for part in request.target.source_parts():
        total += len(part)
        left = [id_ for id_, _ in part]
        if run is not None and all(field in schema for field in fields):
            done = request.target.filled(left, fields)
            known = [(id_, source) for id_, source in part if id_ in done]
            own = _changed(run, known, since)
            done.difference_update(own)
            changed += own
            left = [id_ for id_ in left if id_ not in done]
        todo.extend(left)
    return ImagesLeft(total=total, todo=todo, changed=changed)


def _classified_at(request: FindRequest, run: RunRecord) -> float:
    """Returns a time at which no image of the run had been read yet, in seconds since 1970."""
    if request.had is not None:
        return request.had.at
    return as_utc(run.dataset.get_run_info(run.key).timestamp).timestamp()


def _changed(run: RunRecord, samples: Sequence[tuple[str, str | BoxedImage]], since: float) -> list[str]:
    """Returns the ids of those samples, pairs of id and file, whose image has changed since a time.

    Files that were touched since are read and compared, by their hash, with what the run has stored. A touched file
    that is not stored counts as changed, one that can't be read does not.
    """
    touched = [(id_, str(source)) for id_, source in samples if _touched(str(source)) >= since - SLACK_SECONDS]
    hashes = _stored_hashes(run, [id_ for id_, _ in touched]) if touched else {}
    return [id_ for id_, path in touched if _has_changed(path, hashes.get(id_))]


def _touched(path: str) -> float:
    """Returns when a file was written, or put in its place, in seconds since 1970; 0 if there is none."""
    try:
        state = Path(path).stat()
    except OSError:
        return 0.0
    return max(state.st_mtime, state.st_ctime)


def _stored_hashes(run: RunRecord, ids: Sequence[str]) -> dict[str, str]:
    if not store_exists():
        return {}
    try:
        with Store() as store:
            stored = find_stored_run(store, run)
            return {} if stored is None else store.content_hashes(stored, ids)
    except StoreError:
        return {}


def delete_stored(run: RunRecord, ids: Sequence[str]) -> None:
    """Deletes what is stored of samples whose image has changed, so that no rescoring takes it for the new image.

    Raises:
        StoreError: if the store can't be written
    """
    if ids and store_exists():
        with Store() as store:
            stored = find_stored_run(store, run)
            if stored is not None:
                store.delete_samples(stored, ids)


def _has_changed(path: str, stored: str | None) -> bool:
    if stored is None:
        return True
    try:
        with file_bytes(path) as data:
            return content_hash(data) != file_hash(stored)
    except ImageError:
        return False
