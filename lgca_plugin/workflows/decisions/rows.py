"""Reading decisions back: as rows, as counts, and as CSV."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.documents import as_utc
from ...fiftyone_io.fields import LABEL_QUALITY, triage_field
from ...fiftyone_io.samples import read_projections
from .decisions import ATTRIBUTES, Decision, decision_word
from .text_files import table_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import fiftyone as fo

    from .decisions import DecisionFields


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecisionRow:
    """A current decision, or an event of the history.

    Attributes:
        sample_id: the sample's id
        filepath: the sample's file
        decision: the decision; None for an event that undoes one
        given: the given label, at that time
        suggested: the suggested class, at that time
        confidence: of the suggestion, now, in [0, 1]
        corrected: the accepted class
        label_quality: of the given label, now, in [0, 1]; low is suspicious
        by: name of the curator
        at: time, UTC
        note: the curator's note
        action: the call of ``decide`` or ``undo`` that wrote it
        undoes: the action that it undoes
    """

    sample_id: str
    filepath: str
    decision: Decision | None
    given: str | None
    suggested: str | None
    confidence: float | None
    corrected: str | None
    label_quality: float | None
    by: str
    at: datetime
    note: str | None
    action: str
    undoes: str | None = None


def read_rows(dataset: fo.Dataset, fields: DecisionFields, *, history: bool) -> list[DecisionRow]:
    """Returns the current decisions of a run, or with ``history`` every event, oldest first."""
    event = f"{fields.decision}.history" if history else fields.decision
    paths = {name: f"{event}.{name}" for name in (*ATTRIBUTES, "undoes")}
    paths["confidence"] = f"{fields.suggestion}.confidence"
    paths["label_quality"] = triage_field(fields.run_key, LABEL_QUALITY)
    decision = f"{event}.decision" if history else f"{event}.label"
    stages: list[dict[str, Any]] = [
        {"$match": {f"{fields.decision}.action": {"$exists": True} if history else {"$gt": ""}}},
        *([{"$unwind": f"${event}"}] if history else ()),
        {"$project": {"filepath": 1, "decision": f"${decision}", **{name: f"${path}" for name, path in paths.items()}}},
    ]
    rows = [
        DecisionRow(
            sample_id=str(found["_id"]),
            filepath=found["filepath"],
            decision=Decision(found["decision"]) if found.get("decision") else None,
            **{name: found.get(name) for name in paths if name != "at"},
            at=as_utc(found["at"]),
        )
        for found in sample_collection(dataset).aggregate(stages, allowDiskUse=True)
    ]
    return sorted(rows, key=lambda row: row.at)  # stable: a sample's events stay in the order of its history


def count_events(dataset: fo.Dataset, fields: DecisionFields, *, history: bool) -> int:
    """Returns the number of rows that :func:`read_rows` returns."""
    samples = sample_collection(dataset)
    if not history:
        return int(samples.count_documents({f"{fields.decision}.action": {"$gt": ""}}))
    size = {"$sum": {"$size": {"$ifNull": [f"${fields.decision}.history", []]}}}
    found = list(
        samples.aggregate(
            [{"$match": {f"{fields.decision}.action": {"$exists": True}}}, {"$group": {"_id": None, "events": size}}]
        )
    )
    return int(found[0]["events"]) if found else 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class QueueItem:
    """The state of a sample that may be decided about; ``confidence`` is that of the suggestion, in [0, 1]."""

    filepath: str
    given: str | None
    suggested: str | None
    confidence: float | None
    decision: Decision | None


def read_queue_items(dataset: fo.Dataset, fields: DecisionFields, ids: Sequence[str]) -> list[QueueItem]:
    """Returns the states of samples, in the order of their ids, without those that the dataset lacks."""
    paths = {
        "given": fields.given,
        "suggested": f"{fields.suggestion}.label",
        "confidence": f"{fields.suggestion}.confidence",
    }
    decided = {"$cond": [{"$gt": [f"${fields.decision}.action", None]}, f"${fields.decision}.label", None]}
    project = {"filepath": 1, "decision": decided, **{name: f"${path}" for name, path in paths.items()}}
    found = read_projections(dataset, ids, project)
    return [
        QueueItem(
            filepath=found[id_]["filepath"],
            decision=Decision(found[id_]["decision"]) if found[id_].get("decision") else None,
            **{name: found[id_].get(name) for name in paths},
        )
        for id_ in ids
        if id_ in found
    ]


def noted_actions(dataset: fo.Dataset, fields: DecisionFields, ids: Sequence[str]) -> set[str]:
    """Returns the ids of all actions in the histories of samples, those that were undone included."""
    from bson import ObjectId

    valid = [id_ for id_ in ids if ObjectId.is_valid(id_)]
    found = read_projections(dataset, valid, {"actions": f"${fields.decision}.history.action"})
    return {action for one in found.values() for action in one.get("actions") or ()}


def count_left(dataset: fo.Dataset, fields: DecisionFields) -> dict[str, int]:
    """Counts the suspects by decision, and other samples with a decision.

    Returns:
        ``suspects``; ``undecided`` and one count a :class:`Decision`, which sum to it; ``other samples decided``
    """
    counts = {"suspects": 0, "undecided": 0, **{decision.value: 0 for decision in Decision}, "other samples decided": 0}
    for found in _tally(dataset, fields):
        if found["suspect"]:
            counts["suspects"] += found["count"]
            counts[found["decision"] or "undecided"] += found["count"]
        else:
            counts["other samples decided"] += found["count"]
    return counts


def count_decided(dataset: fo.Dataset, fields: DecisionFields) -> dict[str, int]:
    """Counts the suspects by what was decided about them, as :func:`decision_word` has it; only words that occur."""
    counts: dict[str, int] = {}
    for found in _tally(dataset, fields):
        if found["suspect"] and found["decision"]:
            word = (Decision.LABEL_RIGHT if found["same"] else Decision(found["decision"])).word
            counts[word] = counts.get(word, 0) + found["count"]
    return {decision.word: counts[decision.word] for decision in Decision if decision.word in counts}


def _tally(dataset: fo.Dataset, fields: DecisionFields) -> list[dict[str, Any]]:
    """Returns the number of samples with a suggestion or a decision.

    Returns:
        ``count`` by ``suspect``, ``decision`` and ``same``, whether the class that was chosen is the given one
    """
    decision = f"${fields.decision}"
    decided = {"$gt": [f"{decision}.action", None]}
    chosen = {"$eq": [f"{decision}.label", Decision.ACCEPTED.value]}
    of = {
        "suspect": {"$gt": [f"${fields.suggestion}.label", None]},
        "decision": {"$cond": [decided, f"{decision}.label", None]},
        "same": {"$and": [decided, chosen, {"$eq": [f"{decision}.corrected", f"{decision}.given"]}]},
    }
    either = {"$or": [{path: {"$gt": ""}} for path in (f"{fields.suggestion}.label", f"{fields.decision}.action")]}
    stages: list[dict[str, Any]] = [{"$match": either}, {"$group": {"_id": of, "count": {"$sum": 1}}}]
    return [{**found["_id"], "count": found["count"]} for found in sample_collection(dataset).aggregate(stages)]


def csv_text(rows: Iterable[DecisionRow], *, history: bool) -> str:
    """Returns rows as CSV, with a column for each attribute; ``action`` and ``undoes`` only of a history.

    Decisions are in the words of :class:`Decision`: ``changed``, ``kept``, ..., and ``undone`` in a history.
    """
    columns = [column.name for column in dataclasses.fields(DecisionRow)][: None if history else -2]
    return table_text(columns, (_cells(row, columns) for row in rows))


def _cells(row: DecisionRow, columns: Sequence[str]) -> list[Any]:
    values = {name: getattr(row, name) for name in columns}
    values["decision"] = decision_word(row.decision, row.corrected, row.given)
    values["at"] = time_text(row.at)
    return [values[name] for name in columns]


def time_text(at: datetime) -> str:
    """Returns a time in UTC as text, in milliseconds: ``"2026-01-31T12:00:00.000Z"``."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
