"""Checks the arguments of a triage; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...fiftyone_io.fields import COMPUTED, DECISION, triage_field
from ...fiftyone_io.label_copy import wait_for_copy
from ...fiftyone_io.samples import ImageSamples, image_samples
from ...method.core.methods import CONTROLS, compared_methods
from ...runs.record import check_current, stored_triage
from ...runs.registry import reload_record
from ..decisions.corrected_field import check_corrected_field, default_corrected_field, is_users_field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...method.core.methods import Method
    from ...runs.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class TriageRequest:
    """A triage that has been checked as far as that needs neither the samples nor the store.

    Attributes:
        ground_truth: label field; None for a triage without labels
        compared: the three compared methods: on the whole image, on crops, and on crops that grow
        judging: the methods whose probabilities judge the labels: all of the run's but the controls
    """

    run: RunRecord
    ground_truth: str | None
    compared: tuple[Method, Method, Method]
    judging: tuple[Method, ...]
    corrected_field: str
    warnings: tuple[str, ...]

    @property
    def fields(self) -> list[str]:
        """The fields that the triage writes."""
        return [triage_field(self.run.key, name) for name in COMPUTED]


def check_triage(
    run: RunRecord,
    *,
    ground_truth: str | None = None,
    methods: Sequence[str] | None = None,
    corrected_field: str | None = None,
) -> TriageRequest:
    """Checks the arguments of :meth:`lgca_plugin.Run.triage`; raises ConfigError."""
    check_current(run)
    reload_record(run)
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
    previous = stored_triage(run.results)
    previous_field = previous.get("corrected_field") if previous.get("ground_truth") == field else None
    corrected = corrected_field or previous_field or default_corrected_field(run.key, field)
    check_corrected_field(run.dataset, run.key, corrected, field)
    _check_accepted_labels(run, previous.get("corrected_field"), corrected)
    if corrected_field is None and previous_field is None and is_users_field(run.dataset, corrected):
        warnings.append(
            f"corrected labels will go to {corrected!r}, which exists: accepted suggestions replace labels there; "
            "pass corrected_field=... to have them elsewhere"
        )
    _check_fields_are_free(run)
    return TriageRequest(
        run=run,
        ground_truth=field,
        compared=compared_methods(run.config.methods, methods, run_key=run.key),
        judging=tuple(method for method in run.config.methods if method.name not in CONTROLS) or run.config.methods,
        corrected_field=corrected,
        warnings=tuple(warnings),
    )


def _check_accepted_labels(run: RunRecord, previous: str | None, corrected: str) -> None:
    """Raises ConfigError if accepted labels are in another field than ``corrected``."""
    field = triage_field(run.key, DECISION)
    if previous in (None, corrected) or not run.dataset.has_field(f"{field}.corrected"):
        return
    accepted = len(image_samples(run.dataset).exists(f"{field}.action").exists(f"{field}.corrected"))
    if accepted:
        raise ConfigError(
            f"corrected_field is {corrected!r}, and {accepted} accepted labels of run {run.key!r} are in {previous!r}: "
            f"pass corrected_field={previous!r}, or undo those decisions first"
        )


def _check_fields_are_free(run: RunRecord) -> None:
    own = set(run.results.get("triage_fields", ()))
    schema = run.dataset.get_field_schema()
    for name in (*COMPUTED, DECISION):
        field = triage_field(run.key, name)
        if field in schema and field not in own:
            raise ConfigError(
                f"field {field!r} exists and was not made by a triage of run {run.key!r}: rename it, or rescore the "
                "run under another run_key and triage that one"
            )
