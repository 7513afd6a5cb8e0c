"""Pieces of the evidence panel's page: figures, lists and tables, and what its numbers mean."""

from __future__ import annotations

import math
from typing import Any

from fiftyone.operators import types

from ....lgca_plugin.figures.page import revised
from ..widgets import SMALL, aside, column, text

WIDTH = 430
"""Pixels: as wide as the panel is beside the image in a window of 1280 pixels."""

ABOUT = {
    "confidence": "Confidence: the softmax probability of the label among the run's classes, to rank images by within "
    "one method",
    "margin": "Margin: the score of the best class minus that of the second best; scores are cosine similarities",
    "stability": "Stability: the share of 200 bootstrap draws of the crops in which the method keeps its label; 100% "
    "means that the label owes nothing to the luck of the crops",
    "before": "Lead: the score of the first rival minus that of the second under this method; negative where the "
    "second leads",
    "after": "The lead with the regions taken out; the weights of the others are renormalized",
}

PLOT = {"displayModeBar": False, "scrollZoom": False, "responsive": True}

TABLE = {
    "container": {"sx": {"width": "100%", "overflowX": "auto"}},
    "tableContainer": {"sx": {"maxWidth": "100%"}},
    "table": {"sx": {"& th, & td": {"padding": "3px 8px", "overflowWrap": "break-word"}}},
}


def plot(page: Any, name: str, figure: Any, on_click: Any) -> None:
    """Adds a figure, a plain document, at its own height."""
    figure = revised(figure)
    page.plot(
        name,
        data=list(figure["data"]),
        layout=figure["layout"],
        config=PLOT,
        height=f"{figure['layout']['height']}px",  # a bare number is a percentage of the panel's height
        on_click=on_click,
        componentsProps=aside(width="100%"),
    )


def choose(parent: Any, name: str, label: str, choices: list[tuple[str, str]], on_change: Any, about: str) -> None:
    """Adds a list to choose from; what is chosen is in the panel's state."""
    field = column(parent, f"{name}_field", title=about, width="132px", gap="2px")
    text(field, "label", label, size=SMALL, muted=True)
    view = types.DropdownView(compact=True, label=label)
    for value, shown in choices:
        view.add_choice(value, label=shown)
    field.enum(name, view.values(), view=view, on_change=on_change)


def explain(table: Any, row: int) -> None:
    """Says on hovering what the numbers in a table's row mean; the App takes columns by their place, not their name."""
    for place, key in enumerate(table.keys()):
        if key in ABOUT:
            table.add_tooltip(row, place, ABOUT[key])


def percent(value: float | None) -> str:
    """Writes a share as a percentage."""
    return "\u2013" if value is None or math.isnan(value) else f"{value:.1%}"
