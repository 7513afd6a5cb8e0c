"""What is tried before a run replaces another: afterwards it would be too late to find out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...config import DEFAULT_BUDGET
from ...engine.embeddings import EncodedImage
from ...engine.engine import encode_images
from ...errors import ImageError
from .embedding_writer import has_encoded

if TYPE_CHECKING:
    from .plan import ClassifyPlan


def try_encoder(plan: ClassifyPlan, max_failures: int) -> None:
    """Encodes noise with an encoder that is new to the store; before a run is replaced also one that is known.

    Then an image is encoded, too: the first of ``max_failures`` that can be used, for a run stops if none of them can.

    Raises:
        ConfigError: if the encoder does not return what it should
        ImageError: if a run is to be replaced, and none of the first images can be used
    """
    if not plan.todo:
        return
    replaces = plan.request.replaces
    if replaces or not has_encoded(plan):
        plan.encoder.check()
    if replaces:
        _try_images(plan, max_failures)


def _try_images(plan: ClassifyPlan, max_failures: int) -> None:
    whole = replace(plan.request.region_plan, n_crops=0, n_chains=0, steps=0, budget=DEFAULT_BUDGET)
    tried = plan.todo[:max_failures]
    reasons: list[str] = []
    for image in tried:
        for outcome in encode_images([image], encoder=plan.encoder, plan=whole, batch_size=1):
            if isinstance(outcome, EncodedImage):
                return
            reasons.append(f"{image[1]}: {outcome.reason}")
    raise ImageError(
        f"run {plan.request.run_key!r} stays as it is, because none of the first {len(tried)} images can be used; "
        f"the first is {reasons[0]}"
    )
