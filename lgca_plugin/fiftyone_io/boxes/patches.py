"""Views of patches: the boxes that they show, and what is written on the labels since they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..database import bulk_write, is_generated, merge_schema, sample_collection, shows_all_patches
from .companion import box_field_of, is_companion
from .mirror import is_mirrored
from .shapes import labels_in

if TYPE_CHECKING:
    import fiftyone as fo

    from .companion import BoxField


def boxes_in(companion: fo.Dataset, samples: Any) -> Any:
    """Returns the samples of a companion that a view shows the patches of; of any other view, all of them."""
    if not is_generated(samples) or shows_all_patches(samples):
        return companion.view()
    return companion.select(samples.values("id"))


def source_dataset(dataset: fo.Dataset) -> fo.Dataset | None:
    """Returns the dataset that a companion is of; None of any other dataset, or if it is gone."""
    field = box_field_of(dataset) if is_companion(dataset) else None
    return None if field is None else field.dataset


def update_patches(field: BoxField, name: str | None) -> None:
    """Writes what has changed on the labels into the dataset that FiftyOne has generated for a view of their patches.

    FiftyOne makes such a dataset once, and the App goes on showing it. Its labels are those of the samples that have
    been written since the newest of its own was.
    """
    import fiftyone as fo
    from pymongo import UpdateOne

    if name is None or not fo.dataset_exists(name):
        return
    patches, source = fo.load_dataset(name, reload=True), field.dataset
    source.reload()
    start = f"{field.labels}."
    schema = source.get_field_schema(flat=True).items()
    parts = {f"{field.name}.{path.removeprefix(start)}": one for path, one in schema if path.startswith(start)}
    missing = {path: one.copy() for path, one in parts.items() if not patches.has_field(path)}
    if missing:
        merge_schema(patches, missing)
    gone = [path for path, one in patches.get_field_schema(flat=True).items() if is_mirrored(one) and path not in parts]
    if gone:
        patches.delete_sample_fields(gone)
    newest = sample_collection(patches).find_one(sort=[("last_modified_at", -1)])
    if newest is None:
        return
    written = {"last_modified_at": {"$gte": newest["last_modified_at"]}}
    updates = [
        UpdateOne(
            {"_id": label["_id"]},
            {"$set": {field.name: label, "last_modified_at": document["last_modified_at"]}},
        )
        for document in sample_collection(source).find(written, [field.name, "last_modified_at"])
        for label in labels_in(document, field.labels)
    ]
    if updates:
        bulk_write(patches, updates)
