"""Reads single values of a dataset's samples, all of them or some, as columns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...fiftyone_io.database import raw_batches, sample_collection
from ...fiftyone_io.documents import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ...runs.record import RunRecord

AT_ONCE = 5000
"""Number of samples in a batch of the database."""
LARGE = 10_000
"""Minimum number of samples in each half of a dataset whose halves are read in parallel."""


def read_stamp(run: RunRecord) -> tuple[Any, ...]:
    """Returns the number of samples, the time of the last modification, and the time of this query.

    The database answers from its catalogue and an index, without reading samples.
    """
    now = utc_now()
    samples = sample_collection(run.dataset)
    newest = samples.find_one({}, {"last_modified_at": True, "_id": False}, sort=[("last_modified_at", -1)])
    return samples.estimated_document_count(), (newest or {}).get("last_modified_at"), now


@dataclass(frozen=True)
class ColumnSpec:
    """Name to path in a document: of every sample, and of the few that fulfil one of ``marks``."""

    every: dict[str, str]
    some: dict[str, str]
    marks: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Columns:
    """Values of some samples: ``[n]`` ids of 12 bytes, and name to ``n`` values, None where there is none."""

    ids: NDArray[np.bytes_]
    values: dict[str, list[Any]]


def read_columns(run: RunRecord, spec: ColumnSpec, match: dict[str, Any] | None = None) -> tuple[Columns, Columns]:
    """Returns the columns of every sample that matches, and those that few samples have.

    The two halves of a large dataset are read in parallel, so that the database reads one while this process decodes
    the other.
    """
    parts = [match] if match else _halves(run)
    marked: dict[str, Any] = {"$or": list(spec.marks)}
    tasks = [(spec.every, part) for part in parts]
    tasks.append((spec.some, {"$and": [match, marked]} if match else marked))
    with ThreadPoolExecutor(len(tasks)) as readers:
        found = list(readers.map(lambda task: _read_part(run, list(task[0].values()), task[1]), tasks))
    joined = [[value for part in column for value in part] for column in zip(*found[:-1], strict=True)]
    return _columns(joined, spec.every), _columns(found[-1], spec.some)


def read_column(run: RunRecord, path: str) -> Columns:
    """Returns one column of all samples."""
    parts = [_read_part(run, [path], half) for half in _halves(run)]
    return _columns([[value for part in column for value in part] for column in zip(*parts, strict=True)], {path: path})


def read_values(run: RunRecord, ids: Sequence[str], paths: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Returns values of a few samples: id to the values."""
    from bson import ObjectId

    found, *columns = _read_part(run, paths, {"_id": {"$in": [ObjectId(id_) for id_ in ids]}})
    return {id_.hex(): tuple(values) for id_, *values in zip(found, *columns, strict=True)}


def read_ids(samples: Any) -> NDArray[np.bytes_]:
    """Returns the ids of a collection's samples, ``[n]`` of 12 bytes.

    They are cut from the database's bytes, because making objects of 100,000 ids takes a second.
    """
    found = [_ids_in(batch) for batch in raw_batches(samples, [{"$project": {"_id": True}}])]
    return np.concatenate(found) if found else np.zeros(0, dtype="S12")


def _ids_in(batch: bytes) -> NDArray[np.bytes_]:
    """Returns the ids in BSON documents that hold nothing else: 22 bytes each, with the id at offset 9."""
    documents = np.frombuffer(batch, np.uint8).reshape(-1, 22)
    ids: NDArray[np.bytes_] = np.ascontiguousarray(documents[:, 9:21]).view("S12")[:, 0]
    return ids


def _columns(found: list[list[Any]], names: Iterable[str]) -> Columns:
    ids, *values = found
    return Columns(np.array(ids, dtype="S12"), dict(zip(names, values, strict=True)))


def _halves(run: RunRecord) -> list[dict[str, Any]]:
    samples = sample_collection(run.dataset)
    middle = samples.estimated_document_count() // 2
    if middle < LARGE:
        return [{}]
    found = list(samples.find({}, {"_id": True}, sort=[("_id", 1)], skip=middle, limit=1))
    return [{"_id": {"$lt": found[0]["_id"]}}, {"_id": {"$gte": found[0]["_id"]}}] if found else [{}]


def _read_part(run: RunRecord, paths: Sequence[str], match: dict[str, Any]) -> list[list[Any]]:
    """Returns ids as bytes and a column for each path, None where a sample has no such value.

    The database sends one list a sample: the driver decodes it faster than documents inside documents.
    """
    row = {"_id": False, "row": ["$_id", *(f"${path}" for path in paths)]}
    stages = [{"$match": match}, {"$project": row}]
    found = [document["row"] for document in sample_collection(run.dataset).aggregate(stages, batchSize=AT_ONCE)]
    return [[id_.binary for id_, *_ in found], *([values[at] for values in found] for at in range(1, 1 + len(paths)))]
