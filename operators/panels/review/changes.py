"""What the review panel shows in the grid: the changed labels, and the least certain ones beyond the queue."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.fiftyone_io.fields import LABEL_QUALITY, triage_field
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.decisions.decisions import Decision
from ....lgca_plugin.workflows.decisions.queue import Triage
from ...shared.user_view import show_in_grid

BEYOND = 60
"""Number of the least certain labels that are shown."""


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
    words = f"Showing {count:,} {'picture' if count == 1 else 'pictures'} whose label was changed in the review"
    show_in_grid(ctx, view, words)


def show_least_certain(ctx: Any, run: Run) -> None:
    """Shows undecided samples that are no suspects, the lowest label quality first."""
    import fiftyone as fo

    fields, quality = Triage.of(run).places, triage_field(run.key, LABEL_QUALITY)
    stages = [
        fo.Exists(quality),
        fo.Exists(f"{fields.suggestion}.label", False),
        fo.Exists(f"{fields.decision}.action", False),
        fo.SortBy(quality),
        fo.Limit(BEYOND),
    ]
    view = _view(ctx, stages)
    count = len(view)
    if not count:
        ctx.ops.notify("There are no more labels: all that were checked are suspects or decided.", variant="info")
        return
    labels = f"the {count:,} least certain labels that are" if count > 1 else "the only label that is"
    show_in_grid(ctx, view, f"Showing {labels} not suspected; open one to decide about it")


def _view(ctx: Any, stages: list[Any]) -> Any:
    """Returns a view of the whole dataset, whatever the user's own view hides."""
    view = ctx.dataset.view()
    for stage in stages:
        view = view.add_stage(stage)
    return view
