"""The labels that a fusion learns from, and what is to be said about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...fiftyone_io.samples import ImageSamples

if TYPE_CHECKING:
    from collections.abc import Sequence

    import fiftyone as fo

FEW_LABELS = 5
"""Labels below which a class has few; a fusion learns from labels if two classes have more."""


@dataclass(frozen=True, kw_only=True)
class LearnedLabels:
    """The labels to learn from.

    Attributes:
        field: theirs
        classes: the runs' classes
        of: sample id to class index
        others: labels that are no class, to their number
        blank: number of samples without a label
    """

    field: str
    classes: tuple[str, ...]
    of: dict[str, int]
    others: dict[str, int]
    blank: int

    @property
    def counts(self) -> dict[str, int]:
        """Class to number of its labels."""
        counts = Counter(self.of.values())
        return {name: counts[index] for index, name in enumerate(self.classes)}

    @property
    def unseen(self) -> list[str]:
        """The classes without a label."""
        return [name for name, count in self.counts.items() if not count]

    @property
    def are_enough(self) -> bool:
        """Whether a fusion learns from them."""
        return sum(count >= FEW_LABELS for count in self.counts.values()) >= 2

    def sentences(self) -> list[str]:
        """Returns sentences for the user about labels that are too few, missing, or not learnt from."""
        said = []
        few = [name for name, count in self.counts.items() if 0 < count < FEW_LABELS]
        if not self.are_enough:
            said.append(
                f"nothing is learnt from the {len(self.of):,} labels in {self.field!r}, for fewer than two classes "
                f"have at least {FEW_LABELS}: the fused run is the sum of its encoders"
            )
        elif self.unseen:
            said.append(
                f"{_classes(self.unseen)} no label in {self.field!r}, so the fused run will answer "
                f"{'it' if len(self.unseen) == 1 else 'them'} too rarely: give it some labels, or fuse without labels"
            )
        if self.are_enough and few:
            said.append(f"{_classes(few)} fewer than {FEW_LABELS} labels in {self.field!r}, so little is learnt of it")
        if self.others:
            said.append(
                f"{sum(self.others.values()):,} labels in {self.field!r} are no class of the runs, such as "
                f"{next(iter(self.others))!r}, and are not learnt from"
            )
        return said


def labels_to_learn(
    dataset: fo.Dataset, field: str, classes: Sequence[str], sample_ids: Sequence[str]
) -> LearnedLabels:
    """Reads the labels of samples.

    Raises:
        ConfigError: if none of them is a class
    """
    stored = ImageSamples.whole(dataset).stored(sample_ids, [f"{field}.label"])
    index = {name: at for at, name in enumerate(classes)}
    labels = {id_: label for id_, (label,) in stored.items() if label}
    of = {id_: index[label] for id_, label in labels.items() if label in index}
    others = Counter(label for label in labels.values() if label not in index)
    if not of:
        raise ConfigError(
            f"none of the {len(sample_ids):,} samples has a label in {field!r} that is a class of the runs: name "
            "another field as ground_truth, or None to learn nothing",
            app=f"none of the {len(sample_ids):,} samples has a label in {field!r} that is a class of the runs: choose "
            "another field, or fuse without labels",
        )
    return LearnedLabels(
        field=field, classes=tuple(classes), of=of, others=dict(others.most_common()), blank=len(stored) - len(labels)
    )


def _classes(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"class {names[0]!r} has"
    return f"{len(names):,} classes, such as {names[0]!r}, have"
