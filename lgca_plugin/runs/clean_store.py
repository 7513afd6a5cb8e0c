"""The contents of the store, and the deletion of what no run needs."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, shown
from ..fiftyone_io.database import dataset_ids
from ..fiftyone_io.tokens import database_id, run_token
from ..store.entries import whole_token
from ..store.store import Store
from ..store.weights_files import delete_other_weights
from .registry import list_runs, original_key

if TYPE_CHECKING:
    import fiftyone as fo

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class StoreInfo:
    """The contents of the store of embeddings.

    Attributes:
        path: its file
        used_bytes: size of its contents
        limit_bytes: its maximum size
        runs: for each run, the least recently used first: ``run_key``, ``dataset`` (its name if it is in this database,
            else its id), ``samples`` (their number) and ``used`` (seconds since 1970)
    """

    path: Path
    used_bytes: int
    limit_bytes: int
    runs: list[dict[str, Any]]


def store_info() -> StoreInfo:
    """Returns the path and size of the store of embeddings, and the runs in it.

    Raises:
        StoreError: if the store can't be read
    """
    names = {id_: name for name, id_ in dataset_ids().items()}
    with Store() as store:
        runs = [
            {
                "run_key": run["run_key"],
                "dataset": names.get(run["dataset"], run["dataset"]),
                "samples": run["samples"],
                "used": run["used"],
            }
            for run in store.runs()
            if run["token"] == whole_token(run["token"])  # without those that it fuses, which are listed themselves
        ]
        return StoreInfo(store.path, store.used_bytes, store.limit_bytes, runs)


def clean_store(*, unused_days: float | None = None) -> int:
    """Deletes embeddings of deleted runs from the store.

    These are runs of this database that were deleted, with their dataset or otherwise; with ``unused_days``, also runs
    of any database, and texts, that were not used for so long. Such runs keep their fields, records and predictions.
    The weights of a fused run go with its embeddings.

    Args:
        unused_days: days since a run was classified or rescored last, at least 0; None deletes no existing run's
            embeddings

    Returns:
        number of bytes that have become free

    Raises:
        ConfigError: if ``unused_days`` is negative
        StoreError: if the store can't be written
    """
    if unused_days is not None and not unused_days >= 0:
        raise ConfigError(f"unused_days must be a number of days, at least 0, got {shown(unused_days)}")
    database = database_id()
    alive = dataset_ids()
    with Store() as store:
        before = store.used_bytes
        for run in store.runs():
            gone = run["database"] == database and not _is_alive(run, alive)
            old = unused_days is not None and time.time() - run["used"] >= unused_days * SECONDS_A_DAY
            if gone or old:
                store.delete_run(run["token"])
        if unused_days is not None:
            store.delete_texts(before=time.time() - unused_days * SECONDS_A_DAY)
        weights = delete_other_weights(store.path.parent, {run["token"] for run in store.runs()})
        return before - store.used_bytes + weights


def _is_alive(run: dict[str, Any], alive: dict[str, str]) -> bool:
    import fiftyone as fo

    name = next((name for name, id_ in alive.items() if id_ == run["dataset"]), None)
    if name is None:
        return False
    dataset = fo.load_dataset(name)
    token = run_token(dataset, run["run_key"]) if run["run_key"] in _original_keys(dataset) else None
    return token is not None and token in (whole_token(run["token"]), run["replaced_by"])


def _original_keys(dataset: fo.Dataset) -> set[str]:
    """Returns the keys that a dataset's runs were made under, and that the store has: a run may be renamed."""
    keys = set(list_runs(dataset))
    for key in list(keys):
        with suppress(ConfigError):  # a record of another release
            keys.add(original_key(dataset, key))
    return keys
