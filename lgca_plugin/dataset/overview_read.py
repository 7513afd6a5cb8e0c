"""Reading single values of a dataset's samples, all of them or those that have changed, as columns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .run import Run

AT_ONCE = 5000
LARGE = 10_000
"""Samples from which on the two halves of a dataset are read at once."""


def read_stamp(run: Run) -> tuple[Any, ...]:
    """Asks the database's catalogue and the index of modification times: neither reads samples."""
    samples = run.dataset._sample_collection  # noqa: SLF001
    newest = samples.find_one({}, {"last_modified_at": True, "_id": False}, sort=[("last_modified_at", -1)])
    return samples.estimated_document_count(), (newest or {}).get("last_modified_at")


def read_columns(
    run: Run, paths: Sequence[str], match: dict[str, Any] | None = None
) -> tuple[NDArray[np.bytes_], list[list[Any]]]:
    """Reads values of samples: ids, and a column for each path.

    All samples of a large dataset are read in two halves at once, so that the database works on the one while this
    process takes the other apart.
    """
    halves = [match or {}] if match else _halves(run)
    with ThreadPoolExecutor(len(halves)) as readers:
        found = list(readers.map(lambda half: _read_part(run, paths, half), halves))
    ids, *columns = ([value for part in column for value in part] for column in zip(*found, strict=True))
    return np.array(ids, dtype="S12"), columns


def _halves(run: Run) -> list[dict[str, Any]]:
    samples = run.dataset._sample_collection  # noqa: SLF001
    middle = samples.estimated_document_count() // 2
    if middle < LARGE:
        return [{}]
    found = list(samples.find({}, {"_id": True}, sort=[("_id", 1)], skip=middle, limit=1))
    return [{"_id": {"$lt": found[0]["_id"]}}, {"_id": {"$gte": found[0]["_id"]}}] if found else [{}]


def _read_part(run: Run, paths: Sequence[str], match: dict[str, Any]) -> list[list[Any]]:
    """Reads ids as bytes and a column for each path, some thousand samples at a time: many objects slow Python down."""
    stages: list[dict[str, Any]] = [{"$match": match}] if match else []
    stages += [{"$project": {"v": ["$_id", *(f"${path}" for path in paths)]}}, {"$project": {"_id": False}}]
    columns: list[list[Any]] = [[] for _ in range(1 + len(paths))]
    found = run.dataset._sample_collection.aggregate(stages, batchSize=AT_ONCE)  # noqa: SLF001
    while batch := list(islice(found, AT_ONCE)):
        ids, *values = zip(*(document["v"] for document in batch), strict=True)
        columns[0].extend(id_.binary for id_ in ids)
        for column, new in zip(columns[1:], values, strict=True):
            column.extend(new)
    return columns
