"""Choosing the classes, how often each occurs, and the label field: readers of parameters, and their part of a form.

A reader takes ``ctx.params`` and raises ``ConfigError``. The form shows that message under the field, and the operator
executes with the same readers, so what the form accepts is what is executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import BALANCED, NO_SHARES, check_classes, check_shares
from ...lgca_plugin.descriptions.class_names import LABEL_PROMPT, check_display_names, check_prompt
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.runs import proposals
from .form import Params, add_dropdown, add_tabs, checked, checked_text

label_fields = proposals.label_fields

SHARES = ("shares", "shares_source", "shares_field", "shares_typed")
"""Parameters of how often each class occurs; the first is what code passes."""
NAMES = ("display_names", "prompt")
"""Parameters of how classes are named to the model; the first is a text in the form, a dict as code passes it."""


def class_params(ctx: Any) -> Params:
    """Returns the parameters; where they leave it open and no field is surely one of labels, the classes are typed."""
    params = dict(ctx.params)
    if not params.get("class_source") and not params.get("ground_truth"):
        fields = label_fields(ctx.dataset)
        if fields and not any(proposals.is_likely(ctx.dataset, field) for field in fields):
            params["class_source"] = "typed"
    return params


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
    text = checked_text(given or None, "classes")
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
        raise ConfigError(f"{field!r} is no label field of this dataset; it has {known}")
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


def read_display_names(params: Params, classes: Sequence[str] | None = None) -> dict[str, str] | None:
    """Reads class to the name that the model reads; None where none is given.

    Args:
        params: the parameters; names are a dict, or a text with lines such as ``001.Duck: duck``
        classes: for which they are checked; None where these are not read yet
    """
    given = params.get("display_names")
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    names = given
    if isinstance(given, str):
        names = {}
        for line in filter(None, map(str.strip, given.splitlines())):
            name, separator, text = line.rpartition(":")
            if not separator or not name.strip() or not text.strip():
                raise ConfigError(f"{line!r} is no class with the name for the model, such as 001.Duck: duck")
            names[name.strip()] = text.strip()
    return check_display_names(names, list(names) if classes is None and isinstance(names, dict) else classes or ())


def read_prompt(params: Params) -> str | None:
    """Reads the prompt that names stand in; None where it is left empty."""
    prompt = params.get("prompt")
    return check_prompt(prompt) if prompt is not None and str(prompt).strip() else None


def add_names(inputs: Any, params: Params, classes: Sequence[str] | None, *, kept: str = "") -> None:
    """Adds how classes are named to the model; ``kept`` says what an empty field keeps."""
    if not isinstance(params.get("display_names"), Mapping):  # as code passes them
        note = f"{kept}One a line, where classes are codes or numbered, such as 001.Duck: duck; labels stay as they are"
        view = types.TextFieldView(multiline=True, rows=3)
        label = "Names that the model reads"
        prop = inputs.str("display_names", required=False, label=label, description=note, view=view)
        checked(prop, read_display_names, params, classes)
    note = f"{kept or f'Empty: {LABEL_PROMPT} '}{{}} is the place of the name"
    prop = inputs.str("prompt", required=False, label="Prompt of CLIP", description=note)
    checked(prop, read_prompt, params)


def shares_source(params: Params) -> str:
    """Returns where the shares of the classes come from: ``"unknown"``, ``"field"``, ``"balanced"``, ``"typed"``."""
    chosen = params.get("shares_source")
    if chosen:
        return str(chosen)
    given = params.get("shares")
    if not isinstance(given, str):
        return "typed" if given else "unknown"
    return {BALANCED: BALANCED, NO_SHARES: NO_SHARES}.get(given, "field")


def read_shares(params: Params, choices: list[str], classes: Sequence[str] | None = None) -> Any:
    """Reads how often each class occurs, as ``lgca.classify`` takes it; None where it is not known.

    Args:
        params: the parameters
        choices: the label fields to choose from
        classes: for which typed numbers are checked; None checks none
    """
    source, given = shares_source(params), params.get("shares")
    if source == "field":
        field = params.get("shares_field") or (given if isinstance(given, str) else next(iter(choices), None))
        if not field:
            raise ConfigError("there is no label field in which the classes could be counted")
        return field
    if source == "typed":
        typed = params.get("shares_typed")
        shares = given if typed is None and isinstance(given, Mapping) else parse_shares(typed)
        if classes is not None:
            check_shares(shares, classes)
        return shares
    return None if source == "unknown" else source


def parse_shares(text: Any) -> dict[str, float]:
    """Returns class to share or count, of lines such as ``heron: 30``."""
    lines = [line.strip() for line in checked_text(text, "shares_typed").splitlines() if line.strip()]
    if not lines:
        raise ConfigError("type each class with its share or count, one a line, such as heron: 30")
    shares: dict[str, float] = {}
    for line in lines:
        name, separator, number = line.rpartition(":")
        try:
            value = float(number.strip().removesuffix("%"))
        except ValueError:
            separator = ""
        if not separator or not name.strip():
            raise ConfigError(f"{line!r} is no class with its share or count, such as heron: 30")
        if name.strip() in shares:
            raise ConfigError(f"the share of class {name.strip()!r} is given twice")
        shares[name.strip()] = value
    return shares


def add_shares(
    inputs: Any,
    params: Params,
    choices: list[str],
    classes: Sequence[str] | None,
    *,
    kept: str | None = None,
    before: str = "",
) -> Any:
    """Adds the choice of how often each class occurs; returns what was chosen, None if not known or not valid.

    ``kept`` says what a run keeps, which can also be dropped then; ``before`` goes before the note.
    """
    source = shares_source(params)
    sources = {"unknown": "Not known" if kept is None else kept}
    sources |= {} if kept is None else {NO_SHARES: "Not known"}
    sources |= {"field": "As in a label field"} if choices else {}
    sources |= {BALANCED: "All alike", "typed": "Type it"}
    note = "Where it is known, labels are moved towards it; counted in labels that are checked, these touch the answers"
    texts = {"label": "How often each class occurs", "description": f"{before}{note}"}
    prop = add_tabs(inputs, "shares_source", source, sources, **texts)
    if source == "field":
        given = params.get("shares")
        default = given if isinstance(given, str) else next(iter(choices), None)
        prop = add_dropdown(inputs, "shares_field", choices, default=default, label="Counted in label field")
    if source == "typed" and not isinstance(params.get("shares"), Mapping):
        view = types.TextFieldView(multiline=True, rows=5)
        label, example = "Share or count of each class, one a line", "heron: 30"
        prop = inputs.str("shares_typed", label=label, description=f"Such as {example}", view=view)
    return checked(prop, read_shares, params, choices, classes)
