"""Bringing a run's fields onto the grid and into the sidebar of an App that is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...lgca_plugin.fiftyone_io.app_layout import ticked_fields
from ...lgca_plugin.fiftyone_io.fields import SUSPECT, triage_field
from ...lgca_plugin.runs.record import stored_triage
from .run_choice import run_keys


def show_fields(ctx: Any, run: Any) -> Iterator[Any]:
    """Shows a run's fields in the sidebar, and on the grid the given label and the suspects' suggestion.

    What else the user has ticked stays, except for the suspects of other runs. ``run`` has just been written.
    """
    if not ctx.has_custom_view:  # only this updates the colors in the App; it would close a view
        yield ctx.ops.open_dataset(ctx.dataset.name)
    yield ctx.ops.reload_dataset()
    yield ctx.ops.set_active_fields(fields_on_grid(ctx, run))


def fields_on_grid(ctx: Any, run: Any) -> list[str]:
    """Returns the fields to tick after a run: its own, then those that are ticked now."""
    ctx.dataset.reload()
    ground_truth = stored_triage(run.results).get("ground_truth") or run.config.ground_truth
    own = ticked_fields(run.key, run.config.methods, ground_truth, ctx.dataset.get_field_schema())
    others = {triage_field(key, SUSPECT) for key in run_keys(ctx.dataset)}
    return [*own, *(field for field in ctx.active_fields or () if field not in own and field not in others)]
