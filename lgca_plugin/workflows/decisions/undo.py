"""Taking decisions back: only what stands on a sample, so that nobody's later decision is lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError
from ...fiftyone_io.database import bulk_write, sample_collection
from ...fiftyone_io.samples import chunks, ids_where, read_ids
from .decide import audit_stamp, check_writable
from .decisions import Decision
from .updates import undo_update
from .wording import count_text, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo

    from ...runs.record import RunRecord
    from .decisions import DecisionFields


@dataclass(frozen=True, kw_only=True)
class UndoResult:
    """What a call of ``undo`` has done.

    Attributes:
        action: identifies it in the history
        undoes: the actions that it has taken back
        samples: on how many samples
        later: how many samples were left, for a later decision stands on them
        undecided: how many were left, for nothing is decided about them
        of_others: how many were left, for somebody else has decided about them
        changed: how many were left, for they were decided, undone or deleted while this ran
        labels_kept: how many of ``samples`` keep their corrected label, for somebody has changed it since
    """

    action: str
    undoes: tuple[str, ...]
    samples: int
    later: int = 0
    undecided: int = 0
    of_others: int = 0
    changed: int = 0
    labels_kept: int = 0

    def __str__(self) -> str:
        reasons = {
            "left, for a later decision stands on them": self.later,
            "left, for nothing is decided about them": self.undecided,
            "left, for somebody else has decided about them": self.of_others,
            "left, for they were changed meanwhile": self.changed,
            "keep their corrected label, for somebody has changed it since": self.labels_kept,
        }
        return sentence(f"undone: {count_text(self.samples)}", reasons)


@dataclass(frozen=True, kw_only=True)
class DecideAction:
    """A call of ``decide`` that stands on some samples.

    Attributes:
        id: identifies it, for ``undo``
        decision: what was decided
        samples: on how many samples it stands
        by: who
        at: when, UTC
        note: what the curator had to say
    """

    id: str
    decision: Decision
    samples: int
    by: str
    at: datetime
    note: str | None

    def __str__(self) -> str:
        return f"{self.decision.value}: {count_text(self.samples)}, by {self.by}, {self.at:%Y-%m-%d %H:%M:%S} UTC"


def undo(
    run: RunRecord,
    places: DecisionFields,
    action: str | None,
    *,
    samples: Any,
    of: str | None,
    by: str | None,
    note: str | None,
) -> UndoResult:
    """Takes decisions back; see :meth:`lgca_plugin.workflows.decisions.queue.Triage.undo`."""
    from pymongo import UpdateMany

    act = audit_stamp(by, note)
    dataset = check_writable(run)
    ids = None if samples is None else read_ids(dataset, samples)
    if ids is None and action is None:
        action = _latest(run, places, of)
    targets, left = _targets(run, places, action, ids, of)

    path = f"{places.decision}.action"  # part of the query: what somebody decides meanwhile is not taken back
    stages = undo_update(places, act)
    updates = [UpdateMany({**chunk, path: name}, stages) for name, own in targets.items() for chunk in chunks(own)]
    every = [id_ for own in targets.values() for id_ in own]
    bulk_write(dataset, updates, every)
    history = f"{places.decision}.history"
    written = ids_where(dataset, every, {f"{history}.action": act.id})
    kept = ids_where(dataset, every, {history: {"$elemMatch": {"action": act.id, "kept": True}}})
    return UndoResult(
        action=act.id,
        undoes=tuple(name for name, own in targets.items() if not written.isdisjoint(own)),
        samples=len(written),
        changed=len(every) - len(written),
        labels_kept=len(kept),
        **left,
    )


def standing_actions(dataset: fo.Dataset, places: DecisionFields) -> list[DecideAction]:
    """Lists the actions that stand on a sample, the latest first."""
    path = places.decision
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
            at=found["at"].replace(tzinfo=timezone.utc),
            note=found["note"],
        )
        for found in sample_collection(dataset).aggregate(stages)
    ]


def _latest(run: RunRecord, places: DecisionFields, of: str | None) -> str:
    actions = [action for action in standing_actions(run.dataset, places) if of in (None, action.by)]
    if not actions:
        whose = "" if of is None else f" of {of!r}"
        raise ConfigError(f"there is nothing to undo: no decision{whose} about run {run.key!r} stands")
    return actions[0].id


def _targets(
    run: RunRecord, places: DecisionFields, action: str | None, ids: list[str] | None, of: str | None
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Finds what is to be taken back.

    Returns:
        action to the samples on which it stands and is to be taken back; and how many samples are left, by reason

    Raises:
        ConfigError: if there is no such action, or nothing to take back
    """
    history = f"{places.decision}.history"
    query = {} if action is None else {history: {"$elemMatch": {"action": action, "undoes": None}}}
    fields = [*(f"{places.decision}.{name}" for name in ("action", "by")), f"{history}.undoes"]
    targets: dict[str, list[str]] = defaultdict(list)
    counts = dict.fromkeys(("later", "undecided", "of_others"), 0)
    found = 0
    for chunk in [{}] if ids is None else chunks(ids):
        for document in sample_collection(run.dataset).find({**chunk, **query}, fields):
            found += 1
            reason, standing = _standing(document.get(places.decision) or {}, action, of)
            if reason:
                counts[reason] += 1
            else:
                targets[standing].append(str(document["_id"]))
    if action is not None and not found:
        where = "" if ids is None else " on these samples"
        raise ConfigError(f"action {action!r} is no decision about run {run.key!r}{where}; triage.actions() lists them")
    if ids is not None:
        counts["undecided"] += len(ids) - found
    if not targets:
        reasons = {
            "with a later decision, which must be undone first": counts["later"],
            "undecided, or undone already": counts["undecided"],
            "decided by somebody else": counts["of_others"],
        }
        raise ConfigError(sentence("there is nothing to undo on these samples", reasons))
    if ids is None:
        counts["undecided"] = 0  # it was undone there before: nobody has asked for these samples
    return dict(targets), counts


def _standing(decision: Mapping[str, Any], action: str | None, of: str | None) -> tuple[str | None, str]:
    """Says why a sample's decision is not to be taken back, None if it is; and which action stands."""
    standing = decision.get("action")
    undone = [event.get("undoes") for event in decision.get("history") or ()]
    if standing is None or action in [name for name in undone if name]:
        return "undecided", ""
    if action not in (None, standing):
        return "later", ""
    if of not in (None, decision.get("by")):
        return "of_others", ""
    return None, standing
