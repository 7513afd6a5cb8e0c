"""Which run is which, across processes and databases: a token for every run, an identity for every database."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from .database import dataset_id

if TYPE_CHECKING:
    import fiftyone as fo

_STORE = "lgca_runs"
_DATABASE = "database"


def run_token(dataset: fo.Dataset, run_key: str) -> str | None:
    """Gives the token of the run that is under a key now; None where there is none."""
    token = _tokens(dataset).get(run_key)
    return None if token is None else str(token)


def new_token(dataset: fo.Dataset, run_key: str) -> str:
    """Gives the key's run a new token: another process that writes to a run with the old one sees that, and stops."""
    token = uuid.uuid4().hex
    _tokens(dataset).set(run_key, token)
    return token


def delete_token(dataset: fo.Dataset, run_key: str) -> None:
    """Takes a run's token away."""
    _tokens(dataset).delete(run_key)


def database_id() -> str:
    """Gives the identity of the database that FiftyOne is connected to, made at the first call."""
    from fiftyone.operators.store import ExecutionStore

    store = ExecutionStore.create(_STORE)
    store.set_if_absent(_DATABASE, uuid.uuid4().hex)
    return str(store.get(_DATABASE))


def _tokens(dataset: fo.Dataset) -> Any:
    from bson import ObjectId
    from fiftyone.operators.store import ExecutionStore

    return ExecutionStore.create(_STORE, dataset_id=ObjectId(dataset_id(dataset)))
