"""The user's own view in the App, and the plugin's views, which the App shows in its place.

A stage of the plugin has an id that begins with :data:`MARK` and holds what is shown. The stages before the first one
are the user's view; if the user adds or removes a stage elsewhere, the result is a new view of the user's. So the
user's view is read from the App's alone, in whatever order events arrive. A run's saved views are the plugin's, too:
under them, the user's view is the whole dataset.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from ....lgca_plugin.fiftyone_io.boxes.patches import boxes_in, source_dataset
from ....lgca_plugin.fiftyone_io.database import app_view, serialized_stages
from ....lgca_plugin.runs.saved_views import own_view
from ....lgca_plugin.workflows.overview.overview import stages_key
from .boxes import BoxContext, is_patches, without_state

MARK = "lgca-view-"

PARTS = {
    "suspected label errors": "open_suspects",
    "misleading crops": "misleading_cases",
    "methods disagree": "disagreements",
    "decided": "decided",
}
"""Saved views of a run to the parts of an overview that they show, see ``workflows/overview/selections.py``."""

Stage = dict[str, Any]


@dataclass(frozen=True)
class GridFilter:
    """What the plugin shows in the grid in the place of the user's view.

    Attributes:
        sentence: what is shown, as of the moment it was shown
        part: name of the part of the overview, if it is one
        saved: name of the saved view that the user's view is
        run: key of the run that a part belongs to; None for the one that is looked at
    """

    sentence: str
    part: str | None = None
    saved: str | None = None
    run: str | None = None


@dataclass(frozen=True)
class UserView:
    """The user's own view, under what the plugin shows.

    Attributes:
        stages: its stages, as the App has sent them
        grid_filter: what the plugin shows in its place, if anything
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
        return stages_key([without_state(stage) for stage in _plain(self.stages)], self.filters, self.extended)

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole dataset."""
        return not (self.stages or self.filters or self.extended)

    def view(self, dataset: Any) -> Any:
        """Builds the FiftyOne view, as the App's server does; of a companion of boxes, that of those in the view."""
        source = source_dataset(dataset) if any(map(is_patches, self.stages)) else None
        if source is None:
            return app_view(dataset, self.stages, self.filters, self.extended)
        return boxes_in(dataset, app_view(source, self.stages, self.filters, self.extended))


def user_view(ctx: Any) -> UserView:
    """Returns the user's view, read from an event's request."""
    request = ctx.request_params
    stages: list[Stage] = list(request.get("view") or [])
    name = request.get("view_name") or None
    own = len(stages)
    while own and str(stages[own - 1].get("_uuid") or "").startswith(MARK):
        own -= 1
    grid_filter = _read_mark(str(stages[own]["_uuid"])) if own < len(stages) else _of_saved_view(ctx, name, stages)
    return UserView(
        stages=[] if grid_filter and own == len(stages) else stages[:own],
        grid_filter=grid_filter,
        filters=dict(request.get("filters") or {}),
        extended=dict(request.get("extended") or {}),
        saved=None if grid_filter else name,
    )


def show_in_grid(
    ctx: Any,
    shown: Any,
    sentence: str,
    *,
    part: str | None = None,
    run: str | None = None,
    above: UserView | None = None,
) -> tuple[GridFilter, Any]:
    """Shows samples in the grid in the place of the user's view, which :func:`restore_view` gives back.

    Args:
        ctx: the context of an operator or of a panel's event
        shown: the stages that select the samples from the user's view, or a view of the dataset; if the user's view
            hides some of that view's samples, it is shown in the place of the whole dataset
        sentence: what is shown, for the line that says so
        part: name of the part of the overview, if it is one
        run: key of the run that the part belongs to
        above: the user's view; None reads it from the request

    Returns:
        the filter, and the message to the App, for a generator to yield
    """
    view = user_view(ctx) if above is None else above
    saved = view.saved if view.grid_filter is None else view.grid_filter.saved
    if isinstance(ctx, BoxContext):
        return _show_boxes(ctx, shown, GridFilter(sentence, part, saved, run), view)
    own = serialized_stages(shown)
    if view.stages and not isinstance(shown, list) and not _holds(ctx.dataset, view, own, shown):
        view = replace(view, stages=[])
    found = GridFilter(sentence, part, saved, run)
    return found, ctx.trigger("set_view", {"view": [*view.stages, *_marked(own, found)]})


def _marked(stages: list[Stage], grid_filter: GridFilter) -> list[Stage]:
    """Returns stages with ids that say what they show; the number makes each unique."""
    note = [grid_filter.sentence, grid_filter.part, grid_filter.saved, grid_filter.run]
    return [{**stage, "_uuid": f"{MARK}{json.dumps([at, *note])}"} for at, stage in enumerate(stages)]


def _show_boxes(ctx: Any, shown: Any, grid_filter: GridFilter, view: UserView) -> tuple[GridFilter, Any]:
    """Shows samples of a companion as patches, by their ids; the label's attributes are no fields of the companion."""
    import fiftyone as fo

    own = view.view(ctx.dataset)
    ids = shown.values("id") if not isinstance(shown, list) else _with_stages(own, shown).values("id")
    patches = [stage for stage in view.stages if is_patches(stage)] or serialized_stages([ctx.patches_stage])
    outside = not isinstance(shown, list) and not set(ids) <= set(own.values("id"))
    stages = patches if outside or not view.stages else view.stages
    chosen = serialized_stages([fo.Select(ids, ordered=True)])
    return grid_filter, ctx.trigger("set_view", {"view": [*stages, *_marked(chosen, grid_filter)]})


def _with_stages(samples: Any, stages: list[Any]) -> Any:
    for stage in stages:
        samples = samples.add_stage(stage)
    return samples


def restore_view(ctx: Any, view: UserView) -> Any:
    """Shows the user's own view in the grid again, by its name if it was a saved one, and returns the message."""
    saved = view.grid_filter.saved if view.grid_filter else None
    if saved and saved in ctx.dataset.list_saved_views():
        return ctx.ops.set_view(name=saved)
    return ctx.trigger("set_view", {"view": view.stages}) if view.stages else ctx.ops.clear_view()


def _holds(dataset: Any, view: UserView, own: list[Stage], shown: Any) -> bool:
    """Returns whether the user's view holds all samples of a view of the dataset."""
    try:
        return bool(app_view(dataset, [*view.stages, *own], {}, {}).count() == shown.count())
    except Exception:  # noqa: BLE001 (a view of patches, or one that its dataset has outgrown)
        return False


def _read_mark(mark: str) -> GridFilter:
    _, sentence, part, saved, run = json.loads(mark.removeprefix(MARK))
    return GridFilter(sentence, part, saved, run)


def _of_saved_view(ctx: Any, name: str | None, stages: list[Stage]) -> GridFilter | None:
    """Returns the filter that the App's view is where it is a saved view of a run, by its name or by its stages."""
    if ctx.dataset is None or not (name or stages):
        return None
    found = own_view(ctx.dataset, name, _plain(stages))
    if found is None:
        return None
    run, kind, title = found
    return GridFilter(f"Showing the saved view “{title}”", PARTS[kind], None, run)


def _plain(stages: list[Stage]) -> list[Stage]:
    """Returns stages without their ids."""
    return [{name: value for name, value in stage.items() if name != "_uuid"} for stage in stages]
