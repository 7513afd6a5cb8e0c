"""Filling a new label field with the labels of another one; where nobody waits for it, in a thread.

The copy is one update, in the database. Samples that hold a label there already keep it, so a copy that was broken off
can be made again at any time, and somebody may write labels while it goes on.
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
    """Copies labels to samples that have none in a field.

    The samples are stamped as modified a little before now, unless they were modified since: a panel that has just read
    everything would otherwise do so again, because of a field that it has not asked for.

    Args:
        dataset: the dataset
        name: the field that is filled
        source: the field with the labels
        samples: ids; None means all samples
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
    """Copies the labels of all samples in a thread, unless one is at it.

    Args:
        dataset: the dataset
        name: the field that is filled
        source: the field with the labels
        then: called in that thread once they are copied
    """
    key = dataset_id(dataset), name

    def copy() -> None:
        try:
            copy_labels(dataset, name, source)
            then()
        except Exception:  # the next decision goes on with it
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
    """Waits until a field is filled, where this process is at it: what is read of it then is whole."""
    with _LOCK:
        thread = _COPYING.get((dataset_id(dataset), name))
    if thread is not None:
        thread.join()
