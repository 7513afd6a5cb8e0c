"""The choice of methods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...lgca_plugin.method.core.methods import method_description
from .form import add_dropdown


def add_method_choice(inputs: Any, name: str, methods: Iterable[str], *, default: list[str], description: str) -> Any:
    """Adds the choice among methods, each with a line on what it does, and returns its property."""
    choices = {method: method_description(method) for method in methods}
    return add_dropdown(inputs, name, choices, many=True, default=default, label="Methods", description=description)
