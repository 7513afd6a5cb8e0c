"""The part of the form of ``lgca_find_wrong_labels`` for predictions that are on the samples already."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import DEMO_MARKER
from ...lgca_plugin.errors import ConfigError, shown
from ...lgca_plugin.runs.proposals import is_predicted, prediction_choices
from ...lgca_plugin.workflows.find.labels import FOLLOW_LABELS
from ...lgca_plugin.workflows.find.predictions import PredictionOptions
from ..shared.classes import parse_classes
from ..shared.form import Params, add_dropdown, add_tabs, checked
from ..shared.prompt_cache import cached_while_open
from .params import more, read_label_field, read_run_key

MODEL, PREDICTIONS = "model", "predictions"
SOURCES = {MODEL: "A model looks at the pictures", PREDICTIONS: "Predictions that are there"}
ADVICE = (
    "Fields of predictions, of your own classifiers or of runs; one is enough, more find more. A classifier that was "
    "trained on these very labels agrees with their mistakes: take predictions out of fold"
)


@cached_while_open
def prediction_fields(ctx: Any) -> list[str]:
    """Returns the fields that may hold predictions; on the demo, the drawn classes are none."""
    is_demo = DEMO_MARKER in (ctx.dataset.info or {})
    return [name for name in prediction_choices(ctx.dataset) if not (is_demo and name == "truth")]


def choices_beside(ctx: Any, ground_truth: str) -> list[str]:
    """Returns the fields that may judge the labels of a field."""
    return [name for name in prediction_fields(ctx) if name != ground_truth]


def by_predictions(params: Params) -> bool:
    """Returns whether predictions judge; without the choice, whether code has passed any."""
    source = params.get("judged_by") or (PREDICTIONS if params.get("predictions") else MODEL)
    return source == PREDICTIONS and not params.get("of_run")


def add_source(inputs: Any, ctx: Any, ground_truth: str) -> None:
    """Adds the choice between a model and predictions, where there are any."""
    if choices_beside(ctx, ground_truth) or by_predictions(ctx.params):
        chosen = PREDICTIONS if by_predictions(ctx.params) else MODEL
        add_tabs(inputs, "judged_by", chosen, SOURCES, label="What the labels are checked against")


def add_predictions(inputs: Any, ctx: Any, ground_truth: str) -> None:
    """Adds the choice of the predictions, and what happens with them."""
    choices = choices_beside(ctx, ground_truth)
    proposed = proposed_predictions(choices)
    prop = add_dropdown(
        inputs, "predictions", choices, many=True, default=proposed, label="Predictions", description=ADVICE
    )
    fields = checked(prop, read_fields, ctx, ground_truth)
    note = "Names the run and its fields; empty: the last search with these predictions goes on, or a free key is taken"
    about = "The classes, and the run's key"
    inputs.bool("more", default=more(ctx.params), label="More", description=about, view=types.SwitchView())
    if more(ctx.params):
        of_labels = "Empty: those that are set on the dataset, else all labels of the field"
        view = types.TextFieldView(multiline=True, rows=5)
        if isinstance(ctx.params.get("classes"), list):  # as code passes them
            named = inputs.list("classes", types.String(), required=False, label="Class names")
        else:
            label = "Class names, one a line (optional)"
            named = inputs.str("classes", required=False, label=label, description=of_labels, view=view)
        checked(named, read_classes, ctx.params)
        own = inputs.str("run_key", label="Run key", required=False, description=note)
        checked(own, read_run_key, ctx.params)
    if fields:
        label = "Seconds: no model is loaded, and no picture is looked at"
        inputs.view("cost", types.Notice(label=label, description="Logits say most, then confidences, then labels"))


def proposed_predictions(choices: list[str]) -> list[str]:
    """Returns the predictions that the form proposes: those with a usual name, else the first."""
    return [name for name in choices if is_predicted(name)] or choices[:1]


def read_fields(ctx: Any, ground_truth: str) -> list[str]:
    """Reads the fields of predictions; without any, those that the form proposes."""
    choices = choices_beside(ctx, ground_truth)
    given = ctx.params.get("predictions")
    if isinstance(given, str):
        given = [given]
    elif given is not None and not isinstance(given, list | tuple):
        raise ConfigError(
            f"predictions must be a list of fields, got {shown(given)}", app="choose fields of predictions"
        )
    fields = proposed_predictions(choices) if given is None else [str(name) for name in given]
    if not fields:
        raise ConfigError(
            "predictions is empty: name at least one field of predictions",
            app="choose at least one field of predictions",
        )
    for name in fields:
        if name == ground_truth:
            raise ConfigError(f"{name!r} holds the labels that are checked: choose another field")
    return fields


def read_classes(params: Params) -> tuple[str, ...] | None:
    """Reads the classes; None takes those of the dataset or the labels."""
    given = params.get("classes")
    return None if given in (None, "", [], FOLLOW_LABELS) else parse_classes(given)


def read_prediction_options(ctx: Any) -> PredictionOptions:
    """Reads all settings of a search by predictions."""
    ground_truth = read_label_field(ctx)
    return PredictionOptions(
        dataset=ctx.dataset,
        ground_truth=ground_truth,
        predictions=read_fields(ctx, ground_truth),
        classes=read_classes(ctx.params) if more(ctx.params) else None,
        run_key=read_run_key(ctx.params) if more(ctx.params) else None,
    )
