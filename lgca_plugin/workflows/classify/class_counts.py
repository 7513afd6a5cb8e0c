"""How often each class occurs among the images of a run, where its labels are to follow that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import BALANCED, ClassShares, check_shares
from ...errors import ConfigError, shown
from ...fiftyone_io.fields import usual_label_fields
from ...fiftyone_io.label_fields import label_path, single_label_fields
from ...fiftyone_io.samples import ImageSamples

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import fiftyone as fo


ENOUGH_LABELS = 20
"""Labels a class below which counts are rough: in a trial, 240 labels of 12 classes were enough and 50 were not."""


@dataclass(frozen=True)
class ClassCounts:
    """How often each class occurs, in the order of the classes, and sentences for the user about it."""

    counts: tuple[float, ...]
    warnings: tuple[str, ...]


def check_given_shares(shares: Any, classes: Sequence[str], dataset: fo.Dataset, own: Collection[str]) -> ClassShares:
    """Returns the shares that a user gives.

    Args:
        shares: as :func:`lgca_plugin.classify` takes them
        classes: the classes
        dataset: on which a field of labels is
        own: the fields of the run itself, in which nothing can be counted

    Raises:
        ConfigError: if they can't be used
    """
    found = check_shares(shares, classes)
    if found.field is None:
        return found
    fields = single_label_fields(dataset)
    if found.field not in fields:
        own = set(own).union(*map(usual_label_fields, dataset.list_runs()))
        raise ConfigError(
            f"shares is {shown(found.field)}, which is neither {BALANCED!r} nor a label field of this dataset; its "
            f"label fields: {', '.join(name for name in fields if name not in own) or 'none'}",
            app=f"the classes can't be counted in {shown(found.field)}, which is no label field of this dataset",
        )
    if found.field in own:
        raise ConfigError(
            f"shares is {found.field!r}, a field of this very run; name a field with given labels",
            app=f"the classes can't be counted in {found.field!r}, a field of this very run: choose given labels",
        )
    return found


def class_counts(shares: ClassShares, dataset: fo.Dataset, ids: Sequence[str], classes: Sequence[str]) -> ClassCounts:
    """Returns how often each class occurs among the images of a run, of which the ids are given.

    Raises:
        ConfigError: if they are to be counted in a field in which none of these images has a class of the run
    """
    labels: Counter[str] = Counter()
    if shares.field is not None:
        stored = ImageSamples.whole(dataset).stored(ids, [label_path(dataset, shares.field)])
        labels = Counter(label for (label,) in stored.values() if label and label.strip())
    warnings = []
    others = [label for label in labels if label not in set(classes)]
    if shares.field is not None and len(others) == len(labels):
        raise ConfigError(
            f"none of the {len(ids):,} images has a label in {shares.field!r} that is one of the {len(classes):,} "
            "classes, so none can be counted: give a number for each class instead"
        )
    counted = labels.total() - sum(labels[label] for label in others)
    if shares.field is not None and counted < ENOUGH_LABELS * len(classes):
        warnings.append(
            f"{counted:,} labels in {shares.field!r} are few to count {len(classes):,} classes by: below "
            f"{ENOUGH_LABELS} a class, chance makes an even mix look uneven, which can cost more than it gains"
        )
    if others:
        warnings.append(
            f"{sum(labels[label] for label in others):,} labels in {shares.field!r} are no class of the run, such as "
            f"{others[0]!r}: the shares of the classes leave them out"
        )
    return ClassCounts(tuple(shares.counts(labels, classes, len(ids))), tuple(warnings))
