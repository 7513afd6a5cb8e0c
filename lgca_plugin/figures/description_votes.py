"""The figure of description votes: which descriptions of two classes fit an image better, for each method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..method.number_text import MINUS, percent_text
from .description_weights import HARDLY_COUNTS, checked_weights
from .page import (
    COLUMN,
    COLUMN_GAP,
    DOT,
    DOT_MAX,
    DOT_MIN,
    LINE,
    PAD,
    ROW_GAP,
    SMALL_FONT,
    Page,
    Theme,
    axis_name,
    escape_html,
    in_colour,
    palette_of,
    round_down,
    times_text,
    translucent,
    wrap,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]


def description_votes(
    texts_a: Sequence[str],
    texts_b: Sequence[str],
    *,
    names: tuple[str, str],
    vectors: Mapping[str, FloatArray],
    embeddings_a: FloatArray,
    embeddings_b: FloatArray,
    weights_a: FloatArray,
    weights_b: FloatArray,
    label_margins: Mapping[str, float] | None = None,
    theme: Theme = "light",
    min_width: int = 700,
) -> go.Figure:
    """Draws how well the descriptions of two classes fit one image, in a column for each method.

    With a method's image vector ``z`` and the class vectors ``c(k) = normalize(sum_j u_j g_j)``, the *fit* of a
    description is ``t_j = <z, g_j> / ||sum_j u_j g_j||``: its similarity to the image, scaled like its class's
    vector. Then::

        score_k = <z, c(k)> = sum_j u_j t_j                       the weighted average of the class's fits, exactly
        margin  = score_a - score_b
                = sum_{j of a} u_j (t_j - r) - sum_{j of b} u_j (t_j - r)                                for any r

    ``r`` is the tie point, ``(score_a + score_b) / 2``. A dot is at ``t_j - r``, its area is proportional to its
    weight, and it is filled if it votes for its own class, ``t_j > r``. Vertical lines mark the averages, the class's
    own and, thinner, the other's; the margin is their distance. All columns have one scale. Descriptions are ordered by
    their fit under the last method; grey text hardly counts, as in :func:`~.description_weights.description_weights`.

    Plain CLIP compares the image with label prompts, not with descriptions. Its column shows how the descriptions fit
    its vector, the whole image's; with its margin in ``label_margins``, the column's title has both.

    Args:
        texts_a: the descriptions of class a, at least one
        texts_b: those of class b
        names: the names of a and b
        vectors: displayed name of a method to its ``[d]`` unit image vector; up to 4 fit a page of 700 pixels
        embeddings_a: ``[m_a, d]`` unit embeddings of the descriptions
        embeddings_b: ``[m_b, d]``
        weights_a: ``[m_a]`` the description weights of the class vector; they sum to 1
        weights_b: ``[m_b]``
        label_margins: displayed name of a method that decides by label prompts to its margin of a over b
        theme: colours for a light page, a dark one, or FiftyOne's App
        min_width: width of the narrowest page that shows the figure, in pixels, at least 420

    Returns:
        the figure. Its traces are named ``"{method}: {class}"``; a row of their ``customdata`` is a description's
        similarity ``<z, g_j>``, weight ``u_j``, share of the score ``u_j t_j``, and pull towards a, ``u_j (t_j - r)``,
        negated for b. The shares of a trace sum to the class's score, the pulls of both classes to the margin

    Raises:
        ValueError: if texts, embeddings, weights and vectors do not match, there are more methods than fit the page, or
            ``theme`` or ``min_width`` is out of range
    """
    palette = palette_of(theme, min_width)
    label_margins = label_margins or {}
    left = round(0.375 * min_width)
    plots = min_width - left - PAD
    most = plots // (COLUMN + COLUMN_GAP)
    if not 1 <= len(vectors) <= most:
        raise ValueError(f"vectors must hold 1 to {most} methods to fit {min_width} pixels, got {len(vectors)}")
    if unknown := sorted(set(label_margins) - set(vectors)):
        raise ValueError(f"label_margins names {unknown[0]!r}, which is not among the vectors: {', '.join(vectors)}")
    sides = (
        _side("a", names[0], palette.blue, texts_a, embeddings_a, weights_a, vectors),
        _side("b", names[1], palette.orange, texts_b, embeddings_b, weights_b, vectors),
    )
    scores = np.stack([side.fits @ side.weights for side in sides], axis=1)  # [methods, 2]
    ties = scores.mean(axis=1)
    reach = max(1e-3, *(1.2 * float(np.abs(side.fits - ties[:, None]).max()) for side in sides))
    largest = max(float(side.ratio.max()) for side in sides)
    dot = min(DOT, DOT_MAX / np.sqrt(largest))

    width = plots // len(vectors) - COLUMN_GAP
    titles = [
        "<br>".join(_column_title(method, sides, a - b, label_margins.get(method), width, palette.muted))
        for method, (a, b) in zip(vectors, scores.tolist(), strict=True)
    ]
    page = Page(
        palette,
        f"Which descriptions speak for “{names[0]}”, which for “{names[1]}”?",
        "Every dot is a description: the further right, the better it fits the image; the bigger, the more it counts. "
        "Lines are the averages of each class's dots, the scores: the class whose line is further right is ahead.",
        [
            (palette.text, "●", "speaks for its class"),
            (palette.text, "○", "speaks against it"),
            (palette.muted, "┊", "a tie"),
            (palette.muted, "grey", f"hardly counts: under {HARDLY_COUNTS:.0%} of an equal share"),
        ],
        min_width=min_width,
        left=left,
        right=PAD,
        heading=(1 + max(title.count("<br>") for title in titles)) * SMALL_FONT * LINE + 38,
    )
    axes, tick = [], round_down(0.7 * reach)
    for i, title in enumerate(titles):
        start, end = i / len(vectors), (i + 1) / len(vectors) - COLUMN_GAP / plots
        page.head(title, start)
        ticks = {
            "tickvals": [-tick, 0, tick],
            "ticktext": [f"{MINUS}{tick:g}<br>worse", "0", f"+{tick:g}<br>better"],
            "showticklabels": True,
        }
        axes.append({"domain": [start, end], "range": [-reach, reach], **ticks})
    traces = []
    for k, side in enumerate(sides):
        heading = page.row(f"{side.name}: score", palette.text, symbol=in_colour(side.colour, "●"))
        shades = [palette.text if counts else palette.muted for counts in side.ratio >= HARDLY_COUNTS]
        rows = [page.row(text, shade) for text, shade in zip(side.texts, shades, strict=True)]
        for i, (method, tie) in enumerate(zip(vectors, ties.tolist(), strict=True)):
            xref, span = axis_name(i), (heading + ROW_GAP, page.body)
            page.note(f"{scores[i, k]:.4f}", heading, 0, xref=xref, anchor="center", name="score")
            page.line(0, *span, xref=xref, name="tie", color=palette.muted, dash="dot")
            other = sides[1 - k].colour
            page.line(scores[i, 1 - k] - tie, *span, xref=xref, name="other average", color=translucent(other))
            page.line(scores[i, k] - tie, *span, xref=xref, name="average", color=side.colour, width=2)
            traces.append(
                {
                    **_dots(side, i, tie, rows, dot, names[0], sign=1 - 2 * k),
                    "name": escape_html(f"{method}: {side.name}"),
                }
            )
        page.body += ROW_GAP
    return page.figure(traces, axes, hovermode="closest")


@dataclass(frozen=True)
class _Side:
    """One of the two classes, with its descriptions by their fit under the last method, best first."""

    name: str
    colour: str
    texts: list[str]
    weights: FloatArray  # [m]
    similarity: FloatArray  # [methods, m]
    fits: FloatArray  # [methods, m]

    @property
    def ratio(self) -> FloatArray:
        """``[m]`` weights relative to an equal share."""
        return self.weights * len(self.weights)


def _side(
    argument: str,
    name: str,
    colour: str,
    texts: Sequence[str],
    embeddings: FloatArray,
    weights: FloatArray,
    vectors: Mapping[str, FloatArray],
) -> _Side:
    weights = checked_weights(f"weights_{argument}", texts, weights)
    embeddings = np.asarray(embeddings, dtype=np.float64)
    for method, vector in vectors.items():
        if embeddings.shape != (len(texts), *np.shape(vector)):
            raise ValueError(
                f"embeddings_{argument} must be [{len(texts)}, d], with the vector of {method!r} [d]; "
                f"got {list(embeddings.shape)} and {list(np.shape(vector))}"
            )
    similarity = np.stack([np.asarray(vector, dtype=np.float64) for vector in vectors.values()]) @ embeddings.T
    fits = similarity / (np.linalg.norm(weights @ embeddings) or 1.0)
    if not np.isfinite(fits).all():
        raise ValueError(f"embeddings_{argument} and vectors must be finite numbers")
    order = np.argsort(-fits[-1], kind="stable")
    return _Side(name, colour, [texts[j] for j in order], weights[order], similarity[:, order], fits[:, order])


def _dots(side: _Side, i: int, tie: float, rows: list[float], dot: float, towards: str, *, sign: int) -> dict[str, Any]:
    """Returns the trace of a class's dots in a method's column, with stems from the tie point."""
    x = side.fits[i] - tie
    share, pull = side.weights * side.fits[i], sign * side.weights * x
    values = np.stack([side.similarity[i], side.weights, share, pull], axis=1).tolist()
    stems = {"array": np.maximum(-x, 0).tolist(), "arrayminus": np.maximum(x, 0).tolist(), "symmetric": False}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x.tolist(),
        "y": rows,
        "xaxis": axis_name(i),
        "marker": {
            "size": np.maximum(dot * np.sqrt(side.ratio), DOT_MIN).tolist(),
            "symbol": np.where(x > 0, "circle", "circle-open").tolist(),
            "color": side.colour,
            "opacity": 1,
            "line": {"width": 1.5, "color": side.colour},
        },
        "error_x": {"type": "data", **stems, "color": translucent(side.colour), "thickness": 1, "width": 0},
        "cliponaxis": False,
        "customdata": values,
        "hoverinfo": "text",
        "hovertext": [
            f"{wrap(text, 420)}<br><br>Similarity to the image {similarity:.4f}"
            f"<br>Weight {escape_html(percent_text(weight))} ({times_text(weight * len(rows))} equal)"
            f"<br>Its share of the score {of_score:.5f}; those of {escape_html(side.name)} add up to the score"
            f"<br>Moves the decision {abs(of_margin):.5f} {'towards' if of_margin >= 0 else 'away from'} "
            f"{escape_html(towards)}; all dots add up to its lead"
            for text, (similarity, weight, of_score, of_margin) in zip(side.texts, values, strict=True)
        ],
    }


def _column_title(
    method: str, sides: tuple[_Side, _Side], margin: float, own: float | None, width: float, muted: str
) -> list[str]:
    """Returns the lines of a column's title: the leading class, for label prompts and descriptions if both matter."""

    def ahead(by: float) -> str:
        if abs(by) < 5e-7:
            return wrap("a tie", width, SMALL_FONT)
        side = sides[by < 0]
        digits = 4 if abs(by) >= 5e-5 else 6
        text = wrap(f"{side.name} ahead by {abs(by):.{digits}f}", width - SMALL_FONT, SMALL_FONT)
        return f"{in_colour(side.colour, '●')} {text}"

    title = [f"<b>{wrap(method, 0.9 * width, SMALL_FONT)}</b>"]
    if own is None:
        return [*title, ahead(margin)]
    decides, alone = (wrap(text, width, SMALL_FONT) for text in ("label prompts decide:", "descriptions alone:"))
    return [*title, decides, ahead(own), in_colour(muted, alone), in_colour(muted, ahead(margin))]
