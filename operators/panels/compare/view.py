"""What the panel that compares methods looks at: a dataset's run, and the user's own view under the panel's narrowing.

The panel narrows the App's view by stages whose ids begin with :data:`MARK` and say what is shown. What comes before
them is the user's view, and whoever removes or adds a stage elsewhere makes a new one. What the App knows of the view
and what the panel shows so can't come apart, in whatever order events arrive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bson import json_util

from ....lgca_plugin.fiftyone_io.database import (
    app_view,
    is_dynamic_groups,
    is_generated,
    sample_collection,
    serialized_stages,
)
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.overview.overview import stages_key
from ...shared.run_choice import KnownRun, pick_run, run_keys

MARK = "lgca-compare-"

Stage = dict[str, Any]


@dataclass(frozen=True)
class Narrowing:
    """What the panel shows of the user's view.

    Attributes:
        sentence: said so when it was shown
        part: which of the parts that can be named; None for another
        saved: name of the saved view that the user's view is
    """

    sentence: str
    part: str | None
    saved: str | None


@dataclass(frozen=True)
class Base:
    """The user's view.

    Attributes:
        stages: its stages, as the App has sent them
        narrowed: what the panel shows of it, None where it shows all of it
        filters: what is set in the App's sidebar
        extended: what is selected in the App's other panels
        saved: name of the saved view that it is; None if it is none, or something lies on it
    """

    stages: list[Stage]
    narrowed: Narrowing | None
    filters: dict[str, Any]
    extended: dict[str, Any]
    saved: str | None

    @property
    def key(self) -> str:
        """Identifies the view."""
        plain = [{name: value for name, value in stage.items() if name != "_uuid"} for stage in self.stages]
        return stages_key(plain, self.filters, self.extended)

    @property
    def is_whole(self) -> bool:
        """Whether it is the dataset itself."""
        return not (self.stages or self.filters or self.extended)

    def view(self, dataset: Any) -> Any:
        """Builds it, as the App's server does."""
        return app_view(dataset, self.stages, self.filters, self.extended)


def base_of(ctx: Any) -> Base:
    """Finds the user's view in what the App has sent."""
    request = ctx.request_params
    stages: list[Stage] = list(request.get("view") or [])
    own = len(stages)
    while own and str(stages[own - 1].get("_uuid") or "").startswith(MARK):
        own -= 1
    return Base(
        stages=stages[:own],
        narrowed=_read_mark(str(stages[own]["_uuid"])) if own < len(stages) else None,
        filters=dict(request.get("filters") or {}),
        extended=dict(request.get("extended") or {}),
        saved=request.get("view_name") or None,
    )


def narrow(
    ctx: Any,
    base: Base,
    stages: list[Any],
    sentence: str,
    part: str | None = None,
) -> Narrowing:
    """Has the App show a part of the user's view.

    Returns:
        what it shows then
    """
    saved = base.saved if base.narrowed is None else base.narrowed.saved
    own = json.loads(json_util.dumps(serialized_stages(stages)))
    marks = [
        f"{MARK}{json.dumps([at, sentence, part, saved])}" for at in range(len(own))
    ]  # every stage has an id of its own
    own = [{**stage, "_uuid": mark} for stage, mark in zip(own, marks, strict=True)]
    ctx.trigger("set_view", {"view": [*base.stages, *own]})
    return Narrowing(sentence, part, saved)


def _read_mark(mark: str) -> Narrowing:
    _, sentence, part, saved = json.loads(mark.removeprefix(MARK))
    return Narrowing(sentence, part, saved)


def restore(ctx: Any, base: Base) -> None:
    """Has the App show the user's view again, under its name where it was a saved one."""
    saved = base.narrowed.saved if base.narrowed else None
    if saved and saved in ctx.dataset.list_saved_views():
        ctx.ops.set_view(name=saved)
    else:
        ctx.trigger("set_view", {"view": base.stages})


@dataclass(frozen=True)
class Obstacle:
    """Why there is nothing to show.

    Attributes:
        title: in a few words
        sentence: and what to do
        action: label of the button that does it
        method: name of the panel's method that the button calls
    """

    title: str
    sentence: str
    action: str | None = None
    method: str | None = None


@dataclass(frozen=True)
class Situation:
    """What the panel is about.

    Attributes:
        keys: of the dataset's runs, the latest first
        run: the chosen run
        base: the user's view
        obstacle: why there is nothing to show of it
    """

    keys: list[str]
    run: Run | None
    base: Base
    obstacle: Obstacle | None


def situation(ctx: Any, wanted: str | None) -> Situation:
    """Finds out which run is meant, and whether it can be shown on the App's view."""
    base = base_of(ctx)
    keys = run_keys(ctx.dataset)
    found = pick_run(ctx.dataset, keys, wanted)
    run = found.run if found else None
    return Situation(keys, run, base, _dataset_obstacle(ctx.dataset, found) or _view_obstacle(ctx.dataset, base))


def _dataset_obstacle(dataset: Any, found: KnownRun | None) -> Obstacle | None:
    if dataset is None:
        return Obstacle("No dataset is open", "Open a dataset, then classify it.")
    if dataset.media_type not in (None, "image", "group"):
        return Obstacle(
            "Only images can be classified", f"This dataset holds samples of type {dataset.media_type}, not images."
        )
    if found is None and not sample_collection(dataset).estimated_document_count():
        return Obstacle("This dataset is empty", "Add images to it, then classify them.")
    if found is None:
        return Obstacle(
            "No zero-shot run yet",
            "Classify the images with CLIP, WCA and LGCA; then their answers are compared here.",
            "Classify zero-shot",
            "classify",
        )
    if found.run is None:
        return Obstacle(
            "This run can't be read",
            f"{found.problem} Classify again under another key.",
            "Classify zero-shot",
            "classify",
        )
    return None


def _view_obstacle(dataset: Any, base: Base) -> Obstacle | None:
    """Says why a view holds no whole images side by side; looks at stages only, so that no sample is read."""
    if base.is_whole and dataset.media_type != "group":
        return None
    try:
        view = base.view(dataset)
    except Exception as error:  # noqa: BLE001 (whatever a stage of somebody's may raise)
        return Obstacle("This view can't be read", str(error), "Show the whole dataset", "leave_view")
    if is_generated(view):
        return Obstacle(
            "This view shows parts of images",
            "Patches, frames and clips have no predictions of their own; the panel compares whole images.",
            "Show the whole dataset",
            "leave_view",
        )
    if is_dynamic_groups(view):
        return Obstacle(
            "This view shows groups of samples",
            "The panel compares images one by one: remove the stage that groups them.",
            "Show the whole dataset",
            "leave_view",
        )
    if view.media_type == "group":
        return Obstacle(
            "This dataset is grouped",
            "The panel compares images one by one, so it needs a view of slices instead of groups.",
            "Show the images of all slices",
            "flatten",
        )
    return None
