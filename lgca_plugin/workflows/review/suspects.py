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
    from datetime import datetime

    import fiftyone as fo
    from bson import ObjectId

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
        changed: whether it is another class than the given one was when it was accepted
        outside: whether the given label is no class of the run
    """

    sample_id: str
    quality: float | None
    given: str | None
    suggested: str
    confidence: float | None
    decision: Decision | None
    corrected: str | None
    changed: bool
    outside: bool = False

    @property
    def order(self) -> tuple[bool, float, str]:
        """Position in the queue: the lowest quality first, samples without one last."""
        return self.quality is None, self.quality or 0.0, self.sample_id


@dataclass(frozen=True, kw_only=True)
class _Stamp:
    """What a dataset looks like from outside: ``now`` is the time of this query."""

    samples: int
    newest: Any
    modified: datetime | None
    now: datetime

    def is_like(self, other: _Stamp) -> bool:
        """True if nothing was written in between."""
        return not self.has_others(other) and self.modified == other.modified

    def has_others(self, other: _Stamp) -> bool:
        """True if samples were added or deleted in between."""
        return (self.samples, self.newest) != (other.samples, other.newest)


@dataclass
class _Kept:
    """The suspects of a run by id, in the order of the queue; no stamp before they are first read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    suspects: dict[ObjectId, Suspect] = field(default_factory=dict)
    stamp: _Stamp | None = None


QUEUES: ResultCache[_Kept] = ResultCache(MAX_QUEUES)


def current_suspects(run: RunRecord) -> tuple[Suspect, ...]:
    """Returns the suspects of a run's triage as they are now, the lowest label quality first.

    After the first call, only samples modified since are read; every write of FiftyOne and of this package sets their
    time of modification.

    Raises:
        ConfigError: if the run has not been triaged
    """
    fields = Triage.of(run).places
    kept = QUEUES.get(run_state_key(run), _Kept)
    with kept.lock:  # a panel that opens sends several events at once: one of them reads
        stamp = _stamp(run.dataset)
        if kept.stamp is None or not stamp.is_like(kept.stamp):
            found = _updated(run, fields, kept, stamp)
            kept.suspects = dict(sorted(found.items(), key=lambda item: item[1].order))
        kept.stamp = stamp
        return tuple(kept.suspects.values())


def run_state_key(run: RunRecord) -> tuple[Any, ...]:
    """Returns a key that changes when the run is replaced or triaged again."""
    report = run.results.get("triage") or {}
    return dataset_id(run.dataset), run.key, run.token, report.get("at"), report.get("ground_truth")


def _updated(run: RunRecord, fields: DecisionFields, kept: _Kept, stamp: _Stamp) -> dict[ObjectId, Suspect]:
    """Returns the suspects now: those in memory with what has changed, or all anew where some were deleted."""
    known = kept.suspects
    if known and kept.stamp is not None and kept.stamp.modified is not None:
        ids = {"_id": {"$in": list(known)}}
        recent = {"last_modified_at": {"$gte": kept.stamp.now - CLOCK_SLACK}}
        changed = _read(run, fields, {**recent, "$or": [_suspected(fields), ids]})
        there = not stamp.has_others(kept.stamp) or sample_collection(run.dataset).count_documents(ids) == len(known)
        if there:
            return {id_: one for id_, one in {**known, **changed}.items() if one is not None}
    found = _read(run, fields, _suspected(fields))
    return {id_: one for id_, one in found.items() if one is not None}


def _suspected(fields: DecisionFields) -> dict[str, Any]:
    return {f"{fields.suggestion}.label": {"$gt": ""}}


def _stamp(dataset: fo.Dataset) -> _Stamp:
    """Returns a dataset's stamp; the database answers from its catalogue and indexes, without reading samples."""
    now, samples = utc_now(), sample_collection(dataset)

    def last(field: str) -> Any:
        return (samples.find_one({}, [field], sort=[(field, -1)]) or {}).get(field)

    return _Stamp(
        samples=samples.estimated_document_count(), newest=last("_id"), modified=last("last_modified_at"), now=now
    )


def _read(run: RunRecord, fields: DecisionFields, match: dict[str, Any]) -> dict[ObjectId, Suspect | None]:
    """Returns samples by id; None for those that are no suspects.

    The database sends one list a sample: the driver decodes it faster than documents inside documents.
    """
    paths = (
        triage_field(fields.run_key, LABEL_QUALITY),
        fields.given,
        f"{fields.suggestion}.label",
        f"{fields.suggestion}.confidence",
        *(f"{fields.decision}.{name}" for name in ("action", "label", "corrected", "given")),
    )
    row = {"_id": False, "row": ["$_id", *(f"${path}" for path in paths)]}
    stages = [{"$match": match}, {"$project": row}]
    documents = sample_collection(run.dataset).aggregate(stages, batchSize=5000)
    classes = frozenset(run.config.classes)
    return dict(_suspect(document["row"], classes) for document in documents)


def _suspect(row: Sequence[Any], classes: frozenset[str]) -> tuple[ObjectId, Suspect | None]:
    id_, quality, given, suggested, confidence, action, label, corrected, given_then = row
    if not suggested:
        return id_, None
    decision = Decision(label) if action else None
    accepted = decision is Decision.ACCEPTED
    return id_, Suspect(
        sample_id=str(id_),
        quality=quality,
        given=given,
        suggested=suggested,
        confidence=confidence,
        decision=decision,
        corrected=corrected if accepted else None,
        changed=accepted and corrected != given_then,
        outside=bool(given) and given not in classes,
    )


def undecided(suspects: Iterable[Suspect]) -> list[Suspect]:
    """Returns the suspects without a decision, in their order."""
    return [one for one in suspects if one.decision is None]
