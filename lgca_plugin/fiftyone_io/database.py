"""The only use of FiftyOne's private names: its MongoDB collections, bulk writes, schema merges, view internals.

Each function has a contract test that runs against the installed FiftyOne, so an upgrade that changes one fails there.
"""

# ruff: noqa: SLF001

from __future__ import annotations

import json
import logging
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

from ..version import TESTED, is_newer_than_tested
from .outages import waits_for_database

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import fiftyone as fo
    from pymongo.collection import Collection

    Document = dict[str, Any]

logger = logging.getLogger(__name__)


@cache
def log_untested_version() -> None:
    """Logs, once a process, that FiftyOne is newer than the version tested: its private names may have changed."""
    import fiftyone as fo

    if is_newer_than_tested("fiftyone", fo.__version__):
        logger.warning("FiftyOne %s is newer than %s, with which this was tested", fo.__version__, TESTED["fiftyone"])


SCHEMA = threading.RLock()
"""Held while a dataset's fields are declared or loaded: FiftyOne has one object for a dataset in all threads."""

MERGE_ATTEMPTS = 5
"""Maximum number of times that fields are declared, if other threads load the dataset meanwhile."""


def root_dataset(samples: Any) -> Any:
    """Returns the dataset of a view, or the dataset itself."""
    log_untested_version()
    return samples._root_dataset


def dataset_id(dataset: fo.Dataset) -> str:
    """Returns the id of a dataset, which does not change when the dataset is renamed."""
    return str(dataset._doc.id)


def dataset_ids() -> dict[str, str]:
    """Returns the ids of all datasets in the database, by name."""
    from fiftyone.core.odm import get_db_conn

    return {found["name"]: str(found["_id"]) for found in get_db_conn().datasets.find({}, ["name"])}


def dataset_names(query: Mapping[str, Any]) -> list[str]:
    """Returns the names of the datasets whose records match a query, oldest first; ``_id`` may be a text."""
    from bson import ObjectId
    from fiftyone.core.odm import get_db_conn

    query = {name: ObjectId(value) if name == "_id" else value for name, value in query.items()}
    return [found["name"] for found in get_db_conn().datasets.find(query, ["name"]).sort("_id", 1)]


def is_deleted(dataset: fo.Dataset) -> bool:
    """Returns whether a dataset is no longer in the database, whoever has deleted it."""
    return not dataset_names({"_id": dataset._doc.id})


def stored_field_names(dataset: fo.Dataset) -> set[str]:
    """Returns the names of a dataset's sample fields in the database, without those that start with an underscore.

    They differ from ``dataset.get_field_schema()`` if another process has added or deleted fields.
    """
    from fiftyone.core.odm import get_db_conn

    stored = get_db_conn().datasets.find_one({"_id": dataset._doc.id}, ["sample_fields.name"])
    names = {field["name"] for field in (stored or {}).get("sample_fields") or ()}
    return {name for name in names if not name.startswith("_")}


def run_id(dataset: fo.Dataset, run_key: str) -> Any:
    """Returns the id of the record of a dataset's custom run, as stored; None if there is none under the key."""
    from fiftyone.core.odm import get_db_conn

    stored = get_db_conn().datasets.find_one({"_id": dataset._doc.id}, [f"runs.{run_key}"])
    return ((stored or {}).get("runs") or {}).get(run_key)


def reload_run(dataset: fo.Dataset, run_key: str) -> None:
    """Reads the record of a custom run anew, so that FiftyOne's own functions find the results that it has now."""
    loaded = dataset._doc.runs.get(run_key)
    if hasattr(loaded, "reload"):
        loaded.reload()


def reload_if_changed(dataset: fo.Dataset) -> bool:
    """Loads a dataset anew if another process has changed its fields, runs, evaluations or saved views.

    A dataset that is open here does not follow what other processes, such as the App's server, do to it. The comparison
    is one query of a millisecond; loading takes a tenth of a second.

    Returns:
        whether it was loaded anew; False for a dataset that was deleted
    """
    from fiftyone.core.odm import get_db_conn

    parts = [f"sample_fields.{name}" for name in ("name", "ftype", "embedded_doc_type", "read_only", "info.lgca")]
    stored = get_db_conn().datasets.find_one({"_id": dataset._doc.id}, [*parts, "runs", "evaluations", "saved_views"])
    with SCHEMA:
        if stored is None or _outline(stored) == _loaded_outline(dataset._doc):
            return False
        dataset.reload()
        return True


def _outline(record: Document) -> tuple[Any, ...]:
    """Returns what :func:`reload_if_changed` compares: fields, runs, evaluations and saved views in the database."""
    fields = {
        field["name"]: (
            field["ftype"],
            field.get("embedded_doc_type"),
            bool(field.get("read_only")),
            (field.get("info") or {}).get("lgca"),
        )
        for field in record.get("sample_fields") or ()
    }
    return fields, record.get("runs") or {}, record.get("evaluations") or {}, set(record.get("saved_views") or ())


def _loaded_outline(record: Any) -> tuple[Any, ...]:
    """Returns the same of a loaded record, in a hundredth of the time that its conversion to a dict takes."""
    fields = {
        field.name: (
            field.ftype,
            field.embedded_doc_type,
            bool(field.read_only),
            (field.info or {}).get("lgca"),
        )
        for field in record.sample_fields
    }
    runs, evaluations = ({key: one.id for key, one in part.items()} for part in (record.runs, record.evaluations))
    return fields, runs, evaluations, {view.id for view in record.saved_views}


def sample_collection(dataset: fo.Dataset) -> Collection[Document]:
    """Returns the MongoDB collection of a dataset's samples.

    Its queries return what is stored, whatever a view hides, and run in the time that FiftyOne takes to build a view.
    """
    collection: Collection[Document] = dataset._sample_collection
    return collection


def execution_store_collection() -> Collection[Document]:
    """Returns the MongoDB collection of FiftyOne's execution stores: for changes that depend on the database's clock.

    Its documents are unique by ``store_name``, ``key`` and ``dataset_id``, and go with their dataset.
    """
    from fiftyone.core.odm import get_db_conn
    from fiftyone.factory.repos.execution_store import MongoExecutionStoreRepo

    collection: Collection[Document] = get_db_conn()[MongoExecutionStoreRepo.COLLECTION_NAME]
    return collection


def raw_batches(samples: Any, stages: Sequence[Document], *, at_once: int = 1_000_000) -> Iterator[bytes]:
    """Runs aggregation stages after those of a dataset or view; yields batches of BSON, ``at_once`` or 16 MB."""
    pipeline = samples._pipeline(pipeline=list(stages))
    collection = samples._dataset._sample_collection
    yield from collection.aggregate_raw_batches(pipeline, allowDiskUse=True, batchSize=at_once)


@waits_for_database
def bulk_write(dataset: fo.Dataset, operations: Sequence[Any], ids: Iterable[str] | None = None) -> None:
    """Executes pymongo operations on a dataset's samples, then reloads samples in memory: these, or all if None.

    Unlike ``set_values``, one operation may write several fields. They must be such that they can be repeated. What is
    written is on the server's disk on return: a server that is killed keeps it.
    """
    import fiftyone as fo
    from fiftyone.core.odm import bulk_write as write

    write(list(operations), journaled(dataset._sample_collection))
    fo.Sample._reload_docs(dataset._sample_collection_name, sample_ids=None if ids is None else list(ids))


def journaled(collection: Collection[Document]) -> Collection[Document]:
    """Returns a collection whose writes are on the server's disk, all earlier ones included, once they return."""
    from pymongo.write_concern import WriteConcern

    return collection.with_options(write_concern=WriteConcern(**{**collection.write_concern.document, "j": True}))


def repair_saved_views(dataset: fo.Dataset) -> None:
    """Removes a dataset's references to saved views that are not there, as a kill during their deletion leaves them.

    With such a reference, FiftyOne takes one view for another: it would delete a user's.
    """
    from bson import DBRef
    from fiftyone.core.odm.database import patch_saved_views

    dataset._doc.reload("saved_views")
    if any(isinstance(view, DBRef) for view in dataset._doc.saved_views):
        patch_saved_views(dataset.name)
        dataset.reload()


@waits_for_database
def save_dataset(dataset: fo.Dataset) -> None:
    """Saves the changes of a dataset's own properties, such as how the App shows it."""
    dataset.save()


def reload_samples(dataset: fo.Dataset, ids: Iterable[str]) -> None:
    """Reloads samples of a dataset that are in memory."""
    import fiftyone as fo

    fo.Sample._reload_docs(dataset._sample_collection_name, sample_ids=list(ids))


@waits_for_database
def merge_schema(dataset: fo.Dataset, fields: Mapping[str, fo.Field]) -> None:
    """Declares sample fields, by path; those that exist are left as they are.

    ``add_sample_field`` reads and writes the dataset's record anew for every field; this does so once. All threads
    share FiftyOne's one object of a dataset, and the App loads it at every event, perhaps as it was before: then it is
    loaded and the fields are declared again.
    """
    for attempt in range(MERGE_ATTEMPTS):
        try:
            dataset._merge_sample_field_schema(dict(fields))
        except ValueError as error:
            around_is_missing = "non-existent" in str(error)
            if not around_is_missing or attempt + 1 == MERGE_ATTEMPTS:
                raise
        if all(dataset.has_field(path) for path in fields):
            return
        dataset.reload()


def is_generated(samples: Any) -> bool:
    """Returns True if samples are patches, frames or clips, so not the samples of their dataset."""
    return bool(samples._is_generated)


def patches_field(samples: Any) -> str | None:
    """Returns the label field of a view of patches; None for frames, clips and evaluation patches."""
    return getattr(getattr(samples, "_patches_stage", None), "field", None)


def shows_all_patches(samples: Any) -> bool:
    """Returns True if a view of patches has those of all samples of its dataset."""
    return len(samples._all_stages) == 1


def is_dynamic_groups(samples: Any) -> bool:
    """Returns True if a view groups samples by a field, with ``group_by``."""
    return bool(samples._is_dynamic_groups)


def can_repeat(samples: Any) -> bool:
    """Returns True if a view can show a sample more than once."""
    return any(type(stage).__name__ in ("Concat", "Mongo") for stage in getattr(samples, "_stages", ()))


_SELECTING = {
    "Exclude",
    "ExcludeFields",
    "Exists",
    "Flatten",
    "GroupBy",
    "Limit",
    "Match",
    "MatchLabels",
    "MatchTags",
    "Select",
    "SelectFields",
    "SelectGroupSlices",
    "Shuffle",
    "Skip",
    "SortBy",
    "Take",
}
"""Names of stages that choose samples or fields, and change no value."""


def only_selects(samples: Any) -> bool:
    """Returns True if all stages of a view choose samples or fields, so that it shows values as they are stored."""
    return all(type(stage).__name__ in _SELECTING for stage in getattr(samples, "_stages", ()))


def serialized_stages(stages: Any) -> list[Document]:
    """Returns stages, or those of a view, as JSON that the App takes, without ids."""
    from bson import json_util

    own = [stage._serialize(include_uuid=False) for stage in getattr(stages, "_stages", stages)]
    return list(json.loads(json_util.dumps(own)))


def app_view(dataset: fo.Dataset, stages: list[Document], filters: Document, extended: Document) -> Any:
    """Returns the view that the App shows, from ``view``, ``filters`` and ``extended`` of ``ctx.request_params``.

    Raises:
        Exception: whatever a stage raises that does not fit the dataset
    """
    from fiftyone.server.view import get_view

    return get_view(dataset, stages=stages, filters=filters, extended_stages=extended)


def forget_loaded_evaluations(dataset: fo.Dataset, eval_keys: Iterable[str]) -> None:
    """Removes evaluations from the cache of the App's server.

    The server caches datasets for a quarter of an hour, with the evaluation results it has loaded by key: if a key is
    evaluated again, the Model Evaluation panel would show the previous numbers.
    """
    from fiftyone.server.utils import cache_dataset

    loaded = cache_dataset(dataset)._evaluation_cache  # clear_cache() would remove everything else, too
    for key in eval_keys:
        loaded.pop(key, None)
