"""Opening a panel beside the grid, so that the grid stays wide enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone as fo

from ....lgca_plugin.fiftyone_io.app_layout import PANEL_SHARE

SMALL_WINDOW = 1440
"""Width in pixels of a window in which the grid, a panel and the sidebar do not fit side by side."""

MAKE_ROOM = "@lgca/zero-shot/lgca_make_room"
"""The operator in ``app.js``."""


def open_beside_grid(ctx: Any, name: str) -> list[Any]:
    """Opens a panel to the right of the grid, as one more tab where a panel is already, or brings it to the front.

    Where it is the first panel beside the grid of a small window, the sidebar is hidden; its button brings it back. In
    an arrangement of the user's own, FiftyOne finds a place for the panel.

    Returns:
        the messages to the App, for a generator to yield
    """
    root, panel = ctx.spaces, fo.Panel(type=name)
    if root is None or any(other.type == name for other in _panels(root)):
        return [ctx.ops.open_panel(name, layout="horizontal", is_active=True)]
    if [getattr(child, "type", None) for child in root.children] == ["Samples"]:
        halves = [fo.Space(children=[one], active_child=one.component_id) for one in (root.children[0], panel)]
        split = fo.Space(children=halves, orientation="horizontal", sizes=[1 - PANEL_SHARE, PANEL_SHARE])
        # In this order: the grid does not follow the sidebar while it is drawn anew.
        return [make_room(ctx), ctx.ops.set_spaces(split)]
    if root.orientation == "horizontal" and _holds_panels(root.children[-1]):
        beside = root.children[-1]
        beside.children.append(panel)
        beside.active_child = panel.component_id
        return [ctx.ops.set_spaces(root)]
    return [ctx.ops.open_panel(name, layout="horizontal", is_active=True)]


def make_room(ctx: Any) -> Any:
    """Hides the sidebar of a small window: beside it and a panel, the App shows no button above the grid.

    Returns:
        the message to the App, for a generator to yield
    """
    return ctx.trigger(MAKE_ROOM, {"width": SMALL_WINDOW})


def _panels(space: Any) -> Iterator[Any]:
    """Yields all panels of a space."""
    for child in space.children:
        if isinstance(child, fo.Panel):
            yield child
        else:
            yield from _panels(child)


def _holds_panels(space: Any) -> bool:
    """Returns whether a space holds panels as its tabs, and not the grid."""
    return isinstance(space, fo.Space) and all(
        isinstance(child, fo.Panel) and child.type != "Samples" for child in space.children
    )
