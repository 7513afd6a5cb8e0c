"""The labels to check and the candidate classes: which there are, and which labels no class stands for."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ...config import check_classes
from ...errors import ConfigError
from ...fiftyone_io.label_fields import label_path
from ...method.labels.left_out import left_out
from ...method.number_text import first_of
from ..classify.class_list import check_are_classes, own_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo


MAX_NAMED = 3
"""Maximum number of labels that an error names."""

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
    if len({name.strip() for name in counts}) == 1:
        label, count = next(iter(counts)), sum(counts.values())
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
    classes = check_classes(sorted({label.strip() for label in counts}))
    if counts.keys().isdisjoint(classes):
        problem = (
            f"all labels in {ground_truth!r} begin or end with blanks, such as {next(iter(counts))!r}: remove them"
        )
        path = repr(label_path(dataset, ground_truth))
        mend = f"dataset.set_values({path}, [label and label.strip() for label in dataset.values({path})])"
        raise ConfigError(f"{problem} ({mend})", app=f"{problem} first")
    return classes


def check_classes_fit(ground_truth: str, counts: Mapping[str, int], classes: Sequence[str]) -> None:
    """Checks that a label of a field, of which ``counts`` holds all, is one of the classes.

    Raises:
        ConfigError: if none is
    """
    if counts.keys().isdisjoint(classes):
        found = sorted(left_out(classes, counts), key=lambda label: label.near is None)
        raise ConfigError(
            f"no label in {ground_truth!r} is one of the {len(classes):,} classes, so none can be checked; the labels: "
            f"{first_of(found, MAX_NAMED)}"
        )
