"""The form of ``lgca_rescore``, part by part: each adds its fields and returns what was chosen, None if not valid."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import ClassShares
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.method.core.methods import Method
from ..shared.classes import NAMES, add_names, add_shares, label_fields
from ..shared.descriptions import (
    add_descriptions,
    add_name_notes,
    add_text_notes,
    description_source,
    valid_style,
)
from ..shared.form import Params, add_method_choice, add_method_warnings, add_tabs, checked, mark_invalid, text_field
from ..shared.run_choice import add_run, initial_value, run_param
from .params import (
    KEEP,
    UNCHANGED,
    changes_nothing,
    class_source,
    label_field,
    proposed_presets,
    read_changes,
    read_classes,
    read_methods,
    read_steps,
    setting_name,
    setting_value,
    settings_of,
    settings_source,
    with_setting,
)
from .preview import add_preview, add_result, add_written
from .source import Source, read_source
from .suggest import add_suggestion

SETTING_NOTES = {
    "image_scale": ("image scale", "exponent; higher: fewer crops decide"),
    "decisiveness": ("decisiveness", "higher: fewer crops decide"),
    "temperature": ("temperature", "higher: crops pass for less decided"),
    "text_scale": ("text scale", "exponent; higher: fewer texts decide"),
    "global_weight": ("whole image", "its weight beside the crops (lambda_g)"),
    "step_weights": ("step weights", "one a step, with commas (lambda_t)"),
}


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    params = ctx.params
    source = _add_run(inputs, ctx)
    if source is None:
        return
    classes = _add_classes(inputs, params, source)
    given = add_descriptions(inputs, params, ctx.dataset, keep=True)
    add_text_notes(inputs, classes or source.config.classes, given, valid_style(params))
    add_names(inputs, params, classes or source.config.classes, kept="Empty: as in the run. ")
    methods = _add_methods(inputs, params, source)
    choices = label_fields(ctx.dataset, include=source.config.ground_truth)
    presets, steps = _add_settings(inputs, params, source, methods, choices)
    had = None if source.config.shares is None else shares_text(source.config.shares)
    add_shares(inputs, params, choices, classes or source.config.classes, kept=had)
    add_result(inputs, ctx, source, presets)
    shown_chains = add_written(inputs, params, source)
    if presets and shown_chains is not None:
        named = any(str(params.get(name) or "").strip() for name in NAMES)
        new_texts = bool(classes) or named or description_source(params, KEEP) != KEEP
        add_preview(inputs, source, presets, steps=steps, boxes=shown_chains > 0, new_texts=new_texts)
    if any(prop.invalid for prop in inputs.properties.values()):
        return
    with suppress(ConfigError):  # of settings that the form does not show yet
        if changes_nothing(read_changes(params, source, ctx.dataset, choices), source):
            mark_invalid(inputs.view("unchanged", types.Warning(label=UNCHANGED)), UNCHANGED)


def _add_run(inputs: Any, ctx: Any) -> Source | None:
    note = "Its images are scored again from their stored embeddings; no image is encoded"
    prop = add_run(inputs, ctx, description=note, looking=True)
    source = checked(prop, read_source, ctx)
    if source is not None and source.problem:
        mark_invalid(prop, source.problem)
        return None
    return source


def _add_classes(inputs: Any, params: Params, source: Source) -> tuple[str, ...] | None:
    """Adds the classes: the run's, or its list to edit."""
    chosen = class_source(params)
    names = source.config.classes
    add_tabs(inputs, "class_source", chosen, {KEEP: f"Keep all {len(names):,}", "typed": "Edit"}, label="Classes")
    if chosen == KEEP:
        return None
    if isinstance(params.get("classes"), list):  # as code passes them
        prop = inputs.list("classes", types.String(), label="Class names")
    else:
        view = types.TextFieldView(multiline=True, rows=min(len(names) + 1, 12))
        name, default = run_param("classes", source.key), params.get("classes") or "\n".join(names)
        prop = inputs.str(name, default=default, label="Class names, one a line", view=view)
    classes = checked(prop, read_classes, params, source)
    if classes:
        inputs.view("class_changes", types.Notice(label=class_changes(names, classes)))
        add_name_notes(inputs, classes)
    return classes


def shares_text(shares: ClassShares) -> str:
    """Returns in words which shares of the classes a run has."""
    if shares.field is not None:
        return f"Keep: as in {shares.field}"
    return "Keep: all alike" if shares.given is None else "Keep those typed"


def class_changes(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """Returns in words which classes are in one of two lists only."""
    new, gone = [name for name in after if name not in before], [name for name in before if name not in after]
    parts = [f"{len(names):,} {what}: {_listed(names)}" for names, what in ((new, "new"), (gone, "left out")) if names]
    return "; ".join(parts) or "The same classes in another order"


def _listed(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _add_methods(inputs: Any, params: Params, source: Source) -> tuple[Method, ...] | None:
    """Adds the choice of the methods among those whose regions were encoded."""
    default = params.get("methods") or [method.name for method in source.config.methods]
    note = "The run's, and others whose regions it has encoded"
    name = run_param("methods", source.key)
    prop = add_method_choice(inputs, name, source.available_methods, default=default, description=note)
    methods = checked(prop, read_methods, params, source)
    add_method_warnings(inputs, methods or (), source.config.regions)
    return methods


def _add_settings(
    inputs: Any, params: Params, source: Source, methods: tuple[Method, ...] | None, choices: list[str]
) -> tuple[tuple[Method, ...] | None, int]:
    """Adds the settings of the methods: the run's, changed, or suggested.

    Returns:
        the methods with their settings, None if not valid; and the number of expansion steps
    """
    origin = settings_source(params)
    sources = {KEEP: "Keep", "change": "Change", "suggest": "Suggest from labels"}
    note = "How crops, descriptions and expansion steps are weighted"
    prop = add_tabs(inputs, "settings_source", origin, sources, label="Settings", description=note)
    if origin == KEEP or methods is None:
        return methods, source.steps
    field, suggestion = None, {}
    if origin == "suggest":
        field = label_field(params, source, choices)
        found = add_suggestion(inputs, params, source, choices)
        if found is None:
            return None, source.steps
        suggestion = found
    valid_steps = _add_steps(inputs, params, source, methods)
    steps = source.steps if valid_steps is None else valid_steps
    proposed = checked(prop, proposed_presets, params, source, methods, suggestion)
    presets = [
        _add_method_settings(inputs, params, source, method, field=field, steps=steps) for method in proposed or ()
    ]
    valid = [preset for preset in presets if preset is not None]
    if valid_steps is None or proposed is None or len(valid) < len(presets):
        return None, steps
    return tuple(valid), steps


def _add_steps(inputs: Any, params: Params, source: Source, methods: tuple[Method, ...]) -> int | None:
    """Adds the number of expansion steps, where a method has some."""
    if not source.steps or not any(method.grows for method in methods):
        return source.steps
    prop = inputs.int(
        run_param("steps", source.key),
        default=initial_value(params, "steps", source.steps),
        label="Expansion steps (T)",
        description=f"0 to {source.steps}, as many as were encoded",
    )
    return checked(prop, read_steps, params, source)


def _add_method_settings(
    inputs: Any, params: Params, source: Source, method: Method, *, field: str | None, steps: int
) -> Method | None:
    """Adds a row with the settings of a method; ``field`` is the label field that they were suggested by, if any.

    Returns:
        the preset with the values of the fields; None if one is not valid
    """
    edited, valid = method, True
    names = settings_of(method)
    for name in names:
        label, note = SETTING_NOTES[name]
        parameter = setting_name(method, name, source, field)
        define = inputs.str if name == "step_weights" else inputs.float
        prop = define(
            parameter,
            default=setting_value(method, name, source.steps),
            label=f"{method.name}: {label}",
            description=note,
            view=text_field(len(names)),
        )
        changed = checked(prop, with_setting, edited, name, params.get(parameter), steps)
        valid &= changed is not None
        edited = changed or edited
    return edited if valid else None
