"""One short sentence about a suspect: how many methods see what; and the part of the picture that speaks for that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...fiftyone_io.thumbnails import Box
    from ...method.explain.evidence import Evidence

MAX_AREA = 0.75
"""Maximum area of a region that can decide, as a share of the image: a larger one is nearly the image."""
MAX_MARKED = 0.25
"""Maximum area of a region that is marked on the picture: the frame of a larger one cuts what it is about in two."""
UNSURE = 0.5
"""Confidence of a suggestion below which the methods lean towards it rather than see it."""


@dataclass(frozen=True, kw_only=True)
class DecidingRegion:
    """The region that speaks most clearly for the suggested class.

    Attributes:
        box: relative ``(x, y, width, height)``, in the orientation that a viewer shows
        vote: the class that the region itself is closest to
    """

    box: Box
    vote: str

    @property
    def is_part(self) -> bool:
        """Whether it is a part of the picture, small enough to be marked, and not most of it."""
        return self.box[2] * self.box[3] <= MAX_MARKED


def deciding_region(evidence: Evidence, suggested: str, given: str) -> DecidingRegion | None:
    """Returns the region that contributes most to the margin of the suggested class over the given one.

    Contributions are those of the learned method, if the run has one, else of the method that the run's boxes explain;
    regions that cover nearly the whole image are left out. None if no other region speaks for the suggested class, or
    one of the two is no class of the run.
    """
    method = evidence.deciding
    if method is None or evidence.explained is None:
        return None
    try:
        shares = evidence.contributions(method, suggested, given)
    except ConfigError:  # no class of the run
        return None
    areas = evidence.boxes[:, 2] * evidence.boxes[:, 3]
    shares = np.where(areas <= MAX_AREA, shares, 0.0)
    region = int(np.argmax(shares))
    if not shares[region] > 0:
        return None
    x, y, width, height = (float(value) for value in evidence.boxes[region])
    return DecidingRegion(box=(x, y, width, height), vote=evidence.classes[evidence.vote[region]])


def marked_sentence(region: DecidingRegion | None, suggested: str | None, given: str | None) -> str:
    """Returns what the frame on the picture marks; nothing where none is drawn."""
    if region is None or not region.is_part or suggested is None:
        return ""
    if region.vote != suggested and given is not None:
        return f"Framed: the part that speaks most clearly against “{given}”."
    return f"Framed: the part that speaks most clearly for “{suggested}”."


def reason_sentence(
    seen: Sequence[str],
    given: str | None,
    suggested: str,
    *,
    together: str | None = None,
    confidence: float | None = None,
) -> str:
    """Returns why a label is suspected, as one short sentence without a technical term.

    Args:
        seen: the class that each method sees
        given: the given class
        suggested: the suggested class
        together: the class that a fused run sees with all its models
        confidence: of the suggestion, in [0, 1]; None counts as sure
    """
    every = [*seen, *([] if together is None else [together])]
    if every and {*every} == {suggested}:
        unsure = confidence is not None and confidence < UNSURE
        return f"{_all(len(every), unsure=unsure)} “{suggested}”."
    if together == suggested:
        others = _counts((label for label in seen if label != suggested), len(seen))
        return f"All models together see “{suggested}”, but {others}."
    if suggested in seen:
        return f"{_counts(seen, len(seen), first=suggested)}."
    than = "the given label" if given is None else f"“{given}”"
    counts = f"{seen_sentence(seen)[:-1]}; taken" if seen else "Taken"
    return f"{counts} together, the methods find “{suggested}” more likely than {than}."


def seen_sentence(seen: Sequence[str]) -> str:
    """Returns what methods see, as one sentence; nothing without any."""
    if len({*seen}) == 1:
        return f"{_all(len(seen), unsure=False)} “{seen[0]}”."
    return f"{_counts(seen, len(seen))}." if seen else ""


def _counts(seen: Iterable[str], of: int, *, first: str | None = None) -> str:
    """Returns how many of some methods see each class, the class ``first`` before all others."""
    labels = sorted(Counter(seen).items(), key=lambda item: item[0] != first)
    named = [f"{count} {'sees' if count == 1 else 'see'} “{label}”" for label, count in labels]
    label, count = labels[0]
    if count == of > 2:
        return f"all {of} methods see “{label}”"
    named[0] = f"{count} of {of} {'method' if of == 1 else 'methods'} {'sees' if count == 1 else 'see'} “{label}”"
    return ", ".join(named)


def _all(count: int, *, unsure: bool) -> str:
    see, sees = ("lean towards", "leans towards") if unsure else ("see", "sees")
    words = {1: f"The method {sees}", 2: f"Both methods {see}"}
    return words.get(count, f"All {count} methods {see}")
