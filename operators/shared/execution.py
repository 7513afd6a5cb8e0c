"""Executing an operator: its progress, its errors and results in the App, and its call from code."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.errors import LgcaError

SECONDS_BETWEEN_UPDATES = 0.5
T = TypeVar("T")


def grid_button(label: str, icon: str, *, prompt: bool = True) -> Any:
    """Returns the placement of a button above the grid; with ``prompt``, it opens a form."""
    button = types.Button(label=label, icon=icon, prompt=prompt)
    return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, button)


def report_progress(ctx: Any, progress: float, label: str) -> Iterator[Any]:
    """Reports progress, 0 to 1: to the App as messages, to a delegated operation as its state."""
    if ctx.delegated:
        ctx.set_progress(progress=progress, label=label)
    else:
        yield ctx.ops.set_progress(progress=progress, label=label)


def report_steps(ctx: Any, steps: Generator[Any, None, T]) -> Generator[Any, None, T]:
    """Reports the progress of a generator of steps, at most twice a second, and returns what it returns."""
    last = 0.0
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        if step.done == step.total or time.monotonic() - last >= SECONDS_BETWEEN_UPDATES:
            last = time.monotonic()
            yield from report_progress(ctx, step.done / step.total if step.total else 0.0, step.label)


def report_errors(ctx: Any, problem: str, work: Generator[Any, None, T]) -> Generator[Any, None, T]:
    """Yields what an operator yields and returns what it returns; an error is shown in the dialog, then raised.

    The App itself shows no error of a stream that has begun.

    Args:
        ctx: the operator's context
        problem: what an error means, such as "The run was not triaged"
        work: the operator's work
    """
    try:
        return (yield from work)
    except Exception as error:
        if not ctx.delegated:
            sentence = str(error) if isinstance(error, LgcaError) else f"{type(error).__name__}: {error}"
            yield show_lines(ctx, types.Error(label=problem, description=sentence), {})
        raise


def show_lines(ctx: Any, heading: Any, lines: dict[str, str]) -> Any:
    """Shows a heading and lines of label and value in the dialog, where the progress was."""
    outputs = types.Object()
    outputs.view("heading", heading)
    for label in lines:
        outputs.str(label, label=label, view=types.LabelValueView())
    return ctx.ops.show_output(outputs=types.Property(outputs).to_json(), results=lines)


def call(operator: Any, sample_collection: Any, params: dict[str, Any], *, delegate: bool = False) -> Any:
    """Executes an operator from code on a dataset or view; parameters that are None are left out."""
    return foo.execute_operator(
        operator.uri,
        {"view": sample_collection.view()},
        params={name: value for name, value in params.items() if value is not None},
        request_delegation=delegate,
    )
