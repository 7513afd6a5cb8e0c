"""The operator ``lgca_estimate_search``, and the line in the form that shows what it estimates.

Measuring takes seconds and loads the model, for which the App's server must not wait. So the form has the App execute
this operator, which runs in a thread, and finds the result among the form's parameters. Meanwhile the form can be
submitted.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.config import RegionPlan
from ...lgca_plugin.descriptions.preview import TextPreview, name_warnings, preview_texts
from ...lgca_plugin.encoder.architectures import embedding_dim
from ...lgca_plugin.errors import LgcaError, ModelUnavailableError
from ...lgca_plugin.method.number_text import capitalized
from ...lgca_plugin.progress import duration_text
from ..shared.form import Params, loaded, mark_invalid
from ..shared.grid.boxes import on_boxes
from ..shared.results.result import ReadableOperator
from .params import ENCODER, MORE, more, read_label_field, read_options

URI = "@lgca/zero-shot/lgca_estimate_search"
SETTINGS = ("ground_truth", "of_run", "model_choice", "more", *ENCODER, *MORE)
DEVICES = {"cpu": "this machine's CPU", "cuda": "this machine's GPU", "mps": "this machine's GPU"}


class EstimateSearch(ReadableOperator):
    """Estimates how long a search for wrong labels takes; writes nothing."""

    @property
    def config(self) -> Any:
        """How it is executed; the operator browser does not list it, the form executes it."""
        return foo.OperatorConfig(
            name="lgca_estimate_search",
            label="Estimate how long a search for wrong labels takes",
            description="From the last run with the model on this machine, or measured on a few pictures",
            unlisted=True,
            risk_level=types.RiskLevel.LOW,
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Estimates the time.

        Returns:
            the fields of a :class:`SearchCost`, ``warnings``, and ``texts``, how descriptions are used; or
            ``problem``, a sentence, if there can be no search, or ``download``, one that says that the model comes
            first
        """
        from ...lgca_plugin.workflows.classify.embedding_writer import space_warnings
        from ...lgca_plugin.workflows.find.cost import search_cost
        from ...lgca_plugin.workflows.find.request import check_find

        if ctx.dataset is None:
            return {"problem": "Open a dataset first."}
        ctx = on_boxes(ctx, begin=True)
        try:
            request = check_find(read_options(ctx))
        except LgcaError as error:
            return {"problem": error.app}
        own = {} if request.texts.kept else request.texts.given
        texts = preview_texts(request.classes, own, request.texts.style) if own else TextPreview()
        warnings = [*request.warnings, *name_warnings(request.classes), *texts.warnings]
        found = {"warnings": warnings, "texts": texts.line, "unlabelled": request.unlabelled}
        try:
            cost = search_cost(request)
            plan = RegionPlan.of(request.methods, request.regions, request.budget)
            dim = None if request.source is None else embedding_dim(request.source[0])
            found["warnings"] = [*warnings, *space_warnings(cost.todo, plan, dim)]
            return {**found, **asdict(cost)}
        except ModelUnavailableError as error:
            return {**found, **_unavailable(request.encoder_name, error)}
        except LgcaError as error:
            return {"problem": error.app}


def _unavailable(model: str, error: ModelUnavailableError) -> dict[str, str]:
    """Returns what to do about a model that is not on this machine."""
    from ...lgca_plugin.encoder.checkpoints import hub_is_reachable

    if "are neither cached nor reachable" not in str(error):
        return {"problem": error.app}
    if hub_is_reachable():
        return {"download": f"The weights of {model} are not on this machine yet: they are downloaded first, once."}
    return {
        "problem": f"The weights of {model} are not on this machine, and the internet can't be reached from here. "
        "Connect it once, or choose another model, such as a checkpoint that is here."
    }


def add_estimate(inputs: Any, ctx: Any) -> None:
    """Adds the line on the cost; marks the form invalid only where there can be no search."""
    settings = {name: ctx.params[name] for name in SETTINGS if ctx.params.get(name) is not None}
    settings["ground_truth"] = read_label_field(ctx)
    stages = ctx.request_params.get("view") if more(ctx.params) else None
    key = json.dumps([settings, stages, ctx.dataset.name], sort_keys=True, default=str)
    name = f"cost_{hashlib.blake2b(key.encode(), digest_size=6).hexdigest()}"
    found = loaded(ctx.params, name)
    if found is None:
        label = "Measuring how long it takes on this machine ... you can start without waiting for it"
        inputs.loader(name, types.Object(), operator=URI, params=settings, label=label)
        return
    if found.get("problem"):
        problem = f"{capitalized(found['problem']).rstrip('.')}."
        mark_invalid(inputs.view("cost", types.Error(label=problem)), problem)
        return
    for at, warning in enumerate(found.get("warnings") or ()):
        inputs.view(f"warning{at}", types.Warning(label=capitalized(warning)))
    if found.get("texts"):
        inputs.view("texts_use", types.Notice(label=found["texts"]))
    label, note = cost_text(found)
    inputs.view("cost", types.Notice(label=label, description=note))


def cost_text(found: Params) -> tuple[str, str]:
    """Returns the line on the cost, and a note on what it is based on."""
    left_out = found.get("unlabelled") or 0
    note = f"; {pictures(left_out)} without a label {'is' if left_out == 1 else 'are'} left out" if left_out else ""
    if found.get("download"):
        return str(found["download"]), f"How long it takes is known once it runs{note}"
    todo, images, seconds = found["todo"], found["images"], float(found["seconds"])
    if not todo:
        line = f"A few seconds: all {pictures(images)} are classified already, and their labels are judged again"
        return line, f"Your decisions stay{note}"
    device = device_text(str(found["device"]))
    line = f"About {duration_text(seconds)} for {pictures(todo)} on {device}"
    if todo < images:
        line = f"{line}: new or changed among {images:,}, of which the others are classified already"
    source = f"Measured on {found['measured']} of your pictures" if found["measured"] else "As fast as the last run"
    return line, f"{source}{'; your decisions stay' if found.get('run_key') else ''}{note}"


def device_text(device: str) -> str:
    """Returns where the model runs, in words; several devices are separated by commas."""
    text, count = DEVICES.get(device.partition(":")[0], device), device.count(",") + 1
    return text if count == 1 else f"{count} devices of this machine"


def pictures(count: int) -> str:
    """Returns a number of pictures in words."""
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"
