"""Saved views of a triage. They filter by the run's fields, so they follow later decisions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..fiftyone_io.database import repair_saved_views, serialized_stages
from ..fiftyone_io.outages import waits_for_database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

logger = logging.getLogger(__name__)

VIEWS = {
    "suspected label errors": ("Labels to decide about, the worst first; a decision takes the sample out", "#FF6D04"),
    "misleading crops": (
        "Samples where WCA says what LGCA says once a few crops are gone, the fewest first",
        "#9C27B0",
    ),
    "methods disagree": ("Samples on which the methods give different answers", "#2196F3"),
    "decided": ("Samples about which somebody has decided, the latest first", "#4CAF50"),
}
"""Name of each view, without the run's key, to its description and color.

Descriptions never change: by them a view is recognized as a run's own."""


def view_name(run_key: str, kind: str) -> str:
    """Returns the name of a saved view of a run."""
    return f"{run_key}: {kind}"


def own_view(dataset: fo.Dataset, name: str | None, stages: Sequence[Mapping[str, Any]]) -> tuple[str, str, str] | None:
    """Returns the run's key, the kind and the name of a run's saved view that the App shows; None if it shows none.

    Args:
        dataset: the dataset
        name: name of the saved view that is open, if one is
        stages: the App's stages without their ids; a run's view that is open without its name is recognized by them
    """
    for title in dataset.list_saved_views():
        run_key, _, kind = title.rpartition(": ")
        if kind not in VIEWS or dataset.get_saved_view_info(title)["description"] != VIEWS[kind][0]:
            continue
        if title == name or (not name and stages and _serialized(dataset, title) == list(stages)):
            return run_key, kind, title
    return None


def _serialized(dataset: fo.Dataset, name: str) -> list[Any]:
    """Returns the stages of a saved view as the App sends them; none if the view can't be loaded any more."""
    try:
        view = dataset.load_saved_view(name)
    except Exception:  # noqa: BLE001 (a field that it filters by may be gone)
        return []
    return serialized_stages(view)


@waits_for_database
def write_views(dataset: fo.Dataset, run_key: str, views: Mapping[str, Any], own: Sequence[str]) -> list[str]:
    """Saves or updates views, by kind, and returns their names; a view that a user has saved under one is left.

    ``own`` are the names of the views that the run has saved before.
    """
    import fiftyone.core.utils as fou

    repair_saved_views(dataset)
    names = []
    for kind, view in views.items():
        name, (description, color) = view_name(run_key, kind), VIEWS[kind]
        same_name = [other for other in dataset.list_saved_views() if fou.to_slug(other) == fou.to_slug(name)]
        descriptions = {other: dataset.get_saved_view_info(other)["description"] for other in same_name}
        if any(other not in own or descriptions[other] != description for other in same_name):
            logger.warning("The dataset has another saved view %r: the triage's is not saved", same_name[0])
            continue
        names.append(name)
        if not same_name or dataset.load_saved_view(name) != view:
            dataset.save_view(name, view, description=description, color=color, overwrite=True)
    return names


@waits_for_database
def delete_views(dataset: fo.Dataset, names: Sequence[str]) -> None:
    """Deletes views that a run has saved; a view that a user has saved under such a name since is left."""
    repair_saved_views(dataset)
    ours = {description for description, _ in VIEWS.values()}
    for name in set(names).intersection(dataset.list_saved_views()):
        if dataset.get_saved_view_info(name)["description"] in ours:
            dataset.delete_saved_view(name)
