"""The figure of an evaluation: accuracies of the methods and differences between them, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..method.number_text import MINUS, points_interval_text
from .page import PAD, PALETTES, ROW_GAP, Page, Palette, escape_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from ..method.comparison.evaluation import Evaluation
    from ..method.comparison.paired import Interval

MARK: Final = 9
NUMBERS: Final = 150  # pixels for a number with its interval
MARGIN: Final = 0.06


def evaluation_figure(evaluation: Evaluation, *, min_width: int) -> go.Figure:
    """Draws a dot with its interval for each method's accuracy, then one for each difference, for FiftyOne's App.

    Accuracies and differences have separate scales; values are shares. A significant difference, corrected for all
    comparisons, is blue if the method named first is better and orange if it is worse; others are grey.
    """
    palette = PALETTES["app"]
    images = "image" if evaluation.samples == 1 else "images"
    key: list[tuple[str | None, str, str]] = [(palette.text, "●", f"with its {evaluation.confidence:.0%} interval")]
    subtitle = "Dotted: the best of them."
    if evaluation.pairs:
        subtitle = (
            "Differences are known better than accuracies, because all methods are scored on the same images: they can "
            "be clear where the intervals of the accuracies overlap. Dotted: the best accuracy, and no difference."
        )
        key += [(palette.blue, "●", "better"), (palette.orange, "●", "worse"), (palette.grey, "●", "can be chance")]
    page = Page(
        palette,
        f"Which method is right most often on {evaluation.samples:,} labelled {images}?",
        subtitle,
        key,
        min_width=min_width,
        left=round(0.26 * min_width),
        right=NUMBERS + 2 * PAD,
        heading=4,
    )
    traces, axes = _accuracies(page, palette, evaluation)
    if evaluation.pairs:
        more_traces, more_axes = _differences(page, palette, evaluation)
        traces, axes = traces + more_traces, axes + more_axes
    return page.figure(traces, axes, hovermode="closest")


_Parts = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _accuracies(page: Page, palette: Palette, evaluation: Evaluation) -> _Parts:
    page.row("Accuracy", palette.muted)
    top, traces = page.body, []
    colour = palette.text or palette.muted
    for name, score in evaluation.methods.items():
        row = page.row(name, palette.text)
        low, high = score.interval
        number = f"{score.accuracy:.1%} ({100 * low:.1f} to {100 * high:.1f})"
        page.note(number, row, 1, shift=2 * PAD, name="number", color=palette.text)
        hover = (
            f"{escape_html(name)}: {score.correct:,} of {evaluation.samples:,} right"
            f"<br>Macro recall {score.macro_recall:.1%}: every class counts the same"
        )
        traces.append({**_dot(score.accuracy, score.interval, row, colour, hover), "name": escape_html(name)})
    best = max(score.accuracy for score in evaluation.methods.values())
    page.line(best, top, page.body, name="best", color=palette.muted, dash="dot")
    return traces, [{"range": _span([score.interval for score in evaluation.methods.values()], (0.0, 1.0))}]


def _differences(page: Page, palette: Palette, evaluation: Evaluation) -> _Parts:
    """Adds the differences below the accuracies, on a separate axis."""
    page.body += 2 * ROW_GAP
    page.row("Difference in points", palette.muted)
    top, traces, pairs = page.body, [], evaluation.pairs
    comparisons = "comparison" if len(pairs) == 1 else "comparisons"
    for pair in pairs:
        name, real = f"{pair.a} {MINUS} {pair.b}", evaluation.is_real(pair)
        text_colour = palette.text if real else palette.muted
        colour = (palette.blue if pair.difference > 0 else palette.orange) if real else palette.grey
        row = page.row(name, text_colour)
        difference = points_interval_text((pair.difference, *pair.interval)).replace("-", MINUS)
        page.note(difference, row, 1, shift=2 * PAD, name="number", color=text_colour)
        hover = (
            f"{escape_html(evaluation.sentence(pair))}<br><br>Only {escape_html(pair.a)} is right: {pair.only_a:,}; "
            f"only {escape_html(pair.b)}: {pair.only_b:,}"
            f"<br>p = {pair.p:.2g}; corrected for {len(pairs)} {comparisons}: {pair.p_holm:.2g}"
        )
        traces.append(
            {**_dot(pair.difference, pair.interval, row, colour, hover), "name": escape_html(name), "xaxis": "x2"}
        )
    page.line(0, top, page.body, name="no difference", xref="x2", color=palette.muted, dash="dot")
    span = _span([*(pair.interval for pair in pairs), (0.0, 0.0)], (-1.0, 1.0))
    return traces, [{"range": span, "overlaying": "x"}]


def _dot(value: float, interval: Interval, row: float, colour: str, hover: str) -> dict[str, Any]:
    """Returns a dot with its interval as a trace; Plotly has one colour for all intervals of a trace."""
    low, high = interval
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [value],
        "y": [row],
        "marker": {"size": MARK, "color": colour, "opacity": 1},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - value],
            "arrayminus": [value - low],
            "thickness": 2,
            "width": 0,
            "color": colour,
        },
        "cliponaxis": False,
        "hoverinfo": "text",
        "hovertext": [hover],
    }


def _span(intervals: Sequence[Interval], limits: Interval) -> list[float]:
    """Returns the ends of an axis that shows all intervals with a margin, inside the limits."""
    low, high = min(low for low, _ in intervals), max(high for _, high in intervals)
    margin = MARGIN * (high - low)
    return [max(limits[0], low - margin), min(limits[1], high + margin)]
