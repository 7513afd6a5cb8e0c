"""Copying the labels of one field to another, at once or in a thread.

The copy is one database update. Samples that have a label in the target field keep it, so an interrupted copy can be
repeated, and labels may be written while it runs.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from .database import bulk_write, dataset_id
from .documents import CLOCK_SLACK, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import fiftyone as fo

logger = logging.getLogger(__name__)

_COPYING: dict[tuple[str, str], threading.Thread] = {}
_LOCK = threading.Lock()


def copy_labels(dataset: fo.Dataset, name: str, source: str, samples: Sequence[str] | None = None) -> None:
    """Copies labels from a field to the samples, all or those with these ids, that have none in the field ``name``.

    The samples' time of modification is set to a little before now, unless it is later: otherwise a panel that has just
    read all samples would read them again, for a field that it does not use.
    """
    from bson import ObjectId
    from pymongo import UpdateMany

    which: dict[str, Any] = {name: None, source: {"$ne": None}}
    if samples is not None:
        which["_id"] = {"$in": [ObjectId(id_) for id_ in samples]}
    modified = {"$max": ["$last_modified_at", utc_now() - 2 * CLOCK_SLACK]}
    update: list[dict[str, Any]] = [{"$set": {name: f"${source}", "last_modified_at": modified}}]
    bulk_write(dataset, [UpdateMany(which, update)], samples)


def copy_in_background(dataset: fo.Dataset, name: str, source: str, then: Callable[[], None]) -> None:
    """Copies the labels of all samples in a thread, unless one is running; then that thread calls ``then``."""
    key = dataset_id(dataset), name

    def copy() -> None:
        try:
            copy_labels(dataset, name, source)
            then()
        except Exception:  # the next decision copies the rest
            logger.warning("Labels of %r could not all be copied to %r yet", source, name, exc_info=True)
        finally:
            with _LOCK:
                del _COPYING[key]

    with _LOCK:
        if key in _COPYING:
            return
        _COPYING[key] = threading.Thread(target=copy, name="lgca-copy")
        _COPYING[key].start()


def wait_for_copy(dataset: fo.Dataset, name: str) -> None:
    """Waits until a copy to a field is finished, if this process runs one."""
    with _LOCK:
        thread = _COPYING.get((dataset_id(dataset), name))
    if thread is not None:
        thread.join()
