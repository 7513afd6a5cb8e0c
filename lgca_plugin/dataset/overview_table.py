"""What all samples of a run say, as arrays in memory: read once, then only what has changed since.

A question about 100,000 samples is then numpy instead of a second in the database, whatever view it is about. Samples
carry regions, which are most of their size: only single values are ever asked for.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from .decisions import Decision
from .fields import error_field, method_field
from .overview_read import read_columns, read_stamp
from .triage_fields import CASE, DECISION, MISLEADING, QUALITY, SUGGESTION, triage_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from .run import Run

    IntArray = NDArray[np.integer]
    FloatArray = NDArray[np.floating]
    BoolArray = NDArray[np.bool_]

MOST_TABLES = 3
"""How many runs' tables stay in memory, those asked for last: about 8 MB each for 100,000 samples and three methods."""

DECISIONS = tuple(decision.value for decision in Decision)
NONE = -1
SLACK = timedelta(seconds=5)

_tables: OrderedDict[tuple[Any, ...], Table] = OrderedDict()
_lock = threading.Lock()
_reading: dict[tuple[Any, ...], threading.Lock] = {}


@dataclass(frozen=True, kw_only=True)
class Table:
    """The samples of a dataset as a run has left them, one row a sample, by ascending id.

    Attributes:
        version: tells this table from any other, in whatever process
        stamp: of the samples as they were read: their number, and when one was modified last
        ids: ``[n]`` sample ids, 12 bytes each
        labels: the run's classes, then whatever else stands in the columns
        classes: how many of ``labels`` are classes of the run
        answers: method to ``[n]`` index into ``labels``, -1 where there is no prediction
        margins: method to ``[n]`` best minus second-best score, nan where there is none
        failed: ``[n]`` whether the run says why there is no result
        cases: names of the triage cases that occur
        case: ``[n]`` index into ``cases``, -1 without one
        misleading: ``[n]`` how many crops it takes to turn a misleading-crop case, nan for other samples
        quality: ``[n]`` quality of the given label, nan where it was not judged
        suggested: ``[n]`` index into ``labels`` of the suggested class, -1 where nothing is suspected
        decided: ``[n]`` index into :data:`DECISIONS` of the decision that stands, -1 without one
        given: label field to ``[n]`` index into ``labels``, -1 without a label
    """

    version: str
    stamp: tuple[Any, ...]
    ids: NDArray[np.bytes_]
    labels: tuple[str, ...]
    classes: int
    answers: dict[str, IntArray]
    margins: dict[str, FloatArray]
    failed: BoolArray
    cases: tuple[str, ...]
    case: IntArray
    misleading: FloatArray
    quality: FloatArray
    suggested: IntArray
    decided: IntArray
    given: dict[str, IntArray]

    @property
    def predicted(self) -> BoolArray:
        """``[n]`` which samples have a prediction of every method."""
        found = np.ones(len(self.ids), dtype=bool)
        for answers in self.answers.values():
            found &= answers != NONE
        return found if self.answers else ~found

    def rows(self, ids: NDArray[np.bytes_]) -> IntArray:
        """Gives the rows of samples, in the order of their ids; those that are not in the table are left out."""
        places = np.searchsorted(self.ids, ids)
        places[places == len(self.ids)] = 0
        return places[self.ids[places] == ids] if len(self.ids) else np.zeros(0, dtype=np.int64)

    def sample_ids(self, rows: IntArray) -> list[str]:
        """Gives the ids of rows as FiftyOne writes them."""
        return [id_.ljust(12, b"\0").hex() for id_ in self.ids[rows].tolist()]  # numpy drops zeros at the end


def table_of(run: Run, ground_truth: str | None = None, *, changed: Sequence[str] = (), again: bool = False) -> Table:
    """Gives the table of a run as the samples are now, from memory as far as they have not changed.

    What has changed is found by FiftyOne's stamps of modification, which every write of FiftyOne's and ours sets.

    Args:
        run: the run
        ground_truth: a label field that the table is to have
        changed: ids of samples that are known to have changed, whatever their stamps say
        again: read everything again
    """
    schema = run.dataset.get_field_schema()
    paths = _paths(run, schema)
    key = (run.dataset._doc.id, run.key, run.token, run.config.classes, tuple(paths.items()))  # noqa: SLF001
    with _lock:
        reading = _reading.setdefault(key, threading.Lock())
    with reading:  # several events ask at once when a panel opens: one of them reads
        with _lock:
            former = table = _tables.get(key)
        stamp = read_stamp(run)
        if table is None or again:
            table = _read(run, paths, stamp, [ground_truth] if ground_truth else [])
        else:
            table = _brought_up_to_date(table, run, paths, stamp, changed)
            if ground_truth and ground_truth not in table.given:
                table = _with_given(table, run, ground_truth)
        if table is not former:
            table = replace(table, version=uuid.uuid4().hex)
        with _lock:
            _tables[key] = table
            _tables.move_to_end(key)
            while len(_tables) > MOST_TABLES:
                _reading.pop(_tables.popitem(last=False)[0], None)
    return table


def forget_tables() -> None:
    """Lets go of all tables."""
    with _lock:
        _tables.clear()
        _reading.clear()


def id_bytes(ids: Iterable[Any]) -> NDArray[np.bytes_]:
    """Gives ObjectIds as an array that can be sorted and searched."""
    return np.array([id_.binary for id_ in ids], dtype="S12")


def _paths(run: Run, schema: Any) -> dict[str, str]:
    """Gives what is read of a sample, name to path in its document: of the fields that there are, and are the run's."""
    found = {"error": error_field(run.key)}
    for method in run.config.methods:
        field = method_field(run.key, method.name)
        if field in schema:
            found |= {f"label {method.name}": f"{field}.label", f"margin {method.name}": f"{field}.margin"}
    own = run.results.get("triage_fields", ())
    parts = {CASE: "", MISLEADING: "", QUALITY: "", SUGGESTION: ".label", DECISION: ".label"}
    found |= {
        name: triage_field(run.key, name) + part for name, part in parts.items() if triage_field(run.key, name) in own
    }
    return found | ({"action": f"{triage_field(run.key, DECISION)}.action"} if DECISION in found else {})


def _read(run: Run, paths: dict[str, str], stamp: tuple[Any, ...], fields: Sequence[str]) -> Table:
    """Reads all samples."""
    ids, columns = read_columns(run, [*paths.values(), *(f"{field}.label" for field in fields)])
    return _made(run, dict(zip([*paths, *(f"given {field}" for field in fields)], columns, strict=True)), ids, stamp)


def _made(run: Run, columns: dict[str, list[Any]], ids: NDArray[np.bytes_], stamp: tuple[Any, ...]) -> Table:
    classes = run.config.classes
    index: dict[Any, int] = {label: place for place, label in enumerate(classes)}
    cases: dict[Any, int] = {}
    decided: dict[Any, int] = {label: place for place, label in enumerate(DECISIONS)}
    n = len(ids)
    empty: list[Any] = [None] * n
    names = [name.removeprefix("label ") for name in columns if name.startswith("label ")]
    given = [name.removeprefix("given ") for name in columns if name.startswith("given ")]
    standing = [
        label if action else None
        for action, label in zip(columns.get("action", empty), columns.get(DECISION, empty), strict=True)
    ]
    table = Table(
        version="",
        stamp=stamp,
        ids=ids,
        answers={name: _indices(columns[f"label {name}"], index) for name in names},
        margins={name: _floats(columns[f"margin {name}"]) for name in names},
        failed=np.array([reason is not None for reason in columns.get("error", empty)], dtype=bool),
        case=_indices(columns.get(CASE, empty), cases),
        misleading=_floats(columns.get(MISLEADING, empty)),
        quality=_floats(columns.get(QUALITY, empty)),
        suggested=_indices([label or None for label in columns.get(SUGGESTION, empty)], index),
        decided=_indices(standing, decided),
        given={field: _indices([label or None for label in columns[f"given {field}"]], index) for field in given},
        labels=(),
        classes=len(classes),
        cases=(),
    )
    return _sorted(replace(table, labels=tuple(index), cases=tuple(cases)))


def _indices(values: Sequence[Any], index: dict[Any, int]) -> NDArray[np.int32]:
    """Turns values into indices; values that are new get the next ones, None gets -1."""
    for value in dict.fromkeys(values):
        if value is not None:
            index.setdefault(value, len(index))
    numbers = {**index, None: NONE}
    return np.fromiter(map(numbers.__getitem__, values), dtype=np.int32, count=len(values))


def _floats(values: Sequence[Any]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32) if values else np.zeros(0, dtype=np.float32)  # None becomes nan


def _sorted(table: Table) -> Table:
    order = np.argsort(table.ids, kind="stable")
    return table if (order[1:] > order[:-1]).all() else _taken(table, order)


def _taken(table: Table, rows: IntArray) -> Table:
    """Gives some rows of a table."""
    return _mapped([table], lambda columns: columns[0][rows])


def _mapped(tables: Sequence[Table], change: Any) -> Table:
    """Makes a table of the columns of others, whose indices mean the same."""
    first = tables[0]
    changed: dict[str, Any] = {}
    plain = ("ids", "failed", "case", "misleading", "quality", "suggested", "decided")
    by_name = ("answers", "margins", "given")
    for name in plain:
        changed[name] = change([getattr(table, name) for table in tables])
    for name in by_name:
        changed[name] = {key: change([getattr(table, name)[key] for table in tables]) for key in getattr(first, name)}
    return replace(first, **changed)


def _brought_up_to_date(
    table: Table, run: Run, paths: dict[str, str], stamp: tuple[Any, ...], known: Sequence[str]
) -> Table:
    """Reads the samples that were modified or added since; all of them where some were deleted."""
    from bson import ObjectId

    if stamp == table.stamp and not known:
        return table
    fields = list(table.given)
    since = table.stamp[1]
    if since is None:
        return _read(run, paths, stamp, fields)
    wanted = [*paths.values(), *(f"{field}.label" for field in fields)]
    # From before that moment on: a stamp is made a little earlier than it is written.
    recent: dict[str, Any] = {"last_modified_at": {"$gte": since - SLACK}}
    if known:
        recent = {"$or": [recent, {"_id": {"$in": [ObjectId(id_) for id_ in known]}}]}
    ids, columns = read_columns(run, wanted, recent)
    names = [*paths, *(f"given {field}" for field in fields)]
    changed = _made(run, dict(zip(names, columns, strict=True)), ids, stamp)
    kept = table if not len(changed.ids) else _taken(table, np.flatnonzero(~np.isin(table.ids, changed.ids)))
    if len(kept.ids) + len(changed.ids) != stamp[0]:
        return _read(run, paths, stamp, fields)
    return _joined(kept, changed)


def _joined(old: Table, new: Table) -> Table:
    """Puts two tables of different samples together."""
    labels = {label: place for place, label in enumerate(old.labels)}
    cases = {case: place for place, case in enumerate(old.cases)}
    of_label = np.array([labels.setdefault(label, len(labels)) for label in new.labels] + [NONE], dtype=np.int32)
    of_case = np.array([cases.setdefault(case, len(cases)) for case in new.cases] + [NONE], dtype=np.int32)
    new = replace(  # the last place, at index -1, keeps -1
        new,
        answers={name: of_label[column] for name, column in new.answers.items()},
        given={name: of_label[column] for name, column in new.given.items()},
        suggested=of_label[new.suggested],
        case=of_case[new.case],
    )
    joined = _mapped([old, new], np.concatenate)
    return _sorted(replace(joined, stamp=new.stamp, labels=tuple(labels), cases=tuple(cases)))


def _with_given(table: Table, run: Run, field: str) -> Table:
    """Adds a label field."""
    found, (labels,) = read_columns(run, [f"{field}.label"])
    index: dict[Any, int] = {label: place for place, label in enumerate(table.labels)}
    column = _indices([label or None for label in labels], index)
    given = np.full(len(table.ids), NONE, dtype=np.int32)
    places = np.searchsorted(table.ids, found)
    there = (places < len(table.ids)) & (table.ids[np.minimum(places, len(table.ids) - 1)] == found)
    given[places[there]] = column[there]
    return replace(table, labels=tuple(index), given={**table.given, field: given})
