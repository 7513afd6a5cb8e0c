"""Brings a companion up to date with its source: new, moved and deleted boxes, other labels, corrected labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..database import bulk_write, dataset_id, reload_if_changed, sample_collection
from ..documents import utc_now
from ..fields import corrected_copies, delete_fields
from ..outages import waits_for_database
from .companion import (
    BOX,
    NOTE,
    PROBLEM,
    SAMPLE_ID,
    box_field_of,
    find_companion,
    is_companion,
    make_companion,
    run_fields_of,
)
from .shapes import WHOLE, box_around, labels_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import fiftyone as fo

    from .companion import BoxField

Document = dict[str, Any]

UPDATES_AT_ONCE = 5_000


@dataclass(frozen=True)
class SourceBox:
    """A label of the source: its box and class, its sample and file, and its class in each field of corrected labels.

    Attributes:
        corrected: field of corrected labels to the label in it; without those that it lacks
    """

    sample_id: Any
    filepath: str
    metadata: Document | None
    box: list[float]
    problem: str | None
    label: str | None
    corrected: dict[str, str | None]


def begin_companion(field: BoxField) -> fo.Dataset:
    """Returns the companion of a label field, as it is; made without samples if there is none."""
    companion = find_companion(field.dataset, field.name)
    if companion is None:
        companion = make_companion(field)
        _take_over_settings(companion, field)
    return companion


def open_companion(field: BoxField) -> fo.Dataset:
    """Returns the companion of a label field, up to date; made if there is none."""
    companion = begin_companion(field)
    refresh(companion)
    return companion


@waits_for_database
def refresh(companion: fo.Dataset, ids: Sequence[str] | None = None) -> None:
    """Brings a companion up to date, or only its samples of some ids; any other dataset is left as it is.

    A box that was moved, or whose file is another, is a new image: what runs have predicted of it is emptied. A label
    that was changed keeps all that was computed from its pixels. Labels that were corrected by hand in the source are
    taken over, and a field of corrected labels that was deleted there is deleted here.
    """
    if not is_companion(companion):
        return
    field = box_field_of(companion)
    if field is None:
        return
    reload_if_changed(companion)
    reload_if_changed(field.dataset)
    copies = corrected_copies(companion)
    delete_fields(companion, gone := [name for name in copies if field.dataset.get_field(name) is None])
    copies = [name for name in copies if name not in gone]
    if ids is None:
        _take_over_settings(companion, field)
    stored = _stored(companion, field, copies, ids)
    wanted = _wanted(field, copies, None if ids is None else [one[SAMPLE_ID] for one in stored.values()])
    if ids is not None:
        wanted = {id_: box for id_, box in wanted.items() if id_ in stored}
    deleted = [id_ for id_ in stored if id_ not in wanted]
    if deleted:
        companion.delete_samples([str(id_) for id_ in deleted])
    if wanted or deleted:
        _follow(field, copies, stored, wanted)
    emptied = {name: None for key in companion.list_runs() for name in run_fields_of(companion, key)}
    operations = list(_updates(companion, field, copies, stored, wanted, emptied))
    for start in range(0, len(operations), UPDATES_AT_ONCE):
        bulk_write(companion, operations[start : start + UPDATES_AT_ONCE], ids)


def _take_over_settings(companion: fo.Dataset, field: BoxField) -> None:
    """Takes over the source's classes and descriptions."""
    source = field.dataset
    info = {**(source.info or {}), NOTE: companion.info[NOTE]}
    classes = {field.given: source.classes[field.name]} if field.name in (source.classes or {}) else {}
    default = list(source.default_classes or ())
    if (companion.info, companion.classes, list(companion.default_classes or ())) != (info, classes, default):
        companion.info, companion.classes, companion.default_classes = info, classes, default
        companion.save()


def _stored(
    companion: fo.Dataset, field: BoxField, copies: Sequence[str], ids: Sequence[str] | None
) -> dict[Any, Document]:
    """Returns what the companion holds, by label id."""
    labels = {f"copy_{at}": f"${name}.label" for at, name in enumerate(copies)}
    project = {SAMPLE_ID: f"$_{SAMPLE_ID}", "filepath": 1, BOX: 1, PROBLEM: 1, "given": f"${field.given}.label"}
    found: dict[Any, Document] = {}
    for query in [{}] if ids is None else _queries(ids):
        for document in sample_collection(companion).aggregate(
            [{"$match": query}, {"$project": {**project, **labels}}]
        ):
            corrected = {name: document.get(f"copy_{at}") for at, name in enumerate(copies)}
            found[document["_id"]] = {**document, "corrected": corrected}
    return found


def _wanted(field: BoxField, copies: Sequence[str], sample_ids: Sequence[Any] | None) -> dict[Any, SourceBox]:
    """Returns the boxes of the source, by label id: of its images, those of every slice if it is grouped."""
    source, (_, kind) = field.dataset, field.labels.rsplit(".", 1)
    parts = ("_id", "label", "bounding_box", "points", "iscrowd")
    project: Document = {"filepath": 1, "metadata": 1, **{f"{field.labels}.{part}": 1 for part in parts}}
    for name in copies:
        project.update({f"{name}.{kind}._id": 1, f"{name}.{kind}.label": 1})
    query: Document = {"_media_type": "image", f"{field.labels}.0": {"$exists": True}}
    if sample_ids is not None:
        query["_id"] = {"$in": list(set(sample_ids))}
    found: dict[Any, SourceBox] = {}
    for document in sample_collection(source).find(query, project):
        corrected = {
            name: {one["_id"]: one.get("label") for one in labels_in(document, f"{name}.{kind}")} for name in copies
        }
        for label in labels_in(document, field.labels):
            box, problem = box_around(label) if field.has_boxes else (WHOLE, None)
            found.setdefault(
                label["_id"],
                SourceBox(
                    sample_id=document["_id"],
                    filepath=document["filepath"],
                    metadata=document.get("metadata"),
                    box=list(box),
                    problem=problem,
                    label=label.get("label"),
                    corrected={name: own[label["_id"]] for name, own in corrected.items() if label["_id"] in own},
                ),
            )
    return found


def _follow(field: BoxField, copies: Sequence[str], stored: dict[Any, Document], wanted: dict[Any, SourceBox]) -> None:
    """Moves, deletes and adds boxes in the source's fields of corrected labels as it happened among the given labels.

    A box that was moved there by hand stays where it is.
    """
    from pymongo import UpdateOne

    kind = field.labels.rpartition(".")[2]
    updates = []
    for name in copies:
        for id_, had in stored.items():
            box, of_sample = wanted.get(id_), {"_id": had[SAMPLE_ID]}
            if box is None:
                updates.append(UpdateOne(of_sample, {"$pull": {f"{name}.{kind}": {"_id": id_}}}))
            elif box.box != had[BOX]:
                change = {"$set": {f"{name}.{kind}.$[one].bounding_box": box.box}}
                unmoved = {"one._id": id_, "one.bounding_box": had[BOX]}
                updates.append(UpdateOne(of_sample, change, array_filters=[unmoved]))
    new = {id_: box for id_, box in wanted.items() if id_ not in stored}
    if new and copies:
        updates += _additions(field, copies, new)
    if updates:
        bulk_write(field.dataset, updates)


def _additions(field: BoxField, copies: Sequence[str], new: dict[Any, SourceBox]) -> Iterator[Any]:
    """Yields the updates that add new boxes to fields of corrected labels, with the labels that they are given."""
    from pymongo import UpdateOne

    kind = field.labels.rpartition(".")[2]
    for document in sample_collection(field.dataset).find(
        {"_id": {"$in": list({box.sample_id for box in new.values()})}}, [field.name]
    ):
        labels = [label for label in labels_in(document, field.labels) if label["_id"] in new]
        for name in copies:
            missing = [label for label in labels if name not in new[label["_id"]].corrected]
            change: Document = {
                "$set": {f"{name}._cls": kind.capitalize()},
                "$push": {f"{name}.{kind}": {"$each": missing}},
            }
            if missing:
                yield UpdateOne({"_id": document["_id"]}, change)


def _queries(ids: Sequence[str]) -> Iterator[Document]:
    from bson import ObjectId

    for start in range(0, len(ids), UPDATES_AT_ONCE):
        yield {"_id": {"$in": [ObjectId(id_) for id_ in ids[start : start + UPDATES_AT_ONCE]]}}


def _updates(
    companion: fo.Dataset,
    field: BoxField,
    copies: Sequence[str],
    stored: dict[Any, Document],
    wanted: dict[Any, SourceBox],
    emptied: dict[str, None],
) -> Iterator[Any]:
    """Yields the updates that make the companion hold what is wanted."""
    from bson import ObjectId
    from pymongo import UpdateOne

    now, of_dataset = utc_now(), ObjectId(dataset_id(companion))
    numbers = np.random.default_rng()
    for id_, box in wanted.items():
        had = stored.get(id_)
        place = {f"_{SAMPLE_ID}": box.sample_id, "filepath": box.filepath, BOX: box.box, PROBLEM: box.problem}
        label = None if box.label is None else _classification(id_, box.label)
        if had is None:
            first = {"_media_type": "image", "_rand": float(numbers.random()), "_dataset_id": of_dataset, "tags": []}
            values = {**place, **first, "metadata": box.metadata, field.given: label, "created_at": now}
            values |= {name: label for name in copies if label is not None}
            yield UpdateOne({"_id": id_}, {"$setOnInsert": {**values, "last_modified_at": now}}, upsert=True)
            continue
        changes: Document = {}
        if (had[BOX], had.get(PROBLEM)) != (box.box, box.problem) or had["filepath"] != box.filepath:
            changes |= {**place, **emptied}
        if had.get("given") != box.label:
            changes[field.given] = label
        for name, before in had["corrected"].items():
            own = box.corrected.get(name)
            if own != before:  # corrected by hand, or deleted from the copy
                changes[name] = None if own is None else _classification(ObjectId(), own)
        if changes:
            yield UpdateOne({"_id": id_}, {"$set": {**changes, "last_modified_at": now}})


def _classification(id_: Any, label: str) -> Document:
    return {"_id": id_, "_cls": "Classification", "tags": [], "label": label}
