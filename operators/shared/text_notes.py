"""What a form says of class names and descriptions: how the texts will be used, and what a model may not read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.descriptions.preview import name_warnings, preview_texts
from ...lgca_plugin.method.number_text import capitalized
from .form import mark_invalid


def add_name_notes(inputs: Any, classes: Sequence[str]) -> None:
    """Adds a warning of names that are one to most models, and of names in letters that they lack."""
    for at, warning in enumerate(name_warnings(classes)):
        inputs.view(f"names_warning{at}", types.Warning(label=capitalized(warning)))


def add_text_notes(inputs: Any, classes: Sequence[str], given: Any, style: str) -> None:
    """Adds how the descriptions of some classes will be used; nothing for templates, and for a file that code names."""
    if not classes or not isinstance(given, Mapping) or not given:
        return
    preview = preview_texts(classes, given, style)
    if preview.problem is not None:
        label = capitalized(preview.problem)
        mark_invalid(inputs.view("texts_problem", types.Error(label=label)), label)
        return
    inputs.view("texts_use", types.Notice(label=preview.line))
    for at, warning in enumerate(preview.warnings):
        inputs.view(f"texts_warning{at}", types.Warning(label=capitalized(warning)))
