"""The evidence on an image in sentences, and the methods' answers for a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.methods import method_title, without_controls
from .film_strip import wca_pull

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .evidence import Evidence
    from .method_results import MethodResults


@dataclass(frozen=True, kw_only=True)
class MethodAnswer:
    """The answer of one method for an image; ``lead`` is the score of class a minus that of its rival b.

    Label None and numbers nan if it has lost all its regions; ``margin`` is best minus second-best score.
    """

    method: str
    label: str | None
    confidence: float
    margin: float
    lead: float


def method_answers(verdicts: MethodResults, a: str, b: str) -> list[MethodAnswer]:
    """Returns the answers of the methods, without controls.

    Args:
        verdicts: the methods' results, from all regions or without some
        a: a class
        b: its rival

    Returns:
        an answer for each method, in the order of the run; numbers are nan if its label is None
    """
    found, labels = [], verdicts.labels
    for method in without_controls(labels):
        label = labels[method]
        confidence = margin = lead = float("nan")
        if label is not None:
            best, _ = verdicts.top_two(method)
            confidence, margin = float(verdicts.confidences[method][best]), verdicts.margin(method)
            lead = verdicts.margin(method, a, b)
        found.append(MethodAnswer(method=method, label=label, confidence=confidence, margin=margin, lead=lead))
    return found


def evidence_sentences(evidence: Evidence) -> list[str]:
    """Returns sentences about the methods' labels, what misled WCA, and how many chains changed their vote."""
    sentences = [_labels_sentence(evidence)]
    own = {name: evidence.own_labels[name] for name in without_controls(evidence.methods)}
    moved = shares_sentence({name: str(label) for name, label in own.items() if label != evidence.labels[name]})
    sentences += [] if moved is None else [moved]
    if evidence.misleading_pair:
        a, b = evidence.misleading_pair
        crops = int(evidence.misleading.sum())
        if crops:
            share = float(wca_pull(evidence).sum())
            are = "crop is misleading: it votes" if crops == 1 else "crops are misleading: they vote"
            sentences.append(
                f"{crops} {are} for “{a}” and {'makes' if crops == 1 else 'make'} up {share:.0%} of WCA's pull there."
            )
        if evidence.case is not None:
            size = evidence.case.size
            fewest = "" if evidence.case.exact else "at most "
            removed = f"{fewest}{size} {'crop' if size == 1 else 'crops'}"
            aside = ", class shares aside" if evidence.verdicts.scoring.offsets else ""
            sentences.append(f"Without {removed} WCA would say “{b}”, as LGCA does{aside}.")
        else:
            sentences.append("No misleading crops explain it: without them, WCA would not say what LGCA says.")
    if evidence.flips:
        flipped, grown = sum(evidence.flips.values()), len(evidence.flips)
        sentences.append(f"{flipped} of {grown} crops that grew changed their vote.")
    return sentences


def shares_sentence(before: Mapping[str, str]) -> str | None:
    """Returns that known shares of the classes have decided; ``before`` is method to label without them, if another."""
    groups: dict[str, list[str]] = {}
    for method, label in before.items():
        groups.setdefault(label, []).append(method_title(method))
    if not groups:
        return None
    return f"How often each class occurs has decided: without that, {_said(groups)}."


def _labels_sentence(evidence: Evidence) -> str:
    labels = {name: evidence.labels[name] for name in without_controls(evidence.methods)}
    groups: dict[str, list[str]] = {}
    for method, label in labels.items():
        groups.setdefault(str(label), []).append(method_title(method))
    return f"{_said(groups)}."


def _said(groups: Mapping[str, list[str]]) -> str:
    parts = [
        f"{_joined(methods)} {'say' if len(methods) > 1 else 'says'} “{label}”" for label, methods in groups.items()
    ]
    return "; ".join(parts)


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
