"""Accepted labels whose field was deleted or renamed: finding the field, or writing them again from the decisions.

A decision holds the label that it accepted, and that label's id. So a field that was renamed is recognised by the
labels in it, and a field that was deleted can be made again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, LgcaError
from ...fiftyone_io.database import bulk_write, sample_collection
from ...fiftyone_io.documents import utc_now
from ...fiftyone_io.fields import CORRECTED_INFO, DECISION, triage_field
from ...fiftyone_io.label_fields import is_text
from ...runs.record import read_results, stored_triage
from ...runs.registry import list_runs

if TYPE_CHECKING:
    import fiftyone as fo

    from .decisions import DecisionFields


def count_lost_labels(dataset: fo.Dataset, fields: DecisionFields) -> int:
    """Returns the number of samples with an accepted label whose field is gone; 0 if the field is there."""
    if fields.corrected in dataset.get_field_schema():
        return 0
    return int(sample_collection(dataset).count_documents(_accepted(_decision_fields(dataset, fields))))


def renamed_field(dataset: fo.Dataset, fields: DecisionFields) -> str | None:
    """Returns the field that the accepted labels are in, if their own field is gone; None if they are in no other."""
    import fiftyone as fo

    decisions, schema = _decision_fields(dataset, fields), dataset.get_field_schema()
    own = {fields.ground_truth, fields.corrected, *decisions}
    if fields.corrected in schema:
        return None
    if fields.corrected_as_text:  # a text has no id, and other fields may hold the same: only the note on it counts
        return next((name for name in schema if name not in own and _is_copy(dataset, name, fields)), None)
    names = [
        name
        for name, field in schema.items()
        if getattr(field, "document_type", None) is fo.Classification and name not in own
    ]
    if not names:
        return None
    accepted = [{"$ifNull": [f"${decision}.state.after._id", None]} for decision in decisions]
    held = {
        f"n{at}": {"$in": [f"${name}._id", {"$setDifference": [accepted, [None]]}]} for at, name in enumerate(names)
    }
    stages: list[dict[str, Any]] = [
        {"$match": _accepted(decisions)},
        {"$group": {"_id": None, **{name: {"$sum": {"$cond": [found, 1, 0]}} for name, found in held.items()}}},
    ]
    for counts in sample_collection(dataset).aggregate(stages):
        most = max(range(len(names)), key=lambda at: counts[f"n{at}"])
        return names[most] if counts[f"n{most}"] else None
    return None


def check_not_renamed(dataset: fo.Dataset, fields: DecisionFields) -> None:
    """Checks that the field of the accepted labels, which is gone, was not renamed.

    Raises:
        ConfigError: if it was: then decisions would go to another field than the labels before them
    """
    name = renamed_field(dataset, fields)
    if name is None:
        return
    what = f"the field of corrected labels, {fields.corrected!r}, was renamed to {name!r}, so nothing can be decided"
    raise ConfigError(
        f"{what}: rename it back with dataset.rename_sample_field({name!r}, {fields.corrected!r}), or triage run "
        f"{fields.run_key!r} again, which goes on with {name!r}",
        app=f"{what}: rename it back, or find wrong labels again, which goes on with {name!r}",
    )


def restore_lost_labels(dataset: fo.Dataset, fields: DecisionFields) -> None:
    """Writes the labels that stand accepted to their field, which must then be declared: so a killed process lost none.

    Where several runs have accepted a label of a sample for the same field, it is the one accepted last.
    """
    from pymongo import UpdateMany

    decisions = _decision_fields(dataset, fields)
    standing = [
        {"at": f"${name}.at", "label": {"$cond": [{"$gt": [f"${name}.action", None]}, f"${name}.state.after", None]}}
        for name in decisions
    ]
    accepted = {"$filter": {"input": standing, "cond": {"$gt": ["$$this.label.label", None]}}}
    latest = {"$first": {"$sortArray": {"input": accepted, "sortBy": {"at": -1}}}}
    text = "$$latest.label.label"
    document = {"_id": "$$latest.label._id", "_cls": "Classification", "tags": [], "label": text}
    label = text if fields.corrected_as_text else document
    change = {fields.corrected: {"$let": {"vars": {"latest": latest}, "in": label}}, "last_modified_at": utc_now()}
    bulk_write(dataset, [UpdateMany(_accepted(decisions), [{"$set": change}])])


def _is_copy(dataset: fo.Dataset, name: str, fields: DecisionFields) -> bool:
    """Returns True if a field of texts was made for the corrected labels of the given ones."""
    info = dict((dataset.get_field(name).info or {}).get(CORRECTED_INFO) or {})
    return is_text(dataset, name) and "copy_of" in info and info["copy_of"] == fields.ground_truth


def _accepted(decisions: list[str]) -> dict[str, Any]:
    return {"$or": [{f"{name}.action": {"$gt": ""}, f"{name}.state.after.label": {"$ne": None}} for name in decisions]}


def _decision_fields(dataset: fo.Dataset, fields: DecisionFields) -> list[str]:
    """Returns the fields of the decisions of all runs whose accepted labels go to the same field."""
    schema, found = dataset.get_field_schema(), [fields.decision]
    for key in list_runs(dataset):
        name = triage_field(key, DECISION)
        if name in schema and name != fields.decision:
            with suppress(LgcaError):  # a record of another release
                if stored_triage(read_results(dataset, key)).get("corrected_field") == fields.corrected:
                    found.append(name)
    return found
