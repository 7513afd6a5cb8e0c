"""The fields of a triage on the samples: their names."""

from __future__ import annotations

CASE = "case"
MISLEADING = "misleading"
STABILITY = "stability"
QUALITY = "label_quality"
SUGGESTION = "suggestion"
DECISION = "decision"

COMPUTED = (CASE, MISLEADING, STABILITY, QUALITY, SUGGESTION)
"""What a triage computes, and computes anew; a decision is a person's."""

CALIBRATED = "calibrated"
LABEL_QUALITY = "label_quality"


def triage_field(run_key: str, name: str) -> str:
    """Names one of the fields that a triage of a run writes."""
    return f"{run_key}_{name}"
