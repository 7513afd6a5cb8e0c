"""The suspects of a triage as rows of a table, decided or not, the most likely wrong label first."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.documents import as_utc
from ...fiftyone_io.fields import CASE, LABEL_QUALITY, triage_field
from .decisions import Decision, decision_word
from .rows import time_text
from .text_files import table_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import fiftyone as fo

    from .decisions import DecisionFields


@dataclasses.dataclass(frozen=True, kw_only=True)
class SuspectRow:
    """A sample whose given label looks wrong.

    Attributes:
        place: its place in the queue, from 1
        sample_id: the sample's id
        filepath: the sample's file
        given: the given label
        suggested: the suggested class
        confidence: of the suggestion, in [0, 1]
        label_quality: of the given label, in [0, 1]; low is suspicious
        case: the triage case
        decision: the current decision; None without one
        corrected: the accepted class; None if no class was accepted
        by: name of the curator who decided
        at: time of the decision, UTC
        note: the curator's note
        width: of the image in pixels; None where it is not computed
        height: of the image in pixels
    """

    place: int
    sample_id: str
    filepath: str
    given: str | None
    suggested: str
    confidence: float | None
    label_quality: float | None
    case: str | None
    decision: Decision | None
    corrected: str | None
    by: str | None
    at: datetime | None
    note: str | None
    width: int | None = None
    height: int | None = None

    @property
    def changed(self) -> bool:
        """True if a class was accepted that is not the given one."""
        return self.corrected is not None and self.corrected != self.given

    @property
    def label(self) -> str | None:
        """The label that stands: the accepted class, the given one where it was kept, else the suggestion."""
        if self.decision is Decision.ACCEPTED:
            return self.corrected
        return self.given if self.decision in (Decision.LABEL_RIGHT, Decision.BAD_CROP) else self.suggested


def read_suspects(dataset: fo.Dataset, fields: DecisionFields) -> list[SuspectRow]:
    """Returns the suspects of a triage, the lowest label quality first, as :meth:`Triage.suspects` orders them."""
    quality = triage_field(fields.run_key, LABEL_QUALITY)
    paths = {
        "given": fields.given,
        "suggested": f"{fields.suggestion}.label",
        "confidence": f"{fields.suggestion}.confidence",
        "label_quality": quality,
        "case": triage_field(fields.run_key, CASE),
        "action": f"{fields.decision}.action",
        "decision": f"{fields.decision}.label",
        **{name: f"{fields.decision}.{name}" for name in ("corrected", "by", "at", "note")},
        "width": "metadata.width",
        "height": "metadata.height",
    }
    stages: list[dict[str, Any]] = [
        {"$match": {f"{fields.suggestion}.label": {"$gt": ""}}},
        {"$sort": {quality: 1, "_id": 1}},
        {"$project": {"filepath": 1, **{name: f"${path}" for name, path in paths.items()}}},
    ]
    documents = sample_collection(dataset).aggregate(stages, allowDiskUse=True)
    return [_row(place, found) for place, found in enumerate(documents, 1)]


def _row(place: int, found: dict[str, Any]) -> SuspectRow:
    decided = bool(found.get("action"))
    decision = Decision(found["decision"]) if decided else None
    of_decision = {name: found.get(name) if decided else None for name in ("by", "note")}
    return SuspectRow(
        place=place,
        sample_id=str(found["_id"]),
        filepath=found["filepath"],
        decision=decision,
        corrected=found.get("corrected") if decision is Decision.ACCEPTED else None,
        at=as_utc(found["at"]) if decided else None,
        suggested=found["suggested"],
        **of_decision,
        **{name: found.get(name) for name in ("given", "confidence", "label_quality", "case", "width", "height")},
    )


def suspects_csv(rows: Iterable[SuspectRow]) -> str:
    """Returns suspects as CSV, with a column for each attribute but the image's size."""
    columns = [column.name for column in dataclasses.fields(SuspectRow)][:-2]
    return table_text(columns, (_cells(row, columns) for row in rows))


def _cells(row: SuspectRow, columns: Sequence[str]) -> list[Any]:
    values = {name: getattr(row, name) for name in columns}
    values["decision"] = None if row.decision is None else decision_word(row.decision, row.corrected, row.given)
    values["at"] = None if row.at is None else time_text(row.at)
    return [values[name] for name in columns]
