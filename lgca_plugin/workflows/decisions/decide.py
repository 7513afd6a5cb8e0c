"""Deciding about samples: all arguments are checked first, then each sample is written in one update."""

from __future__ import annotations

import getpass
import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, LgcaError
from ...fiftyone_io.database import bulk_write, stored_field_names
from ...fiftyone_io.documents import utc_now
from ...fiftyone_io.fields import method_field
from ...fiftyone_io.samples import chunks, ids_where, read_ids, read_projections
from ...method.number_text import samples_text
from .corrected_field import check_corrected_field, make_corrected_field
from .decisions import AuditStamp, Decision, declare_decisions
from .pill import pill_stages
from .updates import decide_update

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo

    from ...runs.record import RunRecord
    from .decisions import DecisionFields


SCHEMA = threading.RLock()
"""Held while a dataset's fields are declared or loaded: FiftyOne has one object for a dataset in all threads."""


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
            "with an earlier decision, now replaced": self.replaced,
            "without a prediction of the run": self.without_prediction,
            "not decided: deleted or triaged again meanwhile": self.gone,
        }
        return sentence(f"{self.decision.value}: {samples_text(self.samples)}", reasons)


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
    dataset = check_writable(run)
    check_corrected_field(dataset, run.key, fields.corrected, fields.ground_truth)
    states = _read_states(run, fields, read_ids(dataset, samples))
    suggested = decision is Decision.ACCEPTED and label is None
    if suggested:
        _check_suggestions(states)

    with SCHEMA:
        declare_decisions(dataset, run.key)
        if fields.ground_truth is not None or decision is Decision.ACCEPTED:
            make_corrected_field(dataset, fields, list(states), large=large)
    still = {f"{fields.suggestion}.label": {"$gt": ""}} if suggested else {}
    stages = [*decide_update(fields, stamp, decision, label), *pill_stages(dataset, fields)]
    bulk_write(dataset, [UpdateMany({**chunk, **still}, stages) for chunk in chunks(list(states))], states)
    written = ids_where(dataset, states, {f"{fields.decision}.history.action": stamp.id})
    return DecideResult(
        action=stamp.id,
        decision=decision,
        samples=len(written),
        replaced=sum(states[id_]["decided"] for id_ in written),
        without_prediction=sum(not states[id_]["predicted"] for id_ in written),
        gone=len(states) - len(written),
        corrected_field=fields.corrected,
    )


def default_curator() -> str:
    """Returns the login name, or ``"unknown"``."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # no user name, as in a container
        return "unknown"


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
            raise ConfigError(f"{name} must be a text that is not blank, or None, got {value!r}")
    now = utc_now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return AuditStamp(id=uuid.uuid4().hex, by=by or default_curator(), at=now, note=note)


def check_writable(run: RunRecord) -> fo.Dataset:
    """Returns the dataset of a run with its current fields, after checking that the run still exists.

    Raises:
        LgcaError: if the run was deleted or started again
    """
    if not run.is_current():
        raise LgcaError(
            f"run {run.key!r} was deleted or started again, so nothing can be decided about it; load it again"
        )
    dataset = run.dataset
    with SCHEMA:
        if stored_field_names(dataset) != set(dataset.get_field_schema()):
            dataset.reload()  # only if needed: it takes longer than deciding about a sample
    return dataset


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
