"""Samples with several labels, in a field of Classifications: each label as a sample of its own.

They are the samples of a companion, as boxes are, only that each is about the whole picture. So each label is judged by
itself, among the classes that are no other label of its picture, and what is found is written onto the label.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError
from ..database import only_selects, root_dataset, sample_collection
from .companion import SAMPLE_ID, BoxField, box_field_of, find_companion, is_companion, several_label_fields
from .refresh import open_companion

if TYPE_CHECKING:
    import fiftyone as fo


def each_label(samples: fo.Dataset | fo.DatasetView, field: str) -> Any:
    """Returns the labels of a field of Classifications as a dataset with a sample for each, made or brought up to date.

    All that is done with images can be done with it: ``lgca.classify(lgca.each_label(dataset, "labels"), ...)``,
    ``lgca.load_run(lgca.each_label(dataset, "labels"), "zeroshot")``. Its samples have the ids of the labels, and what
    is found about them is written onto the labels as well.

    Args:
        samples: a dataset, or a view of it
        field: path of the field of Classifications

    Returns:
        the dataset; of a view, the view of it with the labels that the view has

    Raises:
        ConfigError: if the field holds no Classifications, or the view leaves it out
    """
    import fiftyone as fo

    if not isinstance(samples, (fo.Dataset, fo.DatasetView)):
        raise ConfigError(f"samples must be a FiftyOne dataset or view, got {type(samples).__name__}")
    found = several_labels(samples, field)
    if found is None:
        raise ConfigError(f"{field!r} is no field with several labels a sample (Classifications)")
    return found[0]


def several_labels(samples: Any, field: str) -> tuple[Any, str] | None:
    """Returns the labels of a field as :func:`each_label` does, and their field there; None of one label a sample."""
    import fiftyone as fo

    dataset = root_dataset(samples)
    labels = BoxField.of(dataset, field) if isinstance(field, str) and field else None
    if labels is None or labels.has_boxes:
        return None
    companion = open_companion(labels)
    if isinstance(samples, fo.Dataset):
        return companion, labels.given
    if not samples.has_field(field):
        raise ConfigError(f"the view leaves out the field {field!r}; take one that has the labels to check")
    if only_selects(samples):
        return companion.match({f"_{SAMPLE_ID}": {"$in": samples.values("_id")}}), labels.given
    return companion.select(samples.values(f"{labels.labels}.id", unwind=True)), labels.given


def runs_on_labels(dataset: fo.Dataset, run_key: str) -> str | None:
    """Returns the field of several labels a sample on whose labels there is a run of a key; None if there is none."""
    for name in several_label_fields(dataset):
        companion = find_companion(dataset, name)
        if companion is not None and run_key in companion.list_runs():
            return name
    return None


def other_labels(dataset: fo.Dataset) -> dict[str, tuple[str, ...]]:
    """Returns sample id to the other labels of its picture, where it has any, on a companion of several labels."""
    field = box_field_of(dataset) if is_companion(dataset) else None
    if field is None or field.has_boxes:
        return {}
    of_picture: dict[Any, list[tuple[str, str]]] = defaultdict(list)
    for found in sample_collection(dataset).find({}, [f"_{SAMPLE_ID}", f"{field.given}.label"]):
        label = (found.get(field.given) or {}).get("label")
        if label:
            of_picture[found[f"_{SAMPLE_ID}"]].append((str(found["_id"]), label))
    return {
        id_: others
        for own in of_picture.values()
        for id_, label in own
        if (others := tuple(dict.fromkeys(name for _, name in own if name != label)))
    }
