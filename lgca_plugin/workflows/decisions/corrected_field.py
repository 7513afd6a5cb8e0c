"""The field of corrected labels: created at the first decision, and never the field of the given labels.

If there are given labels, it starts as a complete copy of them, to train on and to evaluate against.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, shown
from ...fiftyone_io.database import merge_schema, sample_collection
from ...fiftyone_io.fields import COMPUTED, CORRECTED_INFO, DECISION, is_corrected_copy, triage_field
from ...fiftyone_io.label_copy import copy_in_background, copy_labels
from ...fiftyone_io.label_fields import is_text
from ...runs.registry import list_runs, prediction_fields
from .decisions import DecisionFields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

    from ...runs.record import RunRecord

LARGE = 10_000
"""Number of samples from which on copying takes longer than a curator should wait."""


def default_corrected_field(run_key: str, ground_truth: str | None) -> str:
    """Returns the field that corrected labels go to by default."""
    name = re.sub(r"\W", "_", ground_truth or run_key)
    return f"{name if name.isidentifier() else f'{run_key}_{name}'}_corrected"


def is_users_field(dataset: fo.Dataset, name: str) -> bool:
    """Returns True if a field exists and was created by the user, not by the first decision."""
    return dataset.get_field(name) is not None and not is_corrected_copy(dataset, name)


def decision_fields(run: RunRecord, report: Mapping[str, Any]) -> DecisionFields:
    """Returns the fields of a run's decisions; without given labels if their field was deleted since the triage."""
    ground_truth = report.get("ground_truth")
    corrected = report.get("corrected_field") or default_corrected_field(run.key, ground_truth)
    there = ground_truth is not None and run.dataset.has_field(ground_truth)
    return DecisionFields.on(run.dataset, run.key, ground_truth if there else None, corrected)


def check_corrected_field(dataset: fo.Dataset, run_key: str, name: str, ground_truth: str | None) -> None:
    """Checks that a field may hold corrected labels: it is new, or holds one label a sample and no run owns it.

    Texts go with given labels that are texts.

    Raises:
        ConfigError: if it may not
    """
    import fiftyone as fo

    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise ConfigError(f"corrected_field must be a field name of letters, digits and underscores, got {shown(name)}")
    if name == ground_truth:
        raise ConfigError(
            f"corrected_field must not be the field of the given labels, {name!r}: they are never changed"
        )
    for key in {*list_runs(dataset), run_key}:
        own = {triage_field(key, part) for part in (*COMPUTED, DECISION)}
        if name in own.union(prediction_fields(dataset, key)):
            raise ConfigError(f"corrected_field {name!r} is a field of run {key!r}; name another")
    field = dataset.get_field(name)
    if field is None or getattr(field, "document_type", None) is fo.Classification:
        return
    as_text = ground_truth is not None and is_text(dataset, ground_truth)
    if not (as_text and is_text(dataset, name)):
        kind = getattr(field, "document_type", type(field)).__name__
        right = "StringField or Classification" if as_text else "Classification"
        raise ConfigError(f"corrected_field {name!r} exists and is a {kind}, not a {right}; name another")


def make_corrected_field(
    dataset: fo.Dataset, fields: DecisionFields, first: Sequence[str] = (), *, large: int | None = None
) -> None:
    """Declares the field of corrected labels if it is missing, and fills it with the given labels.

    A field that the user created is used as it is. An interrupted copy is finished; labels in the field are left. From
    ``large`` samples on, only the labels of the samples ``first`` are copied before this returns, the others in a
    thread; never if it is None.
    """
    import fiftyone as fo

    name, source = fields.corrected, fields.ground_truth
    field = dataset.get_field(name)
    if field is None:
        notes: dict[str, Any] = {
            "description": "Labels as curators have corrected them"
            + (f"; a copy of {source!r} at first" if source else ""),
            "info": {CORRECTED_INFO: {"copy_of": source, "complete": source is None}},
        }
        as_text = fields.corrected_as_text
        new = fo.StringField(**notes) if as_text else fo.EmbeddedDocumentField(fo.Classification, **notes)
        merge_schema(dataset, {name: new})
        field = dataset.get_field(name)
    made = dict(field.info or {}).get(CORRECTED_INFO)
    alike = fields.corrected_as_text == fields.given_as_text
    if source is None or not alike or not made or made.get("complete") or made.get("copy_of") != source:
        return
    parts: dict[str, fo.Field] = {
        f"{name}.{path.removeprefix(f'{source}.')}": part.copy()
        for path, part in dataset.get_field_schema(flat=True).items()
        if path.startswith(f"{source}.")
    }
    merge_schema(dataset, parts)
    if large is None or sample_collection(dataset).estimated_document_count() < large:
        copy_labels(dataset, name, source)
        _mark_complete(dataset, name)
    else:
        copy_labels(dataset, name, source, first)
        copy_in_background(dataset, name, source, lambda: _mark_complete(dataset, name))


def _mark_complete(dataset: fo.Dataset, name: str) -> None:
    """Stores that a copy is complete: labels that are missing later were removed by the user."""
    field = dataset.get_field(name)
    if field is not None:
        info: dict[str, Any] = dict(field.info or {})
        field.info = {**info, CORRECTED_INFO: {**info.get(CORRECTED_INFO, {}), "complete": True}}
        field.save()
