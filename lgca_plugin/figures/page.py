"""Layout and text shared by figures: themes, pixel layout of rows of text beside plots, and wrapped text."""

from __future__ import annotations

import hashlib
import html
import json
import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from ..method.number_text import MINUS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

Theme = Literal["light", "dark", "app"]
"""``"app"`` is for light and dark pages: its colours are in between, and text has FiftyOne's colour in a panel."""

# Sizes are pixels.
NARROWEST, PAD, ROW_GAP, BAR, COLUMN, COLUMN_GAP = 420, 14, 10, 12, 80, 18
TITLE_FONT, FONT, SMALL_FONT = 17, 12, 11
DOT, DOT_MIN, DOT_MAX = 10.0, 3.5, 17.0  # diameter at an equal share, the smallest, the largest
LINE: Final = 1.3  # Plotly's line height, in ems
FAMILY: Final = "Arial, Liberation Sans, Helvetica, sans-serif"  # fonts of equal widths
CLEAR: Final = "rgba(0,0,0,0)"
EM_SPACE, TIMES = "\u2003", "\u00d7"
LOOK: Final[dict[str, Any]] = {
    "template": {},  # without Plotly's colours
    "autosize": True,
    "paper_bgcolor": CLEAR,
    "plot_bgcolor": CLEAR,
    "showlegend": False,
    "dragmode": False,
    "hoverlabel": {
        "bgcolor": "#303030",
        "bordercolor": "#808080",
        "align": "left",
        "font": {"size": FONT, "color": "#ffffff", "family": FAMILY},
    },
}
"""The parts of the layout that all figures have."""


@dataclass(frozen=True)
class Palette:
    """A theme's colours; blue and orange differ for colour-blind users."""

    text: str | None
    muted: str
    blue: str
    orange: str
    grey: str


PALETTES: Final = {
    "light": Palette("#262626", "#6f6f6f", "#0072b2", "#d55e00", "#a8a8a8"),
    "dark": Palette("#e6e6e6", "#9c9c9c", "#56b4e9", "#e69f00", "#757575"),
    "app": Palette(None, "#858585", "#2f8fd0", "#dd7a12", "#8c8c8c"),
}


class Page:
    """A figure laid out in pixels from top to bottom: title, then rows of text beside the plots.

    The plots' y axis counts pixels from the top of the first row, so every row is as high as its text.
    """

    def __init__(
        self,
        palette: Palette,
        title: str,
        subtitle: str,
        key: Sequence[tuple[str | None, str, str]],
        *,
        min_width: int,
        left: int,
        right: int,
        heading: float,
    ) -> None:
        self.body = 0.0  # height of the rows so far
        self._left, self._right, self._heading = left, right, heading
        self._palette = palette
        self._annotations: list[dict[str, Any]] = []
        self._shapes: list[dict[str, Any]] = []
        width = min_width - 2 * PAD
        blocks = [
            ("title", wrap(title, width, TITLE_FONT), TITLE_FONT, palette.text),
            ("subtitle", wrap(subtitle, width), FONT, palette.muted),
            ("key", flow(key, width), FONT, palette.text),
        ]
        heights = [(1 + text.count("<br>")) * size * LINE + 5 for _, text, size, _ in blocks]
        self._top = 1.5 * PAD + sum(heights) + heading
        above = self._top - PAD
        for (name, text, size, colour), height in zip(blocks, heights, strict=True):
            self._write(text, 0, 1, name=name, xshift=PAD - left, yshift=above, yanchor="top", size=size, color=colour)
            above -= height

    def head(self, text: str, x: float, *, shift: float = 0, anchor: str = "left", color: str | None = None) -> None:
        """Adds text above the plots, at a share of their width."""
        place = {"xshift": shift, "xanchor": anchor, "yshift": self._heading, "yanchor": "top"}
        self._write(text, x, 1, name="heading", size=SMALL_FONT, color=color or self._palette.text, **place)

    def row(self, text: str, color: str | None, *, symbol: str = "") -> float:
        """Adds a row as high as its text and returns its middle; a row with a symbol is a heading."""
        width = self._left - 2 * PAD
        wrapped = f"{symbol} <b>{wrap(text, 0.9 * width - FONT)}</b>" if symbol else wrap(text, width) or "(empty)"
        height = (1 + wrapped.count("<br>")) * FONT * LINE + ROW_GAP
        self.body += height
        self.note(wrapped, self.body - height / 2, 0, shift=PAD - self._left, name="text", color=color)
        return self.body - height / 2

    def note(
        self, text: str, y: float, x: float, *, name: str, shift: float = 0, anchor: str = "left", **more: Any
    ) -> None:
        """Adds text at the height of a row."""
        self._write(text, x, y, name=name, yref="y", xshift=shift, xanchor=anchor, **more)

    def line(self, x: float, top: float, bottom: float, *, name: str, xref: str = "x", **line: Any) -> None:
        """Adds a vertical line behind the data."""
        ends = {"x0": x, "x1": x, "y0": top, "y1": bottom, "xref": xref, "yref": "y"}
        self._shapes.append({"type": "line", "name": name, "layer": "below", **ends, "line": {"width": 1, **line}})

    def figure(self, traces: list[dict[str, Any]], axes: list[dict[str, Any]], **layout: Any) -> go.Figure:
        """Returns the figure; ``axes`` are the x axes from left to right."""
        import plotly.graph_objects as go

        bare = {"showgrid": False, "zeroline": False, "showline": False, "showticklabels": False, "ticks": ""}
        bare |= {"fixedrange": True, "automargin": False}
        ticks = {"side": "top", "anchor": "y", "tickfont": {"size": SMALL_FONT - 1, "color": self._palette.muted}}
        layout |= {axis_name(i).replace("x", "xaxis"): {**bare, **ticks, **axis} for i, axis in enumerate(axes)}
        layout |= {
            **LOOK,
            "yaxis": {**bare, "range": [self.body, 0]},
            "height": round(self._top + self.body + 2 * PAD),
            "margin": {"t": self._top, "l": self._left, "r": self._right, "b": 2 * PAD, "pad": 0},
            "font": {"size": FONT, "family": FAMILY, **in_text_colour(self._palette.text)},
            "annotations": self._annotations,
            "shapes": self._shapes,
        }
        return go.Figure(data=traces, layout=layout)

    def _write(self, text: str, x: float, y: float, *, size: int = FONT, color: str | None = None, **more: Any) -> None:
        font = {"size": size, **in_text_colour(color)}
        style = {"showarrow": False, "align": "left", "borderpad": 0, "xref": "paper", "yref": "paper"}
        self._annotations.append({"text": text, "x": x, "y": y, **style, "xanchor": "left", **more, "font": font})


def palette_of(theme: str, min_width: int, *, narrowest: int = NARROWEST) -> Palette:
    """Returns a theme's colours; raises ValueError for an unknown theme or a page that is too narrow."""
    if min_width < narrowest:
        raise ValueError(f"min_width must be at least {narrowest} pixels, got {min_width}")
    if theme not in PALETTES:
        raise ValueError(f"theme must be one of {', '.join(PALETTES)}, got {theme!r}")
    return PALETTES[theme]


def revised(figure: dict[str, Any]) -> dict[str, Any]:
    """Returns a figure's document with a hash of its data as ``datarevision``.

    The App passes copies of a panel's figures to Plotly whenever anything changes; an equal revision avoids drawing
    them again, which would take most of the time.
    """
    data = json.dumps(figure["data"], sort_keys=True, default=lambda array: array.tolist())
    revision = hashlib.blake2b(data.encode(), digest_size=8).hexdigest()
    return {**figure, "layout": {**figure["layout"], "datarevision": revision}}


def pixel_layout(width: float, height: float) -> dict[str, Any]:
    """Returns the layout of a figure without axes: one of its pixels is one of the page, for any width of the page."""
    bare = {"visible": False, "fixedrange": True, "automargin": False, "constrain": "domain"}
    return {
        **LOOK,
        "height": height,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0},
        "xaxis": {**bare, "range": [0, width], "constraintoward": "left"},
        "yaxis": {**bare, "range": [height, 0], "scaleanchor": "x", "scaleratio": 1, "constraintoward": "top"},
        "hovermode": "closest",
    }


def in_text_colour(colour: str | None) -> dict[str, str]:
    """Returns the part of a font that sets its colour; empty for None, the colour of the page's text."""
    return {"color": colour} if colour else {}


def axis_name(column: int) -> str:
    """Returns Plotly's name of the x axis of a column."""
    return f"x{column + 1}" if column else "x"


def round_down(value: float) -> float:
    """Returns the largest 1, 2 or 5 times a power of ten that is not above a value."""
    power = 10.0 ** math.floor(math.log10(value))
    return float(max(step * power for step in (1, 2, 5) if step * power <= value * (1 + 1e-9)))


def times_text(ratio: float) -> str:
    """Returns a ratio as a factor, after a multiplication sign."""
    return f"{TIMES}{ratio:.2f}" if ratio >= 0.005 else f"{TIMES}0"


def translucent(colour: str, opacity: float = 0.5) -> str:
    """Returns a colour ``#rrggbb`` with an opacity."""
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgba({red},{green},{blue},{opacity})"


def in_colour(colour: str, text: str) -> str:
    """Returns the markup of a text in a colour."""
    return f'<span style="color:{colour}">{text}</span>'


def escape_html(text: str) -> str:
    """Escapes what Plotly would read as markup or as a formula."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def wrap(text: str, width: float, size: float = FONT) -> str:
    """Escapes a text and breaks it into lines of at most a width in pixels; words that are too long are broken too."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if ems(joined) * size <= width:
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        for letter in word:
            lines += [""] if lines[-1] and ems(lines[-1] + letter) * size > width else []
            lines[-1] += letter
    return "<br>".join(escape_html(line) for line in lines)


def flow(key: Sequence[tuple[str | None, str, str]], width: float) -> str:
    """Returns the markup of a key: coloured symbols and their meanings, in lines of at most a width in pixels."""
    lines, used = [""], 0.0
    for colour, symbol, meaning in key:
        needed = (ems(f"{symbol} {meaning}") + 1) * FONT
        if lines[-1] and used + needed > width:
            lines, used = [*lines, ""], 0.0
        lines[-1] += f"{EM_SPACE if used else ''}{in_colour(colour, symbol) if colour else symbol} {meaning}"
        used += needed
    return "<br>".join(lines)


def ems(text: str) -> float:
    """Returns an upper estimate of the width of a text, in font sizes.

    For fonts like Arial, and for DejaVu Sans, a tenth wider, which Linux without Arial often shows.
    """
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    narrow = sum(letter in "ijlftrI .,:;'|!/()[]-" for letter in text)
    broad = sum(letter in "mwMW@%—…" for letter in text)
    signs = sum(letter in f"+={MINUS}<>±→" for letter in text)
    upper = sum(letter.isupper() for letter in text if letter not in "IMW")
    others = len(text) - wide - narrow - broad - signs - upper
    return 1.25 * wide + 0.36 * narrow + broad + 0.84 * signs + 0.74 * upper + 0.62 * others
