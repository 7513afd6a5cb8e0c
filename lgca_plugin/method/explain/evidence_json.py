"""The evidence on a sample as a plain document, for a panel to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .evidence import Evidence


def account_json(evidence: Evidence, *, top: int) -> dict[str, Any]:
    """Gives the evidence on a sample as a JSON-ready dict.

    Args:
        evidence: the evidence
        top: how many classes of each method, best first

    Returns:
        a dict with ``sample_id``, ``run_key`` and ``explained``; ``methods``: by name label, confidence, margin,
        runner_up, stability, the best classes (``top``), the pair of classes worth explaining (``pair``), the margin
        between these and the whole image's share of it (``global_contribution``); ``regions``: each with index, box,
        step, chain, similarity, vote, whether misleading, and by method, of those that look at regions, its weight and
        its share of the pair's margin (``contributions``); ``chains``: those that have grown, with their regions and
        whether they flipped; ``case``: None, or what :meth:`~.cases.MisleadingCase.to_json` gives
    """
    looking = [name for name, weights in evidence.weights.items() if weights.any()]
    shares = {name: evidence.contributions(name, *evidence.pair(name)) for name in looking}
    said = evidence.verdicts.to_json()["methods"]
    for name, of_method in said.items():
        of_method.update(_method(evidence, name, top))
    return {
        "sample_id": evidence.sample_id,
        "run_key": evidence.run_key,
        "explained": evidence.explained,
        "methods": said,
        "regions": [
            {
                "index": r,
                "box": evidence.boxes[r].tolist(),
                "step": int(evidence.step[r]),
                "chain": int(evidence.chain[r]),
                "similarity": float(evidence.similarity[r]),
                "vote": evidence.classes[evidence.vote[r]],
                "misleading": bool(evidence.misleading[r]),
                "weights": {name: float(evidence.weights[name][r]) for name in looking},
                "contributions": {name: float(shares[name][r]) for name in looking},
            }
            for r in range(len(evidence.step))
        ],
        "chains": [
            {"chain": number, "regions": evidence.regions_of(chain=number), "flipped": flipped}
            for number, flipped in evidence.flips.items()
        ],
        "case": None if evidence.case is None else evidence.case.to_json(evidence.classes),
    }


def _method(evidence: Evidence, name: str, top: int) -> dict[str, Any]:
    scores, confidences = evidence.scores[name], evidence.confidences[name]
    pair = evidence.pair(name)
    return {
        "stability": evidence.stability[name],
        "top": [
            {"label": evidence.classes[k], "score": float(scores[k]), "confidence": float(confidences[k])}
            for k in np.argsort(-scores, kind="stable")[:top]
        ],
        "pair": list(pair),
        "pair_margin": evidence.margin(name, *pair),
        "global_contribution": evidence.global_contribution(name, *pair),
    }
