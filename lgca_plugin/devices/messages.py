"""Scored images as numbers, texts and arrays, which go from one process to another.

Objects of this package do not: in the App its modules have other names than in its processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..engine.embeddings import EncodedImage, FailedImage
from ..images.boxed import BoxedImage
from ..method.explain.region_findings import SampleFindings
from ..prediction.displayed_regions import DisplayedRegion
from ..prediction.predictor import MethodPrediction, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

READY, SCORED, COUNTED, FAILED, ENDED = "ready", "scored", "counted", "failed", "ended"
"""What a process sends: its batch size, scored images, counts of the engine, why it can't go on, that it is through."""

Source = tuple[str, "str | BoxedImage"]
Scored = tuple["EncodedImage[str] | FailedImage[str]", "Prediction | None"]
"""An image that was encoded, and its prediction; a failed one has none."""


def plain_sources(sources: Sequence[Source]) -> list[tuple[str, Any]]:
    """Returns sample ids, with paths or boxes in files, for :func:`read_sources`."""
    return [(id_, vars(one) if isinstance(one, BoxedImage) else str(one)) for id_, one in sources]


def read_sources(sources: Sequence[tuple[str, Any]]) -> list[Source]:
    """Returns what :func:`plain_sources` was given."""
    return [(id_, one if isinstance(one, str) else BoxedImage(**one)) for id_, one in sources]


def plain_outcome(outcome: EncodedImage[str] | FailedImage[str], prediction: Prediction | None, *, logits: bool) -> Any:
    """Returns a scored image for :func:`read_outcome`; without logits, unless they are to be kept."""
    if prediction is None:
        return vars(outcome), None
    methods = {name: vars(one) if logits else {**vars(one), "logits": None} for name, one in prediction.methods.items()}
    regions = [vars(region) for region in prediction.regions]
    finding = None if prediction.finding is None else vars(prediction.finding)
    return vars(outcome), {"methods": methods, "regions": regions, "vectors": prediction.vectors, "finding": finding}


def read_outcome(message: Any) -> Scored:
    """Returns what :func:`plain_outcome` was given."""
    outcome, prediction = message
    if prediction is None:
        return FailedImage(**outcome), None
    methods = {name: MethodPrediction(**one) for name, one in prediction["methods"].items()}
    regions = [DisplayedRegion(**region) for region in prediction["regions"]]
    finding = None if prediction["finding"] is None else SampleFindings(**prediction["finding"])
    return EncodedImage(**outcome), Prediction(methods, regions, prediction["vectors"], finding)
