"""Deciding about samples: all arguments are checked first, then each sample is written in one update."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, shown
from ...fiftyone_io.boxes.mirror import check_copy_is_free, mirror
from ...fiftyone_io.boxes.refresh import refresh
from ...fiftyone_io.database import SCHEMA, bulk_write
from ...fiftyone_io.documents import utc_now
from ...fiftyone_io.fields import check_not_read_only, method_field
from ...fiftyone_io.holders import user_name
from ...fiftyone_io.samples import chunks, ids_where, read_ids, read_projections
from ...method.number_text import labels_text, samples_text
from ...runs.record import check_loaded
from .corrected_field import check_corrected_field, make_corrected_field
from .decisions import AuditStamp, Decision, check_fields_are_current, declare_decisions
from .lost_labels import check_not_renamed, count_lost_labels, restore_lost_labels
from .pill import pill_stages
from .updates import decide_update

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

    from ...runs.record import RunRecord
    from .decisions import DecisionFields


@dataclass(frozen=True, kw_only=True)
class DecideResult:
    """Outcome of a call of ``decide``.

    Attributes:
        action: identifies the call, for ``undo``
        decision: the decision
        samples: number of samples written
        replaced: number of those that had an earlier decision
        without_prediction: number of those without a prediction of the run
        gone: number of samples not written, because they were deleted or lost their suggestion meanwhile
        corrected_field: field of the accepted labels
        restored: number of accepted labels in that field that earlier decisions have put there, if the field was gone
            and was made again
    """

    action: str
    decision: Decision
    samples: int
    replaced: int
    without_prediction: int
    gone: int
    corrected_field: str
    restored: int = 0

    def __str__(self) -> str:
        reasons = {
            "with an earlier decision, now replaced": self.replaced,
            "without a prediction of the run": self.without_prediction,
            "not decided: deleted or triaged again meanwhile": self.gone,
        }
        text = sentence(f"{self.decision.word}: {samples_text(self.samples)}", reasons)
        return "; ".join([text, *restored_note(self.corrected_field, self.restored)])


def decide(
    run: RunRecord,
    fields: DecisionFields,
    samples: Any,
    decision: Decision | str,
    *,
    label: str | None,
    note: str | None,
    by: str | None,
    allow_new_class: bool,
    large: int | None,
) -> DecideResult:
    """Decides about samples; see :meth:`lgca_plugin.workflows.decisions.queue.Triage.decide`.

    From ``large`` samples on, the given labels of other samples are copied in a thread; never if it is None.
    """
    from pymongo import UpdateMany

    decision = _read_decision(decision)
    stamp = audit_stamp(by, note)
    _check_label(run, decision, label, allow_new_class=allow_new_class)
    dataset = check_writable(run, fields)
    check_corrected_field(dataset, run.key, fields.corrected, fields.ground_truth)
    check_copy_is_free(dataset, fields.corrected)
    ids = read_ids(dataset, samples)
    refresh(dataset, ids)
    states = _read_states(run, fields, ids)
    suggested = decision is Decision.ACCEPTED and label is None
    if suggested:
        _check_suggestions(states)

    with SCHEMA:
        restored = prepare_fields(dataset, fields, list(states), large=large, accepts=decision is Decision.ACCEPTED)
    still = {f"{fields.suggestion}.label": {"$gt": ""}} if suggested else {}
    stages = [*decide_update(fields, stamp, decision, label), *pill_stages(dataset, fields)]
    bulk_write(dataset, [UpdateMany({**chunk, **still}, stages) for chunk in chunks(list(states))], states)
    mirror(dataset, ids)
    written = ids_where(dataset, states, {f"{fields.decision}.history.action": stamp.id})
    return DecideResult(
        action=stamp.id,
        decision=decision,
        samples=len(written),
        replaced=sum(states[id_]["decided"] for id_ in written),
        without_prediction=sum(not states[id_]["predicted"] for id_ in written),
        gone=len(states) - len(written),
        corrected_field=fields.corrected,
        restored=restored,
    )


def prepare_fields(
    dataset: fo.Dataset, fields: DecisionFields, samples: Sequence[str], *, large: int | None, accepts: bool
) -> int:
    """Declares the fields of decisions about samples, and makes that of corrected labels again if it is gone.

    Returns:
        the number of accepted labels that are in it again

    Raises:
        ConfigError: if it was renamed
    """
    lost = count_lost_labels(dataset, fields)
    if lost:
        check_not_renamed(dataset, fields)
        restore_lost_labels(dataset, fields)
    declare_decisions(dataset, fields)
    if fields.ground_truth is not None or accepts or lost:
        make_corrected_field(dataset, fields, samples, large=large)
    return lost


def restored_note(corrected_field: str, restored: int) -> list[str]:
    """Returns, in a list, that the field of corrected labels was made again; empty if it was not."""
    if not restored:
        return []
    what = f"with the {labels_text(restored)} changed before" if restored > 1 else "with the label changed before"
    return [f"field {corrected_field!r} was gone and was made again {what}; what was set there by hand is not in it"]


def sentence(start: str, reasons: Mapping[str, int]) -> str:
    """Returns a text, followed by each reason with a count above 0."""
    return "; ".join([start, *(f"{count:,} {reason}" for reason, count in reasons.items() if count)])


def audit_stamp(by: str | None, note: str | None) -> AuditStamp:
    """Returns a new action's stamp.

    Raises:
        ConfigError: if the name or note is not a text, or blank
    """
    for name, value in (("by", by), ("note", note)):
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise ConfigError(f"{name} must be a text that is not blank, or None, got {shown(value)}")
    now = utc_now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return AuditStamp(id=uuid.uuid4().hex, by=by or user_name(), at=now, note=note)


def check_writable(run: RunRecord, fields: DecisionFields) -> fo.Dataset:
    """Returns the dataset of a run with its current fields, after checking that its decisions can be written.

    Raises:
        LgcaError: if the run was deleted or started again, or triaged again with another field of corrected labels
        ConfigError: if a field that decisions are written to is read-only, or those of earlier ones were renamed
    """
    check_loaded(run)
    dataset = run.dataset
    check_fields_are_current(dataset, fields)
    written = [fields.decision, fields.corrected, fields.suspect, "tags"]
    check_not_read_only(dataset, written, "nothing can be decided or undone")
    return dataset


def _read_decision(decision: Any) -> Decision:
    try:
        return Decision(decision)
    except ValueError:
        known = ", ".join(repr(known.value) for known in Decision)
        raise ConfigError(f"decision must be one of {known}, got {shown(decision)}") from None


def _check_label(run: RunRecord, decision: Decision, label: Any, *, allow_new_class: bool) -> None:
    if label is None:
        return
    if decision is not Decision.ACCEPTED:
        raise ConfigError(f"label {label!r} goes with {Decision.ACCEPTED.value!r} alone, not with {decision.value!r}")
    if not isinstance(label, str) or not label.strip():
        raise ConfigError(f"label must be the name of a class, got {shown(label)}")
    if label not in run.config.classes and not allow_new_class:
        raise ConfigError(
            f"label {label!r} is no class of run {run.key!r}; pass allow_new_class=True if it is the right label"
        )


def _read_states(run: RunRecord, fields: DecisionFields, ids: list[str]) -> dict[str, dict[str, bool]]:
    """Returns whether samples are ``suggested`` (have a suggestion), ``predicted`` and ``decided``, by id.

    Raises:
        ConfigError: if the dataset lacks one of them, or one is not an image
    """
    labels = [f"{method_field(run.key, method.name)}.label" for method in run.config.methods]
    projection = {
        "image": {"$eq": ["$_media_type", "image"]},
        "suggested": {"$gt": [f"${fields.suggestion}.label", None]},
        "predicted": {"$or": [{"$gt": [f"${label}", None]} for label in labels]},
        "decided": {"$gt": [f"${fields.decision}.action", None]},
    }
    rows = read_projections(run.dataset, ids, projection)
    missing = [id_ for id_ in ids if id_ not in rows or not rows[id_]["image"]]
    if missing:
        others = f" (and {len(missing) - 1:,} others)" if len(missing) > 1 else ""
        raise ConfigError(
            f"sample_ids must be image samples of dataset {run.dataset.name!r}, which has no {missing[0]}{others}"
        )
    return {id_: rows[id_] for id_ in ids}


def _check_suggestions(states: Mapping[str, Mapping[str, bool]]) -> None:
    lacking = [id_ for id_, sample in states.items() if not sample["suggested"]]
    if lacking:
        which = f"sample {lacking[0]} has" if len(lacking) == 1 else f"{len(lacking):,} samples have"
        raise ConfigError(f"label must name the right class: {which} no suggestion that could be accepted")
