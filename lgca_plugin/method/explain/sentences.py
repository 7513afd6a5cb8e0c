"""The evidence on an image in plain sentences, and what the methods say with and without some regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.scores import CONTROLS
from .film_strip import wca_pull

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .evidence import Evidence
    from .verdicts import Verdicts

NAMES = {"clip": "CLIP", "wca": "WCA", "lgca": "LGCA", "lgca_d": "decisive LGCA"}
"""What methods are called on the screen; others by their own name."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a method says of an image.

    Attributes:
        method: the method's name
        label: its label; None where it has lost all its regions
        confidence: softmax probability of the label among the classes, in [0, 1]
        margin: best minus second-best score
        lead: score of a minus score of b, of the two rivals
    """

    method: str
    label: str | None
    confidence: float
    margin: float
    lead: float


def answers(verdicts: Verdicts, a: str, b: str) -> list[Answer]:
    """Lists what each method says.

    Args:
        verdicts: what the methods say, from all regions or from those that are left
        a: a class
        b: its rival

    Returns:
        an answer for each of :func:`told_methods`, in the order of the run; numbers are nan where it gives none
    """
    found, labels = [], verdicts.labels
    for method in told_methods(labels):
        label = labels[method]
        confidence = margin = lead = float("nan")
        if label is not None:
            best, _ = verdicts.answer(method)
            confidence, margin = float(verdicts.confidences[method][best]), verdicts.margin(method)
            lead = verdicts.margin(method, a, b)
        found.append(Answer(method=method, label=label, confidence=confidence, margin=margin, lead=lead))
    return found


def told(evidence: Evidence) -> list[str]:
    """Tells in sentences who says what, what misled WCA, and how many chains flip.

    Args:
        evidence: everything about the image

    Returns:
        some sentences
    """
    said = [_who_says_what(evidence)]
    if evidence.misleading_pair:
        a, b = evidence.misleading_pair
        crops = int(evidence.misleading.sum())
        if crops:
            share = float(wca_pull(evidence).sum())
            are = "crop is misleading: it votes" if crops == 1 else "crops are misleading: they vote"
            said.append(
                f"{crops} {are} for “{a}” and {'makes' if crops == 1 else 'make'} up {share:.0%} of WCA's pull there."
            )
        if evidence.case is not None:
            size = evidence.case.size
            fewest = "" if evidence.case.exact else "at most "
            gone = f"{fewest}{size} {'crop' if size == 1 else 'crops'}"
            said.append(f"Without {gone} WCA would say “{b}”, as LGCA does.")
        else:
            said.append("No misleading crops explain it: without them, WCA would not say what LGCA says.")
    if evidence.flips:
        flipped, grown = sum(evidence.flips.values()), len(evidence.flips)
        said.append(f"{flipped} of {grown} crops that grew changed their vote.")
    return said


def told_methods(methods: Iterable[str]) -> list[str]:
    """Lists the methods that people are told about: the controls only where there is nothing else."""
    methods = list(methods)
    return [name for name in methods if name not in CONTROLS] or methods


def method_name(name: str) -> str:
    """Gives what a method is called on the screen."""
    return NAMES.get(name, name)


def _who_says_what(evidence: Evidence) -> str:
    labels = {name: evidence.labels[name] for name in told_methods(evidence.methods)}
    groups: dict[str, list[str]] = {}
    for method, label in labels.items():
        groups.setdefault(str(label), []).append(method_name(method))
    parts = [
        f"{_joined(methods)} {'say' if len(methods) > 1 else 'says'} “{label}”" for label, methods in groups.items()
    ]
    return f"{'; '.join(parts)}."


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
