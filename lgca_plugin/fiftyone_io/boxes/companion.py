"""The companion of a label field: a dataset with one sample for each of its boxes, or of several labels of a picture.

A companion's samples have the ids of the labels, as those of a patches view have, so that runs, triage, decisions and
panels work on boxes as on images. What they write is mirrored onto the labels, see :mod:`.mirror`. A companion is found
again by what is noted in its ``info``: the id of its source and the name of the label field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, RunNotFoundError
from ..database import dataset_id, dataset_names, is_generated, merge_schema, patches_field, root_dataset
from ..fields import is_in_list
from .shapes import LISTS, SEVERAL, WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo

    from ...method.core.frames import RelativeBox

NOTE = "lgca_boxes"
"""Key in the info of a companion: its source's id and the name of the label field."""

TAG = "lgca boxes"
BOX, PROBLEM, SAMPLE_ID = "box", "box_problem", "sample_id"
"""Fields of a companion beside the label: the relative box, why it can't be used, and the sample that it is on."""


@dataclass(frozen=True)
class BoxField:
    """A field of labels with boxes, or of several labels of the whole picture.

    Attributes:
        dataset: the dataset
        name: path of the field
        labels: path of the list of labels in it
        given: name of the field in the companion that holds the labels' classes
    """

    dataset: fo.Dataset
    name: str
    labels: str
    given: str

    @property
    def has_boxes(self) -> bool:
        """Whether the labels are about parts of the picture."""
        return self.labels.rpartition(".")[2] in LISTS.values()

    @classmethod
    def of(cls, dataset: fo.Dataset, name: str) -> BoxField | None:
        """Returns a field of a dataset of images; None if it is missing, a run's own, or without labels of boxes."""
        kind = getattr(getattr(dataset.get_field(name), "document_type", None), "__name__", "")
        lists = LISTS | SEVERAL
        if kind not in lists or any(name in run_fields_of(dataset, key) for key in dataset.list_runs()):
            return None
        return cls(dataset, name, f"{name}.{lists[kind]}", name.replace(".", "_"))


def several_label_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the fields of a dataset that hold several labels a sample, without those that runs have written."""
    import fiftyone as fo

    kinds = {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Classifications}
    schema = dataset.get_field_schema(flat=True, **kinds)
    return [name for name in schema if not is_in_list(dataset, name) and BoxField.of(dataset, name) is not None]


def box_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the fields of a dataset that hold labels with boxes, without those that runs have written."""
    import fiftyone as fo

    schema = dataset.get_field_schema(ftype=fo.EmbeddedDocumentField)
    fields = (BoxField.of(dataset, name) for name in schema)
    return [field.name for field in fields if field is not None and field.has_boxes]


def run_fields_of(dataset: fo.Dataset, run_key: str) -> list[str]:
    """Returns the fields of a custom run's predictions; none if it is another package's or its record is broken."""
    config = getattr(dataset.get_run_info(run_key), "config", None)
    return list(getattr(config, "fields", None) or ())


def is_companion(dataset: fo.Dataset) -> bool:
    """Returns True if a dataset is the companion of a label field."""
    return NOTE in (dataset.info or {})


def is_of_whole_pictures(companion: fo.Dataset) -> bool:
    """Returns True if a companion is of several labels of a picture, not of boxes."""
    return bool(companion.info[NOTE].get("whole"))


def box_field_of(companion: fo.Dataset) -> BoxField | None:
    """Returns the label field that a companion is of; None if it, or its dataset, was deleted."""
    import fiftyone as fo

    note = companion.info[NOTE]
    for name in dataset_names({"_id": note["source"]}):
        return BoxField.of(fo.load_dataset(name), note["field"])
    return None


def find_companion(dataset: fo.Dataset, field: str) -> fo.Dataset | None:
    """Returns the companion of a label field, the oldest if it was cloned; None if there is none yet."""
    import fiftyone as fo

    for name in dataset_names({f"info.{NOTE}.source": dataset_id(dataset), f"info.{NOTE}.field": field}):
        return fo.load_dataset(name)
    return None


def companions(dataset: fo.Dataset) -> list[fo.Dataset]:
    """Returns the companions of all label fields of a dataset."""
    import fiftyone as fo

    return [fo.load_dataset(name) for name in dataset_names({f"info.{NOTE}.source": dataset_id(dataset)})]


def make_companion(field: BoxField) -> fo.Dataset:
    """Makes an empty companion of a label field, which lasts as long as its source's settings say."""
    import fiftyone as fo

    source = field.dataset
    what = "boxes" if field.has_boxes else "labels"
    number, name = 1, f"{source.name} {what} of {field.given}"
    while fo.dataset_exists(name):
        number += 1
        name = f"{source.name} {what} of {field.given} {number}"
    dataset = fo.Dataset(name, persistent=source.persistent)
    dataset.media_type = "image"
    dataset.add_sample_field(SAMPLE_ID, fo.ObjectIdField)  # which stores it under another name than a merged schema
    merge_schema(
        dataset,
        {
            BOX: fo.ListField(fo.FloatField()),
            PROBLEM: fo.StringField(),
            field.given: fo.EmbeddedDocumentField(fo.Classification),
        },
    )
    dataset.create_index(SAMPLE_ID)
    dataset.tags = [TAG]
    note = {"source": dataset_id(source), "field": field.name}
    dataset.info = {NOTE: note if field.has_boxes else {**note, "whole": True}}
    dataset.description = f"The {what} of {field.name} of dataset {source.name}, and all that was found about them"
    dataset.save()
    return dataset


def viewed_boxes(samples: Any) -> BoxField | None:
    """Returns the label field of a patches view; None for a dataset, or a view of whole images.

    Raises:
        ConfigError: if it is a view of frames, clips or evaluation patches
    """
    import fiftyone as fo

    if not isinstance(samples, fo.DatasetView) or not is_generated(samples):
        return None
    dataset, name = root_dataset(samples), patches_field(samples)
    if dataset.media_type == "video":
        raise ConfigError(
            "frames, clips and boxes in videos can't be classified in place: dataset.to_frames(sample_frames=True)"
            ".clone() makes a dataset of images of them, whose samples and patches can be",
            app="frames, clips and boxes in videos can't be classified in place: clone a view of frames that are saved "
            "as images into a dataset of its own first",
        )
    if name is None:
        raise ConfigError(
            "evaluation patches can't be classified: pass the patches of one label field, such as "
            "dataset.to_patches('ground_truth')",
            app="evaluation patches can't be classified: show the patches of one label field instead",
        )
    field = BoxField.of(dataset, name)
    if field is None:
        raise ConfigError(
            f"the patches of {name!r} are no objects with labels of your own, so they can't be classified: pass those "
            "of a field of Detections, Polylines or Keypoints, or whole images",
            app=f"the patches of {name!r} are no objects with labels of your own, so they can't be classified",
        )
    return field


def around_columns(dataset: fo.Dataset) -> dict[str, int]:
    """Returns what a projection of samples needs so that :func:`around` finds the box of each."""
    return {BOX: 1} if is_companion(dataset) else {}


def around(dataset: fo.Dataset, document: Mapping[str, Any]) -> RelativeBox | None:
    """Returns the box that a sample of a companion is about; None of the whole picture."""
    box = document.get(BOX) if is_companion(dataset) else None
    if not box or min(box[2:]) <= 0 or tuple(box) == WHOLE:
        return None
    x, y, width, height = box
    return x, y, width, height


def as_patches(samples: Any) -> Any:
    """Returns samples of a companion as a view of patches of its source, in their order; any others as they are."""
    field = box_field_of(root_dataset(samples)) if is_companion(root_dataset(samples)) else None
    if field is None or not field.has_boxes:
        return samples
    return field.dataset.to_patches(field.name).select(samples.values("id"), ordered=True)


def run_dataset(samples: Any) -> fo.Dataset:
    """Returns the dataset on which the runs of a dataset or view are: of a patches view the companion.

    Raises:
        RunNotFoundError: if the boxes of a patches view have never been classified
    """
    field = viewed_boxes(samples)
    if field is None:
        return root_dataset(samples)
    found = find_companion(field.dataset, field.name)
    if found is None:
        raise RunNotFoundError(
            f"the boxes of {field.name!r} have no zero-shot run yet: lgca.find_wrong_labels(dataset.to_patches("
            f"{field.name!r})) makes one",
            app=f"the boxes of {field.name!r} have no zero-shot run yet: find their wrong labels, or classify them",
        )
    return found
