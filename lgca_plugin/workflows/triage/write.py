"""Writes the findings of a triage to the samples."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from ...fiftyone_io import fields as f
from ...fiftyone_io.app_layout import show_triage
from ...fiftyone_io.database import bulk_write
from ...fiftyone_io.documents import utc_now, write_fields
from ...progress import Progress
from ...runs.record import check_current
from ...runs.registry import fields_of_other_runs, update_record
from ..decisions.decisions import declare_decisions
from ..decisions.pill import write_pills

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from ...method.labels.triage_cases import Case
    from .analysis import TriageAnalysis
    from .plan import TriageRequest
    from .samples import TriageSamples
    from .votes import Votes

SAMPLES_AT_ONCE = 2000
"""Number of samples in a write."""


def declare_triage(request: TriageRequest) -> None:
    """Declares a triage's fields, shows them in the run's sidebar group, and empties those of a previous triage."""
    import fiftyone as fo
    from pymongo import UpdateMany

    run = request.run
    dataset, key = run.dataset, run.key
    if run.config.voters is not None:
        f.declare_fields(dataset, key, run.config.methods)
    suggested: dict[str, fo.Field] = {
        "given": fo.StringField(),
        f.NEAR_DUPLICATE: fo.StringField(),
        f.UNLIKE: fo.BooleanField(),
    }
    kinds = {
        f.CASE: fo.StringField(),
        f.MISLEADING: fo.FloatField(),
        f.STABILITY: fo.FloatField(),
        f.LABEL_QUALITY: fo.FloatField(),
        f.SUGGESTION: f.classification_field(suggested),
        f.SUSPECT: f.classification_field({}),
        f.BEST_ANSWER: f.classification_field({f.LIKELIEST: fo.StringField()}),
    }
    schema = dataset.get_field_schema()
    existing = [field for field in request.fields if field in schema]
    own = {f.triage_field(key, name): kind for name, kind in kinds.items()}
    judgements: dict[str, fo.Field] = {
        f"{f.method_field(key, method.name)}.{name}": fo.FloatField()
        for method in request.judging
        for name in (f.CALIBRATED, f.LABEL_QUALITY)
    }
    # Recorded first, so that the run's deletion deletes them even if this is interrupted.
    update_record(run, triage_fields=[*request.fields, f.triage_field(key, f.DECISION)])
    fields = {name: own[name] for name in request.fields}
    declare_decisions(dataset, request.decision_fields, {**fields, **judgements})
    if existing:  # in one pass over the samples: MongoDB takes a second for 50,000
        copies = (
            [] if run.config.voters is None else [f.method_field(key, method.name) for method in run.config.methods]
        )
        emptied = dict.fromkeys([*existing, *copies])
        held = [{path: {"$ne": None}} for path in (*emptied, *judgements)]
        parts_unset = {} if copies else {"$unset": dict.fromkeys(judgements, "")}  # a copy goes with its parts
        change = {"$set": {**emptied, "last_modified_at": utc_now()}, **parts_unset}
        bulk_write(dataset, [UpdateMany({"$or": held}, change)])
    show_triage(
        dataset,
        key,
        run.config.methods,
        run.results["triage_fields"],
        ground_truth=request.ground_truth,
        hidden=fields_of_other_runs(dataset, key),
    )


def write_triage(
    request: TriageRequest,
    samples: TriageSamples,
    cases: Sequence[Case],
    found: TriageAnalysis,
    votes: Votes | None = None,
) -> Generator[Progress, None, None]:
    """Writes the fields of all samples, in batches, and copies of ``votes``; yields progress."""
    run = request.run
    key = run.key
    columns: dict[str, list[Any]] = {
        f.triage_field(key, f.CASE): [case.value for case in cases],
        f.triage_field(key, f.MISLEADING): _or_none(found.case_size),
        f.triage_field(key, f.STABILITY): _or_none(found.stability),
        **_judgements(request, samples, found),
    }
    if votes is not None:
        for name in (f.MISLEADING, f.STABILITY):
            del columns[f.triage_field(key, name)]
        _put_copies(request, columns, votes)
    total = len(samples.ids)
    # A prediction that was cleared meanwhile must not reappear as a label without a class.
    labels = [f"{f.method_field(key, method.name)}.label" for method in run.config.methods if votes is None]
    for start in range(0, total, SAMPLES_AT_ONCE):
        part = slice(start, start + SAMPLES_AT_ONCE)
        rows = zip(*(column[part] for column in columns.values()), strict=True)
        values = {  # without None: all fields are empty before
            id_: {name: value for name, value in zip(columns, row, strict=True) if value is not None}
            for id_, row in zip(samples.ids[part], rows, strict=True)
        }
        check_current(run)
        write_fields(run.dataset, values, filled=labels)
        done = min(total, start + SAMPLES_AT_ONCE)
        yield Progress(total + done, 2 * total, f"Cases and suggestions of {done:,} of {total:,} samples")
    check_current(run)
    write_pills(run.dataset, request.decision_fields)


def _judgements(request: TriageRequest, samples: TriageSamples, found: TriageAnalysis) -> dict[str, list[Any]]:
    """Returns the columns of judged labels: a value a sample, None where the label was not judged."""
    from bson import ObjectId

    key, classes = request.run.key, request.run.config.classes
    n, errors = len(samples.ids), found.errors
    quality, suggestion = f.triage_field(key, f.LABEL_QUALITY), f.triage_field(key, f.SUGGESTION)
    columns: dict[str, list[Any]] = {quality: [None] * n, suggestion: [None] * n}

    def suggest(row: int, label: str, given: str, confidence: float | None) -> None:
        document = {"_id": ObjectId(), "_cls": "Classification", "tags": [], "label": label}
        columns[suggestion][row] = {**document, "confidence": confidence, "given": given}

    if errors is not None:
        columns[quality] = _spread(errors.quality, found.judged, n)
    for row, suggested in found.outside.items():
        columns[quality][row] = 0.0  # the probability of a class that no method knows
        suggest(row, classes[suggested], samples.outside_rows[row], None)
    if errors is None:
        return columns
    for at in np.flatnonzero(errors.suspect).tolist():
        row = int(found.judged[at])
        label, given = classes[errors.suggestion[at]], classes[samples.truth[row]]
        suggest(row, label, given, float(errors.suggestion_confidence[at]))
        if errors.twin is not None and errors.twin[at] >= 0:
            columns[suggestion][row][f.NEAR_DUPLICATE] = samples.ids[found.judged[errors.twin[at]]]
        if errors.unlike is not None and errors.unlike[at]:
            columns[suggestion][row][f.UNLIKE] = True
    if request.none_below:
        columns[f.triage_field(key, f.BEST_ANSWER)] = _best_answers(request, found, n)
    for name in (method.name for method in found.calibrated):
        field = f.method_field(key, name)
        columns[f"{field}.{f.CALIBRATED}"] = _spread(errors.calibrated[name], found.judged, n)
        columns[f"{field}.{f.LABEL_QUALITY}"] = _spread(errors.by_method[name], found.judged, n)
    return columns


def _best_answers(request: TriageRequest, found: TriageAnalysis, n: int) -> list[Any]:
    """Returns the likeliest class of each judged sample, or that it is none of them where that is not likely enough."""
    from bson import ObjectId

    column: list[Any] = [None] * n
    errors, classes = found.errors, request.run.config.classes
    if errors is None:
        return column
    for row, best, p in zip(
        found.judged.tolist(), errors.suggestion.tolist(), errors.suggestion_confidence.tolist(), strict=True
    ):
        label = classes[best] if p >= request.none_below else f.NONE_OF_THESE
        document = {"_id": ObjectId(), "_cls": "Classification", "tags": [], "label": label, "confidence": p}
        column[row] = {**document, f.LIKELIEST: classes[best]}
    return column


def _put_copies(request: TriageRequest, columns: dict[str, list[Any]], votes: Votes) -> None:
    """Puts a column of copies of each voter's predictions in place of the columns of their judgements."""
    from bson import ObjectId

    for name, answers in votes.answers.items():
        field, n = f.method_field(request.run.key, name), len(answers)
        none: list[Any] = [None] * n
        confidence = _or_none(votes.confidence[name]) if name in votes.confidence else none
        margins = _or_none(votes.margins[name])
        judged = [columns.pop(f"{field}.{part}", none) for part in (f.CALIBRATED, f.LABEL_QUALITY)]
        columns[field] = [
            None
            if answer < 0
            else {
                "_id": ObjectId(),
                "_cls": "Classification",
                "tags": [],
                "label": votes.labels[answer],
                "confidence": sure,
                "margin": margin,
                f.CALIBRATED: calibrated,
                f.LABEL_QUALITY: quality,
            }
            for answer, sure, margin, calibrated, quality in zip(
                answers.tolist(), confidence, margins, *judged, strict=True
            )
        ]


def _spread(values: NDArray[np.floating], rows: NDArray[np.int64], n: int) -> list[float | None]:
    column = np.full(n, np.nan)
    column[rows] = values
    return _or_none(column)


def _or_none(column: NDArray[np.float64]) -> list[float | None]:
    """Returns numbers for MongoDB, None for nan."""
    return [None if isnan(value) else value for value in column.tolist()]
