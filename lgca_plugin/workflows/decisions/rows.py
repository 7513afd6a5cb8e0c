"""Reading decisions back: as rows, as counts, and as a CSV file."""

from __future__ import annotations

import csv
import io
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError
from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.fields import LABEL_QUALITY, triage_field
from ...fiftyone_io.samples import read_projections
from .decisions import UNDONE, Decision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import fiftyone as fo

    from .decisions import DecisionFields

COLUMNS = (
    "sample_id",
    "filepath",
    "decision",
    "given",
    "suggested",
    "confidence",
    "corrected",
    "label_quality",
    "by",
    "at",
    "note",
)
HISTORY_COLUMNS = (*COLUMNS, "action", "undoes")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
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
    """Reads the decisions of a run, oldest first.

    Args:
        dataset: the dataset
        fields: the fields that hold the decisions
        history: read every event instead of the current decisions
    """
    decided = {f"{fields.decision}.action": {"$gt": ""}}
    stages: list[dict[str, Any]] = [
        {"$match": {f"{fields.decision}.action": {"$exists": True}} if history else decided}
    ]
    event = fields.decision
    if history:
        event = f"{fields.decision}.history"
        stages.append({"$unwind": f"${event}"})
    own = ("decision" if history else "label", "given", "suggested", "corrected", "by", "at", "note", "action")
    stages.append(
        {
            "$project": {
                "filepath": 1,
                "confidence": f"${fields.suggestion}.confidence",
                "label_quality": f"${triage_field(fields.run_key, LABEL_QUALITY)}",
                **{name: f"${event}.{name}" for name in own},
                "undoes": f"${event}.undoes",
            }
        }
    )
    rows = [_row(found) for found in sample_collection(dataset).aggregate(stages, allowDiskUse=True)]
    return sorted(rows, key=lambda row: row.at)  # stable: a sample's events stay in the order of its history


def _row(found: dict[str, Any]) -> DecisionRow:
    decision = found.get("decision") or found.get("label")
    names = ("given", "suggested", "confidence", "corrected", "label_quality", "note", "undoes")
    return DecisionRow(
        sample_id=str(found["_id"]),
        filepath=found["filepath"],
        decision=Decision(decision) if decision else None,
        by=found["by"],
        at=found["at"].replace(tzinfo=timezone.utc),
        action=found["action"],
        **{name: found.get(name) for name in names},
    )


@dataclass(frozen=True, kw_only=True)
class QueueItem:
    """The state of a sample that may be decided about.

    Attributes:
        sample_id: the sample's id
        filepath: the sample's file
        given: the given label
        suggested: the suggested class
        confidence: of the suggestion, in [0, 1]
        decision: the current decision
    """

    sample_id: str
    filepath: str
    given: str | None
    suggested: str | None
    confidence: float | None
    decision: Decision | None


def read_queue_items(dataset: fo.Dataset, fields: DecisionFields, ids: Sequence[str]) -> list[QueueItem]:
    """Returns the states of samples, in the order of their ids, without those that the dataset lacks."""
    given = f"{fields.suggestion}.given" if fields.ground_truth is None else f"{fields.ground_truth}.label"
    parts = {"given": given, "decision": f"{fields.decision}.label", "action": f"{fields.decision}.action"}
    parts |= {"suggested": f"{fields.suggestion}.label", "confidence": f"{fields.suggestion}.confidence"}
    project = {"filepath": 1, **{name: f"${path}" for name, path in parts.items()}}
    found = read_projections(dataset, ids, project)
    return [
        QueueItem(
            sample_id=id_,
            filepath=found[id_]["filepath"],
            given=found[id_].get("given"),
            suggested=found[id_].get("suggested"),
            confidence=found[id_].get("confidence"),
            decision=Decision(found[id_]["decision"]) if found[id_].get("action") else None,
        )
        for id_ in ids
        if id_ in found
    ]


def count_left(dataset: fo.Dataset, fields: DecisionFields) -> dict[str, int]:
    """Counts the suspects by decision, and other samples with a decision.

    Returns:
        ``suspects``; ``undecided`` and one count a :class:`Decision`, which sum to it; ``other samples decided``
    """
    suspect = {"$gt": [f"${fields.suggestion}.label", None]}
    decided = {"$gt": [f"${fields.decision}.action", None]}
    label = {"$cond": [decided, f"${fields.decision}.label", None]}
    either = {"$or": [{path: {"$gt": ""}} for path in (f"{fields.suggestion}.label", f"{fields.decision}.action")]}
    group = {"$group": {"_id": {"suspect": suspect, "decision": label}, "count": {"$sum": 1}}}
    counts = {"suspects": 0, "undecided": 0, **{decision.value: 0 for decision in Decision}, "other samples decided": 0}
    for found in sample_collection(dataset).aggregate([{"$match": either}, group]):
        key, count = found["_id"], found["count"]
        if key["suspect"]:
            counts["suspects"] += count
            counts[key["decision"] or "undecided"] += count
        else:
            counts["other samples decided"] += count
    return counts


def write_csv(rows: Iterable[DecisionRow], path: str | Path, *, history: bool, overwrite: bool) -> Path:
    """Writes rows to a CSV file; on an error no partial file is left.

    Cells that a spreadsheet would take for a formula are preceded by an apostrophe.

    Args:
        rows: the rows
        path: the file
        history: whether the rows are events of the history, with the columns ``action`` and ``undoes``
        overwrite: replace an existing file

    Returns:
        the file

    Raises:
        ConfigError: if it can't be written there
    """
    target = Path(path).expanduser()
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else f"is in {target.parent}, which is no folder"
        raise ConfigError(f"path must be a file to write, got {str(path)!r}, which {what}")
    if target.exists() and not overwrite:
        raise ConfigError(f"file {str(path)!r} exists; name another, or pass overwrite=True")
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with partial.open("x", encoding="utf-8", newline="") as file:
            _write(rows, file, HISTORY_COLUMNS if history else COLUMNS)
        partial.replace(target)
    except OSError as error:
        raise ConfigError(f"file {str(path)!r} can't be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def csv_text(rows: Iterable[DecisionRow], *, history: bool) -> str:
    """Returns the text that :func:`write_csv` writes."""
    text = io.StringIO(newline="")
    _write(rows, text, HISTORY_COLUMNS if history else COLUMNS)
    return text.getvalue()


def _write(rows: Iterable[DecisionRow], file: Any, columns: Sequence[str]) -> None:
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        values = {name: getattr(row, name) for name in columns}
        values["decision"] = UNDONE if row.decision is None else row.decision.value
        values["at"] = row.at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        writer.writerow([_cell(values[name]) for name in columns])


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return "" if value is None else value
