"""What is tried before a run begins, or replaces another: afterwards it would be too late to find out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...config import DEFAULT_BUDGET
from ...encoder.loading import load_encoder
from ...engine.embeddings import EncodedImage
from ...engine.engine import encode_images
from ...engine.region_expansion import NOT_FINITE
from ...errors import ImageError
from .embedding_writer import has_encoded
from .plan import prepare_classify

if TYPE_CHECKING:
    from .plan import ClassifyPlan

FIRST_IMAGES = 8
"""Number of a run's images with which an automatic half precision is tried."""


def tried(plan: ClassifyPlan, max_failures: int) -> ClassifyPlan:
    """Encodes noise with an encoder that is new to the store; before a run is replaced also one that is known.

    If its half precision was chosen automatically, the first images are tried, too: where one overflows, the plan is
    made anew with the next precision, which is then the run's. Before a run is replaced an image is encoded, too: the
    first of ``max_failures`` that can be used, for a run stops if none of them can.

    Raises:
        ConfigError: if the encoder does not return what it should
        ImageError: if a run is to be replaced, and none of the first images can be used
    """
    if not plan.todo:
        return plan
    replaces = plan.request.replaces
    if replaces or not has_encoded(plan):
        if plan.encoder.wider_precisions and plan.encoder.source is not None and plan.request.existing is None:
            plan = _without_overflow(plan)
        plan.encoder.check()
    if replaces:
        _try_images(plan, max_failures)
    return plan


def _without_overflow(plan: ClassifyPlan) -> ClassifyPlan:
    encoder = plan.encoder
    images = plan.todo[:FIRST_IMAGES]
    whole = replace(plan.request.region_plan, n_crops=0, n_chains=0, steps=0, budget=DEFAULT_BUDGET)
    outcomes = list(encode_images(images, encoder=encoder, plan=whole, fill_up=False))
    if not any(not isinstance(one, EncodedImage) and one.reason == NOT_FINITE for one in outcomes):
        return plan
    assert encoder.source is not None  # noqa: S101 (checked by the caller)
    device, precision = str(encoder.device), encoder.wider_precisions[0]
    wider = prepare_classify(plan.request, load_encoder(*encoder.source, device=device, precision=precision))
    wider.warnings.append(
        f"{encoder.name} overflows in {encoder.precision} on the first images, so images are embedded in {precision}"
    )
    return wider


def _try_images(plan: ClassifyPlan, max_failures: int) -> None:
    whole = replace(plan.request.region_plan, n_crops=0, n_chains=0, steps=0, budget=DEFAULT_BUDGET)
    images = plan.todo[:max_failures]
    reasons: list[str] = []
    for image in images:
        for outcome in encode_images([image], encoder=plan.encoder, plan=whole, batch_size=1):
            if isinstance(outcome, EncodedImage):
                return
            reasons.append(f"{image[1]}: {outcome.reason}")
    raise ImageError(
        f"run {plan.request.run_key!r} stays as it is, because none of the first {len(images)} images can be used; "
        f"the first is {reasons[0]}"
    )
