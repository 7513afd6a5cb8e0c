"""What the run in the form would cost, and what it means for a run that exists under its key."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import DEFAULT_BUDGET, RegionPlan, check_methods
from ...lgca_plugin.encoder.architectures import display_name
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.fiftyone_io.samples import ImageSamples
from ...lgca_plugin.progress import duration_text
from ..shared.form import mark_invalid
from ..shared.prompt_cache import cached_while_open
from ..shared.run_choice import run_keys
from .class_notes import view_target
from .storage_note import add_storage_warning, read_storage, storage_line

Chosen = dict[str, Any]

FEWER = {
    "adaptive": "under a full budget, usually less than half of them now",
    "economical": "at most, usually fewer",
}
"""How many of these encodes each budget takes."""


def add_preview(inputs: Any, ctx: Any, chosen: Chosen) -> None:
    """Adds the cost of the run, or why it can't start; settings in ``chosen`` are None where not valid."""
    images, problem = count_images(ctx, view_target(ctx))
    if problem:
        mark_invalid(inputs.view("preview", types.Error(label=problem)), problem)
    elif chosen["methods"] and chosen["regions"]:
        budget = chosen.get("budget") or DEFAULT_BUDGET
        per_image = RegionPlan.of(check_methods(chosen["methods"]), chosen["regions"], budget).encodes_per_image
        speed = encodes_per_second(ctx, display_name(*chosen["encoder"])) if chosen["encoder"] else None
        line = cost_line(images, per_image, speed, budget)
        if not chosen["encoder"]:
            inputs.view("preview", types.Notice(label=line))
            return
        storage = read_storage(ctx)
        inputs.view("preview", types.Notice(label=line, description=storage_line(chosen, images, storage)))
        add_storage_warning(inputs, chosen, images, storage)


def cost_line(images: int, encodes_per_image: int, speed: float | None, budget: str = DEFAULT_BUDGET) -> str:
    """Returns the cost of a run in words; ``speed`` is in encodes per second, None if not known."""
    encodes = images * encodes_per_image
    line = f"{images:,} {'image' if images == 1 else 'images'} x {encodes_per_image} encodes = {encodes:,} encodes"
    if budget in FEWER:
        line = f"{line} {FEWER[budget]}"
    if not speed:
        return line
    return f"{line}; about {duration_text(encodes / speed)} at the speed of the last run with this encoder"


@cached_while_open
def count_images(ctx: Any, _view_target: str) -> tuple[int, str | None]:
    """Returns the number of images in the chosen view, and why they can't be classified, if so."""
    try:
        return len(ImageSamples.of(ctx.target_view(require_flat=True)).samples), None
    except ConfigError as error:
        return 0, error.app


@cached_while_open
def encodes_per_second(ctx: Any, encoder: str) -> float | None:
    """Returns the speed of the last run with an encoder; None if there was none."""
    for key in run_keys(ctx.dataset):
        try:
            summary = load_run(ctx.dataset, key).summary()
        except LgcaError:
            continue
        mostly_from_store = summary.get("images_recalled", 0) > summary.get("images_encoded", 0)
        if summary.get("encoder") == encoder and summary.get("encodes_per_second") and not mostly_from_store:
            return float(summary["encodes_per_second"])
    return None
