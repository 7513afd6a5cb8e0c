"""Elements that all forms are built from: choices, refusals, and errors under their field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fiftyone.operators import types

from ...lgca_plugin.config import RegionConfig, method_warnings
from ...lgca_plugin.errors import ConfigError, shown
from ...lgca_plugin.method.core.methods import Method, method_description
from ...lgca_plugin.method.number_text import capitalized

Params = dict[str, Any]
"""The parameters of a context, by name."""

T = TypeVar("T")


def read_text(params: Params, name: str) -> str:
    """Reads a text without blanks around it; empty where there is none.

    Raises:
        ConfigError: if it is something else, as parameters from code may be
    """
    return checked_text(params.get(name), name)


def checked_text(value: Any, name: str) -> str:
    """Returns a value as :func:`read_text` reads it; ``name`` is that of its parameter."""
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{name} must be a text, got {shown(value)}")
    return (value or "").strip()


def loaded(params: Params, name: str) -> Params | None:
    """Returns what an operator that the form has executed has returned; None as long as it is at work."""
    answer = params.get(name)
    if not isinstance(answer, Mapping) or answer.get("state") != "loaded":
        return None
    data = answer.get("data")
    return dict(data) if isinstance(data, Mapping) else {}


def refuse(inputs: Any, sentence: str) -> None:
    """Adds a sentence that says why the form can't be submitted at all."""
    mark_invalid(inputs.view("refusal", types.Notice(label=sentence)), sentence)


def mark_invalid(prop: Any, message: str) -> None:
    """Shows an error under a field; the form can't be submitted then."""
    prop.invalid = True
    prop.error_message = message


def add_missing(inputs: Any, name: str, message: str) -> None:
    """Keeps the form from being submitted as long as a field is empty, without an error under it.

    So a form does not greet with errors before anything was done; :func:`add_blocked` says what is missing.
    """
    mark_invalid(inputs.str(f"{name}_is_missing", required=False, view=types.HiddenView()), message)


def add_blocked(inputs: Any, submit: str) -> None:
    """Adds at the end of a form, beside its button, what keeps the button from being pressed, if anything does."""
    properties = list(inputs.properties.values())
    invalid = [prop for prop in properties if prop.invalid]
    alone = len(invalid) == 1 and properties[-1] is invalid[0]
    if not invalid or (alone and not isinstance(invalid[0].view, types.HiddenView)):  # said there already
        return
    lines = [_named(prop) for prop in invalid if prop.error_message]
    inputs.view(
        "blocked", types.Warning(label=f"{submit} is not possible yet", description=capitalized("; ".join(lines)))
    )


def _named(prop: Any) -> str:
    """Returns the error of a field behind the field's label; a notice says it all itself."""
    label = getattr(prop.view, "label", None)
    is_notice = isinstance(prop.view, (types.Notice, types.Warning, types.Error))
    return f"{label}: {prop.error_message}" if label and not is_notice else str(prop.error_message)


def checked(prop: Any, read: Callable[..., T], *args: Any, **options: Any) -> T | None:
    """Returns what a reader returns; None after a ``ConfigError``, whose message is shown under the field."""
    try:
        return read(*args, **options)
    except ConfigError as error:
        mark_invalid(prop, error.app)
        return None


def add_tabs(inputs: Any, name: str, chosen: str, choices: Mapping[str, str], **texts: str) -> Any:
    """Adds a choice between parts of the form, value to label, and returns its property."""
    view = types.TabsView()
    for value, label in choices.items():
        view.add_choice(value, label=label)
    return inputs.enum(name, view.values(), default=chosen, view=view, **texts)


def add_dropdown(
    inputs: Any,
    name: str,
    choices: Iterable[str] | Mapping[str, str],
    *,
    many: bool = False,
    space: int | None = None,
    labels: Mapping[str, str] | None = None,
    **texts: Any,
) -> Any:
    """Adds a drop-down list and returns its property.

    ``choices`` are the values, or value to a note about it; ``space`` is the width, in twelfths of the form's;
    ``labels`` are what is shown for a value, if it is another text.
    """
    view = types.DropdownView(space=space)
    for value in choices:
        note = choices.get(value) if isinstance(choices, Mapping) else None
        view.add_choice(value, label=(labels or {}).get(value, value), description=note)
    if many:
        return inputs.list(name, types.String(), view=view, **texts)
    return inputs.enum(name, view.values(), view=view, **texts)


def text_field(share: int) -> Any:
    """Returns the view of a text field that takes one ``share``-th of the form's width."""
    return types.TextFieldView(space=12 // share)


def add_method_choice(inputs: Any, name: str, methods: Iterable[str], *, default: list[str], description: str) -> Any:
    """Adds the choice among methods, each with a line on what it does, and returns its property."""
    choices = {method: method_description(method) for method in methods}
    return add_dropdown(inputs, name, choices, many=True, default=default, label="Methods", description=description)


def add_method_warnings(inputs: Any, methods: Iterable[Method], regions: RegionConfig) -> None:
    """Adds a warning of methods that do not fit the size of the crops."""
    for warning in method_warnings(methods, regions):
        inputs.view("methods_warning", types.Warning(label=capitalized(warning)))


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Formats a Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
