"""The classification that is a part of a search: its request, with the settings of the run that is gone on with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..classify.request import ClassifyOptions, check_classify

if TYPE_CHECKING:
    from ...runs.record import RunRecord
    from ..classify.request import ClassifyRequest
    from .request import FindRequest


def classification(request: FindRequest, run: RunRecord | None, *, replaces: bool = False) -> ClassifyRequest:
    """Returns the checked classification of a search's images.

    Args:
        request: the search
        run: the run to go on with, which has the request's classes and descriptions; None for a new run
        replaces: whether the new run replaces the one under its key
    """
    settings: dict[str, Any] = {"classes": request.classes, "ground_truth": request.ground_truth}
    if run is not None:
        stored = run.results.get("stored") or {}
        settings = {
            "classes": run.config.classes,
            "ground_truth": run.config.ground_truth,
            "logits": run.config.logits,
            "shown_chains": run.config.shown_chains,
            "store_regions": bool(stored.get("regions", True)),
            "shares": run.config.shares,
        }
    options = ClassifyOptions(
        samples=request.target.samples,
        descriptions=request.texts.given or None,
        description_style=request.texts.style,
        display_names=request.names.display,
        prompt=request.names.prompt,
        run_key=request.run_key,
        methods=request.methods,
        regions=request.regions,
        budget=request.budget,
        batch_size=request.options.batch_size,
        device=request.options.device,
        overwrite=replaces,
        **settings,
    )
    return replace(check_classify(options), entries=request.entry.to_results())
