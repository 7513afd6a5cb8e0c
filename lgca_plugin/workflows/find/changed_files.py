"""Which images have changed on disk since a run has classified them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ImageError, StoreError
from ...fiftyone_io.documents import write_fields
from ...images.files import content_hash, read_bytes
from ...store.store import Store, store_exists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...runs.record import RunRecord

SLACK_SECONDS = 2.0
"""Tolerance for file systems that round times."""


def clear_changed(run: RunRecord, samples: Sequence[tuple[str, str]], since: float) -> list[str]:
    """Deletes a run's predictions on those samples whose image has changed, so that they are classified again.

    Files that were touched since a time are read and compared, by their hash, with what the run has stored; a touched
    file that is not stored counts as changed, one that can't be read does not.

    Args:
        run: the run
        samples: pairs of sample id and path
        since: seconds since 1970

    Returns:
        the ids of the changed samples
    """
    touched = [(id_, path) for id_, path in samples if _touched(path) >= since - SLACK_SECONDS]
    hashes = _stored_hashes(run, [id_ for id_, _ in touched]) if touched else {}
    changed = [id_ for id_, path in touched if _has_changed(path, hashes.get(id_))]
    write_fields(run.dataset, {id_: dict.fromkeys(run.fields) for id_ in changed})
    return changed


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
            stored = store.run(run.token)
            return {} if stored is None else store.content_hashes(stored, ids)
    except StoreError:
        return {}


def _has_changed(path: str, stored: str | None) -> bool:
    try:
        return stored is None or content_hash(read_bytes(path)) != stored
    except ImageError:
        return False
