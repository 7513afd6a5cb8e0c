"""The evidence on an image in plain sentences, and what the methods say with and without some regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.methods import method_title, without_controls
from .film_strip import wca_pull

if TYPE_CHECKING:
    from .evidence import Evidence
    from .method_results import MethodResults


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


def answers(verdicts: MethodResults, a: str, b: str) -> list[Answer]:
    """Lists what each method says.

    Args:
        verdicts: what the methods say, from all regions or from those that are left
        a: a class
        b: its rival

    Returns:
        an answer for each of :func:`without_controls`, in the order of the run; numbers are nan where it gives none
    """
    found, labels = [], verdicts.labels
    for method in without_controls(labels):
        label = labels[method]
        confidence = margin = lead = float("nan")
        if label is not None:
            best, _ = verdicts.top_two(method)
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


def _who_says_what(evidence: Evidence) -> str:
    labels = {name: evidence.labels[name] for name in without_controls(evidence.methods)}
    groups: dict[str, list[str]] = {}
    for method, label in labels.items():
        groups.setdefault(str(label), []).append(method_title(method))
    parts = [
        f"{_joined(methods)} {'say' if len(methods) > 1 else 'says'} “{label}”" for label, methods in groups.items()
    ]
    return f"{'; '.join(parts)}."


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
