"""The labels to check and the candidate classes: which there are, and which labels no class stands for."""

from __future__ import annotations

import difflib
from contextlib import suppress
from typing import TYPE_CHECKING

from ...config import check_classes
from ...errors import ConfigError
from ...fiftyone_io.samples import image_samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

MAX_NAMED = 8
"""Maximum number of labels that a warning names."""

MAX_COMPARED = 100
"""Maximum number of labels that are compared with the classes, to find misspellings."""


def label_counts(dataset: fo.Dataset, ground_truth: str) -> dict[str, int]:
    """Counts the labels of a field on all images of a dataset, without blank ones."""
    counts = image_samples(dataset).count_values(f"{ground_truth}.label")
    return {label: count for label, count in counts.items() if label and label.strip()}


def dataset_classes(dataset: fo.Dataset, ground_truth: str) -> tuple[str, ...] | None:
    """Returns the classes that are set on the dataset for a field, or for all fields; None without at least two."""
    for names in ((dataset.classes or {}).get(ground_truth), dataset.default_classes):
        with suppress(ConfigError):
            if names:
                return check_classes(names)
    return None


def default_classes(dataset: fo.Dataset, ground_truth: str, counts: Mapping[str, int]) -> tuple[str, ...]:
    """Returns the classes that are set on the dataset, else all labels of a field, which ``counts`` holds.

    Raises:
        ConfigError: if there are no labels, or these are all the same
    """
    if not counts:
        raise ConfigError(f"no image has a label in {ground_truth!r}, so there is nothing to check")
    classes = dataset_classes(dataset, ground_truth)
    if classes is not None:
        return classes
    if len(counts) == 1:
        label, count = next(iter(counts.items()))
        raise ConfigError(
            f"all {count:,} labels in {ground_truth!r} are {label!r}: name at least one other class that the images "
            "could show, so that there is something to choose from"
        )
    return check_classes(sorted(counts))


def outside_warning(counts: Mapping[str, int], classes: Sequence[str]) -> str | None:
    """Returns a sentence on the labels that are no class, with near matches; None if there are none."""
    known = set(classes)
    outside = sorted((label for label in counts if label not in known), key=lambda label: -counts[label])
    if not outside:
        return None
    near = {label: match for label in outside[:MAX_COMPARED] if (match := _near_match(label, classes))}
    first = sorted(outside, key=lambda label: label not in near)[:MAX_NAMED]
    hints = {label: f"; did you mean {match!r}?" for label, match in near.items()}
    named = ", ".join(f"{label!r} ({counts[label]:,}{hints.get(label, '')})" for label in first)
    more = f" and {len(outside) - MAX_NAMED:,} more" if len(outside) > MAX_NAMED else ""
    total = sum(counts[label] for label in outside)
    labels = "1 label is" if total == 1 else f"{total:,} labels are"
    return f"{labels} in no class of the list and can't be judged: {named}{more}"


def _near_match(label: str, classes: Sequence[str]) -> str | None:
    """Returns the class that a label may be a misspelling of."""
    return next(iter(difflib.get_close_matches(label, classes, n=1, cutoff=0.8)), None)
