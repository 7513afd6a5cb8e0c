"""The samples that a run is about: their dataset, media type, ids and files, and the classes of a label field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .database import is_dynamic_groups, is_generated, root_dataset, sample_collection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import fiftyone as fo


_MOST_SELECTED = 100_000  # beyond, a list of ids no longer fits into one MongoDB query


@dataclass(frozen=True)
class Target:
    """Image samples of a dataset.

    Attributes:
        dataset: the dataset that the samples belong to
        samples: the samples as a flat collection of images, the active slice of a grouped one
        writable: all image samples of the dataset, with all their fields, whatever a view hides
    """

    dataset: fo.Dataset
    samples: Any
    writable: Any

    @classmethod
    def of(cls, samples: Any) -> Target:
        """Checks a dataset or view and finds its image samples.

        Raises:
            ConfigError: if it is no FiftyOne collection, holds no samples, or holds something else than images
        """
        import fiftyone as fo

        if not isinstance(samples, (fo.Dataset, fo.DatasetView)):
            raise ConfigError(f"samples must be a FiftyOne dataset or view, got {type(samples).__name__}")
        dataset = root_dataset(samples)
        if isinstance(samples, fo.DatasetView) and is_generated(samples):
            raise ConfigError(
                "patches, frames and clips can't be classified in place; pass the dataset or a view of whole images"
            )
        flat = samples
        if is_dynamic_groups(samples):
            flat = samples = samples.flatten()
        media_type = samples.media_type
        if media_type == "group":
            media_type = samples.group_media_types[samples.group_slice]
            flat = samples.select_group_slices(samples.group_slice)
        if media_type not in ("image", None):
            where = f" (slice {samples.group_slice!r})" if samples.media_type == "group" else ""
            raise ConfigError(f"only images can be classified, and these samples{where} are of type {media_type!r}")
        if len(flat) == 0:
            raise ConfigError("there are no samples to classify: the dataset or view is empty")
        return cls(dataset, flat, image_samples(dataset))

    @classmethod
    def whole(cls, dataset: fo.Dataset) -> Target:
        """Takes all image samples of a dataset, those of every slice if it is grouped; there may be none."""
        samples = image_samples(dataset)
        return cls(dataset, samples, samples)

    def check_label_field(self, ground_truth: str) -> None:
        """Checks that a field holds one class label a sample.

        Raises:
            ConfigError: if it is missing or of another type
        """
        import fiftyone as fo

        schema = self.dataset.get_field_schema()
        if ground_truth not in schema:
            known = [name for name in schema if self.is_label_field(name)]
            raise ConfigError(
                f"ground_truth {ground_truth!r} is no field of this dataset; "
                f"its classification fields: {', '.join(known) or 'none'}"
            )
        if not self.is_label_field(ground_truth):
            kind = getattr(schema[ground_truth], "document_type", type(schema[ground_truth])).__name__
            raise ConfigError(f"ground_truth must be a {fo.Classification.__name__} field; {ground_truth!r} is {kind}")

    def is_label_field(self, name: str) -> bool:
        """Tells whether a field holds Classifications."""
        import fiftyone as fo

        return getattr(self.dataset.get_field(name), "document_type", None) is fo.Classification

    def stored(self, ids: Sequence[str], paths: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        """Reads values of samples as they are stored, also where a view hides fields or filters labels.

        Args:
            ids: sample ids
            paths: fields, or fields of labels

        Returns:
            id to the values; without the ids that the dataset no longer holds
        """
        samples = self.writable.select(ids) if len(ids) < _MOST_SELECTED else self.writable
        found, *columns = samples.values(["id", *paths])
        values = dict(zip(found, zip(*columns, strict=True) if columns else [()] * len(found), strict=True))
        return {id_: values[id_] for id_ in ids if id_ in values}

    def filled(self, ids: Sequence[str], paths: Sequence[str]) -> set[str]:
        """Finds which samples have a value in all of some fields, as stored."""
        from bson import ObjectId

        query: dict[str, Any] = _filled(paths)
        if len(ids) < _MOST_SELECTED:
            query["_id"] = {"$in": [ObjectId(id_) for id_ in ids]}
        found = sample_collection(self.dataset).find(query, {"_id": True})
        return {str(document["_id"]) for document in found}.intersection(ids)

    def count_filled(self, paths: Sequence[str]) -> int:
        """Counts the samples of the dataset that have a value in all of some fields."""
        return int(sample_collection(self.dataset).count_documents(_filled(paths)))

    def distinct_labels(self, ground_truth: str) -> list[str]:
        """Lists the distinct labels of a field among the samples, sorted, without blank ones."""
        stored = self.stored(self.samples.values("id"), [f"{ground_truth}.label"])
        return sorted({label for (label,) in stored.values() if label and label.strip()})


def _filled(paths: Sequence[str]) -> dict[str, Any]:
    return {path: {"$ne": None} for path in paths}


def image_samples(dataset: fo.Dataset) -> Any:
    """Gives all image samples of a dataset, those of every slice if it is grouped."""
    return dataset.select_group_slices(media_type="image") if dataset.media_type == "group" else dataset


Query = dict[str, Any]


_AT_ONCE = 10_000  # ids in one query or update


def read_ids(dataset: fo.Dataset, samples: Any) -> list[str]:
    """Reads which samples are meant.

    Args:
        dataset: the dataset
        samples: an id, several, or a view of the dataset

    Returns:
        the ids, each once; whether there are such samples is not asked

    Raises:
        ConfigError: if these are no ids, or samples of another dataset
    """
    import fiftyone as fo
    from bson import ObjectId

    if isinstance(samples, (fo.Dataset, fo.DatasetView)):
        if root_dataset(samples).name != dataset.name:
            raise ConfigError(f"sample_ids must be samples of dataset {dataset.name!r}, got a view of another")
        samples = samples.values("id")
    ids = [samples] if isinstance(samples, str) else list(samples)
    for id_ in ids:
        if not isinstance(id_, str) or not ObjectId.is_valid(id_):
            raise ConfigError(f"sample_ids must be ids of samples, got {id_!r}")
    if not ids:
        raise ConfigError("sample_ids is empty: name at least one sample")
    return list(dict.fromkeys(ids))


def chunks(ids: Sequence[str]) -> Iterator[Query]:
    """Makes queries that find samples, each so many as fit into one."""
    from bson import ObjectId

    for start in range(0, len(ids), _AT_ONCE):
        yield {"_id": {"$in": [ObjectId(id_) for id_ in ids[start : start + _AT_ONCE]]}}


def ids_where(dataset: fo.Dataset, ids: Sequence[str] | Mapping[str, object], query: Query) -> set[str]:
    """Finds for which of some samples a query holds."""
    found = (sample_collection(dataset).find({**chunk, **query}, ["_id"]) for chunk in chunks(list(ids)))
    return {str(document["_id"]) for documents in found for document in documents}
