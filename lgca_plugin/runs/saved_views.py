"""Saved views of a triage. They filter by the run's fields, so they follow later decisions."""

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
"""Name of each view, without the run's key, to its description and color.

Descriptions never change: by them a view is recognized as a run's own."""


def view_name(run_key: str, kind: str) -> str:
    """Returns the name of a saved view of a run."""
    return f"{run_key}: {kind}"


def write_views(dataset: fo.Dataset, run_key: str, views: Mapping[str, Any], own: Sequence[str]) -> list[str]:
    """Saves or updates views, by kind, and returns their names; a view that a user has saved under one is left.

    ``own`` are the names of the views that the run has saved before.
    """
    import fiftyone.core.utils as fou

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


def delete_views(dataset: fo.Dataset, names: Sequence[str]) -> None:
    """Deletes views that a run has saved; a view that a user has saved under such a name since is left."""
    ours = {description for description, _ in VIEWS.values()}
    for name in set(names).intersection(dataset.list_saved_views()):
        if dataset.get_saved_view_info(name)["description"] in ours:
            dataset.delete_saved_view(name)
