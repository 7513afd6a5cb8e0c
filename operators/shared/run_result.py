"""What the App shows of a finished run: its fields on the grid, and its counts in the dialog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fiftyone.operators import types

from .execution import show_lines


def show_run(ctx: Any, run: Any) -> Iterator[Any]:
    """Shows a finished run."""
    summary = run.summary()
    shown = [field for field in run.fields if not field.endswith("_error")]
    if not ctx.has_custom_view:  # only this updates the boxes' colors in the App; it would close a view
        yield ctx.ops.open_dataset(ctx.dataset.name)
    yield ctx.ops.reload_dataset()
    yield ctx.ops.set_active_fields([*(f for f in ctx.active_fields if f not in shown), *shown])
    for warning in summary.get("warnings") or []:
        yield ctx.ops.notify(warning, variant="warning")
    line = outcome_line(summary)
    yield ctx.ops.notify(line, variant="success")
    yield show_lines(ctx, types.Success(label=f"Run {run.key!r}: {line}"), outcome(summary))


def outcome_line(summary: dict[str, Any]) -> str:
    """Returns the counts of a finished run in one line."""
    counts = [f"{summary.get(name, 0):,} {name}" for name in ("predicted", "failed", "skipped") if summary.get(name)]
    return f"{', '.join(counts) or 'nothing to do'} of {summary.get('total', 0):,} images"


def outcome(summary: dict[str, Any]) -> dict[str, str]:
    """Returns the lines on a finished run, label to value."""
    from_store = summary.get("images_recalled", 0)
    speed = f"{summary.get('images_per_second', 0):,.1f}"
    if summary.get("rescored_from"):
        return {"Scored from stored embeddings": f"{from_store:,} images, none encoded", "Images per second": speed}
    return {
        **({"Encoded by an earlier run": f"{from_store:,} images"} if from_store else {}),
        "Encodes per image": f"{summary.get('encodes_per_image', 0):.1f}",
        **_stopped_early(summary),
        "Images per second": speed,
        "Encoder": f"{summary.get('encoder')} on {summary.get('device')}",
    }


def _stopped_early(summary: dict[str, Any]) -> dict[str, str]:
    """Returns how many images an adaptive budget stopped after how many crops; empty for a full one."""
    stopped = summary.get("stopped_after")
    if not stopped:
        return {}
    return {"Images by crops": ", ".join(f"{images:,} took {crops}" for crops, images in stopped.items() if images)}
