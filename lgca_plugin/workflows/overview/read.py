"""Reading single values of a dataset's samples, all of them or those that have changed, as columns."""

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
LARGE = 10_000
"""Samples from which on the two halves of a dataset are read at once."""


def read_stamp(run: RunRecord) -> tuple[Any, ...]:
    """Tells how many samples there are, when one was modified last, and when that was asked.

    It asks the database's catalogue and the index of modification times: neither reads samples.
    """
    now = utc_now()
    samples = sample_collection(run.dataset)
    newest = samples.find_one({}, {"last_modified_at": True, "_id": False}, sort=[("last_modified_at", -1)])
    return samples.estimated_document_count(), (newest or {}).get("last_modified_at"), now


@dataclass(frozen=True)
class ColumnSpec:
    """What is to be read: columns, name to path in a sample's document.

    Attributes:
        every: of every sample
        some: of samples that have one of these values, which few have
        marks: conditions, one of which such a sample fulfils
    """

    every: dict[str, str]
    some: dict[str, str]
    marks: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Columns:
    """What was read of some samples: ``[n]`` ids of 12 bytes, and name to ``n`` values, None where there is none."""

    ids: NDArray[np.bytes_]
    values: dict[str, list[Any]]


def read_columns(run: RunRecord, wanted: ColumnSpec, match: dict[str, Any] | None = None) -> tuple[Columns, Columns]:
    """Reads the columns of every sample, and those that few have.

    All samples of a large dataset are read in two halves at once, so that the database works on the one while this
    process takes the other apart.

    Args:
        run: the run
        wanted: what is to be read
        match: which samples; None takes all
    """
    parts = [match] if match else _halves(run)
    marked: dict[str, Any] = {"$or": list(wanted.marks)}
    tasks = [(wanted.every, part) for part in parts]
    tasks.append((wanted.some, {"$and": [match, marked]} if match else marked))
    with ThreadPoolExecutor(len(tasks)) as readers:
        found = list(readers.map(lambda task: _read_part(run, list(task[0].values()), task[1]), tasks))
    joined = [[value for part in column for value in part] for column in zip(*found[:-1], strict=True)]
    return _columns(joined, wanted.every), _columns(found[-1], wanted.some)


def read_column(run: RunRecord, path: str) -> Columns:
    """Reads one column of all samples."""
    parts = [_read_part(run, [path], half) for half in _halves(run)]
    return _columns([[value for part in column for value in part] for column in zip(*parts, strict=True)], {path: path})


def read_values(run: RunRecord, ids: Sequence[str], paths: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Reads values of a few samples: id to the values."""
    from bson import ObjectId

    found, *columns = _read_part(run, paths, {"_id": {"$in": [ObjectId(id_) for id_ in ids]}})
    return {id_.hex(): tuple(values) for id_, *values in zip(found, *columns, strict=True)}


def read_ids(samples: Any) -> NDArray[np.bytes_]:
    """Reads the ids of a collection's samples, ``[n]`` of 12 bytes.

    They are taken out of the bytes that the database sends: making objects of 100,000 of them takes a second.
    """
    found = [_ids_in(batch) for batch in raw_batches(samples, [{"$project": {"_id": True}}])]
    return np.concatenate(found) if found else np.zeros(0, dtype="S12")


def _ids_in(batch: bytes) -> NDArray[np.bytes_]:
    """Takes the ids out of BSON documents that hold nothing else: 22 bytes each, the id from the ninth on."""
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
    """Reads ids as bytes and a column for each path, None where a sample has no such value.

    The database sends one list a sample: the driver decodes it faster than documents inside documents.
    """
    row = {"_id": False, "row": ["$_id", *(f"${path}" for path in paths)]}
    stages = [{"$match": match}, {"$project": row}]
    found = [document["row"] for document in sample_collection(run.dataset).aggregate(stages, batchSize=AT_ONCE)]
    return [[id_.binary for id_, *_ in found], *([values[at] for values in found] for at in range(1, 1 + len(paths)))]
