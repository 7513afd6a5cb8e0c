"""Writes what a companion's runs have found, and what people have decided, onto the labels of its source.

What is there is compared with what ought to be, and the difference is written, so that a repetition mends whatever was
lost: attributes that the user has deleted, or those that a view of patches has written over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ConfigError
from ..database import bulk_write, merge_schema, reload_if_changed, sample_collection
from ..documents import utc_now
from ..fields import CORRECTED_INFO, DECISION, SUGGESTION, SUSPECT, corrected_copies
from ..outages import waits_for_database
from .companion import SAMPLE_ID, box_field_of, is_companion
from .shapes import labels_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import fiftyone as fo

    from .companion import BoxField

Document = dict[str, Any]

MIRRORED = "lgca_mirrored"
"""Key in the info of an attribute that was declared here."""

LABELS_AT_ONCE = 100
"""Maximum number of labels in one update, each of which takes a filter."""

UPDATES_AT_ONCE = 2_000

_TEXTS_ALONE = (SUGGESTION, SUSPECT, DECISION)
"""Fields of which the label alone is mirrored."""


@waits_for_database
def mirror(companion: fo.Dataset, ids: Sequence[str] | None = None) -> None:
    """Writes what is found about the boxes of a companion, or about some of them, onto the labels of its source.

    Any other dataset, and a companion whose source is gone, are left as they are.
    """
    field = box_field_of(companion) if is_companion(companion) else None
    if field is None:
        return
    reload_if_changed(companion)
    if ids is None:
        field.dataset.reload()  # attributes are a part of the schema that is not compared
    else:
        reload_if_changed(field.dataset)
    paths = attributes_of(companion)
    _declare(field, paths)
    copies = corrected_copies(companion)
    made = [_make_copy(field, name, paths) for name in copies]
    if any(made):
        ids = None  # it has to hold all that was corrected before, if it was deleted since
    found = _found(companion, paths, copies, ids)
    updates = list(_updates(field, paths, copies, found, None if ids is None else {own for own, _ in found.values()}))
    for start in range(0, len(updates), UPDATES_AT_ONCE):
        bulk_write(field.dataset, updates[start : start + UPDATES_AT_ONCE])


def remove_attributes(companion: fo.Dataset) -> None:
    """Deletes all that was mirrored from the labels of a companion's source, but no corrected labels."""
    field = box_field_of(companion)
    if field is not None:
        field.dataset.reload()
        _delete(field, _own_attributes(field))


def attributes_of(companion: fo.Dataset) -> dict[str, tuple[str, str]]:
    """Returns attribute of a label to the path in the companion that it mirrors, and the kind of its field.

    Of a run K they are the fields of its predictions, its triage and its decisions, as texts and numbers: ``K_lgca``,
    ``K_lgca_confidence``, ``K_case``, ``K_label_quality``, ``K_suggestion``, ``K_decision`` and so on.
    """
    import fiftyone as fo

    found: dict[str, tuple[str, str]] = {}
    keys = companion.list_runs()
    for name, field in companion.get_field_schema().items():
        key = next((key for key in keys if name.startswith(f"{key}_")), None)
        if key is None:
            continue
        if getattr(field, "document_type", None) is fo.Classification:
            found[name] = (f"{name}.label", "StringField")
            if name.removeprefix(f"{key}_") not in _TEXTS_ALONE:
                found[f"{name}_confidence"] = (f"{name}.confidence", "FloatField")
        elif type(field).__name__ in ("StringField", "FloatField", "IntField"):
            found[name] = (name, type(field).__name__)
    return found


def check_attributes_are_free(dataset: fo.Dataset, names: Sequence[str]) -> None:
    """Checks that labels have no attributes of the user's own under the names of the fields of a new run on boxes.

    Raises:
        ConfigError: if one has
    """
    field = box_field_of(dataset) if is_companion(dataset) else None
    if field is None:
        return
    own = _own_attributes(field)
    taken = [
        name for name in names if name not in own and field.dataset.get_field(f"{field.labels}.{name}") is not None
    ]
    if taken:
        raise ConfigError(
            f"the labels in {field.name!r} have an attribute {taken[0]!r} already, which belongs to no run on them; "
            "choose another run_key"
        )


def check_copy_is_free(companion: fo.Dataset, name: str) -> None:
    """Checks that the source has no other field under the name of a companion's field of corrected labels.

    Raises:
        ConfigError: if it has
    """
    field = box_field_of(companion) if is_companion(companion) else None
    if field is None or field.dataset.get_field(name) is None or _is_own_copy(field, name):
        return
    raise ConfigError(
        f"dataset {field.dataset.name!r} has a field {name!r} of its own already, so corrected boxes can't go there; "
        "name another as corrected_field of run.triage()",
        app=f"dataset {field.dataset.name!r} has a field {name!r} of its own already, so corrected boxes can't go "
        "there; triage again with another field of corrected labels",
    )


def _is_own_copy(field: BoxField, name: str) -> bool:
    own = field.dataset.get_field(name)
    return own is not None and dict((own.info or {}).get(CORRECTED_INFO) or {}).get("copy_of") == field.name


def is_mirrored(field: fo.Field) -> bool:
    """Returns True if a field is an attribute that was declared here."""
    return MIRRORED in dict(field.info or {})


def _own_attributes(field: BoxField) -> list[str]:
    """Returns the attributes of the labels that were mirrored, by the note on each."""
    start = f"{field.labels}."
    schema = field.dataset.get_field_schema(flat=True)
    own = [path for path, one in schema.items() if path.startswith(start) and is_mirrored(one)]
    return [path.removeprefix(start) for path in own]


def _declare(field: BoxField, paths: Mapping[str, tuple[str, str]]) -> None:
    """Declares the attributes, and deletes those of runs that are gone."""
    import fiftyone as fo

    before = _own_attributes(field)
    _delete(field, [name for name in before if name not in paths])
    missing = {name: kind for name, (_, kind) in paths.items() if name not in before}
    if missing:
        fields = {f"{field.labels}.{name}": getattr(fo, kind)(info={MIRRORED: True}) for name, kind in missing.items()}
        merge_schema(field.dataset, fields)


def _delete(field: BoxField, names: Sequence[str]) -> None:
    paths = [f"{field.labels}.{name}" for name in names if field.dataset.has_field(f"{field.labels}.{name}")]
    if paths:
        field.dataset.delete_sample_fields(paths)


def _make_copy(field: BoxField, name: str, paths: Mapping[str, tuple[str, str]]) -> bool:
    """Makes the source's field of corrected labels, a copy of the given ones without what runs have found.

    Returns whether there was none.
    """
    from pymongo import UpdateMany

    source, given = field.dataset, field.dataset.get_field(field.name)
    if source.get_field(name) is not None:
        return False
    copy = given.copy()
    copy.name = copy.db_field = None
    copy.description = f"Labels as curators have corrected them; a copy of {field.name!r} at first"
    copy.info = {CORRECTED_INFO: {"copy_of": field.name}}
    merge_schema(source, {name: copy})
    kind = field.labels.rpartition(".")[2]
    source.delete_sample_fields([f"{name}.{kind}.{one}" for one in paths if source.get_field(f"{name}.{kind}.{one}")])
    kept = {
        "$arrayToObject": {
            "$filter": {
                "input": {"$objectToArray": "$$one"},
                "as": "part",
                "cond": {"$not": {"$in": ["$$part.k", list(paths)]}},
            }
        }
    }
    labels = {"$map": {"input": f"${field.labels}", "as": "one", "in": kept}}
    there = {f"{field.labels}.0": {"$exists": True}}
    whole = {"$mergeObjects": [f"${field.name}", {kind: labels}]}
    bulk_write(source, [UpdateMany(there, [{"$set": {name: whole, "last_modified_at": utc_now()}}])])
    return True


def _found(
    companion: fo.Dataset,
    paths: Mapping[str, tuple[str, str]],
    copies: Sequence[str],
    ids: Sequence[str] | None,
) -> dict[Any, tuple[Any, Document]]:
    """Returns label id to the sample that it is on, and its attributes and corrected labels."""
    from bson import ObjectId

    query = {} if ids is None else {"_id": {"$in": [ObjectId(id_) for id_ in ids]}}
    columns = {f"a{at}": f"${path}" for at, (path, _) in enumerate(paths.values())}
    columns |= {f"c{at}": f"${name}.label" for at, name in enumerate(copies)}
    names = [*paths, *(f"{name}." for name in copies)]
    found = {}
    for document in sample_collection(companion).aggregate(
        [{"$match": query}, {"$project": {SAMPLE_ID: f"$_{SAMPLE_ID}", **columns}}]
    ):
        values = {name: document.get(column) for name, column in zip(names, columns, strict=True)}
        found[document["_id"]] = (document[SAMPLE_ID], values)
    return found


def _updates(
    field: BoxField,
    paths: Mapping[str, tuple[str, str]],
    copies: Sequence[str],
    found: Mapping[Any, tuple[Any, Document]],
    sample_ids: set[Any] | None,
) -> Iterator[Any]:
    """Yields the updates of the source's samples whose labels lack something, or have something else."""
    kind = field.labels.rpartition(".")[2]
    query: Document = {"_media_type": "image", f"{field.labels}.0": {"$exists": True}}
    if sample_ids is not None:
        query["_id"] = {"$in": list(sample_ids)}
    project = {field.labels: 1, **{f"{name}.{kind}._id": 1 for name in copies}}
    project |= {f"{name}.{kind}.label": 1 for name in copies}
    for document in sample_collection(field.dataset).find(query, project):
        labels = labels_in(document, field.labels)
        changes: dict[tuple[str, Any], Document] = {}
        for label in labels:
            own = found.get(label["_id"])
            if own is None or own[0] != document["_id"]:
                continue
            differing = {name: own[1][name] for name in paths if label.get(name) != own[1][name]}
            if differing:
                changes[field.labels, label["_id"]] = differing
        appended: dict[str, list[Document]] = {}
        for name in copies:
            there = {one["_id"]: one.get("label") for one in labels_in(document, f"{name}.{kind}")}
            for label in labels:
                own = found.get(label["_id"])
                corrected = None if own is None else own[1][f"{name}."]
                if own is None or own[0] != document["_id"] or corrected is None:
                    continue
                if label["_id"] not in there:
                    bare = {part: value for part, value in label.items() if part not in paths}
                    appended.setdefault(name, []).append({**bare, "label": corrected})
                elif there[label["_id"]] != corrected:
                    changes[f"{name}.{kind}", label["_id"]] = {"label": corrected}
        yield from _of_sample(document["_id"], changes, {f"{name}.{kind}": own for name, own in appended.items()})


def _of_sample(
    id_: Any, changes: Mapping[tuple[str, Any], Document], appended: Mapping[str, list[Document]]
) -> Iterator[Any]:
    """Yields the updates of one sample; those of many labels in parts."""
    from pymongo import UpdateOne

    rows = list(changes.items())
    for start in range(0, len(rows), LABELS_AT_ONCE):
        sets: Document = {"last_modified_at": utc_now()}
        unsets: Document = {}
        filters = []
        for at, ((path, label), values) in enumerate(rows[start : start + LABELS_AT_ONCE]):
            filters.append({f"b{at}._id": label})
            for name, value in values.items():
                (unsets if value is None else sets)[f"{path}.$[b{at}].{name}"] = value
        update = {"$set": sets, **({"$unset": unsets} if unsets else {})}
        yield UpdateOne({"_id": id_}, update, array_filters=filters)
    for path, labels in appended.items():
        ids = [label["_id"] for label in labels]
        absent = {"_id": id_, f"{path}._id": {"$nin": ids}}
        yield UpdateOne(absent, {"$push": {path: {"$each": labels}}, "$set": {"last_modified_at": utc_now()}})
