"""Tokens that identify runs across processes, and an id of the database."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from .database import dataset_id
from .outages import waits_for_database

if TYPE_CHECKING:
    import fiftyone as fo

_STORE = "lgca_runs"
_DATABASE = "database"


@waits_for_database
def run_token(dataset: fo.Dataset, run_key: str) -> str | None:
    """Returns the token of the run that is stored under a key; None without one."""
    token = _tokens(dataset).get(run_key)
    return None if token is None else str(token)


def make_token() -> str:
    """Returns a token that no run has."""
    return uuid.uuid4().hex


@waits_for_database
def new_token(dataset: fo.Dataset, run_key: str, token: str | None = None) -> str:
    """Stores and returns a new token for a key's run; a process that still writes to it with the old token stops."""
    token = token or make_token()
    set_token(dataset, run_key, token)
    return token


@waits_for_database
def set_token(dataset: fo.Dataset, run_key: str, token: str) -> None:
    """Stores a token as that of a key's run."""
    _tokens(dataset).set(run_key, token)


@waits_for_database
def delete_token(dataset: fo.Dataset, run_key: str) -> None:
    """Deletes a run's token, and the counts of a call that was killed."""
    token = _tokens(dataset).get(run_key)
    if token is not None:
        _tokens(dataset).delete(_counts_key(str(token)))
    _tokens(dataset).delete(run_key)


@waits_for_database
def read_counts(dataset: fo.Dataset, token: str) -> dict[str, Any] | None:
    """Returns what a call on a run has counted so far, if it was killed; None otherwise."""
    found: dict[str, Any] | None = _tokens(dataset).get(_counts_key(token))
    return found


@waits_for_database
def write_counts(dataset: fo.Dataset, token: str, counts: dict[str, Any]) -> None:
    """Stores what a call on a run has counted so far."""
    _tokens(dataset).set(_counts_key(token), counts)


@waits_for_database
def delete_counts(dataset: fo.Dataset, token: str) -> None:
    """Deletes the counts of a call that has ended."""
    _tokens(dataset).delete(_counts_key(token))


def _counts_key(token: str) -> str:
    return f"counts {token}"


@waits_for_database
def database_id() -> str:
    """Returns an id of the database that FiftyOne is connected to, created by the first call."""
    from fiftyone.operators.store import ExecutionStore

    store = ExecutionStore.create(_STORE)
    store.set_if_absent(_DATABASE, uuid.uuid4().hex)
    return str(store.get(_DATABASE))


def _tokens(dataset: fo.Dataset) -> Any:
    from bson import ObjectId
    from fiftyone.operators.store import ExecutionStore

    return ExecutionStore.create(_STORE, dataset_id=ObjectId(dataset_id(dataset)))
