"""What all samples of a run say, as arrays in memory: read once, then only what has changed since.

A question about 100,000 samples is then numpy instead of a second in the database, whatever view it is about. Samples
carry regions, which are most of their size: only single values are ever asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...fiftyone_io.documents import CLOCK_SLACK
from ...fiftyone_io.fields import (
    CASE,
    DECISION,
    LABEL_QUALITY,
    MISLEADING,
    SUGGESTION,
    error_field,
    method_field,
    triage_field,
)
from ..decisions.decisions import Decision
from .read import Columns, ColumnSpec, read_column, read_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ...runs.record import RunRecord

    IntArray = NDArray[np.integer]
    FloatArray = NDArray[np.floating]
    BoolArray = NDArray[np.bool_]

DECISIONS = tuple(decision.value for decision in Decision)
NONE = -1


@dataclass(frozen=True, kw_only=True)
class Table:
    """The samples of a dataset as a run has left them, one row a sample, by ascending id.

    Attributes:
        version: tells this table from any other, in whatever process
        stamp: of the samples as they were read: their number, when one was modified last, and when that was asked
        ids: ``[n]`` sample ids, 12 bytes each
        labels: the run's classes, then whatever else stands in the columns
        classes: how many of ``labels`` are classes of the run
        answers: method to ``[n]`` index into ``labels``, -1 where there is no prediction
        margins: method to ``[n]`` best minus second-best score of the misleading-crop cases, nan for other samples
        failed: ``[n]`` whether the run says why there is no result
        cases: names of the triage cases that occur
        case: ``[n]`` index into ``cases``, -1 without one
        misleading: ``[n]`` how many crops it takes to turn a misleading-crop case, nan for other samples
        quality: ``[n]`` quality of the given label where it is suspected, nan for other samples
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


def id_bytes(ids: Iterable[Any]) -> NDArray[np.bytes_]:
    """Gives ObjectIds as an array that can be sorted and searched."""
    return np.array([id_.binary for id_ in ids], dtype="S12")


def wanted_of(run: RunRecord, schema: Any) -> ColumnSpec:
    """Says what is read of a sample: of the fields that there are, and are the run's."""
    methods = [method.name for method in run.config.methods if method_field(run.key, method.name) in schema]
    own = run.results.get("triage_fields", ())
    fields = {name: triage_field(run.key, name) for name in (CASE, MISLEADING, LABEL_QUALITY, SUGGESTION, DECISION)}
    fields = {name: field for name, field in fields.items() if field in own}
    error = error_field(run.key)
    every = {f"label {name}": f"{method_field(run.key, name)}.label" for name in methods}
    some: dict[str, str] = {"error": error}
    marks: list[dict[str, Any]] = [{error: {"$ne": None}}]
    if CASE in fields:
        every[CASE] = fields[CASE]
    if MISLEADING in fields:
        some |= {f"margin {name}": f"{method_field(run.key, name)}.margin" for name in methods}
        some[MISLEADING] = fields[MISLEADING]
        marks.append({fields[MISLEADING]: {"$ne": None}})
    if SUGGESTION in fields and LABEL_QUALITY in fields:
        some |= {SUGGESTION: f"{fields[SUGGESTION]}.label", LABEL_QUALITY: fields[LABEL_QUALITY]}
        marks.append({some[SUGGESTION]: {"$gt": ""}})
    if DECISION in fields:
        some |= {"action": f"{fields[DECISION]}.action", DECISION: f"{fields[DECISION]}.label"}
        marks.append({some["action"]: {"$gt": ""}})
    return ColumnSpec(every, some, tuple(marks))


def read_table(
    run: RunRecord,
    wanted: ColumnSpec,
    stamp: tuple[Any, ...],
    fields: Sequence[str],
    match: dict[str, Any] | None = None,
) -> Table:
    """Reads samples; all of them where nothing is said of which."""
    given = {f"given {field}": f"{field}.label" for field in fields}
    every, some = read_columns(run, replace(wanted, every={**wanted.every, **given}), match)
    return _made(run, every, some, stamp)


def _made(run: RunRecord, every: Columns, some: Columns, stamp: tuple[Any, ...]) -> Table:
    """Makes a table of what was read; what only some have is spread over all."""
    order = np.argsort(every.ids, kind="stable")
    ids, n = every.ids[order], len(order)
    places = np.searchsorted(ids, some.ids)
    there = np.flatnonzero(ids[np.minimum(places, n - 1)] == some.ids) if n else np.zeros(0, dtype=np.int64)
    places = places[there]
    labels: dict[Any, int] = {label: place for place, label in enumerate(run.config.classes)}
    cases: dict[Any, int] = {}
    decisions: dict[Any, int] = {label: place for place, label in enumerate(DECISIONS)}

    def indices(name: str, known: dict[Any, int]) -> NDArray[np.int32]:
        return _indices(every.values[name], known)[order] if name in every.values else np.full(n, NONE, np.int32)

    def spread(values: NDArray[Any], fill: float) -> NDArray[Any]:
        found = np.full(n, fill, dtype=values.dtype)
        found[places] = values[there]
        return found

    def of_some(name: str) -> list[Any]:
        return some.values.get(name) or [None] * len(some.ids)

    names = [name.removeprefix("label ") for name in every.values if name.startswith("label ")]
    given = [name.removeprefix("given ") for name in every.values if name.startswith("given ")]
    standing = [label if act else None for act, label in zip(of_some("action"), of_some(DECISION), strict=True)]
    suspects = [label or None for label in of_some(SUGGESTION)]
    table = Table(
        version="",
        stamp=stamp,
        ids=ids,
        answers={name: indices(f"label {name}", labels) for name in names},
        margins={name: spread(_floats(of_some(f"margin {name}")), np.nan) for name in names},
        failed=spread(np.array([reason is not None for reason in of_some("error")], dtype=bool), 0),
        case=indices(CASE, cases),
        misleading=spread(_floats(of_some(MISLEADING)), np.nan),
        quality=spread(_floats(of_some(LABEL_QUALITY)), np.nan),
        suggested=spread(_indices(suspects, labels), NONE),
        decided=spread(_indices(standing, decisions), NONE),
        given={field: indices(f"given {field}", labels) for field in given},
        labels=(),
        classes=len(run.config.classes),
        cases=(),
    )
    return replace(table, labels=tuple(labels), cases=tuple(cases))


def _indices(values: Sequence[Any], index: dict[Any, int]) -> NDArray[np.int32]:
    """Turns values into indices; values that are new get the next ones, None gets -1, and so does a blank text."""
    for value in dict.fromkeys(values):
        if value:
            index.setdefault(value, len(index))
    numbers = {**index, None: NONE, "": NONE}
    return np.fromiter(map(numbers.__getitem__, values), dtype=np.int32, count=len(values))


def _floats(values: Sequence[Any]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32) if values else np.zeros(0, dtype=np.float32)  # None becomes nan


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


def brought_up_to_date(
    table: Table, run: RunRecord, wanted: ColumnSpec, stamp: tuple[Any, ...], known: Sequence[str]
) -> Table:
    """Reads the samples that were modified or added since; all of them where some were deleted."""
    from bson import ObjectId

    if stamp[:2] == table.stamp[:2] and not known:
        return table
    fields = list(table.given)
    if table.stamp[1] is None:
        return read_table(run, wanted, stamp, fields)
    # From before that moment on: a stamp is made earlier than it is written, by a clock that may be a little behind.
    recent: dict[str, Any] = {"last_modified_at": {"$gte": table.stamp[2] - CLOCK_SLACK}}
    if known:
        recent = {"$or": [recent, {"_id": {"$in": [ObjectId(id_) for id_ in known]}}]}
    changed = read_table(run, wanted, stamp, fields, recent)
    kept = table if not len(changed.ids) else _taken(table, np.flatnonzero(~np.isin(table.ids, changed.ids)))
    if len(kept.ids) + len(changed.ids) != stamp[0]:
        return read_table(run, wanted, stamp, fields)
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
    joined = replace(joined, stamp=new.stamp, labels=tuple(labels), cases=tuple(cases))
    return _taken(joined, np.argsort(joined.ids, kind="stable"))


def with_given(table: Table, run: RunRecord, field: str) -> Table:
    """Adds a label field."""
    found = read_column(run, f"{field}.label")
    index: dict[Any, int] = {label: place for place, label in enumerate(table.labels)}
    column = _indices(found.values[f"{field}.label"], index)
    places = np.searchsorted(table.ids, found.ids)
    there = (places < len(table.ids)) & (table.ids[np.minimum(places, len(table.ids) - 1)] == found.ids)
    given = np.full(len(table.ids), NONE, dtype=np.int32)
    given[places[there]] = column[there]
    return replace(table, labels=tuple(index), given={**table.given, field: given})
