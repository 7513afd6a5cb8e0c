"""The labels to check and the candidate classes: which there are, and which labels no class stands for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ...config import check_classes
from ...errors import ConfigError
from ..classify.class_list import check_are_classes, own_classes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo


FOLLOW_LABELS = "labels"
"""Stands for the classes that a search has where the caller names none, also if an earlier one named some."""


def dataset_classes(dataset: fo.Dataset, ground_truth: str) -> tuple[str, ...] | None:
    """Returns the classes that are set on the dataset for a field, or for all fields; None without at least two."""
    own = own_classes(dataset, ground_truth)
    with suppress(ConfigError):
        return check_classes(own)
    return None


def default_classes(dataset: fo.Dataset, ground_truth: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Returns the classes that are set on the dataset, else all labels of a field, which ``counts`` holds.

    Classes that no label names are those of another field, so that they do not count.

    Raises:
        ConfigError: if there are no labels, or these are all the same
    """
    if not counts:
        raise ConfigError(f"no image has a label in {ground_truth!r}, so there is nothing to check")
    classes = dataset_classes(dataset, ground_truth)
    if classes is not None and not counts.keys().isdisjoint(classes):
        return classes
    if len(counts) == 1:
        label, count = next(iter(counts.items()))
        labels = (
            f"all {count:,} labels in {ground_truth!r} are" if count > 1 else f"the only label in {ground_truth!r} is"
        )
        raise ConfigError(
            f"{labels} {label!r}: name at least one other class that the images "
            "could show, so that there is something to choose from",
            app=f"{labels} {label!r}: type at least one other class that the images could show, under More, so that "
            "there is something to choose from",
        )
    check_are_classes(dataset, ground_truth, counts)
    return check_classes(sorted(counts))
