"""The form of ``lgca_find_wrong_labels``: the label field, the model and the cost; all else under "More"."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import check_methods
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.method.core.methods import METHODS, compared_methods
from ...lgca_plugin.method.number_text import capitalized
from ...lgca_plugin.workflows.find.labels import FOLLOW_LABELS
from ...lgca_plugin.workflows.find.request import DEFAULT_BUDGET
from ..shared.classes import add_names, add_shares, parse_classes
from ..shared.descriptions import add_descriptions
from ..shared.encoder import add_encoder
from ..shared.form import Params, add_dropdown, add_method_choice, add_tabs, checked
from .estimate import add_estimate
from .params import (
    DEFAULT_METHODS,
    MODEL_NOTES,
    OTHER,
    chosen_model,
    class_choice,
    has_all,
    label_choices,
    model_choices,
    more,
    read_label_field,
    read_none_below,
    read_options,
    read_run_key,
)
from .predictions import add_predictions, add_source, by_predictions

BUDGET_NOTES = {
    "adaptive": "Quick: a picture is done as soon as more crops would hardly change its result",
    "economical": "Economical: the same with a third of the crops, those that overlap least",
    "full": "Full: all crops of every picture",
}


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    params = ctx.params
    choices = label_choices(ctx)
    note = "The labels to check; they stay as they are"
    default = read_label_field(ctx)
    add_dropdown(inputs, "ground_truth", choices, default=default, label="Label field", description=note)
    if params.get("of_run"):
        label = f"Its labels are checked against run {params['of_run']!r}, which has classified the pictures"
        inputs.view("of_run_note", types.Notice(label=label))
        add_estimate(inputs, ctx)
        return
    add_source(inputs, ctx, default)
    if by_predictions(params):
        add_predictions(inputs, ctx, default)
        return
    model = _add_model(inputs, ctx)
    inputs.bool(
        "more",
        default=more(params),
        label="More",
        description="Which pictures, classes and how often each occurs, descriptions, methods and the run's key",
        view=types.SwitchView(),
    )
    valid = _add_more(inputs, ctx) if has_all(ctx) else True
    if model and valid:
        add_estimate(inputs, ctx)


def _add_model(inputs: Any, ctx: Any) -> bool:
    """Adds the choice of the model; returns whether it is valid."""
    view = types.DropdownView()
    for value in model_choices(ctx):
        label, note = MODEL_NOTES[value]
        view.add_choice(value, label=label, description=note)
    choice = chosen_model(ctx)
    note = MODEL_NOTES[choice][1] if choice in MODEL_NOTES else ""
    inputs.enum("model_choice", view.values(), default=choice, label="Model", description=note.capitalize(), view=view)
    return choice != OTHER or add_encoder(inputs, ctx.params) is not None


def _add_more(inputs: Any, ctx: Any) -> bool:
    """Adds all else; returns whether it is valid."""
    params = ctx.params
    ctx.target_view(require_flat=True)  # makes FiftyOne offer the choice of view
    valid = _add_classes(inputs, params)
    add_names(inputs, params, None, kept="Empty: as for the last search. ")
    add_descriptions(inputs, params, ctx.dataset, automatic=True)
    note = "One that sees the whole picture, one that sees crops, and one whose crops grow are compared"
    prop = add_method_choice(inputs, "methods", METHODS, default=DEFAULT_METHODS, description=note)
    valid = checked(prop, _check_methods, params.get("methods") or DEFAULT_METHODS) is not None and valid
    view = types.RadioGroup()
    for name, note in BUDGET_NOTES.items():
        view.add_choice(name, label=note)
    inputs.enum("budget", view.values(), default=DEFAULT_BUDGET, label="Crops", view=view)
    before = "As for the last search, else not known. "
    add_shares(inputs, params, label_choices(ctx), None, kept="Automatic", before=before)
    note = "Such as 0.5: pictures whose likeliest class is less probable are answered so; empty: as for the last search"
    prop = inputs.float("none_below", required=False, label="None of these below (optional)", description=note)
    valid = checked(prop, _check_none, params) is not None and valid
    note = "Names the run and its fields; empty: the last search goes on, or a new one gets a free key"
    prop = inputs.str("run_key", label="Run key", required=False, description=note)
    checked(prop, read_run_key, params)
    try:
        read_options(ctx)
    except ConfigError:  # shown under its field
        return False
    return valid


def _check_none(params: Params) -> bool:
    read_none_below(params)
    return True


def _check_methods(names: list[str]) -> object:
    return compared_methods(check_methods(names), run_key="")


def _add_classes(inputs: Any, params: Params) -> bool:
    """Adds the classes; returns whether they are valid."""
    source = class_choice(params)
    sources = {"field": "Automatic", FOLLOW_LABELS: "From the labels", "typed": "Type them"}
    from_labels = "those that are set on the dataset, else all labels of the field"
    notes = {
        "field": f"Those typed for the last search, else {from_labels}",
        FOLLOW_LABELS: f"{capitalized(from_labels)}, whatever was typed for the last search",
    }
    add_tabs(inputs, "class_source", source, sources, label="Classes", description=notes.get(source, ""))
    if source != "typed":
        return True
    if isinstance(params.get("classes"), list):  # as code passes them
        prop = inputs.list("classes", types.String(), label="Class names")
    else:
        view = types.TextFieldView(multiline=True, rows=5)
        prop = inputs.str("classes", label="Class names, one a line", view=view)
    return checked(prop, parse_classes, params.get("classes")) is not None
