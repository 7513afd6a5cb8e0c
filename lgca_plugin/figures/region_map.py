"""The figure of a whole image with the boxes of its chains."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .film_strip import hover_text
from .page import FAMILY, PALETTES, SMALL_FONT, pixel_layout

if TYPE_CHECKING:
    from ..method.explain.film_strip import Strip

HIGHEST = 360
TAG = 18  # size of the mark in a box's corner, in pixels


def region_map(strip: Strip, image: str, image_size_hw: tuple[int, int], *, min_width: int) -> dict[str, Any]:
    """Draws an image with the boxes of a strip's chains, in the colours of their votes, for FiftyOne's App.

    A mark in the corner of each box has the number of its crop; misleading crops have thick edges, removed regions
    dotted ones.

    ``image`` is a data URI, its size is in any unit. The trace ``"frames"`` has a point for each region, with the
    region's index as id.
    """
    palette = PALETTES["app"]
    high, wide = image_size_hw
    scale = min((min_width - 6) / wide, HIGHEST / high)
    across, height = wide * scale, high * scale
    colours = {strip.names[0]: palette.blue, strip.names[1]: palette.orange}
    points: dict[str, list[Any]] = {name: [] for name in ("x", "y", "ids", "text", "hovertext")}
    shapes, marks = [], []
    for chain in reversed(strip.chains):  # the most important ones are drawn last, on top
        for frame in reversed(chain.frames):
            left, top, width, tall = frame.box
            colour = colours.get(frame.vote, palette.grey)
            edge = {"color": colour, "width": 4 if frame.misleading else 2, "dash": "dot" if frame.out else "solid"}
            place = {"x0": 3 + left * across, "x1": 3 + (left + width) * across}
            place |= {"y0": 3 + top * height, "y1": 3 + (top + tall) * height}
            shapes.append({"type": "rect", "xref": "x", "yref": "y", **place, "line": edge})
            for name, value in (
                ("x", place["x0"] + TAG / 2),
                ("y", _free(place["y0"] + TAG / 2, place["x0"] + TAG / 2, points)),
                ("ids", str(frame.region)),
                ("text", str(chain.number + 1)),
                ("hovertext", hover_text(frame, chain, strip)),
            ):
                points[name].append(value)
            marks.append(colour)
    trace = {
        "type": "scatter",
        "mode": "markers+text",
        "name": "frames",
        **points,
        "hoverinfo": "text",
        "marker": {"size": TAG, "symbol": "square", "color": marks, "opacity": 1, "line": {"width": 0}},
        "textfont": {"size": SMALL_FONT - 1, "color": "#ffffff", "family": FAMILY},
        "textposition": "middle center",
        "cliponaxis": False,
    }
    picture = {"x": 3, "y": 3, "sizex": across, "sizey": height, "xanchor": "left", "yanchor": "top"}
    layout = {
        **pixel_layout(min_width, math.ceil(height + 6)),
        "images": [{"source": image, "xref": "x", "yref": "y", **picture, "sizing": "stretch", "layer": "below"}],
        "shapes": shapes,
    }
    return {"data": [trace], "layout": layout}


def _free(y: float, x: float, points: dict[str, list[Any]]) -> float:
    """Returns the mark's y moved down until it hides no other mark, with some distance for smaller displays."""
    apart = TAG + 2
    while any(
        abs(y - other) < apart and abs(x - left) < apart for left, other in zip(points["x"], points["y"], strict=False)
    ):
        y += apart
    return y
