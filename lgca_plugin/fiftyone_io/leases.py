"""Leases on run keys, in the database: one holder a key, and signs of life by the database's own clock.

Each change is one atomic operation on one document, and all times are the database's, so that neither the clocks of
the hosts nor the order in which their calls arrive matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .database import dataset_id, execution_store_collection
from .documents import as_utc
from .outages import waits_for_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    import fiftyone as fo

_STORE = "lgca_leases"


@dataclass(frozen=True, kw_only=True)
class StoredLease:
    """A lease as it was read.

    Attributes:
        key: the run's key
        owner: id of the call that holds it
        value: what the call has stored: ``task``, ``state``, ``user``, ``host``, ``machine``, ``process``, ``seconds``
        since: when the call took it
        beat: its last sign of life
        age: seconds since that, 0 or more
        cancelled_by: who has cancelled the call, if anybody has
    """

    key: str
    owner: str
    value: Mapping[str, Any]
    since: datetime
    beat: datetime
    age: float
    cancelled_by: str | None

    @property
    def expired(self) -> bool:
        """Whether the last sign of life is older than the holder has promised."""
        return self.age > float(self.value["seconds"])


def insert_lease(dataset: fo.Dataset, key: str, owner: str, value: Mapping[str, Any]) -> bool:
    """Stores a lease on a key; returns False if there is one already."""
    from fiftyone.operators.store import ExecutionStore
    from pymongo.errors import DuplicateKeyError

    ExecutionStore.create(_STORE)  # creates the index that keeps a key from having two leases
    try:
        execution_store_collection().update_one(
            {**_identity(dataset, key), "value.owner": owner}, _stages(owner, value), upsert=True
        )
    except DuplicateKeyError:
        return False
    return True


def replace_lease(dataset: fo.Dataset, lease: StoredLease, owner: str, value: Mapping[str, Any]) -> bool:
    """Replaces a lease by another one; returns False if it has been renewed, replaced or deleted since it was read."""
    same = {**_identity(dataset, lease.key), "value.owner": lease.owner, "value.beat": lease.beat}
    return bool(execution_store_collection().update_one(same, _stages(owner, value)).matched_count)


@waits_for_database
def renew_lease(dataset: fo.Dataset, key: str, owner: str, **changes: Any) -> StoredLease | None:
    """Renews a lease and changes entries of its value; returns None if it is no longer the owner's."""
    from pymongo import ReturnDocument

    stages = [{"$set": {"value.beat": "$$NOW", **{f"value.{name}": {"$literal": to} for name, to in changes.items()}}}]
    own = {**_identity(dataset, key), "value.owner": owner}
    found = execution_store_collection().find_one_and_update(own, stages, return_document=ReturnDocument.AFTER)
    return None if found is None else _lease({**found, "age": 0})


def cancel_lease(dataset: fo.Dataset, lease: StoredLease, by: str) -> bool:
    """Stores in a lease that its holder shall stop; returns False if the holder has ended."""
    own = {**_identity(dataset, lease.key), "value.owner": lease.owner}
    return bool(execution_store_collection().update_one(own, {"$set": {"value.cancelled_by": by}}).matched_count)


def delete_lease(dataset: fo.Dataset, key: str, owner: str) -> None:
    """Deletes a lease if it is still the owner's."""
    execution_store_collection().delete_one({**_identity(dataset, key), "value.owner": owner})


@waits_for_database
def read_lease(dataset: fo.Dataset, key: str) -> StoredLease | None:
    """Returns the lease on a key, expired or not; None without one."""
    return next(_find(_identity(dataset, key)), None)


def read_leases(dataset: fo.Dataset) -> list[StoredLease]:
    """Returns all leases on keys of a dataset, expired or not, the oldest first."""
    identity = _identity(dataset, "")
    del identity["key"]
    return sorted(_find(identity), key=lambda lease: lease.since)


def _identity(dataset: fo.Dataset, key: str) -> dict[str, Any]:
    from bson import ObjectId

    return {"store_name": _STORE, "key": key, "dataset_id": ObjectId(dataset_id(dataset))}


def _stages(owner: str, value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the update that makes a document a new lease; the rest is what FiftyOne's stores have in each."""
    now = {"since": "$$NOW", "beat": "$$NOW"}
    stored = {"$mergeObjects": [{"$literal": {**value, "owner": owner, "cancelled_by": None}}, now]}
    times = {"created_at": {"$ifNull": ["$created_at", "$$NOW"]}, "updated_at": "$$NOW", "expires_at": None}
    return [{"$set": {"value": stored, "policy": "persist", **times}}]


def _find(query: Mapping[str, Any]) -> Iterator[StoredLease]:
    age = {"$subtract": ["$$NOW", "$value.beat"]}
    for document in execution_store_collection().find(query, {"key": 1, "value": 1, "age": age}):
        yield _lease(document)


def _lease(document: Mapping[str, Any]) -> StoredLease:
    value = document["value"]
    return StoredLease(
        key=document["key"],
        owner=value["owner"],
        value=value,
        since=as_utc(value["since"]),
        beat=as_utc(value["beat"]),
        age=max(0.0, float(document["age"]) / 1000),
        cancelled_by=value.get("cancelled_by"),
    )
