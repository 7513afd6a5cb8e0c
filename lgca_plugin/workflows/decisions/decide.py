"""Deciding about samples: everything is checked first, then each sample is written whole."""

from __future__ import annotations

import getpass
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, LgcaError
from ...fiftyone_io.database import bulk_write, sample_collection, stored_field_names
from ...fiftyone_io.documents import utc_now
from ...fiftyone_io.fields import method_field
from ...fiftyone_io.samples import chunks, ids_where, read_ids
from .corrected_field import check_corrected_field, make_corrected_field
from .decisions import AuditStamp, Decision, declare_decisions
from .updates import decide_update
from .wording import count_text, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo

    from ...runs.record import RunRecord
    from .decisions import DecisionFields


@dataclass(frozen=True, kw_only=True)
class DecideResult:
    """What a call of ``decide`` has done.

    Attributes:
        action: identifies it, for ``undo``
        decision: what was decided
        samples: how many samples were written
        replaced: on how many of them something had been decided before
        without_prediction: how many of them have no prediction of the run
        gone: how many were not written, for they were deleted or lost their suggestion while this ran
        corrected_field: where accepted labels are
    """

    action: str
    decision: Decision
    samples: int
    replaced: int
    without_prediction: int
    gone: int
    corrected_field: str

    def __str__(self) -> str:
        reasons = {
            "decided before, which this replaces": self.replaced,
            "without a prediction of the run": self.without_prediction,
            "not decided, for they were deleted or triaged anew meanwhile": self.gone,
        }
        return sentence(f"{self.decision.value}: {count_text(self.samples)}", reasons)


def decide(
    run: RunRecord,
    places: DecisionFields,
    samples: Any,
    decision: Decision | str,
    *,
    label: str | None,
    note: str | None,
    by: str | None,
    allow_new_class: bool,
    wait: bool,
) -> DecideResult:
    """Decides about samples; see :meth:`lgca_plugin.workflows.decisions.queue.Triage.decide`."""
    from pymongo import UpdateMany

    decision = _read_decision(decision)
    act = audit_stamp(by, note)
    _check_label(run, decision, label, allow_new_class=allow_new_class)
    dataset = check_writable(run)
    check_corrected_field(dataset, run.key, places.corrected, places.ground_truth)
    found = _read(run, places, read_ids(dataset, samples))
    suggested = decision is Decision.ACCEPTED and label is None
    if suggested:
        _check_suggestions(found)

    declare_decisions(dataset, run.key)
    if places.ground_truth is not None or decision is Decision.ACCEPTED:
        make_corrected_field(dataset, places, None if wait else list(found))
    still = {f"{places.suggestion}.label": {"$gt": ""}} if suggested else {}
    stages = decide_update(places, act, decision, label)
    bulk_write(dataset, [UpdateMany({**chunk, **still}, stages) for chunk in chunks(list(found))], found)
    written = ids_where(dataset, found, {f"{places.decision}.history.action": act.id})
    return DecideResult(
        action=act.id,
        decision=decision,
        samples=len(written),
        replaced=sum(found[id_].decided for id_ in written),
        without_prediction=sum(not found[id_].predicted for id_ in written),
        gone=len(found) - len(written),
        corrected_field=places.corrected,
    )


def default_curator() -> str:
    """Gives the login name of whoever runs this, or ``"unknown"``."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # nobody is logged in, as in a container
        return "unknown"


def audit_stamp(by: str | None, note: str | None) -> AuditStamp:
    """Makes the record of a call.

    Raises:
        ConfigError: if a name or note is no text
    """
    for name, value in (("by", by), ("note", note)):
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise ConfigError(f"{name} must be a text that is not blank, or None, got {value!r}")
    now = utc_now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return AuditStamp(id=uuid.uuid4().hex, by=by or default_curator(), at=now, note=note)


def check_writable(run: RunRecord) -> fo.Dataset:
    """Checks that a run is still there, and gives its dataset with the fields that it has now.

    Raises:
        LgcaError: if the run was deleted or started again
    """
    if not run.is_current():
        raise LgcaError(
            f"run {run.key!r} was deleted or started again, so nothing can be decided about it; load it anew"
        )
    dataset = run.dataset
    if stored_field_names(dataset) != set(dataset.get_field_schema()):
        dataset.reload()  # takes longer than deciding about a sample
    return dataset


@dataclass(frozen=True)
class _Found:
    suggested: bool
    predicted: bool
    decided: bool


def _read_decision(decision: Any) -> Decision:
    try:
        return Decision(decision)
    except ValueError:
        known = ", ".join(repr(known.value) for known in Decision)
        raise ConfigError(f"decision must be one of {known}, got {decision!r}") from None


def _check_label(run: RunRecord, decision: Decision, label: Any, *, allow_new_class: bool) -> None:
    if label is None:
        return
    if decision is not Decision.ACCEPTED:
        raise ConfigError(f"label {label!r} goes with {Decision.ACCEPTED.value!r} alone, not with {decision.value!r}")
    if not isinstance(label, str) or not label.strip():
        raise ConfigError(f"label must be the name of a class, got {label!r}")
    if label not in run.config.classes and not allow_new_class:
        raise ConfigError(
            f"label {label!r} is no class of run {run.key!r}; pass allow_new_class=True if it is the right label"
        )


def _read(run: RunRecord, places: DecisionFields, ids: list[str]) -> dict[str, _Found]:
    """Reads what is to be known of samples before something is decided about them.

    Raises:
        ConfigError: if the dataset lacks one of them, or one is no image
    """
    labels = [f"{method_field(run.key, method.name)}.label" for method in run.config.methods]
    suggestion, decision = f"{places.suggestion}.label", f"{places.decision}.action"
    stages = {
        "image": {"$eq": ["$_media_type", "image"]},
        "suggested": {"$gt": [f"${suggestion}", None]},
        "predicted": {"$or": [{"$gt": [f"${label}", None]} for label in labels]},
        "decided": {"$gt": [f"${decision}", None]},
    }
    rows: dict[str, dict[str, Any]] = {}
    for chunk in chunks(ids):
        documents = sample_collection(run.dataset).aggregate([{"$match": chunk}, {"$project": stages}])
        rows.update((str(document["_id"]), document) for document in documents if document["image"])
    missing = [id_ for id_ in ids if id_ not in rows]
    if missing:
        others = f" (and {len(missing) - 1:,} others)" if len(missing) > 1 else ""
        raise ConfigError(
            f"sample_ids must be image samples of dataset {run.dataset.name!r}, which has no {missing[0]}{others}"
        )
    return {id_: _Found(rows[id_]["suggested"], rows[id_]["predicted"], rows[id_]["decided"]) for id_ in ids}


def _check_suggestions(found: Mapping[str, _Found]) -> None:
    lacking = [id_ for id_, sample in found.items() if not sample.suggested]
    if lacking:
        which = f"sample {lacking[0]} has" if len(lacking) == 1 else f"{len(lacking):,} samples have"
        raise ConfigError(f"label must name the right class: {which} no suggestion that could be accepted")
