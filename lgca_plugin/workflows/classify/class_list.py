"""The candidate classes where none are passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config import check_classes
from ...errors import ConfigError
from ...fiftyone_io.samples import ImageSamples

if TYPE_CHECKING:
    import fiftyone as fo


def default_classes(dataset: fo.Dataset, ground_truth: str) -> tuple[str, ...]:
    """Returns the classes of a label field: the dataset's own list where it has one, else all labels in the dataset.

    FiftyOne keeps such lists in ``dataset.classes``, for each field, and in ``dataset.default_classes``.

    Raises:
        ConfigError: if there are fewer than two
    """
    own = own_classes(dataset, ground_truth)
    if own:
        try:
            return check_classes(own)
        except ConfigError as error:
            raise ConfigError(f"the dataset's own list of classes can't be used: {error}") from error
    labels = sorted(ImageSamples.whole(dataset).label_counts(ground_truth))
    if len(labels) < 2:
        found = f"one, {labels[0]!r}" if labels else "none"
        raise ConfigError(
            f"classification needs at least two classes, and {ground_truth!r} holds {found}; pass classes"
        )
    try:
        check_classes(labels)
    except ConfigError as error:
        problem = f"labels in {ground_truth!r}: {error}, or"
        raise ConfigError(f"{problem} pass classes", app=f"{problem} type the classes") from error
    return tuple(labels)


def own_classes(dataset: fo.Dataset, ground_truth: str) -> list[str]:
    """Returns the list of classes that is stored with a dataset, for a field of labels or for all; empty without."""
    return list((dataset.classes or {}).get(ground_truth) or dataset.default_classes or ())
