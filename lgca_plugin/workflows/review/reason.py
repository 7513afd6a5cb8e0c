"""One plain sentence about a suspect: what the methods see in the picture, and which part of it speaks for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...errors import ConfigError
from ...method.core.regions import RegionKind
from ...method.number_text import capitalized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...fiftyone_io.thumbnails import Box
    from ...method.explain.evidence import Evidence

Kind = RegionKind | Literal["decisive", "learned"]
"""What a method looks at: a ``"decisive"`` one at crops, above all at those that are sure of a class; a ``"learned"``
one at everything, through several models."""

Seen = tuple[Kind, str]
"""What a method looks at, and the class that it sees there."""

MAJORITY = 0.5
"""Share of the crops above which they are counted in the sentence."""
MAX_AREA = 0.75
"""Maximum area of a region that is marked, as a share of the image: a frame around all of it would show nothing."""
UNSURE = 0.5
"""Confidence of a suggestion below which the methods lean towards it rather than see it."""


@dataclass(frozen=True, kw_only=True)
class DecidingRegion:
    """The region that speaks most clearly for the suggested class.

    Attributes:
        box: relative ``(x, y, width, height)``, in the orientation that a viewer shows
        vote: the class that the region itself is closest to
        crops: number of crops, those before any growth
        crops_for: number of those that are closest to the suggested class
    """

    box: Box
    vote: str
    crops: int
    crops_for: int


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
    crops = evidence.vote[evidence.step == 0]
    return DecidingRegion(
        box=(x, y, width, height),
        vote=evidence.classes[evidence.vote[region]],
        crops=len(crops),
        crops_for=int((crops == evidence.classes.index(suggested)).sum()),
    )


def reason_sentence(
    seen: Sequence[Seen],
    given: str | None,
    suggested: str,
    *,
    confidence: float | None = None,
    region: DecidingRegion | None = None,
) -> str:
    """Returns why a label is suspected, as one sentence without a technical term.

    Args:
        seen: what each method sees
        given: the given class
        suggested: the suggested class
        confidence: of the suggestion, in [0, 1]; None counts as sure
        region: the region that is marked on the picture
    """
    groups = _by_label(seen)
    agreeing = groups.pop(suggested, [])
    others = [f"{_subject(kinds)} {_verb(kinds)} “{label}”" for label, kinds in groups.items()]
    if not agreeing:
        views = f"{capitalized('; '.join(others))}; taken" if others else "Taken"
        return f"{views} together, the methods find “{suggested}” more likely than {_named(given)}."
    tail = "" if region is None else f"; {_marked(region, suggested, given, repeated=bool(others))}"
    if not others:
        unsure = confidence is not None and confidence < UNSURE
        return f"{_all(len(agreeing), unsure=unsure)} “{suggested}”{_crops(region)}{tail}."
    only = "only " if len(others) == 1 and len(agreeing) > 1 else "but "
    return f"{capitalized(_subject(agreeing))} {_verb(agreeing)} “{suggested}”, {only}{' and '.join(others)}{tail}."


def seen_sentence(seen: Sequence[Seen]) -> str:
    """Returns what methods see, as one sentence; nothing without any."""
    groups = _by_label(seen)
    if len(groups) == 1:
        return f"{_all(len(seen), unsure=False)} “{next(iter(groups))}”."
    parts = [f"{_subject(kinds)} {_verb(kinds)} “{label}”" for label, kinds in groups.items()]
    return f"{capitalized('; '.join(parts))}." if parts else ""


def _by_label(seen: Sequence[Seen]) -> dict[str, list[Kind]]:
    groups: dict[str, list[Kind]] = {}
    for kind, label in seen:
        groups.setdefault(label, []).append(kind)
    return groups


def _all(count: int, *, unsure: bool) -> str:
    see, sees = ("lean towards", "leans towards") if unsure else ("see", "sees")
    words = {1: f"The method {sees}", 2: f"Both methods {see}"}
    numbers = {3: "three", 4: "four", 5: "five"}
    return words.get(count, f"All {numbers.get(count, count)} methods {see}")


def _subject(kinds: Sequence[Kind]) -> str:
    """Returns what methods of some kinds look at, in words."""
    names: dict[Kind, str] = {
        "none": "the whole picture",
        "crops": "the crops",
        "chains": "the crops with their surroundings",
        "all": "the crops with their surroundings",
        "decisive": "the clearest crops",
        "learned": "all models together",
    }
    if "crops" in kinds and {"chains", "all"} & {*kinds}:
        kinds = [kind for kind in kinds if kind not in ("chains", "all")]
        names["crops"] = "the crops, alone and with their surroundings,"
    *first, last = dict.fromkeys(names[kind] for kind in kinds)
    return f"{', '.join(first)} and {last}" if first else last


def _verb(kinds: Sequence[Kind]) -> str:
    return "says" if list(kinds) == ["none"] else "say"


def _crops(region: DecidingRegion | None) -> str:
    """Returns how many crops see the suggested class, if they are most of them."""
    if region is None or region.crops_for <= MAJORITY * region.crops:
        return ""
    if region.crops_for == region.crops:
        return f", and so do all {region.crops} crops"
    return f", and so do {region.crops_for} of {region.crops} crops"


def _marked(region: DecidingRegion, suggested: str, given: str | None, *, repeated: bool) -> str:
    """Returns what the marked part of the picture speaks for, or against."""
    if region.vote != suggested and given is not None:
        return f"the marked part speaks most clearly against “{given}”"
    return f"the marked part speaks most clearly for {f'“{suggested}”' if repeated else 'it'}"


def _named(label: str | None) -> str:
    return "the given label" if label is None else f"“{label}”"
