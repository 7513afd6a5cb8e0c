"""Saved views of a triage: they filter by the fields, so that they follow the decisions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

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
"""What each view is called after the run's key: what it shows, and its color."""


def view_name(run_key: str, kind: str) -> str:
    """Names a saved view of a run."""
    return f"{run_key}: {kind}"


def write_views(dataset: fo.Dataset, run_key: str, views: Mapping[str, Any], own: Sequence[str]) -> list[str]:
    """Saves views, or brings them up to date; those that a user has saved under such a name are left.

    Args:
        dataset: the dataset
        run_key: the run's key
        views: kind to view
        own: names of the saved views that the run has made before

    Returns:
        the names of the views that are the run's now
    """
    import fiftyone.core.utils as fou

    names = []
    for kind, view in views.items():
        name, (description, color) = view_name(run_key, kind), VIEWS[kind]
        infos = {there: dataset.get_saved_view_info(there) for there in dataset.list_saved_views()}
        taken = [there for there in infos if fou.to_slug(there) == fou.to_slug(name)]
        if any(there not in own or infos[there]["description"] != description for there in taken):
            logger.warning("The dataset has a saved view %r of somebody's own: the triage's is not saved", taken[0])
            continue
        names.append(name)
        if not taken or dataset.load_saved_view(name) != view:
            dataset.save_view(name, view, description=description, color=color, overwrite=True)
    return names


def delete_views(dataset: fo.Dataset, names: Sequence[str]) -> None:
    """Deletes saved views that a run has made; one that is somebody else's by now is left."""
    ours = {description for description, _ in VIEWS.values()}
    for name in set(names).intersection(dataset.list_saved_views()):
        if dataset.get_saved_view_info(name)["description"] in ours:
            dataset.delete_saved_view(name)
