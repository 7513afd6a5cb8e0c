"""The candidate classes where none are passed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...config import check_classes
from ...errors import ConfigError
from ...fiftyone_io.label_fields import unlike_classes
from ...fiftyone_io.samples import ImageSamples

if TYPE_CHECKING:
    import fiftyone as fo


def default_classes(dataset: fo.Dataset, ground_truth: str) -> tuple[str, ...]:
    """Returns the classes of a label field: the dataset's own list where it has one, else all labels in the dataset.

    FiftyOne keeps such lists in ``dataset.classes``, for each field, and in ``dataset.default_classes``; names are also
    in ``dataset.mask_targets`` and ``dataset.default_mask_targets``.

    Raises:
        ConfigError: if there are fewer than two
    """
    own = own_classes(dataset, ground_truth)
    if own:
        try:
            return check_classes(own)
        except ConfigError as error:
            raise ConfigError(f"the dataset's own list of classes can't be used: {error}") from error
    counts = ImageSamples.whole(dataset).label_counts(ground_truth)
    labels = sorted({label.strip() for label in counts})
    if len(labels) < 2:
        found = f"one, {labels[0]!r}" if labels else "none"
        raise ConfigError(
            f"classification needs at least two classes, and {ground_truth!r} holds {found}; pass classes"
        )
    check_are_classes(dataset, ground_truth, counts)
    try:
        return classes_of(counts)
    except ConfigError as error:
        problem = f"labels in {ground_truth!r}: {error}, or"
        raise ConfigError(f"{problem} pass classes", app=f"{problem} type the classes") from error


def classes_of(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Returns the labels in ``counts`` as classes, sorted and as they are, with the blanks around them.

    Of labels that differ in nothing but such blanks, the most frequent one is a class, and the others mean it.

    Raises:
        ConfigError: if there are fewer than two, or they can't be classes
    """
    chosen: dict[str, str] = {}
    for label in sorted(counts, key=lambda name: (-counts[name], name)):
        chosen.setdefault(label.strip(), label)
    labels = sorted(chosen.values())
    check_classes(labels)
    return tuple(labels)


def check_are_classes(dataset: fo.Dataset, ground_truth: str, counts: Mapping[str, int]) -> None:
    """Checks that the texts of a field, if it holds texts, are not sentences or names of single images.

    Raises:
        ConfigError: if they are
    """
    why = unlike_classes(dataset, ground_truth, counts)
    if why is not None:
        what = f"{why}: these are no class labels; choose another label field, or"
        raise ConfigError(f"{what} pass classes", app=f"{what} type the classes")


def own_classes(dataset: fo.Dataset, ground_truth: str) -> list[str]:
    """Returns the list of classes that is stored with a dataset, for a field of labels or for all; empty without.

    Last come the names of a label map: the field's, or the dataset's own if no field holds masks that it may be of.
    """
    own = (dataset.classes or {}).get(ground_truth) or dataset.default_classes
    return list(own or _names((dataset.mask_targets or {}).get(ground_truth)) or _names(_map_without_masks(dataset)))


def _map_without_masks(dataset: fo.Dataset) -> dict[Any, Any]:
    import fiftyone as fo

    targets = dataset.default_mask_targets or {}
    masks = targets and dataset.get_field_schema(ftype=fo.EmbeddedDocumentField, embedded_doc_type=fo.Segmentation)
    return {} if masks else targets


def _names(targets: Mapping[Any, Any] | None) -> list[str]:
    """Returns the names in a label map of numbers, or of colors."""
    return list(dict.fromkeys(name for name in (targets or {}).values() if isinstance(name, str)))
