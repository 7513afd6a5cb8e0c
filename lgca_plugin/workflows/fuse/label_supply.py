"""What there is to learn a fusion from: the labels of a field, as many as each class has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...fusion.training import MIN_LABELS
from ...method.number_text import first_of, labels_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FEW_LABELS = 5
"""Number of labels below which a class has few; something is learnt if two classes have more."""
MAX_NAMED = 6
"""Maximum number of classes that a sentence names."""


@dataclass(frozen=True, kw_only=True)
class LabelSupply:
    """The labels of a field that a fusion can learn from.

    Attributes:
        counts: class to its number of labels, in the order of the classes
        outside: number of labels that are no class
    """

    counts: Mapping[str, int]
    outside: int

    @classmethod
    def of(cls, classes: Sequence[str], counts: Mapping[str, int]) -> LabelSupply:
        """Returns the supply for some classes, of a field with these numbers of labels."""
        own = {name: counts.get(name, 0) for name in classes}
        return cls(counts=own, outside=sum(counts.values()) - sum(own.values()))

    @property
    def total(self) -> int:
        """Number of labels that are classes."""
        return sum(self.counts.values())

    @property
    def learned(self) -> tuple[str, ...]:
        """The classes with a label."""
        return tuple(name for name, count in self.counts.items() if count)

    @property
    def unlabelled(self) -> list[str]:
        """The classes without a label."""
        return [name for name, count in self.counts.items() if not count]

    @property
    def is_enough(self) -> bool:
        """Whether anything is learnt."""
        return self.total >= MIN_LABELS and sum(count >= FEW_LABELS for count in self.counts.values()) > 1

    def sentence(self) -> str:
        """Returns how many labels there are."""
        with_labels = self.learned
        few, many = (end(self.counts[name] for name in with_labels) for end in (min, max)) if with_labels else (0, 0)
        each = f", {few:,} each" if few == many else f", {few:,} to {many:,} each"
        classes = "1 class" if len(with_labels) == 1 else f"{len(with_labels):,} classes"
        return f"{labels_text(self.total)} of {classes}{each}" if self.total else "no labels"

    def warnings(self) -> list[str]:
        """Returns what the labels can't teach: classes without any, or with few of them."""
        without = self.unlabelled
        scarce = [name for name, count in self.counts.items() if 0 < count < FEW_LABELS]
        found = []
        if without:
            verb = "class has" if len(without) == 1 else "classes have"
            found.append(
                f"{len(without):,} {verb} no label ({first_of(without, MAX_NAMED)}): once it has learnt from the "
                "others, the fusion hardly ever answers with such a class. Fuse without labels if pictures of it matter"
            )
        if scarce:
            verb = "class has" if len(scarce) == 1 else "classes have"
            found.append(f"{len(scarce):,} {verb} fewer than {FEW_LABELS} labels ({first_of(scarce, MAX_NAMED)})")
        return found
