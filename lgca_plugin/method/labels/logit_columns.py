"""Which column of a classifier's logits belongs to which class, found from its own predictions.

Logits are stored without the names of their classes. But the predicted label is the class of the largest one, so a list
of names can be checked, and where all classes are predicted somewhere, no list is needed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    IntArray = NDArray[np.integer]

MATCHING = 0.9
"""Minimum share of the predictions whose label a list of names gives the largest logit."""


def logit_columns(
    best: Sequence[int], labels: Sequence[str], width: int, classes: Sequence[str], lists: Iterable[Sequence[str]]
) -> NDArray[np.int64] | None:
    """Returns ``[C]`` the column of each class, -1 for a class that the logits lack; None if the names are unknown.

    Args:
        best: for each prediction the place of its largest logit
        labels: its label
        width: number of logits
        classes: the C classes that are looked for
        lists: lists of names that may be those of the logits, the likeliest first
    """
    pairs = Counter(zip(best, labels, strict=True))
    names: Sequence[str | None] | None = None
    for given in lists:
        matching = sum(
            count for (place, label), count in pairs.items() if len(given) == width and given[place] == label
        )
        if pairs and matching >= MATCHING * len(best):
            names = given
            break
    else:
        names = _observed(pairs, width)
    if names is None:
        return None
    place_of = {name: place for place, name in enumerate(names) if name is not None}
    return np.array([place_of.get(name, -1) for name in classes], dtype=np.int64)


def _observed(pairs: Counter[tuple[int, str]], width: int) -> list[str | None] | None:
    """Returns the label that goes with each place, None where there is none; None if labels and places do not match."""
    at: dict[int, Counter[str]] = defaultdict(Counter)
    for (place, label), count in pairs.items():
        at[place][label] += count
    names: list[str | None] = [None] * width
    matching = 0
    for place, counts in at.items():
        names[place], count = counts.most_common(1)[0]
        matching += count
    known = [name for name in names if name is not None]
    sound = matching >= MATCHING * pairs.total() and len(set(known)) == len(known)
    return names if known and sound else None
