"""The user's view in the App, and the filter that the compare panel puts on top of it to show some samples in the grid.

The panel appends stages to the App's view whose ids begin with :data:`MARK` and hold what is shown. The stages before
them are the user's view; if the user adds or removes a stage elsewhere, the result is a new view of the user's. So the
panel always agrees with the App's view, in whatever order events arrive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bson import json_util

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.fiftyone_io.database import (
    app_view,
    is_dynamic_groups,
    is_generated,
    sample_collection,
    serialized_stages,
)
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.overview.overview import stages_key
from ...shared.run_choice import pick_run
from ..widgets import EmptyState

MARK = "lgca-compare-"

Stage = dict[str, Any]


@dataclass(frozen=True)
class GridFilter:
    """The samples of the user's view that the panel shows in the grid.

    Attributes:
        sentence: what is shown, as of the click
        part: name of the part of the overview, if it has one
        saved: name of the saved view that the user's view is
    """

    sentence: str
    part: str | None
    saved: str | None


@dataclass(frozen=True)
class UserView:
    """The user's own view, under the panel's filter.

    Attributes:
        stages: its stages, as the App has sent them
        grid_filter: the panel's filter on top of it, if any
        filters: what is set in the App's sidebar
        extended: what is selected in the App's other panels
        saved: name of the saved view that it is, if it is one and nothing lies on top of it
    """

    stages: list[Stage]
    grid_filter: GridFilter | None
    filters: dict[str, Any]
    extended: dict[str, Any]
    saved: str | None

    @property
    def key(self) -> str:
        """A text that identifies the view."""
        plain = [{name: value for name, value in stage.items() if name != "_uuid"} for stage in self.stages]
        return stages_key(plain, self.filters, self.extended)

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole dataset."""
        return not (self.stages or self.filters or self.extended)

    def view(self, dataset: Any) -> Any:
        """Builds the FiftyOne view, as the App's server does."""
        return app_view(dataset, self.stages, self.filters, self.extended)


def user_view(ctx: Any) -> UserView:
    """Reads the user's view from an event's request."""
    request = ctx.request_params
    stages: list[Stage] = list(request.get("view") or [])
    own = len(stages)
    while own and str(stages[own - 1].get("_uuid") or "").startswith(MARK):
        own -= 1
    return UserView(
        stages=stages[:own],
        grid_filter=_read_mark(str(stages[own]["_uuid"])) if own < len(stages) else None,
        filters=dict(request.get("filters") or {}),
        extended=dict(request.get("extended") or {}),
        saved=request.get("view_name") or None,
    )


def filter_grid(ctx: Any, view: UserView, stages: list[Any], sentence: str, part: str | None = None) -> GridFilter:
    """Shows some samples of the user's view in the grid, and returns that filter."""
    saved = view.saved if view.grid_filter is None else view.grid_filter.saved
    own = json.loads(json_util.dumps(serialized_stages(stages)))
    marked = [  # the number makes every stage's id unique
        {**stage, "_uuid": f"{MARK}{json.dumps([at, sentence, part, saved])}"} for at, stage in enumerate(own)
    ]
    ctx.trigger("set_view", {"view": [*view.stages, *marked]})
    return GridFilter(sentence, part, saved)


def _read_mark(mark: str) -> GridFilter:
    _, sentence, part, saved = json.loads(mark.removeprefix(MARK))
    return GridFilter(sentence, part, saved)


def restore_view(ctx: Any, view: UserView) -> None:
    """Shows the user's own view in the grid again, by its name if it was a saved one."""
    saved = view.grid_filter.saved if view.grid_filter else None
    if saved and saved in ctx.dataset.list_saved_views():
        ctx.ops.set_view(name=saved)
    else:
        ctx.trigger("set_view", {"view": view.stages})


def run_or_problem(dataset: Any, keys: list[str], chosen: str | None) -> Run | EmptyState:
    """Returns the chosen run, else the newest that can be read, or why there is none to show."""
    if dataset is None:
        return EmptyState("No dataset is open", "Open a dataset, then classify it.")
    if dataset.media_type not in (None, "image", "group"):
        sentence = f"This dataset holds samples of type {dataset.media_type}, not images."
        return EmptyState("Only images can be classified", sentence)
    if not keys and not sample_collection(dataset).estimated_document_count():
        return EmptyState("This dataset is empty", "Add images to it, then classify them.")
    try:
        run = pick_run(dataset, keys, chosen)
    except LgcaError as error:
        sentence = f"{error}. Classify again under another key."
        return EmptyState.classify("This run can't be read", sentence)
    if run is None:
        sentence = "Classify the images with CLIP, WCA and LGCA; then their labels are compared here."
        return EmptyState.classify("No zero-shot run yet", sentence)
    return run


def view_problem(dataset: Any, shown: UserView) -> EmptyState | None:
    """Returns why the images of a view can't be compared; None if they can. Reads stages only, no samples."""
    if shown.is_whole and dataset.media_type != "group":
        return None
    try:
        view = shown.view(dataset)
    except Exception as error:  # noqa: BLE001 (a stage of the user's may raise anything)
        return EmptyState("This view can't be read", str(error), "Show the whole dataset", "leave_view")
    if is_generated(view):
        return EmptyState(
            "This view shows parts of images",
            "Patches, frames and clips have no predictions of their own; the panel compares whole images.",
            "Show the whole dataset",
            "leave_view",
        )
    if is_dynamic_groups(view):
        return EmptyState(
            "This view shows groups of samples",
            "The panel compares single images: remove the stage that groups them.",
            "Show the whole dataset",
            "leave_view",
        )
    if view.media_type == "group":
        return EmptyState(
            "This dataset is grouped",
            "The panel compares single images, so it needs a view of slices instead of groups.",
            "Show the images of all slices",
            "flatten",
        )
    return None
