"""Texts of the film strip and the region map: numbers and names that fit, and hover texts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ..method.core.methods import method_title
from ..method.number_text import MINUS, percent_text, signed_text
from .page import ems, escape_html

if TYPE_CHECKING:
    from ..method.explain.film_strip import Chain, Frame, Strip

WARNING: Final = "\u25b2"


def hover_text(frame: Frame, chain: Chain, strip: Strip) -> str:
    """Returns the hover text of a region: all its numbers with their meanings."""
    first, second = (escape_html(name) for name in strip.names)
    method = method_title(strip.method)
    grown = "the sampled crop" if not frame.step else f"grown {frame.step} {'time' if frame.step == 1 else 'times'}"
    towards = first if frame.contribution >= 0 else second
    lines = [
        f"<b>Crop {chain.number + 1}</b>, {grown}",
        f"Vote: <b>{escape_html(frame.vote)}</b>, the class that this region itself is closest to",
        f"Weight {escape_html(percent_text(frame.weight))}: its share of {method}'s image vector",
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
