"""The suspects of a run's triage with their decisions, kept in memory and updated from the samples that change."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...cache import ResultCache
from ...fiftyone_io.database import dataset_id, sample_collection
from ...fiftyone_io.documents import CLOCK_SLACK, utc_now
from ...fiftyone_io.fields import LABEL_QUALITY, triage_field
from ..decisions.decisions import Decision
from ..decisions.queue import Triage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import fiftyone as fo

    from ...runs.record import RunRecord
    from ..decisions.decisions import DecisionFields

MAX_QUEUES = 8
"""Maximum number of runs whose suspects are in memory: about 10 MB for 20,000 suspects."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """A sample whose given label is suspected to be wrong.

    Attributes:
        quality: quality of the given label, in [0, 1]; low is suspicious; None if it was removed
        confidence: of the suggestion, in [0, 1]
        decision: the current decision
        corrected: the accepted class, None if no class was accepted
    """

    sample_id: str
    quality: float | None
    given: str | None
    suggested: str
    confidence: float | None
    decision: Decision | None
    corrected: str | None

    @property
    def changed(self) -> bool:
        """Whether another class than the given one was accepted."""
        return self.decision is Decision.ACCEPTED and self.corrected != self.given

    @property
    def order(self) -> tuple[bool, float, str]:
        """Position in the queue: the lowest quality first, samples without one last."""
        return self.quality is None, self.quality or 0.0, self.sample_id


@dataclass
class _Kept:
    """The suspects of a run by id, as of a time; None before they are first read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    suspects: dict[str, Suspect] | None = None
    ordered: tuple[Suspect, ...] = ()
    stamp: tuple[Any, ...] = ()


QUEUES: ResultCache[_Kept] = ResultCache(MAX_QUEUES)


def current_suspects(run: RunRecord) -> tuple[Suspect, ...]:
    """Returns the suspects of a run's triage as they are now, the lowest label quality first.

    After the first call, only samples modified since are read; every write of FiftyOne and of this package sets their
    time of modification.

    Raises:
        ConfigError: if the run has not been triaged
    """
    triage = Triage.of(run)
    kept = QUEUES.get(run_state_key(run), _Kept)
    with kept.lock:  # a panel that opens sends several events at once: one of them reads
        stamp = _stamp(run.dataset)
        if kept.suspects is None or stamp[:2] != kept.stamp[:2]:
            found = _updated(run, triage.places, kept)
            kept.suspects, kept.ordered = found, tuple(sorted(found.values(), key=lambda one: one.order))
        kept.stamp = stamp
        return kept.ordered


def run_state_key(run: RunRecord) -> tuple[Any, ...]:
    """Returns a key that changes when the run is replaced or triaged again."""
    report = run.results.get("triage") or {}
    return dataset_id(run.dataset), run.key, run.token, report.get("at"), report.get("ground_truth")


def _updated(run: RunRecord, fields: DecisionFields, kept: _Kept) -> dict[str, Suspect]:
    """Returns the suspects now: those in memory with the changes since, or all, read anew where some were deleted."""
    from bson import ObjectId

    known, newest = kept.suspects, kept.stamp[1] if kept.stamp else None
    if known and newest is not None:
        ids = [ObjectId(id_) for id_ in known]
        recent = {"last_modified_at": {"$gte": kept.stamp[2] - CLOCK_SLACK}}
        changed = _read(run.dataset, fields, {**recent, "$or": [_suspected(fields), {"_id": {"$in": ids}}]})
        if sample_collection(run.dataset).count_documents({"_id": {"$in": ids}}) == len(ids):
            merged = {**known, **changed}
            return {id_: one for id_, one in merged.items() if one is not None}
    found = _read(run.dataset, fields, _suspected(fields))
    return {id_: one for id_, one in found.items() if one is not None}


def _suspected(fields: DecisionFields) -> dict[str, Any]:
    return {f"{fields.suggestion}.label": {"$gt": ""}}


def _stamp(dataset: fo.Dataset) -> tuple[Any, ...]:
    """Returns the number of samples, the time of the last modification, and the time of this query."""
    now, samples = utc_now(), sample_collection(dataset)
    newest = samples.find_one({}, {"last_modified_at": True, "_id": False}, sort=[("last_modified_at", -1)])
    return samples.estimated_document_count(), (newest or {}).get("last_modified_at"), now


def _read(dataset: fo.Dataset, fields: DecisionFields, match: dict[str, Any]) -> dict[str, Suspect | None]:
    """Returns samples by id; None for those that are no suspects.

    The database sends one list a sample: the driver decodes it faster than documents inside documents.
    """
    given = f"{fields.suggestion}.given" if fields.ground_truth is None else f"{fields.ground_truth}.label"
    paths = (
        triage_field(fields.run_key, LABEL_QUALITY),
        given,
        f"{fields.suggestion}.label",
        f"{fields.suggestion}.confidence",
        *(f"{fields.decision}.{name}" for name in ("action", "label", "corrected")),
    )
    row = {"_id": False, "row": ["$_id", *(f"${path}" for path in paths)]}
    stages = [{"$match": match}, {"$project": row}]
    documents = sample_collection(dataset).aggregate(stages, batchSize=5000)
    return dict(_suspect(document["row"]) for document in documents)


def _suspect(row: Sequence[Any]) -> tuple[str, Suspect | None]:
    id_, quality, given, suggested, confidence, action, label, corrected = row
    name = str(id_)
    if not suggested:
        return name, None
    decision = Decision(label) if action else None
    return name, Suspect(
        sample_id=name,
        quality=quality,
        given=given,
        suggested=suggested,
        confidence=confidence,
        decision=decision,
        corrected=corrected if decision is Decision.ACCEPTED else None,
    )


def undecided(suspects: Iterable[Suspect]) -> list[Suspect]:
    """Returns the suspects without a decision, in their order."""
    return [one for one in suspects if one.decision is None]
