"""What the store holds, and getting rid of what nobody needs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..fiftyone_io.database import dataset_ids
from ..fiftyone_io.tokens import database_id, run_token
from ..store.store import Store

SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class StoreInfo:
    """What the store of embeddings holds.

    Attributes:
        path: its file
        used_bytes: size of what it holds
        limit_bytes: size up to which it grows
        runs: for each run, the one used longest ago first: ``run_key``, ``dataset`` (its id, or name where the dataset
            is in this database), ``samples`` and ``used`` (seconds since 1970)
    """

    path: Path
    used_bytes: int
    limit_bytes: int
    runs: list[dict[str, Any]]


def store_info() -> StoreInfo:
    """Tells where the store of embeddings lies, how large it is, and which runs hold something in it.

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
        ]
        return StoreInfo(store.path, store.used_bytes, store.limit_bytes, runs)


def clean_store(*, unused_days: float | None = None) -> int:
    """Deletes embeddings that nobody needs from the store.

    Those of runs of this database that are gone, with their dataset or otherwise; and, if asked, those of runs of any
    database, and of texts, that have not been used for some time. The runs themselves stay: their fields, records and
    predictions.

    Args:
        unused_days: runs that were neither classified nor rescored for so many days lose their embeddings, too

    Returns:
        how many bytes have become free

    Raises:
        ConfigError: if ``unused_days`` is negative
        StoreError: if the store can't be written
    """
    if unused_days is not None and not unused_days >= 0:
        raise ConfigError(f"unused_days must be a number of days, at least 0, got {unused_days!r}")
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
        return before - store.used_bytes


def _is_alive(run: dict[str, Any], alive: dict[str, str]) -> bool:
    import fiftyone as fo

    name = next((name for name, id_ in alive.items() if id_ == run["dataset"]), None)
    if name is None:
        return False
    dataset = fo.load_dataset(name)
    held = run_token(dataset, run["run_key"]) if run["run_key"] in dataset.list_runs() else None
    return held is not None and held in (run["token"], run["replaced_by"])
