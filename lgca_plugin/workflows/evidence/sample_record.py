"""What a run, its triage and its decisions have written on one sample, and cached evidence about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...cache import ResultCache
from ...errors import ConfigError
from ...fiftyone_io import fields as f
from ...fiftyone_io.boxes.companion import around
from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.label_fields import label_in
from ...method.explain.evidence import Evidence
from ...runs.record import stored_triage
from ..decisions.corrected_field import default_corrected_field
from .description_figures import plot_description_votes
from .evidence import evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...fiftyone_io.thumbnails import Box
    from ...runs.record import RunRecord

EVIDENCE: ResultCache[Evidence] = ResultCache(16)
"""200 KB each at 512 dimensions."""

FIGURES: ResultCache[Any] = ResultCache(16)
"""The figures of descriptions' votes: up to 200 KB each."""


@dataclass(frozen=True, kw_only=True)
class StoredPrediction:
    """A method's prediction on a sample.

    Attributes:
        calibrated: its calibrated probability; None before a triage
        fold: number of the part of the labels that the sample was in when the method was learned, so that weights that
            had not seen it have answered; None where it was not learned from
        before: the label before known shares of the classes have changed it; None where they have not
    """

    label: str
    confidence: float | None
    margin: float | None
    calibrated: float | None
    fold: int | None = None
    before: str | None = None


@dataclass(frozen=True, kw_only=True)
class SampleRecord:
    """The results of a run, its triage and its current decision on a sample.

    Attributes:
        around: the box that the sample is about; None for the whole picture
        modified: time of the sample's last modification
        predictions: method to prediction, of the methods that have one
        boxes: the boxes that the run has written, as stored
        suggested: the suggested class of a suspected label error
        near_duplicate: id of the sample with nearly the same picture whose label contradicted the given one
        unlike: whether the picture is unlike all others
        none_of_these: whether even the likeliest class is less likely than the triage took for an answer
        quality: quality of the given label, in [0, 1]
        case_size: size of the misleading-crop case
        corrected: the accepted class
    """

    id: str
    filepath: str
    around: Box | None
    media_type: str
    modified: datetime | None
    predictions: Mapping[str, StoredPrediction]
    error: str | None
    boxes: list[dict[str, Any]]
    given: str | None
    suggested: str | None
    suggested_confidence: float | None
    near_duplicate: str | None
    unlike: bool
    none_of_these: bool
    quality: float | None
    case: str | None
    case_size: float | None
    decision: str | None
    decided_by: str | None
    corrected: str | None

    @property
    def label(self) -> str | None:
        """The label that stands: the accepted class, else the given one."""
        return self.given if self.corrected is None else self.corrected


def read_sample_record(run: RunRecord, sample_id: str) -> SampleRecord:
    """Returns the results on a sample as they are now; raises ConfigError if the dataset has no such sample."""
    from bson import ObjectId

    known = isinstance(sample_id, str) and ObjectId.is_valid(sample_id)
    found = sample_collection(run.dataset).find_one({"_id": ObjectId(sample_id)}) if known else None
    if found is None:
        raise ConfigError(f"{sample_id!r} is no sample of dataset {run.dataset.name!r}")
    key = run.key
    suggestion = found.get(f.triage_field(key, f.SUGGESTION)) or {}
    decision = found.get(f.triage_field(key, f.DECISION)) or {}
    stands = bool(decision.get("action"))
    return SampleRecord(
        id=sample_id,
        filepath=found["filepath"],
        around=around(run.dataset, found),
        media_type=found.get("_media_type") or "image",
        modified=found.get("last_modified_at"),
        predictions=_predictions(run, found),
        error=found.get(f.error_field(key)),
        boxes=(found.get(f.regions_field(key)) or {}).get("detections") or [],
        given=label_in(found, given_field(run) or ""),
        suggested=_label(suggestion),
        suggested_confidence=suggestion.get("confidence"),
        near_duplicate=suggestion.get(f.NEAR_DUPLICATE),
        unlike=bool(suggestion.get(f.UNLIKE)),
        none_of_these=_label(found.get(f.triage_field(key, f.BEST_ANSWER)) or {}) == f.NONE_OF_THESE,
        quality=found.get(f.triage_field(key, f.LABEL_QUALITY)),
        case=found.get(f.triage_field(key, f.CASE)),
        case_size=found.get(f.triage_field(key, f.MISLEADING)),
        decision=decision.get("label") if stands else None,
        decided_by=decision.get("by") if stands else None,
        corrected=decision.get("corrected") if stands else None,
    )


def given_field(run: RunRecord) -> str | None:
    """Returns the field of the given labels: the triage's, else the run's; None without one."""
    report = stored_triage(run.results)
    name = report.get("ground_truth") or run.config.ground_truth
    return str(name) if name else None


def corrected_field(run: RunRecord) -> str:
    """Returns the field of accepted labels."""
    report = stored_triage(run.results)
    return str(report.get("corrected_field") or default_corrected_field(run.key, given_field(run)))


def cached_evidence(run: RunRecord, sample: SampleRecord) -> Evidence:
    """Returns :meth:`lgca_plugin.Run.evidence` about a sample, from memory as long as the sample is not modified."""
    return EVIDENCE.get((run.token, run.config, sample.id, sample.modified), lambda: evidence(run, sample.id))


def cached_votes_figure(
    run: RunRecord, sample: SampleRecord, names: tuple[str, str], *, methods: tuple[str, ...] | None, min_width: int
) -> Any:
    """Returns :meth:`lgca_plugin.Run.plot_description_votes` in the App's theme, cached in the same way."""
    key = (run.token, run.config, sample.id, sample.modified, names, methods, min_width)
    options: dict[str, Any] = {"methods": methods, "theme": "app", "min_width": min_width}
    return FIGURES.get(key, lambda: plot_description_votes(run, sample.id, *names, **options))


def _predictions(run: RunRecord, found: Mapping[str, Any]) -> dict[str, StoredPrediction]:
    predictions = {}
    for method in run.config.methods:
        label = found.get(f.method_field(run.key, method.name)) or {}
        if label.get("label") is not None:
            numbers = {name: label.get(name) for name in ("confidence", "margin", f.CALIBRATED, f.FOLD)}
            before = label.get(f.BEFORE_SHARES)
            predictions[method.name] = StoredPrediction(label=label["label"], before=before, **numbers)
    return predictions


def _label(document: Any) -> str | None:
    label = document.get("label") if isinstance(document, dict) else None
    return label if isinstance(label, str) else None
