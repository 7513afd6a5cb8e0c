"""Executing an operator: its progress and results in the App, and its call from code."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar

import fiftyone.operators as foo
from fiftyone.operators import types
from fiftyone.operators.executor import ExecutionError

from ...lgca_plugin.progress import Progress, translated
from ...lgca_plugin.runs.proposals import given_label_fields, is_likely
from .background import in_background
from .caller import OwnCall, from_page, mark_own
from .dialogs.dialog import Dialog, Step, steps_after
from .dialogs.progress import progress_dialog
from .grid.shown_fields import show_fields
from .results.result import Result, in_python, result

SECONDS_BETWEEN_UPDATES = 0.5
T = TypeVar("T")


def report_progress(ctx: Any, progress: float, label: str) -> Iterator[Any]:
    """Reports progress, 0 to 1: to the App as messages, to a delegated operation as its state."""
    if ctx.delegated:
        ctx.set_progress(progress=progress, label=label)
    else:
        yield ctx.ops.set_progress(progress=progress, label=label)


def report_steps(ctx: Any, steps: Generator[Progress, None, T]) -> Generator[Any, None, T]:
    """Reports the progress of a generator of steps, at most twice a second, and returns what it returns."""
    return (yield from _reported(steps, lambda step: report_progress(ctx, step.share, step.label)))


def report_run(ctx: Any, steps: Generator[Progress, None, T]) -> Generator[Any, None, T]:
    """Reports the progress of a run, with a button that cancels it, and returns what it returns.

    In the App it goes on if its dialog or its page is closed.
    """
    if not from_page(ctx):
        return (yield from report_steps(ctx, steps))
    work = uuid.uuid4().hex

    def shown(step: Progress) -> list[Any]:
        return [progress_dialog(step).show_until_closed(ctx, work)]

    return (yield from _reported(in_background(steps), shown))


def _reported(
    steps: Generator[Progress, None, T], messages: Callable[[Progress], Iterable[Any]]
) -> Generator[Any, None, T]:
    """Yields the messages of steps, at most twice a second and at the end, and returns what the steps return."""
    last = 0.0

    def messages_in_time(step: Progress) -> Iterable[Any]:
        nonlocal last
        if step.done != step.total and time.monotonic() - last < SECONDS_BETWEEN_UPDATES:
            return ()
        last = time.monotonic()
        return messages(step)

    return (yield from translated(steps, messages_in_time))


def show_run(ctx: Any, run: Any) -> Iterator[Any]:
    """Shows a finished run."""
    summary = run.summary()
    yield from show_fields(ctx, run)
    line = outcome_line(summary)
    yield ctx.ops.notify(line, variant="success")
    dialog = Dialog()
    dialog.heading(types.Success(label=f"Run {run.key!r}: {line}"))
    dialog.buttons(steps_after_run(ctx, run))
    dialog.warnings(summary.get("warnings") or [])
    dialog.lines(outcome(summary))
    yield dialog.show(ctx)


def run_result(ctx: Any, outcome: Any) -> Result:
    """Returns the result of a finished run."""
    summary = outcome.summary()
    return result(
        f"Run {outcome.key!r}: {outcome_line(summary)}",
        run=outcome.key,
        counts={name: summary.get(name, 0) for name in ("total", "predicted", "failed", "skipped")},
        warnings=summary.get("warnings") or (),
        steps=steps_after_run(ctx, outcome),
        read=in_python(outcome.key),
    )


def steps_after_run(ctx: Any, run: Any) -> list[Step]:
    """Returns what comes after a run."""
    labels: list[Step] = []
    if any(is_likely(ctx.dataset, field) for field in given_label_fields(ctx.dataset)):
        labels = [("Find wrong labels", "lgca_find_wrong_labels", {"of_run": run.key})]
    return [*labels, *steps_after(run.key)]


def outcome_line(summary: dict[str, Any]) -> str:
    """Returns the counts of a finished run in one line."""
    counts = [f"{summary.get(name, 0):,} {name}" for name in ("predicted", "failed", "skipped") if summary.get(name)]
    return f"{', '.join(counts) or 'nothing to do'} of {summary.get('total', 0):,} images"


def outcome(summary: dict[str, Any]) -> dict[str, str]:
    """Returns the lines on a finished run, label to value."""
    from_store = summary.get("images_recalled", 0)
    speed = f"{summary.get('images_per_second', 0):,.1f}"
    if summary.get("rescored_from"):
        stored = f"{from_store:,} images, none encoded"
        return {**_descriptions(summary), "Scored from stored embeddings": stored, "Images per second": speed}
    return {
        **_descriptions(summary),
        **({"Encoded by an earlier run": f"{from_store:,} images"} if from_store else {}),
        "Encodes per image": f"{summary.get('encodes_per_image', 0):.1f}",
        **_stopped_early(summary),
        "Images per second": speed,
        "Encoder": f"{summary.get('encoder')} on {summary.get('device')}",
    }


def _descriptions(summary: dict[str, Any]) -> dict[str, str]:
    """Returns the line on how the descriptions were used; nothing without any."""
    use = summary.get("texts") or {}
    if not use:
        return {}
    line = f"{use['as_given']:,} used as they are"
    if use["in_sentences"]:
        line = f"{use['in_sentences']:,} put into a sentence, such as “{use['example'][1]}”; {line}"
    return {"Descriptions": line}


def _stopped_early(summary: dict[str, Any]) -> dict[str, str]:
    """Returns how many images an adaptive budget stopped after how many crops; empty for a full one."""
    stopped = summary.get("stopped_after")
    if not stopped:
        return {}
    return {"Images by crops": ", ".join(f"{images:,} took {crops}" for crops, images in stopped.items() if images)}


def call(operator: Any, sample_collection: Any, params: dict[str, Any], *, delegate: bool = False) -> Any:
    """Executes an operator from code on a dataset or view; parameters that are None are left out.

    What runs here may read, write and send all that the calling code itself could. In the queue, operations from code
    and from the App lie side by side, so the limits of the App hold for both.

    Raises:
        LgcaError: as the operator has raised it; ``foo.execute_operator`` turns every error into an ``ExecutionError``
            with its traceback as the text
    """
    given = {
        name: list(value) if isinstance(value, tuple) else value for name, value in params.items() if value is not None
    }
    ctx = {"view": sample_collection.view()}
    if delegate:
        return foo.execute_operator(operator.uri, ctx, params=given, request_delegation=True)
    own = OwnCall()
    try:
        done = foo.execute_operator(operator.uri, ctx, params=mark_own(given, own))
    except ExecutionError:
        if own.error is None:
            raise
        raise own.error from None
    return asyncio.ensure_future(_awaited(done, own)) if asyncio.isfuture(done) else done


async def _awaited(task: Any, own: OwnCall) -> Any:
    """Returns what a notebook's task returns, or raises what the operator has raised."""
    done = await task
    if own.error is not None:
        raise own.error
    return done
