"""Builds what the scores of a run depend on from its methods, texts and encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..method.core.run_scoring import RunScoring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config import RegionPlan
    from ..descriptions.class_texts import ClassTexts
    from ..encoder.base import TextEncoder
    from ..method.core.methods import Method


def run_scoring(methods: Sequence[Method], texts: ClassTexts, encoder: TextEncoder, plan: RegionPlan) -> RunScoring:
    """Encodes the texts of the classes and returns the scoring of images that were encoded under a plan."""
    return RunScoring(
        methods={method.name: method for method in methods},
        classes=texts.classes,
        class_vectors=texts.by_method(encoder, methods),
        logit_scale=encoder.logit_scale,
        counts=plan.crop_counts,
    )
