"""The figure of a film strip: the chains of an image as pictures, with votes, weights and contributions.

It is laid out in pixels for its narrowest page, and has the same size on wider pages.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..method.core.methods import method_title
from ..method.number_text import MINUS, percent_text, signed_text
from .page import (
    CLEAR,
    FAMILY,
    LINE,
    SMALL_FONT,
    Palette,
    Theme,
    ems,
    escape_html,
    in_colour,
    in_text_colour,
    palette_of,
    pixel_layout,
    wrap,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..method.explain.film_strip import Chain, Frame, Strip

# Sizes are pixels.
NARROWEST, GAP, EDGE = 400, 16, 3
HEAD, VOTE, NUMBERS, BAR_ROOM, BAR, BETWEEN = 18, 17, 15, 12, 5, 16
FLIP, WARNING = "\u21c4", "\u25b2"


def film_strip(
    strip: Strip,
    pictures: Mapping[int, str],
    *,
    image: str | None = None,
    image_size_hw: tuple[int, int] = (1, 1),
    theme: Theme = "light",
    min_width: int = 640,
) -> dict[str, Any]:
    """Draws chains of regions: the crop, the regions that it grew into, and their boxes in the image.

    The last column is the whole image with the chain's boxes. A frame's edge and the name below it have the colour of
    its vote: blue for class a, orange for class b, grey for all others. Below are its weight, the share of the method's
    image vector, and its contribution to the margin of a over b, also as a bar: to the right and blue towards a, to the
    left and orange towards b, all bars on one scale. A chain whose last vote differs from its first is marked as
    flipped, a misleading crop as misleading.

    The pictures of regions and the whole image are data URIs; regions without one are empty frames. ``image_size_hw``
    is in any unit. The narrowest page that shows the figure has ``min_width`` pixels, at least 400.

    Returns:
        the figure's ``data`` and ``layout``. Its trace ``"frames"`` has a point for each frame, with the region's index
        as id and chain, step, weight and contribution as ``customdata``

    Raises:
        ValueError: if ``theme`` or ``min_width`` is out of range
    """
    sheet = _Sheet(strip, palette_of(theme, min_width, narrowest=NARROWEST), min_width, image_size_hw, image)
    for chain in strip.chains:
        sheet.add(chain, pictures)
    return sheet.document()


class _Sheet:
    """Builds the figure of a strip; y counts pixels from the top."""

    def __init__(
        self, strip: Strip, palette: Palette, width: int, image_size_hw: tuple[int, int], image: str | None
    ) -> None:
        self.strip, self.palette, self.width, self.whole = strip, palette, width, image
        columns = strip.steps + 1
        self.side = (width - 2 * EDGE - (columns - 1) * GAP) / columns
        height, across = image_size_hw
        scale = self.side / max(height, across)
        self.whole_size = (across * scale, height * scale)
        frames = [frame for chain in strip.chains for frame in chain.frames]
        numbers = [frame.contribution for frame in frames] + [strip.of_whole]
        sizes = [abs(number) for number in numbers if math.isfinite(number)]
        self.largest = max(sizes, default=0.0) or 1.0
        self.y = 0.0
        self._layout: dict[str, list[dict[str, Any]]] = {"annotations": [], "shapes": [], "images": []}
        self._points: dict[str, list[Any]] = {"x": [], "y": [], "ids": [], "hovertext": [], "customdata": []}
        self._legend()

    def colour(self, vote: str) -> str:
        """Returns the colour of a vote."""
        first, second = self.strip.names
        return {first: self.palette.blue, second: self.palette.orange}.get(vote, self.palette.grey)

    def shade(self, vote: str) -> str:
        """Returns the text colour of a vote."""
        return self.colour(vote) if vote in self.strip.names else self.palette.muted

    def left(self, column: int) -> float:
        """Returns the left edge of a column."""
        return EDGE + column * (self.side + GAP)

    def add(self, chain: Chain, pictures: Mapping[int, str]) -> None:
        """Adds a chain below the previous ones."""
        self.y += BETWEEN
        self._heading(chain)
        self.y += HEAD
        for column, frame in enumerate(chain.frames):
            self._frame(column, frame, pictures.get(frame.region), chain)
            if column:
                self._arrow(column, chain.frames[column - 1], frame)
        used = any(frame.weight or frame.out for frame in chain.frames)
        why = "grown no<br>further" if used else f"not used<br>by {escape_html(method_title(self.strip.method))}"
        for column in range(len(chain.frames), self.strip.steps):
            middle = self.left(column) + self.side / 2
            look: dict[str, Any] = {"xanchor": "center", "align": "center", "name": "end"}
            self._write(why, middle, self.y + self.side / 2, color=self.palette.muted, **look)
        self._place_in_image(chain)
        self.y += self.side + VOTE + NUMBERS + BAR_ROOM

    def document(self) -> dict[str, Any]:
        """Returns the figure as a document."""
        self._sum()
        points = {
            "type": "scatter",
            "mode": "markers",
            "name": "frames",
            **self._points,
            "hoverinfo": "text",
            "marker": {"size": self.side, "symbol": "square", "color": CLEAR, "line": {"width": 0}},
            "cliponaxis": False,
        }
        font = {"size": SMALL_FONT, "family": FAMILY, **in_text_colour(self.palette.text)}
        layout = pixel_layout(self.width, round(self.y + EDGE))
        return {"data": [points], "layout": {**layout, "font": font, **self._layout}}

    def _legend(self) -> None:
        first, second = (escape_html(cut(name, 0.3 * self.width, 12)) for name in self.strip.names)
        blue, orange, grey = (
            in_colour(c, "\u25a0") for c in (self.palette.blue, self.palette.orange, self.palette.grey)
        )
        key = f"{blue} votes {first}   {orange} votes {second}   {grey} another class"
        self._write(key, EDGE, 9, size=12, xanchor="left")
        self.y = 20
        heads = ["crop", *("grown" if step == 1 else f"grown {step} times" for step in range(1, self.strip.steps))]
        for column, head in enumerate([*heads, "whole image"]):
            x = self.left(column) + self.side / 2
            self._write(head, x, self.y + 8, color=self.palette.muted, xanchor="center", name="column")
        self.y += 8

    def _heading(self, chain: Chain) -> None:
        words = []
        if any(frame.misleading for frame in chain.frames):
            words.append(f"{WARNING} misleading" + (f": {chain.pull:.1%} of WCA's pull" if chain.pull else ""))
        words += [f"{FLIP} flips"] if chain.flipped else []
        line = " \u00b7 ".join([f"<b>Crop {chain.number + 1}</b>", *words])
        self._write(line, EDGE, self.y + HEAD / 2 - 2, size=12, xanchor="left", name="chain")

    def _frame(self, column: int, frame: Frame, picture: str | None, chain: Chain) -> None:
        x, y, colour = self.left(column), self.y, self.colour(frame.vote)
        if picture is not None:
            self._image(picture, x, y, self.side, self.side, opacity=0.25 if frame.out else 1.0)
        width = 4 if frame.misleading else 2
        edge = {"color": colour, "width": width, "dash": "dot" if frame.out else "solid"}
        self._layout["shapes"].append({"type": "rect", **_corners(x, y, self.side, self.side), "line": edge})
        middle = x + self.side / 2
        if frame.out:
            self._write("<b>taken out</b>", middle, y + self.side / 2, size=12, xanchor="center", name="out")
        self._numbers(column, frame.vote, frame.weight, frame.contribution)
        self._points["x"].append(middle)
        self._points["y"].append(y + self.side / 2)
        self._points["ids"].append(str(frame.region))
        self._points["customdata"].append([chain.number, frame.step, frame.weight, frame.contribution])
        self._points["hovertext"].append(hover_text(frame, chain, self.strip))

    def _numbers(self, column: int, vote: str, weight: float, contribution: float) -> None:
        """Adds a frame's vote, weight and contribution below it."""
        x, y, middle = self.left(column), self.y + self.side, self.left(column) + self.side / 2
        name = escape_html(cut(vote, self.side - 2, SMALL_FONT, bold=True))
        self._write(f"<b>{name}</b>", middle, y + 9, color=self.shade(vote), xanchor="center", name="vote")
        y += VOTE
        share = escape_html(percent_text(weight))
        lead = fitting_text(contribution, self.side - ems(f"{share} ") * SMALL_FONT, SMALL_FONT)
        self._write(share, x, y + 6, color=self.palette.muted, xanchor="left", name="weight")
        self._write(lead, x + self.side, y + 6, xanchor="right", name="contribution")
        self._bar(contribution, middle, y + NUMBERS)

    def _bar(self, contribution: float, middle: float, top: float) -> None:
        half = self.side / 2
        muted = {"width": 1, "color": self.palette.muted}
        ends = {"x0": middle, "x1": middle, "y0": top - 2, "y1": top + BAR + 2}
        self._layout["shapes"].append({"type": "line", "xref": "x", "yref": "y", **ends, "line": muted})
        if not math.isfinite(contribution) or not contribution:
            return
        length = half * contribution / self.largest
        bar = _corners(min(middle, middle + length), top, abs(length), BAR)
        colour = self.palette.blue if contribution > 0 else self.palette.orange
        self._layout["shapes"].append({"type": "rect", **bar, "fillcolor": colour, "line": {"width": 0}, "name": "bar"})

    def _arrow(self, column: int, before: Frame, frame: Frame) -> None:
        changed = before.vote != frame.vote
        colour = self.colour(frame.vote) if changed else self.palette.muted
        sign = f"<b>{FLIP}</b>" if changed else "\u203a"
        x, size = self.left(column) - GAP / 2, 14 if changed else 13
        self._write(sign, x, self.y + self.side / 2, size=size, color=colour, xanchor="center", name="arrow")

    def _place_in_image(self, chain: Chain) -> None:
        """Adds the whole image with the chain's boxes."""
        across, height = self.whole_size
        x = self.left(self.strip.steps) + (self.side - across) / 2
        y = self.y + (self.side - height) / 2
        if self.whole is not None:
            self._image(self.whole, x, y, across, height)
        for frame in chain.frames:
            left, top, wide, high = frame.box
            place = _corners(x + left * across, y + top * height, wide * across, high * height)
            line = {"color": self.colour(frame.vote), "width": 2, "dash": "dot" if frame.out else "solid"}
            self._layout["shapes"].append({"type": "rect", "name": "box", **place, "line": line})
        if self.strip.whole_vote is not None:
            self._numbers(self.strip.steps, self.strip.whole_vote, self.strip.whole_weight, self.strip.of_whole)

    def _sum(self) -> None:
        """Adds a line with the contributions of the displayed frames and of the rest, and their sum, the margin."""
        strip = self.strip
        if not math.isfinite(strip.margin):
            return
        hidden = strip.n_chains - len(strip.chains)
        shown = sum(frame.contribution for chain in strip.chains for frame in chain.frames)
        parts = [f"frames shown {signed_text(shown)}"]
        parts += [f"{hidden} other chains {signed_text(strip.others)}"] if hidden else []
        parts += [f"whole image {signed_text(strip.of_whole)}"] if strip.of_whole else []
        parts += [f"{name} {signed_text(part)}" for name, part in strip.terms.items() if part]
        first, second = strip.names
        words = f"{', '.join(parts)}: together the lead of {first} over {second} under {method_title(strip.method)}, "
        text = wrap(words + signed_text(strip.margin), self.width - 2 * EDGE, SMALL_FONT)
        high = (1 + text.count("<br>")) * SMALL_FONT * LINE
        self.y += 10
        self._write(text, EDGE, self.y + high / 2, color=self.palette.muted, xanchor="left", name="sum")
        self.y += high

    def _image(self, source: str, x: float, y: float, across: float, height: float, opacity: float = 1.0) -> None:
        place = {"x": x, "y": y, "sizex": across, "sizey": height, "xanchor": "left", "yanchor": "top"}
        look = {"sizing": "stretch", "layer": "below", "opacity": opacity}
        self._layout["images"].append({"source": source, "xref": "x", "yref": "y", **place, **look})

    def _write(
        self, text: str, x: float, y: float, *, size: int = SMALL_FONT, color: str | None = None, **more: Any
    ) -> None:
        font = {"size": size, **in_text_colour(color)}
        style = {"xref": "x", "yref": "y", "showarrow": False, "borderpad": 0, "yanchor": "middle", "align": "left"}
        self._layout["annotations"].append({"text": text, "x": x, "y": y, **style, **more, "font": font})


def _corners(x: float, y: float, across: float, height: float) -> dict[str, Any]:
    return {"x0": x, "x1": x + across, "y0": y, "y1": y + height, "xref": "x", "yref": "y"}


def hover_text(frame: Frame, chain: Chain, strip: Strip) -> str:
    """Returns the hover text of a region: all its numbers with their meanings."""
    first, second = (escape_html(name) for name in strip.names)
    method = method_title(strip.method)
    grown = "the sampled crop" if not frame.step else f"grown {frame.step} {'time' if frame.step == 1 else 'times'}"
    share = (
        "its share of the attention, mean over the encoders"
        if strip.learned
        else f"its share of {method}'s image vector"
    )
    towards = first if frame.contribution >= 0 else second
    lines = [
        f"<b>Crop {chain.number + 1}</b>, {grown}",
        f"Vote: <b>{escape_html(frame.vote)}</b>, the class that this region itself is closest to",
        f"Weight {escape_html(percent_text(frame.weight))}: {share}",
        f"Contribution {signed_text(frame.contribution)} towards {towards}:",
        f"its part of the lead of {first} over {second}, exact",
        f"Similarity to the whole image {frame.similarity:.3f}",
    ]
    if frame.misleading:
        pull = "" if chain.pull is None else f", with {chain.pull:.1%} of all that pulls it there"
        lines.append(f"{WARNING} Misleading: it votes for WCA's label, where LGCA's label differs{pull}")
    lines.append("<i>taken out: click to put it back</i>" if frame.out else "<i>click to take it out</i>")
    return "<br>".join(lines)


def fitting_text(value: float, width: float, size: float) -> str:
    """Returns :func:`signed_text` of a contribution, or one digit and a power of ten if that is too wide."""
    text = signed_text(value)
    if ems(text) * size <= width or not math.isfinite(value):
        return text
    digit, _, power = f"{abs(value):.0e}".partition("e")
    return f"{'+' if value >= 0 else MINUS}{digit}e{int(power)}".replace("-", MINUS)


def cut(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Returns a text, shortened with an ellipsis to a width in pixels."""
    size *= 1.08 if bold else 1.0
    if ems(text) * size <= width:
        return text
    while text and ems(text + "\u2026") * size > width:
        text = text[:-1]
    return text.rstrip() + "\u2026"
