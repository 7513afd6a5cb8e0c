"""Labels that are not among the classes: which there are, and which class each one probably means."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ..number_text import first_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_NAMED = 8
"""Maximum number of labels that a warning names."""
MAX_COMPARED = 40
"""Maximum number of labels, the most frequent, that are compared with all classes."""
LEFT_OUT = "that the classes leave out"
"""Words by which the warning is recognized."""
SIMILAR = 0.8
"""Minimum similarity of two names, 0 to 1, for one to be a slip of the other."""


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
    names = {plain_name(name): name for name in classes}
    found = []
    for rank, label in enumerate(sorted(counts.keys() - set(classes), key=lambda name: (-counts[name], name))):
        near = _nearest(label, names, similar=rank < MAX_COMPARED)
        found.append(LeftOut(label, counts[label], near, near is not None and near not in counts))
    return found


def nearest_class(label: str, classes: Iterable[str]) -> str | None:
    """Returns the class with almost the same name as a label; None if there is none."""
    return _nearest(label, {plain_name(name): name for name in classes}, similar=True)


def _nearest(label: str, names: Mapping[str, str], *, similar: bool) -> str | None:
    """Returns the class of the same plain name, else, if ``similar``, the most similar one."""
    own = plain_name(label)
    if own in names:
        return names[own]
    close = get_close_matches(own, names, n=1, cutoff=SIMILAR) if similar else []
    return names[close[0]] if close else None


def plain_name(name: str) -> str:
    """Returns a name without what people write differently.

    That is letter case, hyphens, underscores, spaces, characters that can't be seen, and what Unicode has several ways
    to write.
    """
    name = "".join(one for one in unicodedata.normalize("NFKC", name) if unicodedata.category(one) != "Cf")
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def left_out_warning(found: Sequence[LeftOut]) -> str | None:
    """Returns in words which labels the classes leave out; None if they leave out none."""
    if not found:
        return None
    samples = sum(label.samples for label in found)
    near_first = sorted(found, key=lambda label: label.near is None)
    have = "sample has a label" if samples == 1 else "samples have labels"
    return f"{samples:,} {have} {LEFT_OUT}, and no prediction can agree with: {first_of(near_first, MAX_NAMED)}"


def outside_sentence(label: str, classes: Iterable[str]) -> str:
    """Returns for users that a label is not among the classes of a run, and which is nearest."""
    near = nearest_class(label, classes)
    hint = "" if near is None else f"; nearest: “{near}”"
    return f"“{visible(label)}” is not among the classes of this run{hint}."


def visible(label: str) -> str:
    """Returns a label with the characters escaped that can't be seen, such as line breaks and no-break spaces."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in label)
