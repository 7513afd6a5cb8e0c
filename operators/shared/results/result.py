"""The result of an operator as JSON: what was done, in a sentence and counts, and what comes next.

A page of the App shows dialogs instead. Code gets the result from ``foo.execute_operator(...).result``, an assistant
from FiftyOne's MCP server, and a queued operation keeps it in its record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ..caller import from_page
from ..dialogs.dialog import PANEL_STEPS, Step, operator_uri
from ..plain_text import PlainProperty

Result = dict[str, Any]

IN_APP = "in the App"
"""What is said of a next step that only a page of the App can show."""

LABELS = {
    "summary": "Outcome",
    "run": "Run",
    "counts": "Counts",
    "warnings": "Warnings",
    "read": "To read it in Python",
}


def result(
    summary: str,
    *,
    run: str | None = None,
    counts: Mapping[str, int] | None = None,
    warnings: Iterable[str] = (),
    steps: Iterable[Step] = (),
    read: str | None = None,
    **more: Any,
) -> Result:
    """Returns the result of an operator.

    Args:
        summary: the outcome in a sentence
        run: key of the run that it is about
        counts: what was counted, in words, to the number
        warnings: what to read before trusting the result
        steps: what comes next, as the buttons of dialogs have it
        read: a Python expression with the whole outcome, where ``dataset`` is the dataset
        more: values of this operator alone, of JSON types

    Returns:
        all of these, and ``next``, the steps: ``operator``, its URI, its ``params`` and a ``label``
    """
    return {
        "summary": summary,
        "run": run,
        "counts": dict(counts or {}),
        "warnings": list(warnings),
        "next": [as_next(step) for step in steps],
        "read": read,
        **more,
    }


def as_next(step: Step) -> Result:
    """Returns a step for code: the URI of the operator, its parameters, and a label."""
    label, name, params = step
    opens = PANEL_STEPS.get(name)
    label = f"{label.removesuffix('…').strip()}, {IN_APP}" if opens else label.removesuffix("…").strip()
    return {"label": label, "operator": operator_uri(opens or name), "params": dict(params)}


def in_python(key: str, method: str = "summary()") -> str:
    """Returns the Python expression that reads what a run's record holds."""
    return f"lgca_plugin.load_run(dataset, {key!r}).{method}"


class ReadableOperator(foo.Operator):
    """An operator whose result code can read."""

    def resolve_output(self, ctx: Any) -> Any:
        """Returns the layout of the result; None for a page of the App, which is shown a dialog already."""
        return None if from_page(ctx) else result_layout(ctx.results or {})


def result_layout(found: Mapping[str, Any]) -> Any:
    """Returns the layout of a result, a line for each of its values."""
    outputs = types.Object()
    for name, value in found.items():
        label = LABELS.get(name, name.replace("_", " ").capitalize())
        if isinstance(value, bool):
            outputs.bool(name, label=label)
        elif isinstance(value, (int, float)):
            outputs.define_property(name, types.Number(), label=label)
        elif isinstance(value, str):
            outputs.str(name, label=label, view=types.LabelValueView())
        elif isinstance(value, (list, tuple, Mapping)) and value:
            outputs.define_property(name, types.Object(), label=label, view=types.JSONView())
    return PlainProperty(outputs, view=types.View(label=found.get("summary") or "Result"))
