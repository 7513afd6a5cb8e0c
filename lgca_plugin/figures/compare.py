"""Figures that compare methods: agreement, which classes turn into which, and margins.

They are documents: ``plotly.graph_objects.Figure(**parts)`` shows them in a notebook, and FiftyOne's panels take
``parts["data"]`` and ``parts["layout"]`` as they are, without Plotly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..method.number_text import percent_text, samples_text
from .page import CLEAR, FAMILY, LOOK, PALETTES, SMALL_FONT, escape_html, revised, translucent, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Parts = dict[str, Any]

PALETTE: Final = PALETTES["app"]
BAR_ROW: Final = 30  # pixels
CELL: Final = 26
LONGEST: Final = 16  # letters of a class on an axis
LETTER: Final = 6.4  # pixels, of the small font
HOVER_WIDTH: Final = 320
NARROW: Final = 380  # the width of a plot in the narrowest panel
LEGEND_ROW: Final = 19
COLOURS: Final = ("#2f8fd0", "#dd7a12", "#1f9e77", "#c2569b", "#b39b00", "#7a6fd0", "#d0493f", "#4aa3a3")
"""Colours of groups, for light and dark pages; as different for colour-blind users as eight colours can be."""


def agreement_picture(rows: Sequence[tuple[str, int]]) -> Parts:
    """Draws a bar for each pattern of agreement, by its name and number of samples, in one trace.

    The first pattern is that all agree, the last that all differ.
    """
    total = sum(count for _, count in rows)
    shares = [count / total if total else 0.0 for _, count in rows]
    colours = [
        PALETTE.grey if at == 0 else PALETTE.orange if at == len(rows) - 1 else PALETTE.blue for at in range(len(rows))
    ]
    texts = [f"{count:,} ({percent_text(share)})" for (_, count), share in zip(rows, shares, strict=True)]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [count for _, count in rows],
        "y": list(range(len(rows))),
        "ids": [str(at) for at in range(len(rows))],
        "width": 0.72,
        "marker": {"color": colours},
        "text": texts,
        "textposition": "outside",
        "cliponaxis": False,
        "textfont": {"size": SMALL_FONT + 1},
        "hoverinfo": "text",
        "hovertext": [
            f"{escape_html(name)}: {text} of the samples that all of them have classified"
            for (name, _), text in zip(rows, texts, strict=True)
        ],
    }
    layout = _layout(
        BAR_ROW * len(rows) + 8, left=int(LETTER * max(len(name) for name, _ in rows)) + 22, right=8, top=0
    )
    longest = max(count for _, count in rows) or 1
    layout["xaxis"] |= {"visible": False, "range": [0, 1.45 * longest]}
    layout["yaxis"] |= {
        "range": [len(rows) - 0.5, -0.5],
        "tickvals": list(range(len(rows))),
        "ticktext": [escape_html(name) for name, _ in rows],
    }
    return revised({"data": [trace], "layout": layout})


def flow_picture(
    names: Sequence[str], counts: NDArray[np.int64], *, methods: tuple[str, str], folded: bool = False
) -> Parts:
    """Draws a heatmap of the labels of two methods: a cell for each two classes, and its number as a point on it.

    ``counts`` are ``[k, k]`` samples by the label of the one method (row) and of the other (column). Agreement is grey,
    disagreement blue, both darker with more samples. If ``folded``, the last name stands for several classes, so that
    the last cell counts disagreements.
    """
    k = len(names)
    diagonal = np.eye(k, dtype=bool)
    if folded:
        diagonal[-1, -1] = False
    most_alike = int(counts[diagonal].max(initial=0)) or 1
    most_apart = int(counts[~diagonal].max(initial=0)) or 1
    shade = np.where(diagonal, -np.sqrt(counts / most_alike), np.sqrt(counts / most_apart))
    short = [escape_html(shortened(name)) for name in names]
    says = [[wrap(f"{method} says {name}", HOVER_WIDTH) for name in names] for method in methods]
    hover = [[f"{says[0][i]}<br>{says[1][j]}<br>{samples_text(counts[i, j])}" for j in range(k)] for i in range(k)]
    if folded:
        number = samples_text(counts[-1, -1])
        pair = " and ".join(map(escape_html, methods))
        hover[-1][-1] = f"{pair} give other classes,<br>and not the same one<br>{number}"
    trace = {
        "type": "heatmap",
        "x": list(range(k)),
        "y": list(range(k)),
        "z": np.round(shade, 4).tolist(),
        "zmin": -1,
        "zmax": 1,
        "colorscale": [[0, translucent(PALETTE.grey, 0.5)], [0.5, CLEAR], [1, translucent(PALETTE.blue, 0.75)]],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hoverinfo": "text",
        "hovertext": hover,
    }
    longest = max(len(name) for name in short)
    room = int(LETTER * longest) + 12
    layout = _layout(CELL * k + room + 52, left=room + 18, right=6, top=room + 20, bottom=4)
    ticks = {"tickvals": list(range(k)), "ticktext": short, "showgrid": False, "range": [-0.5, k - 0.5]}
    title = {"font": {"size": SMALL_FONT + 1}, "standoff": 4}
    layout["xaxis"] |= ticks | {
        "side": "top",
        "tickangle": -90,
        "title": {**title, "text": escape_html(f"{methods[1]} says")},
    }
    layout["yaxis"] |= ticks | {"range": [k - 0.5, -0.5], "title": {**title, "text": escape_html(f"{methods[0]} says")}}
    # Points: a heatmap's own texts do not take the page's text colour, and a browser updates every annotation whenever
    # the page around the figure changes.
    rows, columns = np.nonzero(counts)
    numbers = {
        "type": "scatter",
        "mode": "text",
        "x": columns.tolist(),
        "y": rows.tolist(),
        "text": [_cell_text(count) for count in counts[rows, columns].tolist()],
        "textfont": {"size": 10},
        "cliponaxis": False,
        "hoverinfo": "skip",
    }
    return revised({"data": [trace, numbers], "layout": layout})


def margin_picture(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    groups: Sequence[tuple[str, NDArray[np.integer]]],
    *,
    ids: Sequence[str],
    hover: Sequence[str],
    methods: tuple[str, str],
) -> Parts:
    """Draws the ``[n]`` margins of two methods as a scatter plot: a point for each sample, a trace for each group.

    ``groups`` are names and the indices of their samples; the first is drawn in grey, behind the others. ``hover`` are
    ``[n]`` texts, not escaped.
    """
    traces = []
    for at, (name, places) in enumerate(groups):
        grey = at == 0
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": escape_html(name),
                "x": np.round(x[places], 5).tolist(),
                "y": np.round(y[places], 5).tolist(),
                "ids": [ids[place] for place in places.tolist()],
                "marker": {
                    "size": 5 if grey else 7,
                    "color": PALETTE.grey if grey else COLOURS[(at - 1) % len(COLOURS)],
                    "opacity": 0.5 if grey else 0.85,
                },
                "hoverinfo": "text",
                "hovertext": ["<br>".join(map(escape_html, hover[place].split("\n"))) for place in places.tolist()],
            }
        )
    entry = LETTER * max(len(name) for name, _ in groups) + 44
    legend = LEGEND_ROW * -(-len(groups) // max(1, int(NARROW // entry)))
    layout = _layout(370 + legend, left=56, right=10, top=30, bottom=58 + legend)
    title = {"font": {"size": SMALL_FONT + 1}, "standoff": 6}
    for axis, method in (("xaxis", methods[0]), ("yaxis", methods[1])):
        layout[axis] |= {
            "showgrid": True,
            "gridcolor": translucent(PALETTE.grey, 0.25),
            "fixedrange": False,
            "rangemode": "tozero",
            "title": {**title, "text": escape_html(f"{method}: how far ahead")},
        }
    layout |= {
        "showlegend": True,
        "dragmode": "lasso",
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "bgcolor": CLEAR,
            "font": {"size": SMALL_FONT},
            "itemsizing": "constant",
        },
        "modebar": {"bgcolor": CLEAR, "color": PALETTE.muted, "activecolor": PALETTE.blue},
    }
    return revised({"data": traces, "layout": layout})


def shortened(name: str, longest: int = LONGEST) -> str:
    """Returns a name, shortened in its middle, where names differ least."""
    if len(name) <= longest:
        return name
    end = longest // 3
    return f"{name[: longest - end - 1].rstrip()}…{name[-end:].lstrip()}"


def _cell_text(count: int) -> str:
    """Returns a number that fits a cell; the hover text has the exact one."""
    return f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k" if count < 999_500 else f"{count / 1e6:.1f}M"


def _layout(height: int, *, left: int, right: int, top: int, bottom: int = 8) -> dict[str, Any]:
    axis: dict[str, Any] = {"showgrid": False, "zeroline": False, "automargin": False, "fixedrange": True}
    axis |= {"ticks": "", "tickfont": {"size": SMALL_FONT}}
    return {
        **LOOK,
        "height": height,
        "margin": {"l": left, "r": right, "t": top, "b": bottom, "pad": 0},
        "font": {"family": FAMILY, "size": SMALL_FONT + 1},
        "xaxis": dict(axis),
        "yaxis": dict(axis),
    }
