"""Whether there is a run and a view that the compare panel can compare, and what to do about it if not."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.fiftyone_io.database import is_dynamic_groups, is_generated, sample_collection
from ....lgca_plugin.method.number_text import capitalized
from ....lgca_plugin.run import Run
from ...shared.grid.user_view import UserView
from ...shared.run_choice import pick_run
from ..widgets import EmptyState


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
        sentence = f"{capitalized(error.app)}. Classify again under another key."
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
