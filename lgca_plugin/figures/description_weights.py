"""The figure of description weights: how much each description counts in the vector of its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..method.number_text import percent_text
from .page import BAR, CLEAR, LINE, PAD, SMALL_FONT, TIMES, Page, Theme, escape_html, palette_of, times_text, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]

HARDLY_COUNTS: Final = 0.5
"""A description with less than this part of an equal share is irrelevant to its class and drawn in grey."""


def description_weights(
    name: str, texts: Sequence[str], weights: FloatArray, *, theme: Theme = "light", min_width: int = 700
) -> go.Figure:
    """Draws how much each description counts in a class's vector.

    The vector of class k is ``c(k) = normalize(sum_j u_j g_j)``, with the weights ``u_j = softmax_j(exp(text_scale)
    <g_j, g_label>)`` of :func:`~..method.core.scores.description_weights`. Bars start at 0 and sum to 1, the longest on
    top. A dotted line marks the equal share, ``1 / M``; the part of a bar beyond it is solid, the part missing to it is
    outlined. A description is irrelevant, its bar and text grey, if ``u_j < HARDLY_COUNTS / M``: its embedding is
    further from the class's name than the class's other descriptions. The trace ``"weight"`` holds the weights from top
    to bottom. The narrowest page that shows the figure has ``min_width`` pixels, at least 420.

    Raises:
        ValueError: if the weights do not match the texts, or ``theme`` or ``min_width`` is out of range
    """
    palette = palette_of(theme, min_width)
    weights = checked_weights("weights", texts, weights)
    order = np.argsort(-weights, kind="stable")
    shares, equal = weights[order], 1 / len(weights)
    relevant = shares >= HARDLY_COUNTS * equal
    page = Page(
        palette,
        f"Which descriptions define “{name}”?",
        "A class is the weighted average of its descriptions. The closer the model finds a description to the class's "
        "name, the more it counts.",
        [
            (palette.blue, "■", f"more than an equal share, {percent_text(equal)} (dotted)"),
            (palette.orange, "■", "less"),
            (palette.grey, "■", f"hardly counts: under {HARDLY_COUNTS:.0%} of it"),
        ],
        min_width=min_width,
        left=round(0.47 * min_width),
        right=118,
        heading=SMALL_FONT * LINE + 4,
    )
    numbers = {"weight": 52, f"{TIMES} equal": 118 - PAD}
    for heading, shift in numbers.items():
        page.head(heading, 1, shift=shift, anchor="right", color=palette.muted)
    rows, hover = [], []
    for j, share, counts in zip(order, shares, relevant, strict=True):
        colour = palette.text if counts else palette.muted
        rows.append(page.row(texts[j], colour))
        values = (escape_html(percent_text(share)), palette.muted), (times_text(share / equal), colour)
        for shift, (value, shade) in zip(numbers.values(), values, strict=True):
            page.note(value, rows[-1], 1, shift=shift, anchor="right", name="number", color=shade)
        reason = "" if counts else "<br>Hardly counts: the model finds it far from the class's name"
        hover.append(f"{wrap(texts[j], 420)}<br><br>Weight {values[0][0]} ({values[1][0]} equal){reason}")
    page.line(equal, 0, page.body, name="equal share", color=palette.muted, dash="dot")

    colours = np.where(shares > equal, palette.blue, np.where(relevant, palette.orange, palette.grey)).tolist()
    beyond, missing = np.maximum(shares - equal, 0).tolist(), np.maximum(equal - shares, 0).tolist()
    bar = {"type": "bar", "orientation": "h", "y": rows, "width": BAR, "hoverinfo": "skip"}
    solid, outlined = {"color": colours, "opacity": 0.45}, {"color": CLEAR, "line": {"color": colours, "width": 1}}
    traces = [
        {**bar, "name": "weight", "x": shares.tolist(), "marker": solid, "hoverinfo": "text", "hovertext": hover},
        {**bar, "name": "beyond", "base": equal, "x": beyond, "marker": {"color": palette.blue}},
        {**bar, "name": "missing", "base": shares.tolist(), "x": missing, "marker": outlined},
    ]
    axis = {"range": [0, 1.01 * float(shares[0])]}
    return page.figure(traces, [axis], barmode="overlay", hovermode="y", hoverdistance=-1)


def checked_weights(argument: str, texts: Sequence[str], weights: FloatArray) -> FloatArray:
    """Returns description weights as float64; raises ValueError unless there is one for each text and they sum to 1."""
    weights = np.asarray(weights, dtype=np.float64)
    if isinstance(texts, str) or not len(texts) or weights.shape != (len(texts),):
        raise ValueError(
            f"{argument} must hold one number for each text, and at least one; got shape {weights.shape} for "
            f"{len(texts)} texts"
        )
    if not ((weights >= 0).all() and abs(weights.sum() - 1) < 1e-3):
        raise ValueError(f"{argument} must be at least 0 and sum to 1, got {weights}")
    return weights
