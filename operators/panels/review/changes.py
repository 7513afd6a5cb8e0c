"""What the review panel shows in the grid: the pictures whose label was changed."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.decisions.decisions import Decision
from ....lgca_plugin.workflows.decisions.queue import Triage
from ...shared.grid.user_view import show_in_grid, user_view

CHANGED = "whose label was changed in the review"
"""End of the sentence about such a grid."""


def show_changed(ctx: Any, run: Run) -> None:
    """Shows the samples whose label was changed, the latest first."""
    import fiftyone as fo
    from fiftyone import ViewField

    decision = Triage.of(run).places.decision
    path = f"{decision}.corrected"
    changed = (ViewField(f"{decision}.label") == Decision.ACCEPTED.value) & (
        ViewField(path) != ViewField(f"{decision}.given")
    )
    stages = [
        fo.Exists(f"{decision}.action"),
        fo.Match(changed),
        fo.SortBy(f"{decision}.at", reverse=True),
    ]
    view = _view(ctx, stages)
    count = len(view)
    words = f"Showing {count:,} {'picture' if count == 1 else 'pictures'} {CHANGED}"
    show_in_grid(ctx, view, words)


def grid_shows_changes(ctx: Any) -> bool:
    """Returns whether the grid shows these samples in the place of the user's view."""
    found = user_view(ctx).grid_filter
    return found is not None and found.sentence.endswith(CHANGED)


def _view(ctx: Any, stages: list[Any]) -> Any:
    """Returns a view of the whole dataset, whatever the user's own view hides."""
    view = ctx.dataset.view()
    for stage in stages:
        view = view.add_stage(stage)
    return view
