"""What a run would do, for the form (how many images, encodes and seconds, and what is in the way), and what it did.

The form is built again on every keystroke, so whatever asks the database is remembered for as long as it is open.
"""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import RegionPlan, RunConfig, check_methods
from ...lgca_plugin.descriptions.files import match_descriptions, read_descriptions
from ...lgca_plugin.encoder.architectures import display_name
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.fiftyone_io.fields import conflicting_fields
from ...lgca_plugin.fiftyone_io.samples import Target
from ...lgca_plugin.runs.registry import PACKAGE, list_runs, prediction_fields
from ..shared.run_choice import UNREADABLE, remembered
from .storage_note import add_room_problem, kept_line, store_room

Chosen = dict[str, Any]


def add_outlook(inputs: Any, ctx: Any, chosen: Chosen) -> None:
    """Adds the line that says what the run would cost, or why it can't start.

    Args:
        inputs: the form
        ctx: the operator's context
        chosen: ``methods``, ``regions`` and ``encoder`` as the form's parts returned them, None where not valid, and
            ``store_regions``
    """
    images, problem = target_size(ctx)
    if problem:
        prop = inputs.view("outlook", types.Error(label=problem))
        prop.invalid = True
        prop.error_message = problem
    elif chosen["methods"] and chosen["regions"]:
        per_image = RegionPlan.of(check_methods(chosen["methods"]), chosen["regions"]).encodes_per_image
        speed = encodes_per_second(ctx, display_name(*chosen["encoder"])) if chosen["encoder"] else None
        line = outlook_line(images, per_image, speed, adaptive=chosen.get("budget") == "adaptive")
        if not chosen["encoder"]:
            inputs.view("outlook", types.Notice(label=line))
            return
        room = remembered(ctx, store_room)
        kept = kept_line(chosen, images, room)
        inputs.view("outlook", types.Notice(label=line, description=kept))
        add_room_problem(inputs, chosen, images, room)


def outlook_line(images: int, encodes_per_image: int, speed: float | None, *, adaptive: bool = False) -> str:
    """Puts the cost of a run into words.

    Args:
        images: how many images
        encodes_per_image: encodes that each of them takes at most
        speed: encodes per second of the last run with this encoder, None if there was none
        adaptive: whether images stop early, so that the cost is that of a full budget, and no promise
    """
    encodes = images * encodes_per_image
    line = f"{images:,} {'image' if images == 1 else 'images'} x {encodes_per_image} encodes = {encodes:,} encodes"
    if adaptive:
        line = f"{line} under a full budget, as a rule less than half of them now"
    if not speed:
        return line
    return f"{line}; about {duration(encodes / speed)} at the speed of the last run with this encoder"


def duration(seconds: float) -> str:
    """Puts a duration into words."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, round(seconds))} s"


def target_size(ctx: Any) -> tuple[int, str | None]:
    """Counts the images of the chosen view, or says why they can't be classified."""
    chosen = ctx.params.get("view_target") or ctx.request_params.get("view_target")
    images, problem = remembered(ctx, _target_size, str(chosen))
    return images, problem


def encodes_per_second(ctx: Any, encoder: str) -> float | None:
    """Looks up the speed that the last run with an encoder has recorded."""
    speed = remembered(ctx, _encodes_per_second, encoder)
    return float(speed) if speed else None


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _target_size(ctx: Any, _chosen: str) -> list[Any]:
    try:
        return [len(Target.of(ctx.target_view(require_flat=True)).samples), None]
    except ConfigError as error:
        return [0, str(error)]


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _encodes_per_second(ctx: Any, encoder: str) -> float:
    for key in reversed(list_runs(ctx.dataset)):
        try:
            summary = load_run(ctx.dataset, key).summary()
        except UNREADABLE:
            continue
        recalled_most = summary.get("images_recalled", 0) > summary.get("images_encoded", 0)  # tells nothing of speed
        if summary.get("encoder") == encoder and summary.get("encodes_per_second") and not recalled_most:
            return float(summary["encodes_per_second"])
    return 0.0


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _run_record(ctx: Any, run_key: str) -> dict[str, Any]:
    run = load_run(ctx.dataset, run_key)
    return {"config": run.config.to_json(), "descriptions": run.descriptions, "templates": run.results.get("templates")}


def add_run_key_notes(inputs: Any, prop: Any, ctx: Any, run_key: str, chosen: Chosen) -> None:
    """Says what a run key that is in use means for the run, and asks before anything is overwritten.

    Args:
        inputs: the form
        prop: the run key's property
        ctx: the operator's context
        run_key: a valid run key
        chosen: the settings as the form's parts returned them, None where not valid
    """
    dataset = ctx.dataset
    overwrite = bool(ctx.params.get("overwrite"))
    own: list[str] = []
    problem = None
    if run_key in dataset.list_runs(package=PACKAGE):
        try:
            own = prediction_fields(dataset, run_key)
            record = remembered(ctx, _run_record, run_key)
            config = RunConfig.from_json(record["config"])
            different = differences(config, chosen)
            if not different and other_descriptions(config, record, chosen["descriptions"]):
                different = ["descriptions"]
        except LgcaError as error:
            different = [str(error)]
        except UNREADABLE:
            different = ["its record can't be read"]
        inputs.bool(
            "overwrite",
            default=False,
            label=f"Run {run_key!r} exists: start over",
            description="Ticked, its fields are deleted first; unticked, the run does only what is missing",
        )
        if different and not overwrite:
            problem = (
                f"run {run_key!r} exists with other settings ({', '.join(different)}): "
                "start over, or choose another key"
            )
    elif run_key in dataset.list_runs():
        problem = f"{run_key!r} is the key of a run of another kind; choose another key"
    if not problem and chosen["methods"] and (overwrite or not own):
        taken = conflicting_fields(
            dataset, run_key, check_methods(chosen["methods"]), own, adaptive=chosen.get("budget") == "adaptive"
        )
        if taken:
            problem = f"field {taken[0]!r} exists already and belongs to no run; choose another key"
    if problem:
        prop.invalid = True
        prop.error_message = problem


def differences(config: RunConfig, chosen: Chosen) -> list[str]:
    """Names the settings in which a form differs from a run.

    Left out is what shows only later: the labels of a field, the weights behind an encoder's name, and the precision
    that ``"auto"`` comes to on the device.

    Args:
        config: what the run was asked to do
        chosen: the settings as the form's parts returned them, None where not valid
    """
    asked = {
        "classes": chosen["classes"],
        "methods": chosen["methods"] and check_methods(chosen["methods"]),
        "regions": chosen["regions"],
        "encoder": chosen["encoder"] and display_name(*chosen["encoder"]),
        "precision": None if chosen.get("precision") == "auto" else chosen.get("precision"),
        "logits": chosen.get("logits"),
        "shown_chains": chosen.get("shown_chains"),
        "budget": chosen.get("budget"),
    }
    different = [name for name, wanted in asked.items() if wanted is not None and wanted != getattr(config, name)]
    if "ground_truth" in chosen and chosen["ground_truth"] != config.ground_truth:  # None is a choice here
        different.append("ground_truth")
    return different


def other_descriptions(config: RunConfig, record: dict[str, Any], given: Any) -> bool:
    """Tells whether descriptions differ from a run's; the templates are not compared, for they would import torch.

    Args:
        config: what the run was asked to do
        record: the texts that each class was scored with, and the classes whose texts are templates
        given: descriptions as the form read them, None for templates alone
    """
    try:
        found = match_descriptions(config.classes, read_descriptions(given))[0] if given is not None else {}
    except ConfigError:
        return False
    described = {name for name in config.classes if found.get(name)}
    if record["templates"] is not None and described != set(config.classes) - set(record["templates"]):
        return True
    return any(list(found[name]) != record["descriptions"].get(name) for name in described)
