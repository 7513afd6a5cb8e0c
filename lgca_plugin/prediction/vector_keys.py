"""Keys of the image vectors that are stored of each image: methods with the same key have the same vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..method.core.scores import MIN_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..config import RegionPlan
    from ..method.core.methods import Method

WHOLE = "whole image"
"""Vector key of the whole image's embedding."""


def vector_keys(methods: Sequence[Method], plan: RegionPlan, texts: str) -> tuple[str, ...]:
    """Returns the keys of the image vectors that are stored of each image: :data:`WHOLE`, then the methods' own."""
    named = (vector_key(method, plan, texts) for method in methods)
    return tuple(dict.fromkeys([WHOLE, *(name for name in named if name)]))


def vector_key(method: Method, plan: RegionPlan, texts: str) -> str | None:
    """Returns the key of a method's image vector: methods with the same key have the same vectors.

    Vectors of methods that weigh regions by class depend on the texts of the classes, so these are in their keys.

    Args:
        method: the preset
        plan: the regions of the images
        texts: digest of the texts of the classes, see :attr:`.class_texts.ClassTexts.digest`

    Returns:
        the key; None if there is no such vector, but one of each of several encoders
    """
    if method.weighting == "learned":
        return None
    if method.regions == "none":
        return WHOLE
    scale = {"salience": f" {method.image_scale!r}", "uniform": ""}.get(method.weighting)
    if scale is None:
        scale = f" {method.decisiveness!r} at {method.temperature!r}"
    name = f"{method.weighting}{scale} + {method.global_weight!r} whole"
    if method.by_class:
        text_scale = f" {method.text_scale!r}" if method.class_vectors == "weighted" else ""
        pixels = f", from {MIN_PIXELS} pixels on" if method.weighting == "sized" else ""
        name += f" by {method.class_vectors}{text_scale} texts {texts}{pixels}"
    # An adaptive plan's vectors depend on where each image stopped: they differ from those of a full budget.
    spread = "" if plan.spread_of is None else f", spread of {plan.spread_of}"
    crops = f"{_sizes(level.n_crops for level in plan.levels)} crops"
    if method.regions == "crops":
        return f"{name} of {crops}{spread}"
    steps = "" if method.step_weights is None else f" as {list(method.step_weights[: plan.steps + 1])}"
    regions = plan.regions
    chains = _sizes(level.n_chains for level in plan.levels)
    grown = f"in {plan.steps} steps{steps}, keep {regions.keep!r}, {regions.growth!r}"
    sampled = f"{crops} and " if method.regions == "all" else ""
    return f"{name} of {sampled}{chains} chains {grown}{spread}"


def _sizes(sizes: Iterable[int]) -> str:
    return "|".join(str(size) for size in dict.fromkeys(sizes))
