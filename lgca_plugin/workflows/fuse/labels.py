"""The labels that a fusion learns from, and what is to be said about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...fiftyone_io.label_fields import label_path
from ...fiftyone_io.samples import ImageSamples
from ...fusion.training import MIN_LABELS
from .label_supply import FEW_LABELS, LabelSupply

if TYPE_CHECKING:
    from collections.abc import Sequence

    import fiftyone as fo


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
    def supply(self) -> LabelSupply:
        """How many labels there are of each class."""
        counts = Counter(self.of.values())
        return LabelSupply.of(self.classes, {name: counts[index] for index, name in enumerate(self.classes)})

    def sentences(self, *, learnt: bool, files: int | None = None) -> list[str]:
        """Returns sentences for the user about labels that are too few, missing, or not learnt from.

        Args:
            learnt: whether anything was learnt
            files: number of different image files that have labels; None if the labels alone were too few
        """
        said = self.supply.warnings() if learnt else [self._nothing_learnt(files)]
        if self.others:
            said.append(
                f"{sum(self.others.values()):,} labels in {self.field!r} are no class of the runs, such as "
                f"{next(iter(self.others))!r}, and are not learnt from"
            )
        return said

    def _nothing_learnt(self, files: int | None) -> str:
        """Returns that the labels are too few, and how many are needed."""
        but, needed = "", f"{MIN_LABELS} labels"
        if files is not None and files < MIN_LABELS:
            but = " on one image file" if files == 1 else f" on {files:,} different image files"
            needed = f"labels of {MIN_LABELS} different files"
        elif files is not None:
            but = " on images of which some have no usable embeddings"
        return (
            f"nothing is learnt from {self.field!r}, which has {self.supply.sentence()}{but}: it takes {needed}, "
            f"and {FEW_LABELS} of each of two classes; the fused run is the sum of its encoders"
        )


def labels_to_learn(
    dataset: fo.Dataset, field: str, classes: Sequence[str], sample_ids: Sequence[str]
) -> LearnedLabels:
    """Reads the labels of samples.

    Raises:
        ConfigError: if none of them is a class
    """
    stored = ImageSamples.whole(dataset).stored(sample_ids, [label_path(dataset, field)])
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
