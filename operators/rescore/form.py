"""The form of ``lgca_rescore``, part by part: each adds its fields and returns what was chosen, None if not valid."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.method.core.methods import Method, method_description
from ..shared import form as forms
from ..shared import params as settings
from ..shared.params import Params
from ..shared.run_choice import initial, known_runs, newest, of_run
from . import params as rescoring
from .params import KEEP
from .preview import add_outlook, add_result, add_written
from .source import Source, read_source
from .suggest import add_suggestion

SETTING_NOTES = {
    "image_scale": ("image scale", "exponent; higher: fewer crops decide"),
    "decisiveness": ("decisiveness", "higher: fewer crops decide"),
    "text_scale": ("text scale", "exponent; higher: fewer texts decide"),
    "global_weight": ("whole image", "its weight beside the crops (lambda_g)"),
    "step_weights": ("step weights", "one a step, with commas (lambda_t)"),
}


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    params = ctx.params
    source = add_run(inputs, ctx)
    if source is None:
        return
    classes = add_classes(inputs, params, source)
    forms.add_descriptions(inputs, params, ctx.dataset, keep=True)
    methods = add_methods(inputs, params, source)
    choices = forms.label_fields(ctx.dataset, keep=source.config.ground_truth)
    presets, steps = add_settings(inputs, params, source, methods, choices)
    add_result(inputs, ctx, source, presets)
    shown_chains = add_written(inputs, params, source)
    if presets and shown_chains is not None:
        new_texts = bool(classes) or settings.description_source(params, KEEP) != KEEP
        add_outlook(inputs, source, presets, steps=steps, boxes=shown_chains > 0, new_texts=new_texts)


def add_run(inputs: Any, ctx: Any) -> Source | None:
    """Adds the choice of the run; the newest that can be read is proposed. None if it can't be rescored."""
    runs = known_runs(ctx)
    view = types.DropdownView()
    for key, note, _ in runs:
        view.add_choice(key, label=key, description=note)
    prop = inputs.enum(
        "run",
        view.values(),
        default=newest(runs),
        label="Run",
        description="Its images are scored anew from their stored embeddings; none of them is encoded",
        view=view,
    )
    source: Source | None = forms.checked(prop, read_source, ctx)
    if source is not None and source.problem:
        prop.invalid = True
        prop.error_message = source.problem
        return None
    return source


def add_classes(inputs: Any, params: Params, source: Source) -> tuple[str, ...] | None:
    """Adds the classes: the run's, or its list to edit."""
    chosen = rescoring.class_source(params)
    names = source.config.classes
    forms.tabs(inputs, "class_source", chosen, {KEEP: f"Keep all {len(names):,}", "typed": "Edit"}, label="Classes")
    if chosen == KEEP:
        return None
    if isinstance(params.get("classes"), list):  # as code passes them
        prop = inputs.list("classes", types.String(), label="Class names")
    else:
        view = types.TextFieldView(multiline=True, rows=min(len(names) + 1, 12))
        name, default = of_run("classes", source.key), params.get("classes") or "\n".join(names)
        prop = inputs.str(name, default=default, label="Class names, one a line", view=view)
    classes: tuple[str, ...] | None = forms.checked(prop, rescoring.read_classes, params, source)
    if classes:
        inputs.view("class_changes", types.Notice(label=class_changes(names, classes)))
    return classes


def class_changes(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """Says in which classes two lists differ."""
    new, gone = [name for name in after if name not in before], [name for name in before if name not in after]
    parts = [f"{len(names):,} {what}: {listed(names)}" for names, what in ((new, "new"), (gone, "left out")) if names]
    return "; ".join(parts) or "The same classes in another order"


def listed(names: list[str], most: int = 8) -> str:
    """Lists some names."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def add_methods(inputs: Any, params: Params, source: Source) -> tuple[Method, ...] | None:
    """Adds the choice of the methods among those whose regions were encoded."""
    view = types.DropdownView()
    for name in source.possible:
        view.add_choice(name, label=name, description=method_description(name))
    prop = inputs.list(
        of_run("methods", source.key),
        types.String(),
        default=params.get("methods") or [method.name for method in source.config.methods],
        label="Methods",
        description="The run's, and others whose regions it has encoded",
        view=view,
    )
    methods: tuple[Method, ...] | None = forms.checked(prop, rescoring.read_methods, params, source)
    return methods


def add_settings(
    inputs: Any, params: Params, source: Source, methods: tuple[Method, ...] | None, choices: list[str]
) -> tuple[tuple[Method, ...] | None, int]:
    """Adds the settings of the methods: the run's, changed, or suggested.

    Returns:
        the methods with their settings, None if not valid; and the number of expansion steps
    """
    origin = rescoring.settings_source(params)
    ways = {KEEP: "Keep", "change": "Change", "suggest": "Suggest from labels"}
    note = "How crops, descriptions and expansion steps are weighted"
    prop = forms.tabs(inputs, "settings_source", origin, ways, label="Settings", description=note)
    if origin == KEEP or methods is None:
        return methods, source.steps
    field, suggestion = None, {}
    if origin == "suggest":
        field = rescoring.label_field(params, source, choices)
        found = add_suggestion(inputs, params, source, choices)
        if found is None:
            return None, source.steps
        suggestion = found
    steps = add_steps(inputs, params, source, methods)
    proposed = forms.checked(prop, rescoring.proposed, params, source, methods, suggestion)
    presets = [
        add_method_settings(inputs, params, source, method, field=field, steps=source.steps if steps is None else steps)
        for method in proposed or ()
    ]
    valid = steps is not None and proposed is not None and None not in presets
    return tuple(presets) if valid else None, source.steps if steps is None else steps


def add_steps(inputs: Any, params: Params, source: Source, methods: tuple[Method, ...]) -> int | None:
    """Adds the number of expansion steps, where a method has some."""
    if not source.steps or all(method.regions != "chains" for method in methods):
        return source.steps
    prop = inputs.int(
        of_run("steps", source.key),
        default=initial(params, "steps", source.steps),
        label="Expansion steps (T)",
        description=f"0 to {source.steps}, as many as were encoded",
    )
    return forms.checked(prop, read_steps, params, source)


def read_steps(params: Params, source: Source) -> int:
    """Reads the number of expansion steps, the run's own included."""
    steps = rescoring.read_steps(params, source)
    return source.steps if steps is None else steps


def add_method_settings(
    inputs: Any, params: Params, source: Source, method: Method, *, field: str | None, steps: int
) -> Method | None:
    """Adds a row with the settings of one method.

    Args:
        inputs: the form
        params: ``ctx.params``
        source: the run
        method: the preset that the fields start from
        field: the label field that it was suggested by, if it was
        steps: number of expansion steps

    Returns:
        the preset with what the fields say; None if that is not valid
    """
    edited, valid = method, True
    names = rescoring.settings_of(method)
    for name in names:
        label, note = SETTING_NOTES[name]
        parameter = rescoring.setting_name(method, name, source, field)
        define = inputs.str if name == "step_weights" else inputs.float
        prop = define(
            parameter,
            default=rescoring.setting_value(method, name, source.steps),
            label=f"{method.name}: {label}",
            description=note,
            view=types.TextFieldView(space=12 // len(names)),
        )
        changed = forms.checked(prop, rescoring.with_setting, edited, name, params.get(parameter), steps)
        valid &= changed is not None
        edited = changed or edited
    return edited if valid else None
