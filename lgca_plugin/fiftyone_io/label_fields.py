"""The fields that hold one class label a sample: where they are, of which kind, and the path of the label in them.

A label is a Classification, or the text itself in a field of texts. Both may be inside embedded documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .boxes.companion import PROBLEM, BoxField
from .database import bulk_write, sample_collection
from .documents import utc_now
from .fields import classification_fields, is_in_list
from .outages import waits_for_database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

LOOKED_AT = 200
"""Number of samples from whose texts it is guessed whether they are labels, so that a form reads no whole dataset."""

LONGEST = 60
"""Characters of a class name beyond which a text is taken for a sentence."""

FEW = 20
"""Number of texts up to which each may be another, and they are taken for labels all the same."""

MOST_CLASSES = 100
"""Number of different texts up to which they count as classes, however few samples there are."""

_OF_FIFTYONE = ("id", "filepath", "media_type", "metadata.mime_type", PROBLEM)


def is_text(dataset: fo.Dataset, field: str) -> bool:
    """Returns True if a field exists and holds texts."""
    import fiftyone as fo

    return isinstance(dataset.get_field(field), fo.StringField)


def label_path(dataset: fo.Dataset, field: str) -> str:
    """Returns the path of the label in a field: the field itself if it holds texts."""
    return field if is_text(dataset, field) else f"{field}.label"


def label_in(document: Any, path: str) -> str | None:
    """Returns the label at the path of a field in a sample's document, of either kind; None if there is none."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    label = document.get("label") if isinstance(document, dict) else document
    return label if isinstance(label, str) else None


def label_documents(dataset: fo.Dataset, field: str, name: str) -> None:
    """Writes the texts of a field as Classifications to a field, which must be declared, in one update.

    The labels have the ids of their samples.
    """
    from pymongo import UpdateMany

    text = f"${field}"
    label = {"_id": "$_id", "_cls": "Classification", "tags": [], "label": text}
    change = {name: {"$cond": [{"$gt": [text, ""]}, label, None]}, "last_modified_at": utc_now()}
    bulk_write(dataset, [UpdateMany({}, [{"$set": change}])])


def text_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the paths that hold one text a sample, without FiftyOne's own and without the parts of labels."""
    import fiftyone as fo

    texts = dataset.get_field_schema(flat=True, ftype=fo.StringField)
    return [
        path
        for path in texts
        if path not in _OF_FIFTYONE and not is_in_list(dataset, path) and _label_around(dataset, path) is None
    ]


def single_label_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the paths that hold one label a sample: those of Classifications first."""
    return [*classification_fields(dataset), *text_fields(dataset)]


def is_single_label_field(dataset: fo.Dataset, field: str) -> bool:
    """Returns True if a field holds one label a sample; it may be inside an embedded document."""
    return isinstance(field, str) and field in single_label_fields(dataset)


@waits_for_database
def fields_like_labels(dataset: fo.Dataset, fields: Sequence[str]) -> list[str]:
    """Returns those text fields whose first values look like class names: short, and the same on several samples."""
    if not fields:
        return []
    row = {"_id": False, "row": [f"${field}" for field in fields]}
    stages: list[dict[str, Any]] = [{"$limit": LOOKED_AT}, {"$project": row}]
    rows = [found["row"] for found in sample_collection(dataset).aggregate(stages)]
    columns = zip(*rows, strict=True) if rows else [()] * len(fields)
    return [field for field, column in zip(fields, columns, strict=True) if _like_labels(column)]


def _like_labels(values: Sequence[Any]) -> bool:
    texts = [text for text in values if isinstance(text, str) and text.strip()]
    different = set(texts)
    if not texts:
        return False
    if len(texts) > FEW and len(different) > len(texts) // 2 and len(different) > 1:
        return False
    return all(len(text) <= LONGEST and "\n" not in text for text in different)


def unlike_classes(dataset: fo.Dataset, field: str, counts: Mapping[str, int]) -> str | None:
    """Returns why the texts of a field, with their numbers of samples, can't be classes; None if they can be."""
    total = sum(counts.values())
    if not is_text(dataset, field) or len(counts) <= MOST_CLASSES or len(counts) <= total // 2:
        return None
    return f"{field!r} holds {len(counts):,} different texts on {total:,} images, such as {next(iter(counts))!r}"


def no_label_field(dataset: fo.Dataset, field: object) -> tuple[str, str] | None:
    """Returns why an existing field does not hold one label a sample, for code and for the App; None if it is missing.

    The sentence begins with the field's name.
    """
    import fiftyone as fo

    found = dataset.get_field(field) if isinstance(field, str) and field else None
    if found is None or not isinstance(field, str):
        return None
    around = _label_around(dataset, field)
    if is_in_list(dataset, field):
        return (f"{field!r} is inside a list",) * 2
    if around is not None:
        return (f"{field!r} is a part of the label {around!r}: name that",) * 2
    if isinstance(found, fo.ListField) and isinstance(found.field, fo.StringField):
        what = f"{field!r} is a list of texts"
        name = field.replace(".", "_")
        make = f"dataset.set_values('{name}_label', [next((t for t in texts or () if t in classes), None) for texts in "
        return f"{what}: {make}dataset.values({field!r})]) makes a field of labels", f"{what}: choose another field"
    kind = getattr(found, "document_type", type(found)).__name__
    labels = BoxField.of(dataset, field)
    if labels is not None and not labels.has_boxes:
        what = f"{field!r} holds several labels a sample"
        return (
            f"{what}: lgca.each_label(dataset, {field!r}) is a dataset with one for each",
            f"{what}: “Find wrong labels” makes a dataset with one for each, and opens it",
        )
    if labels is not None:
        return (
            f"{field!r} is {kind}: for labels of boxes, pass dataset.to_patches({field!r})",
            f"{field!r} is {kind}: for labels of boxes, show their patches in the grid first",
        )
    return (f"{field!r} is {kind}",) * 2


def _label_around(dataset: fo.Dataset, path: str) -> str | None:
    """Returns the label that a field is a part of; None if it is in none."""
    import fiftyone as fo

    parts = path.split(".")
    for end in range(1, len(parts)):
        kind = getattr(dataset.get_field(outer := ".".join(parts[:end])), "document_type", None)
        if isinstance(kind, type) and issubclass(kind, fo.Label):
            return outer
    return None
