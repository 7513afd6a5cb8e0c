"""The image samples of a dataset or view, their stored values, and queries by sample id."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, shown
from ..images.boxed import BoxedImage
from .boxes.companion import BOX, PROBLEM, is_companion, is_of_whole_pictures, run_dataset, viewed_boxes
from .boxes.each_label import several_labels
from .boxes.refresh import open_companion, refresh
from .boxes.shapes import NO_BOX
from .database import (
    can_repeat,
    is_dynamic_groups,
    only_selects,
    raw_batches,
    root_dataset,
    sample_collection,
    shows_all_patches,
)
from .fields import classification_fields, usual_label_fields
from .label_fields import fields_like_labels, is_single_label_field, label_path, no_label_field, text_fields
from .outages import waits_for_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import fiftyone as fo

Query = dict[str, Any]

_EACH_ONCE: list[dict[str, Any]] = [
    {"$group": {"_id": "$_id", "sample": {"$first": "$$ROOT"}}},
    {"$replaceRoot": {"newRoot": "$sample"}},
]
"""Stages that leave each sample of a view once."""

_MAX_IDS = 10_000  # per query or update
_MAX_SELECTED = 100_000  # more ids do not fit into one MongoDB query


@dataclass(frozen=True)
class ImageSamples:
    """Image samples of a dataset.

    Attributes:
        dataset: the dataset that the samples belong to
        samples: the samples as a flat collection of images, the active slice of a grouped one; of a view of patches,
            those of the companion of its label field, see :mod:`.boxes.companion`
        writable: all image samples of the dataset, with the fields that a view hides
    """

    dataset: fo.Dataset
    samples: Any
    writable: Any

    @classmethod
    def of(cls, samples: Any) -> ImageSamples:
        """Returns the image samples of a dataset or view.

        Raises:
            ConfigError: if it is not a FiftyOne collection, holds no samples, or holds neither images nor boxes in them
        """
        import fiftyone as fo

        if not isinstance(samples, (fo.Dataset, fo.DatasetView)):
            raise ConfigError(f"samples must be a FiftyOne dataset or view, got {type(samples).__name__}")
        boxes = viewed_boxes(samples)
        if boxes is not None:
            companion = open_companion(boxes)
            samples = companion if shows_all_patches(samples) else companion.select(samples.values("id"))
        dataset = root_dataset(samples)
        if boxes is None:
            refresh(dataset)
        flat = samples = flattened(samples)
        media_type = samples.media_type
        where = ""
        if media_type == "group" and samples.group_slice is None:  # groups of a flat choice of slices, now flat again
            others = len(flat.match({"_media_type": {"$ne": "image"}}))
            media_type = "video or another than image" if others else "image"
        elif media_type == "group":
            media_type = samples.group_media_types[samples.group_slice]
            flat = samples.select_group_slices(samples.group_slice)
            where = f" (slice {samples.group_slice!r})"
        if media_type not in ("image", None):
            raise ConfigError(f"only images can be classified, and these samples{where} are of type {media_type!r}")
        if can_repeat(flat):
            flat = flat.mongo(_EACH_ONCE)
        if not flat.limit(1).values("id"):  # the length of a dataset is an estimate: 0 after a crash of MongoDB
            raise ConfigError("there are no samples to classify: the dataset or view is empty")
        return cls(dataset, flat, image_samples(dataset))

    def with_labels(self, ground_truth: str) -> tuple[ImageSamples, str]:
        """Returns the samples with one label each, and its field; of a field of several, those of its companion."""
        found = several_labels(self.samples, ground_truth)
        return (self, ground_truth) if found is None else (ImageSamples.of(found[0]), found[1])

    @classmethod
    def whole(cls, dataset: fo.Dataset) -> ImageSamples:
        """Returns all image samples of a dataset, those of every slice if it is grouped; there may be none."""
        samples = image_samples(dataset)
        return cls(dataset, samples, samples)

    def sources(self) -> list[tuple[str, str | BoxedImage]]:
        """Returns id and file of each sample, or box in a file; those of a file follow each other."""
        if not is_companion(self.dataset):
            return list(zip(*self.samples.values(["id", "filepath"]), strict=True))
        rows = sorted(zip(*self.samples.values(["filepath", "id", BOX, PROBLEM]), strict=True), key=itemgetter(0))
        boxes = ((id_, path, tuple(box or NO_BOX), problem) for path, id_, box, problem in rows)
        whole = is_of_whole_pictures(self.dataset)
        return [(id_, path if whole else BoxedImage(path, box, problem)) for id_, path, box, problem in boxes]

    def source_parts(self) -> Iterator[list[tuple[str, str | BoxedImage]]]:
        """Yields what :meth:`sources` returns in parts, so that few samples are in memory; boxes are read at once."""
        from bson import decode_all

        if is_companion(self.dataset):
            every = self.sources()
            yield from (every[start : start + _MAX_IDS] for start in range(0, len(every), _MAX_IDS))
            return
        for batch in raw_batches(self.samples, [{"$project": {"filepath": True}}], at_once=_MAX_IDS):
            yield [(str(sample["_id"]), sample["filepath"]) for sample in decode_all(batch)]

    def check_label_field(self, ground_truth: str) -> None:
        """Checks that a field holds a class label per sample.

        Raises:
            ConfigError: if it is missing or of another type
        """
        if self.is_label_field(ground_truth):
            return
        why = no_label_field(self.dataset, ground_truth)
        if why is None:
            own = set[str]().union(*map(usual_label_fields, self.dataset.list_runs()))
            texts = fields_like_labels(self.dataset, [name for name in text_fields(self.dataset) if name not in own])
            fields = [name for name in classification_fields(self.dataset) if name not in own] + texts
            known = ", ".join(fields) or "none"
            raise ConfigError(f"ground_truth {ground_truth!r} is no field of this dataset; its label fields: {known}")
        raise ConfigError(
            f"ground_truth must hold one label a sample, a Classification or a text; {why[0]}",
            app=f"the label field must hold one label a sample, a Classification or a text; {why[1]}",
        )

    def check_labels_as_stored(self, ground_truth: str) -> None:
        """Checks that a view shows no other labels than are stored, since all that follows reads the stored ones.

        Labels that the view hides are no others. The labels of all samples are read if the view may change values.

        Raises:
            ConfigError: if it does, because it maps or sets them
        """
        if only_selects(self.samples) or not self.samples.has_field(ground_truth):
            return
        path = label_path(self.dataset, ground_truth)
        ids, shown = self.samples.values(["id", path])
        stored = self.stored(ids, [path])
        pairs = ((label, stored[id_][0]) for id_, label in zip(ids, shown, strict=True) if id_ in stored)
        other = [pair for pair in pairs if pair[0] not in (None, pair[1])]
        if other:
            label, own = other[0]
            copy = f"{ground_truth.replace('.', '_')}_of_view"
            raise ConfigError(
                f"the view shows other labels in {ground_truth!r} than are stored, for example {label!r} for {own!r}: "
                f"view.clone_sample_field({ground_truth!r}, {copy!r}) makes them a field of their own, to use instead",
                app=f"the view shows other labels in {ground_truth!r} than are stored, for example {label!r} for "
                f"{own!r}: choose a view that does not change them",
            )

    def is_label_field(self, name: str) -> bool:
        """Returns True if a field holds one label a sample; it may be inside an embedded document."""
        return is_single_label_field(self.dataset, name)

    @waits_for_database
    def stored(self, ids: Sequence[str], paths: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        """Returns stored values of samples by id, also hidden or filtered ones, without ids that the dataset lacks."""
        samples = self.writable.select(ids) if len(ids) < _MAX_SELECTED else self.writable
        found, *columns = samples.values(["id", *paths])
        values = dict(zip(found, zip(*columns, strict=True) if columns else [()] * len(found), strict=True))
        return {id_: values[id_] for id_ in ids if id_ in values}

    def filled(self, ids: Sequence[str], paths: Sequence[str]) -> set[str]:
        """Returns the ids of those samples that have a stored value in every one of some fields."""
        return ids_where(self.dataset, ids, _filled(paths))

    @waits_for_database
    def count(self) -> int:
        """Returns the number of the samples, counted: the length of a dataset is wrong after a crash of MongoDB."""
        whole = self.samples is self.dataset
        return int(sample_collection(self.dataset).count_documents({})) if whole else len(self.samples)

    @waits_for_database
    def count_filled(self, paths: Sequence[str]) -> int:
        """Returns the number of samples in the dataset that have a value in every one of some fields."""
        return int(sample_collection(self.dataset).count_documents(_filled(paths)))

    @waits_for_database
    def label_counts(self, ground_truth: str) -> dict[str, int]:
        """Returns label to the number of samples that have it, in the stored field and without blank labels."""
        path = label_path(self.dataset, ground_truth)
        whole = self.samples is self.writable
        counts: dict[str, int] = {}
        for chunk in [{"_media_type": "image"}] if whole else chunks(self.samples.values("id")):
            stages = [{"$match": {**chunk, path: {"$gt": ""}}}, {"$group": {"_id": f"${path}", "n": {"$sum": 1}}}]
            for found in sample_collection(self.dataset).aggregate(stages):
                counts[found["_id"]] = counts.get(found["_id"], 0) + found["n"]
        return {label: count for label, count in counts.items() if label.strip()}


def _filled(paths: Sequence[str]) -> Query:
    return {path: {"$ne": None} for path in paths}


def flattened(samples: Any) -> Any:
    """Returns the samples of a view that groups them by a field, else the dataset or view itself."""
    return samples.flatten() if is_dynamic_groups(samples) else samples


def image_samples(dataset: fo.Dataset) -> Any:
    """Returns all image samples of a dataset, those of every slice if it is grouped."""
    return dataset.select_group_slices(media_type="image") if dataset.media_type == "group" else dataset


def read_ids(dataset: fo.Dataset, samples: Any) -> list[str]:
    """Returns an id, several, or those of a view, each once; that the dataset has such samples is not checked.

    Raises:
        ConfigError: if these are not ids, or are samples of another dataset
    """
    import fiftyone as fo
    from bson import ObjectId

    if isinstance(samples, (fo.Dataset, fo.DatasetView)):
        if run_dataset(samples).name != dataset.name:
            raise ConfigError(f"sample_ids must be samples of dataset {dataset.name!r}, got a view of another")
        samples = flattened(samples).values("id")
    ids = [samples] if isinstance(samples, str) else list(samples)
    for id_ in ids:
        if not isinstance(id_, str) or not ObjectId.is_valid(id_):
            raise ConfigError(f"sample_ids must be ids of samples, got {shown(id_)}")
    if not ids:
        raise ConfigError("sample_ids is empty: name at least one sample")
    return list(dict.fromkeys(ids))


def chunks(ids: Sequence[str]) -> Iterator[Query]:
    """Yields queries by id that together find all of some samples."""
    from bson import ObjectId

    for start in range(0, len(ids), _MAX_IDS):
        yield {"_id": {"$in": [ObjectId(id_) for id_ in ids[start : start + _MAX_IDS]]}}


@waits_for_database
def read_projections(dataset: fo.Dataset, ids: Sequence[str], projection: Query) -> dict[str, dict[str, Any]]:
    """Returns projections of samples by id, as of a ``$project`` stage, without those that the dataset lacks."""
    stages = ([{"$match": chunk}, {"$project": projection}] for chunk in chunks(ids))
    found = (document for own in stages for document in sample_collection(dataset).aggregate(own))
    return {str(document["_id"]): document for document in found}


@waits_for_database
def ids_where(dataset: fo.Dataset, ids: Sequence[str] | Mapping[str, object], query: Query) -> set[str]:
    """Returns the ids of those samples that match a query."""
    found = (sample_collection(dataset).find({**chunk, **query}, ["_id"]) for chunk in chunks(list(ids)))
    return {str(document["_id"]) for documents in found for document in documents}
