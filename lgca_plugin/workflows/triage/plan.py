"""Checks the arguments of a triage; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, shown
from ...fiftyone_io.boxes.refresh import refresh
from ...fiftyone_io.fields import (
    BEST_ANSWER,
    COMPUTED,
    DECISION,
    MISLEADING,
    NONE_OF_THESE,
    STABILITY,
    check_not_read_only,
    decision_note,
    triage_field,
)
from ...fiftyone_io.label_copy import wait_for_copy
from ...fiftyone_io.samples import ImageSamples, image_samples
from ...method.core.methods import CONTROLS, compared_methods
from ...runs.record import check_loaded, stored_triage
from ...runs.registry import reload_record
from ..decisions.corrected_field import check_corrected_field, decision_fields, default_corrected_field, is_users_field
from ..decisions.decisions import DecisionFields
from ..decisions.lost_labels import renamed_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...method.core.methods import Method
    from ...runs.record import RunRecord


NONE_BELOW = "none_of_these"
"""Entry of a triage's report: below which probability the answer is none of the classes, and on how many samples."""

MOST_COMPARED = 3
"""Maximum number of predictions that are compared; all of them judge the labels."""


@dataclass(frozen=True, kw_only=True)
class TriageRequest:
    """A triage that has been checked as far as that needs neither the samples nor the store.

    Attributes:
        ground_truth: label field; None for a triage without labels
        compared: the three compared methods: on the whole image, on crops, and on crops that grow; of predictions of
            other origin up to three
        none_below: probability below which the best answer is none of the classes; 0 writes no best answers
        judging: the methods whose probabilities judge the labels, or are compared with them: all but the controls
    """

    run: RunRecord
    ground_truth: str | None
    compared: tuple[Method, ...]
    judging: tuple[Method, ...]
    corrected_field: str
    warnings: tuple[str, ...]
    none_below: float = 0.0

    @property
    def fields(self) -> list[str]:
        """The fields that the triage writes."""
        of_regions = () if self.run.config.voters is None else (MISLEADING, STABILITY)
        best = triage_field(self.run.key, BEST_ANSWER)
        had = best in self.run.results.get("triage_fields", ())
        own = [triage_field(self.run.key, name) for name in COMPUTED if name not in of_regions]
        return [*own, best] if self.none_below or had else own

    @property
    def decision_fields(self) -> DecisionFields:
        """The fields that hold the decisions."""
        return DecisionFields.on(self.run.dataset, self.run.key, self.ground_truth, self.corrected_field)


def check_triage(
    run: RunRecord,
    *,
    ground_truth: str | None = None,
    methods: Sequence[str] | None = None,
    corrected_field: str | None = None,
    none_below: float | None = None,
) -> TriageRequest:
    """Checks the arguments of :meth:`lgca_plugin.Run.triage`; raises ConfigError."""
    check_loaded(run)
    reload_record(run)
    refresh(run.dataset)
    target = ImageSamples.whole(run.dataset)
    warnings = []
    field = run.config.ground_truth if ground_truth is None else ground_truth
    if ground_truth is None and field is not None and not target.is_label_field(field):
        warnings.append(f"field {field!r}, which the run took its labels from, is no longer a label field: no labels")
        field = None
    if field is not None:
        target.check_label_field(field)
        own = {triage_field(run.key, name) for name in (*COMPUTED, DECISION)}
        if field in own.union(run.fields):
            raise ConfigError(f"ground_truth is {field!r}, a field of this very run; name a field with given labels")
        wait_for_copy(run.dataset, field)
    previous = stored_triage(run.results) or decision_note(run.dataset, triage_field(run.key, DECISION))
    previous_field = previous.get("corrected_field") if previous.get("ground_truth") == field else None
    corrected = corrected_field or previous_field or default_corrected_field(run.key, field)
    moved = moved_to(run, previous)
    if moved is not None and corrected_field is None and previous_field is not None:
        warnings.append(f"corrected labels go to {moved!r} now: field {previous_field!r} was renamed to it")
        corrected = moved
    check_corrected_field(run.dataset, run.key, corrected, field)
    _check_accepted_labels(run, moved or previous.get("corrected_field"), corrected)
    if corrected_field is None and previous_field is None and is_users_field(run.dataset, corrected):
        warnings.append(
            f"corrected labels will go to {corrected!r}, which exists: accepted suggestions replace labels there; "
            "pass corrected_field=... to have them elsewhere"
        )
    _check_fields_are_free(run)
    if none_below is None:
        none_below = (stored_triage(run.results).get(NONE_BELOW) or {}).get("below") or 0.0
    own_fields = [*run.fields, *(triage_field(run.key, name) for name in (*COMPUTED, BEST_ANSWER, DECISION))]
    check_not_read_only(run.dataset, own_fields, f"run {run.key!r} can't be triaged")
    return TriageRequest(
        run=run,
        ground_truth=field,
        compared=_compared(run, methods),
        judging=tuple(method for method in run.config.methods if method.name not in CONTROLS) or run.config.methods,
        corrected_field=corrected,
        warnings=tuple(warnings),
        none_below=check_none_below(none_below, run.config.classes, run.key),
    )


def check_none_below(value: Any, classes: Sequence[str] = (), run_key: str = "") -> float:
    """Returns a probability from 0 to below 1; raises ConfigError if it is none, or a class has the answer's name."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ConfigError(
            f"none_below is a probability from 0 to below 1, such as 0.5, or 0 for no such answers; got {shown(value)}",
            app=f"“none of these” takes a probability from 0 to below 1, such as 0.5, or 0; got {shown(value)}",
        )
    if value and NONE_OF_THESE in classes:
        problem = f"a class of run {run_key!r} is called {NONE_OF_THESE!r}, as pictures of no class would be"
        raise ConfigError(f"{problem}: rename that class, or pass none_below=0", app=f"{problem}: rename that class")
    return float(value)


def _compared(run: RunRecord, names: Sequence[str] | None) -> tuple[Method, ...]:
    """Returns the methods to compare: three of each kind, or up to three predictions, the first ones or those named."""
    methods = run.config.methods
    if run.config.voters is None:
        return compared_methods(methods, names, run_key=run.key)
    own = {method.name: method for method in methods}
    chosen = [names] if isinstance(names, str) else list(names or own)
    for name in chosen:
        if name not in own:
            raise ConfigError(f"there is no prediction {name!r} in run {run.key!r}; choose from {', '.join(own)}")
    if names is not None and not 1 <= len(set(chosen)) <= MOST_COMPARED:
        raise ConfigError(f"methods must name one to {MOST_COMPARED} different predictions, got {len(chosen)}")
    return tuple(own[name] for name in list(dict.fromkeys(chosen))[:MOST_COMPARED])


def moved_to(run: RunRecord, previous: Mapping[str, Any]) -> str | None:
    """Returns the field that the accepted labels are in, if the one of the last triage was renamed to it."""
    name = previous.get("corrected_field")
    if name is None or not run.dataset.has_field(f"{triage_field(run.key, DECISION)}.action"):
        return None
    return renamed_field(run.dataset, decision_fields(run, previous))


def _check_accepted_labels(run: RunRecord, previous: str | None, corrected: str) -> None:
    """Raises ConfigError if accepted labels are in another field than ``corrected``."""
    field = triage_field(run.key, DECISION)
    if previous in (None, corrected) or not run.dataset.has_field(f"{field}.corrected"):
        return
    accepted = len(image_samples(run.dataset).exists(f"{field}.action").exists(f"{field}.corrected"))
    if accepted:
        raise ConfigError(
            f"corrected_field is {corrected!r}, and {accepted} changed labels of run {run.key!r} are in {previous!r}: "
            f"pass corrected_field={previous!r}, or undo those decisions first"
        )


def _check_fields_are_free(run: RunRecord) -> None:
    own = set(run.results.get("triage_fields", ()))
    if decision_note(run.dataset, triage_field(run.key, DECISION)).get("decisions_of") == run.key:
        own.add(triage_field(run.key, DECISION))
    schema = run.dataset.get_field_schema()
    for name in (*COMPUTED, BEST_ANSWER, DECISION):
        field = triage_field(run.key, name)
        if field in schema and field not in own:
            raise ConfigError(
                f"field {field!r} exists and was not made by a triage of run {run.key!r}: rename it, or rescore the "
                "run under another run_key and triage that one"
            )
