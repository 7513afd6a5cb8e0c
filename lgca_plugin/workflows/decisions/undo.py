"""Undoing decisions: only the current one of a sample, so that no later decision is lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError
from ...fiftyone_io.boxes.mirror import mirror
from ...fiftyone_io.boxes.refresh import refresh
from ...fiftyone_io.database import SCHEMA, bulk_write, sample_collection
from ...fiftyone_io.documents import as_utc
from ...fiftyone_io.samples import chunks, ids_where, read_ids
from ...method.number_text import samples_text
from .decide import audit_stamp, check_writable, prepare_fields, restored_note, sentence
from .decisions import Decision
from .lost_labels import count_lost_labels
from .pill import pill_stages
from .updates import undo_update

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import fiftyone as fo

    from ...runs.record import RunRecord
    from .decisions import DecisionFields


@dataclass(frozen=True, kw_only=True)
class UndoResult:
    """Outcome of a call of ``undo``.

    Attributes:
        action: identifies the call in the history
        undoes: the actions that were undone
        samples: number of samples on which they were undone
        later: number of samples not undone, because they have a later decision
        undecided: number not undone, because they have no decision
        of_others: number not undone, because someone else decided about them
        changed: number not undone, because someone else decided about, undid or deleted them meanwhile
        labels_kept: number of ``samples`` that keep their corrected label, because someone else changed it since
        corrected_field: field of the accepted labels
        restored: as in :class:`~lgca_plugin.workflows.decisions.decide.DecideResult`
    """

    action: str
    undoes: tuple[str, ...]
    samples: int
    later: int = 0
    undecided: int = 0
    of_others: int = 0
    changed: int = 0
    labels_kept: int = 0
    corrected_field: str = ""
    restored: int = 0

    def __str__(self) -> str:
        reasons = {
            "not undone: decided again since": self.later,
            "not undone: no decision": self.undecided,
            "not undone: decided by someone else": self.of_others,
            "not undone: changed by someone else since": self.changed,
            "keep their corrected label: changed by someone else since": self.labels_kept,
        }
        text = sentence(f"undone: {samples_text(self.samples)}", reasons)
        return "; ".join([text, *restored_note(self.corrected_field, self.restored)])


@dataclass(frozen=True, kw_only=True)
class DecideAction:
    """A call of ``decide`` that is the current decision of some samples.

    Attributes:
        id: identifies it, for ``undo``
        decision: the decision
        samples: number of samples of which it is the current decision
        by: name of the curator
        at: time, UTC
        note: the curator's note
    """

    id: str
    decision: Decision
    samples: int
    by: str
    at: datetime
    note: str | None

    def __str__(self) -> str:
        return f"{self.decision.word}: {samples_text(self.samples)}, by {self.by}, {self.at:%Y-%m-%d %H:%M:%S} UTC"


def undo(
    run: RunRecord,
    fields: DecisionFields,
    action: str | None,
    *,
    samples: Any,
    of: str | None,
    by: str | None,
    note: str | None,
) -> UndoResult:
    """Undoes decisions; see :meth:`lgca_plugin.workflows.decisions.queue.Triage.undo`."""
    from pymongo import UpdateMany

    stamp = audit_stamp(by, note)
    dataset = check_writable(run, fields)
    ids = None if samples is None else read_ids(dataset, samples)
    if ids is None and action is None:
        action = _latest(run, fields, of)
    targets, left = _targets(run, fields, action, ids, of)
    every = [id_ for own in targets.values() for id_ in own]
    refresh(dataset, every)

    with SCHEMA:
        lost = count_lost_labels(dataset, fields)
        restored = prepare_fields(dataset, fields, [], large=None, accepts=False) if lost else 0
    path = f"{fields.decision}.action"  # part of the query: a decision made meanwhile is not undone
    stages = [*undo_update(fields, stamp), *pill_stages(dataset, fields)]
    updates = [UpdateMany({**chunk, path: name}, stages) for name, own in targets.items() for chunk in chunks(own)]
    bulk_write(dataset, updates, every)
    mirror(dataset, every)
    history = f"{fields.decision}.history"
    written = ids_where(dataset, every, {f"{history}.action": stamp.id})
    kept = ids_where(dataset, every, {history: {"$elemMatch": {"action": stamp.id, "kept": True}}})
    return UndoResult(
        action=stamp.id,
        undoes=tuple(name for name, own in targets.items() if not written.isdisjoint(own)),
        samples=len(written),
        changed=len(every) - len(written),
        labels_kept=len(kept),
        corrected_field=fields.corrected,
        restored=restored,
        **left,
    )


def current_actions(dataset: fo.Dataset, fields: DecisionFields) -> list[DecideAction]:
    """Returns the actions that are the current decision of a sample, the latest first."""
    path = fields.decision
    firsts = {name: {"$first": f"${path}.{name}"} for name in ("label", "by", "at", "note")}
    stages: list[dict[str, Any]] = [
        {"$match": {f"{path}.action": {"$gt": ""}}},
        {"$group": {"_id": f"${path}.action", "samples": {"$sum": 1}, **firsts}},
        {"$sort": {"at": -1, "_id": 1}},
    ]
    return [
        DecideAction(
            id=found["_id"],
            decision=Decision(found["label"]),
            samples=found["samples"],
            by=found["by"],
            at=as_utc(found["at"]),
            note=found["note"],
        )
        for found in sample_collection(dataset).aggregate(stages)
    ]


def _latest(run: RunRecord, fields: DecisionFields, of: str | None) -> str:
    actions = [action for action in current_actions(run.dataset, fields) if of in (None, action.by)]
    if not actions:
        whose = "" if of is None else f" of {of!r}"
        raise ConfigError(f"there is nothing to undo: run {run.key!r} has no decision{whose}")
    return actions[0].id


def _targets(
    run: RunRecord, fields: DecisionFields, action: str | None, ids: list[str] | None, of: str | None
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Finds what is to be undone.

    Returns:
        action to the samples on which it is to be undone; and the number of samples that are left, by reason

    Raises:
        ConfigError: if there is no such action, or nothing to undo
    """
    history = f"{fields.decision}.history"
    query = {} if action is None else {history: {"$elemMatch": {"action": action, "undoes": None}}}
    columns = [*(f"{fields.decision}.{name}" for name in ("action", "by")), f"{history}.undoes"]
    targets: dict[str, list[str]] = defaultdict(list)
    counts = dict.fromkeys(("later", "undecided", "of_others"), 0)
    found = 0
    for chunk in [{}] if ids is None else chunks(ids):
        for document in sample_collection(run.dataset).find({**chunk, **query}, columns):
            found += 1
            reason, current = _reason_to_leave(document.get(fields.decision) or {}, action, of)
            if reason:
                counts[reason] += 1
            else:
                targets[current].append(str(document["_id"]))
    if action is not None and not found:
        where = "" if ids is None else " on these samples"
        raise ConfigError(f"action {action!r} is no decision about run {run.key!r}{where}; triage.actions() lists them")
    if ids is not None:
        counts["undecided"] += len(ids) - found
    if not targets:
        reasons = {
            "with a later decision, which must be undone first": counts["later"],
            "undecided, or undone already": counts["undecided"],
            "decided by someone else": counts["of_others"],
        }
        raise ConfigError(sentence("there is nothing to undo on these samples", reasons))
    if ids is None:
        counts["undecided"] = 0  # undone there before; the caller did not name these samples
    return dict(targets), counts


def _reason_to_leave(decision: Mapping[str, Any], action: str | None, of: str | None) -> tuple[str | None, str]:
    """Returns why a sample's decision is not to be undone, None if it is; and its current action."""
    current = decision.get("action")
    undone = [event.get("undoes") for event in decision.get("history") or ()]
    if current is None or action in [name for name in undone if name]:
        return "undecided", ""
    if action not in (None, current):
        return "later", ""
    if of not in (None, decision.get("by")):
        return "of_others", ""
    return None, current
