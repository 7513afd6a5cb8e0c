"""Bringing a run's fields onto the grid and into the sidebar of an App that is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....lgca_plugin.fiftyone_io.app_layout import app_arrangement, ticked_fields, without_pills
from ....lgca_plugin.runs.record import stored_triage
from ....lgca_plugin.runs.registry import fields_of_other_runs
from .boxes import BoxContext

ARRANGE = "@lgca/zero-shot/lgca_arrange_app"
"""The operator in ``app.js``."""


def show_fields(ctx: Any, run: Any) -> Iterator[Any]:
    """Shows a run's fields in the sidebar, and on the grid the given label and the suspects' suggestion.

    What else the user has ticked stays, except for the suspects of other runs. ``run`` has just been written. What a
    run on boxes has found are attributes of the label, which the sidebar has under it.
    """
    if isinstance(ctx, BoxContext):
        yield ctx.ops.reload_dataset()
        return
    fields = fields_on_grid(ctx, run)
    yield arrange_app(ctx)
    yield ctx.ops.reload_dataset()
    yield ctx.ops.set_active_fields(fields)


def arrange_app(ctx: Any) -> Any:
    """Brings the dataset's sidebar groups and colors into the page that is open, which keeps its view and panels.

    A page that shows boxes keeps those of its own dataset.
    """
    if isinstance(ctx, BoxContext):
        return ctx.ops.reload_dataset()
    return ctx.trigger(ARRANGE, params=app_arrangement(ctx.dataset))


def fields_on_grid(ctx: Any, run: Any) -> list[str]:
    """Returns the fields to tick after a run: its own, then those that are ticked now."""
    ctx.dataset.reload()
    ground_truth = stored_triage(run.results).get("ground_truth") or run.config.ground_truth
    own = ticked_fields(run.key, run.config.methods, ground_truth, ctx.dataset.get_field_schema())
    others = fields_of_other_runs(ctx.dataset, run.key)
    return [*own, *(field for field in without_pills(ctx.active_fields or (), own, others) if field not in own)]
