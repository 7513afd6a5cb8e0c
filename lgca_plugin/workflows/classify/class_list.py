"""The candidate classes where none are passed, and the labels that a list of classes leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ...config import check_classes
from ...errors import ConfigError
from ...fiftyone_io.samples import ImageSamples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

MAX_NAMED = 8
"""Maximum number of labels that a warning names."""
MAX_COMPARED = 40
"""Maximum number of labels, the most frequent, that are compared with all classes."""
SIMILAR = 0.8
"""Minimum similarity of two names, 0 to 1, for one to be a slip of the other."""


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
        raise ConfigError(f"labels in {ground_truth!r}: {error}, or pass classes") from error
    return tuple(labels)


def own_classes(dataset: fo.Dataset, ground_truth: str) -> list[str]:
    """Returns the list of classes that is stored with a dataset, for a field of labels or for all; empty without."""
    return list((dataset.classes or {}).get(ground_truth) or dataset.default_classes or ())


@dataclass(frozen=True)
class LeftOut:
    """A label that is not among the classes.

    Attributes:
        samples: number of samples that have it
        near: the class with almost the same name, if any
        typed_wrong: True if no sample has that class, so that the slip is in the list rather than in the labels
    """

    label: str
    samples: int
    near: str | None
    typed_wrong: bool

    def __str__(self) -> str:
        hint = ""
        if self.typed_wrong:
            hint = f"; the list has {self.near!r}: did you mean {self.label!r}?"
        elif self.near is not None:
            hint = f"; did you mean {self.near!r}?"
        return f"{self.label!r} ({self.samples:,}{hint})"


def left_out(classes: Sequence[str], counts: Mapping[str, int]) -> list[LeftOut]:
    """Returns the labels that are not among the classes, the most frequent first.

    Args:
        classes: the candidate classes
        counts: label to the number of samples that have it
    """
    known = set(classes)
    names: dict[str, str] = {_plain(name): name for name in classes}
    found = []
    for rank, label in enumerate(sorted(set(counts) - known, key=lambda name: (-counts[name], name))):
        close = get_close_matches(_plain(label), names, n=1, cutoff=SIMILAR) if rank < MAX_COMPARED else []
        near = names[close[0]] if close else None
        found.append(LeftOut(label, counts[label], near, near is not None and near not in counts))
    return found


def left_out_warning(found: Sequence[LeftOut]) -> str | None:
    """Returns in words which labels the classes leave out; None if they leave out none."""
    if not found:
        return None
    samples = sum(label.samples for label in found)
    near_first = sorted(found, key=lambda label: label.near is None)
    more = len(found) - MAX_NAMED
    named = ", ".join(str(label) for label in near_first[:MAX_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    have = "sample has a label" if samples == 1 else "samples have labels"
    return f"{samples:,} {have} that the classes leave out, and no prediction can agree with: {named}"


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
