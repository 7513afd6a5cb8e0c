"""What the run in the form would cost, and what it means for a run that exists under its key."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import RegionPlan, RunConfig, check_methods
from ...lgca_plugin.descriptions.files import match_descriptions, read_descriptions
from ...lgca_plugin.encoder.architectures import display_name
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.fiftyone_io.fields import conflicting_fields
from ...lgca_plugin.fiftyone_io.samples import ImageSamples
from ...lgca_plugin.runs.registry import PACKAGE, prediction_fields
from ..shared.form import mark_invalid
from ..shared.prompt_cache import cached_while_open
from ..shared.run_choice import run_keys
from .storage_note import add_storage_warning, read_storage, storage_line

Chosen = dict[str, Any]


def add_preview(inputs: Any, ctx: Any, chosen: Chosen) -> None:
    """Adds the cost of the run, or why it can't start; settings in ``chosen`` are None where not valid."""
    images, problem = count_images(ctx, str(ctx.params.get("view_target") or ctx.request_params.get("view_target")))
    if problem:
        mark_invalid(inputs.view("preview", types.Error(label=problem)), problem)
    elif chosen["methods"] and chosen["regions"]:
        per_image = RegionPlan.of(check_methods(chosen["methods"]), chosen["regions"]).encodes_per_image
        speed = encodes_per_second(ctx, display_name(*chosen["encoder"])) if chosen["encoder"] else None
        line = cost_line(images, per_image, speed, adaptive=chosen.get("budget") == "adaptive")
        if not chosen["encoder"]:
            inputs.view("preview", types.Notice(label=line))
            return
        storage = read_storage(ctx)
        inputs.view("preview", types.Notice(label=line, description=storage_line(chosen, images, storage)))
        add_storage_warning(inputs, chosen, images, storage)


def cost_line(images: int, encodes_per_image: int, speed: float | None, *, adaptive: bool = False) -> str:
    """Returns the cost of a run in words; ``speed`` is in encodes per second, None if not known."""
    encodes = images * encodes_per_image
    line = f"{images:,} {'image' if images == 1 else 'images'} x {encodes_per_image} encodes = {encodes:,} encodes"
    if adaptive:
        line = f"{line} under a full budget, usually less than half of them now"
    if not speed:
        return line
    return f"{line}; about {duration(encodes / speed)} at the speed of the last run with this encoder"


def duration(seconds: float) -> str:
    """Returns a duration in words."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, round(seconds))} s"


@cached_while_open
def count_images(ctx: Any, _view_target: str) -> tuple[int, str | None]:
    """Returns the number of images in the chosen view, and why they can't be classified, if so."""
    try:
        return len(ImageSamples.of(ctx.target_view(require_flat=True)).samples), None
    except ConfigError as error:
        return 0, str(error)


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


@cached_while_open
def _run_record(ctx: Any, run_key: str) -> tuple[RunConfig, dict[str, list[str]], list[str] | None]:
    """Returns a run's config, its descriptions, and the classes whose texts are templates."""
    run = load_run(ctx.dataset, run_key)
    return run.config, run.descriptions, run.results.get("templates")


def add_run_key_notes(inputs: Any, prop: Any, ctx: Any, run_key: str, chosen: Chosen) -> None:
    """Adds whether the run would continue an existing one, and the field that confirms overwriting it."""
    dataset = ctx.dataset
    overwrite = bool(ctx.params.get("overwrite"))
    own: list[str] = []
    problem = None
    if run_key in dataset.list_runs(package=PACKAGE):
        try:
            own = prediction_fields(dataset, run_key)
            config, descriptions, templates = _run_record(ctx, run_key)
            different = differences(config, chosen)
            if not different and other_descriptions(config, descriptions, templates, chosen["descriptions"]):
                different = ["descriptions"]
        except LgcaError as error:
            different = [str(error)]
        inputs.bool(
            "overwrite",
            default=False,
            label=f"Run {run_key!r} exists: start over",
            description="Ticked, its fields are deleted first; unticked, only samples without a result are classified",
        )
        if different and not overwrite:
            problem = (
                f"run {run_key!r} exists with other settings ({', '.join(different)}): "
                "start over, or choose another key"
            )
    elif run_key in dataset.list_runs():
        problem = f"{run_key!r} is the key of a run of another kind; choose another key"
    if not problem and chosen["methods"] and (overwrite or not own):
        conflicts = conflicting_fields(
            dataset, run_key, check_methods(chosen["methods"]), own, adaptive=chosen.get("budget") == "adaptive"
        )
        if conflicts:
            problem = f"field {conflicts[0]!r} exists already and belongs to no run; choose another key"
    if problem:
        mark_invalid(prop, problem)


def differences(config: RunConfig, chosen: Chosen) -> list[str]:
    """Returns the names of the settings in which a form differs from a run.

    What only the run itself can compare is left out: the labels of a field, the weights behind an encoder's name, and
    the precision that ``"auto"`` selects on the device.
    """
    in_form = {
        "classes": chosen["classes"],
        "methods": chosen["methods"] and check_methods(chosen["methods"]),
        "regions": chosen["regions"],
        "encoder": chosen["encoder"] and display_name(*chosen["encoder"]),
        "precision": None if chosen.get("precision") == "auto" else chosen.get("precision"),
        "logits": chosen.get("logits"),
        "shown_chains": chosen.get("shown_chains"),
        "budget": chosen.get("budget"),
    }
    different = [name for name, value in in_form.items() if value is not None and value != getattr(config, name)]
    if "ground_truth" in chosen and chosen["ground_truth"] != config.ground_truth:  # None is a choice here
        different.append("ground_truth")
    return different


def other_descriptions(
    config: RunConfig, descriptions: dict[str, list[str]], templates: list[str] | None, given: Any
) -> bool:
    """Returns whether descriptions differ from a run's; templates are not compared, which would import torch.

    ``templates`` are the run's classes whose texts are templates, None where it does not record them; ``given`` are
    descriptions as the form read them, None for templates alone.
    """
    try:
        found = match_descriptions(config.classes, read_descriptions(given))[0] if given is not None else {}
    except ConfigError:
        return False
    described = {name for name in config.classes if found.get(name)}
    if templates is not None and described != set(config.classes) - set(templates):
        return True
    return any(list(found[name]) != descriptions.get(name) for name in described)
