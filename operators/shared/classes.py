"""Choosing the candidate classes and the label field: the readers of their parameters and their part of a form.

A reader takes ``ctx.params`` and raises ``ConfigError``. The form shows that message under the field, and the operator
executes with the same readers, so what the form accepts is what is executed.
"""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import check_classes
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.runs import proposals
from .form import Params, add_dropdown, add_tabs, checked

label_fields = proposals.label_fields


def class_source(params: Params) -> str:
    """Returns where the classes come from, ``"field"`` or ``"typed"``."""
    if params.get("class_source"):
        return str(params["class_source"])
    return "typed" if params.get("classes") else "field"


def read_classes(params: Params) -> tuple[str, ...] | None:
    """Reads the typed classes; None where they come from a label field."""
    return None if class_source(params) == "field" else parse_classes(params.get("classes"))


def parse_classes(given: Any) -> tuple[str, ...]:
    """Returns class names that are given one a line or as a list."""
    if given and not isinstance(given, str):
        return check_classes(given)
    text = (given or "").strip()
    if not text:
        raise ConfigError("type the candidate classes, one a line")
    return check_classes(text.splitlines())


def default_field(params: Params, choices: list[str]) -> str | None:
    """Returns the label field that the form proposes: none to compare typed classes with."""
    if class_source(params) == "typed" or not choices:
        return None
    return "ground_truth" if "ground_truth" in choices else choices[0]


def read_ground_truth(params: Params, choices: list[str]) -> str | None:
    """Reads the label field, which must be one of ``choices``."""
    field = params.get("ground_truth") or None
    if field is None and class_source(params) == "field":
        raise ConfigError("choose the label field whose labels are the classes, or type the classes")
    if field is not None and field not in choices:
        known = ", ".join(choices) or "none"
        raise ConfigError(f"{field!r} is no Classification field of this dataset; it has {known}")
    return field


def add_classes(inputs: Any, params: Params, choices: list[str], *, compare: bool = True) -> tuple[str, ...] | None:
    """Adds the classes: the labels of a field, or typed; with ``compare``, typed ones can be compared with a field.

    Returns:
        the typed classes; None where they come from a field or are not valid
    """
    source = class_source(params) if choices else "typed"
    typed = source == "typed"
    sources = {"field": "Labels of a field"} if choices else {}
    add_tabs(inputs, "class_source", source, {**sources, "typed": "Type them"}, label="Classes")
    classes = None
    if typed:
        if isinstance(params.get("classes"), list):  # as code passes them
            prop = inputs.list("classes", types.String(), label="Class names")
        else:
            view = types.TextFieldView(multiline=True, rows=5)
            prop = inputs.str("classes", label="Class names, one a line", view=view)
        classes = checked(prop, parse_classes, params.get("classes"))
    if choices and (compare or not typed):
        default = default_field({**params, "class_source": source}, choices)
        label, note = "Label field", "Its labels in the dataset are the classes; whose they are is not used"
        if typed:
            label, note = "Compare with (optional)", "A label field to measure the predictions against"
        prop = add_dropdown(inputs, "ground_truth", choices, default=default, label=label, description=note)
        checked(prop, read_ground_truth, {"ground_truth": default, **params}, choices)
    return classes
