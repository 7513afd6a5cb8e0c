"""Things beside the birds that carry the birds' colours: balloons, buoys, stones, flowers, boats, mushrooms, kites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from .canvas import PALETTE, Box, Canvas, Colour, Points, bounds, darker, ellipse, jitter, mix, smooth, stroke

Piece = tuple[Points, Colour]

WHITE: Final = PALETTE["white"]

THINGS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    # thing: colours, backgrounds
    "balloon": (("red", "orange", "yellow", "blue"), ("sky", "meadow", "snow", "beach")),
    "buoy": (("red", "orange", "yellow"), ("lake", "beach")),
    "stone": (("black", "grey", "white"), ("lake", "meadow", "beach", "snow", "forest")),
    "flower": (("red", "yellow", "blue", "white"), ("meadow", "forest")),
    "boat": (("red", "blue", "orange", "black"), ("lake",)),
    "mushroom": (("red", "orange", "yellow"), ("forest", "meadow")),
    "kite": (("red", "yellow", "blue", "orange"), ("sky", "beach", "snow")),
}
"""Thing -> the colours it comes in and the backgrounds it appears in."""

AIRBORNE: Final = frozenset({"balloon", "kite"})
"""Things that hang in the air; all others stand on the ground."""


def draw_thing(
    canvas: Canvas, name: str, colour: str, foot: tuple[float, float], size: float, rng: np.random.Generator
) -> Box:
    """Draws a thing whose lowest point is ``foot``.

    Args:
        canvas: where to draw
        name: one of :data:`THINGS`
        colour: one of its colours
        foot: x and y in pixels
        size: height in pixels
        rng: source of the variation

    Returns:
        the box around the thing
    """
    pieces = _PIECES[name](jitter(PALETTE[colour], rng), rng)
    scaled = [(points * size + np.asarray(foot), fill) for points, fill in pieces]
    for points, fill in scaled:
        canvas.polygon(points, fill)
    return bounds(np.concatenate([points for points, _ in scaled]))


def _balloon(colour: Colour, _rng: np.random.Generator) -> list[Piece]:
    string = smooth([(0.0, -0.4), (0.04, -0.25), (-0.03, -0.12), (0.0, 0.0)], closed=False)
    return [
        (stroke(string, 0.02, 0.02), (120, 120, 128)),
        (smooth([(0.0, -1.0), (0.27, -0.86), (0.26, -0.6), (0.0, -0.38), (-0.26, -0.6), (-0.27, -0.86)]), colour),
        (ellipse((-0.1, -0.8), (0.06, 0.09)), mix(colour, (255, 255, 255), 0.6)),
    ]


def _buoy(colour: Colour, _rng: np.random.Generator) -> list[Piece]:
    return [
        (stroke([(0.0, -0.55), (0.0, -0.75), (0.0, -0.95)], 0.07, 0.05), (70, 70, 80)),
        (ellipse((0.0, -0.94), (0.08, 0.06)), colour),
        (ellipse((0.0, -0.32), (0.34, 0.32)), colour),
        (ellipse((0.0, -0.32), (0.34, 0.09)), WHITE),
        (smooth([(-0.3, -0.16), (0.0, -0.1), (0.3, -0.16), (0.16, -0.02), (-0.16, -0.02)]), darker(colour, 0.25)),
    ]


def _stone(colour: Colour, rng: np.random.Generator) -> list[Piece]:
    width = rng.uniform(0.6, 1.1)
    knots = np.array(
        [(-0.9, -0.1), (-0.62, -0.62), (-0.1, -0.95), (0.45, -0.72), (0.92, -0.16), (0.5, 0.0), (-0.5, 0.0)]
    )
    outline = smooth(knots * np.array([width, 1.0]) + rng.uniform(-0.05, 0.05, (7, 2)))
    light = smooth(knots[:4] * np.array([0.7 * width, 0.6]) + np.array([-0.05, -0.32]))
    return [(outline, darker(colour, 0.12)), (light, mix(colour, (255, 255, 255), 0.16))]


def _flower(colour: Colour, rng: np.random.Generator) -> list[Piece]:
    lean = rng.uniform(-0.15, 0.15)
    stem = smooth([(0.0, 0.0), (lean * 0.3, -0.35), (lean, -0.72)], closed=False)
    green = jitter(PALETTE["green"], rng, 2)
    turns = np.radians(np.arange(5) * 72 + rng.uniform(0, 72))
    petals: list[Piece] = [
        (ellipse((lean + 0.15 * np.cos(angle), -0.76 + 0.15 * np.sin(angle)), (0.13, 0.13)), colour) for angle in turns
    ]
    centre = PALETTE["orange"] if colour[2] < 150 < colour[0] else PALETTE["yellow"]
    return [
        (stroke(stem, 0.05, 0.035), green),
        (smooth([(0.0, -0.2), (0.16, -0.36), (0.26, -0.34), (0.14, -0.2)]), green),
        *petals,
        (ellipse((lean, -0.76), (0.09, 0.09)), darker(centre, 0.1)),
    ]


def _boat(colour: Colour, _rng: np.random.Generator) -> list[Piece]:
    sail = smooth([(0.03, -0.98), (0.3, -0.55), (0.42, -0.3), (0.03, -0.28)])
    return [
        (stroke([(0.0, -0.2), (0.0, -0.6), (0.0, -1.0)], 0.04, 0.03), (110, 84, 64)),
        (sail, WHITE),
        (np.array([(-0.04, -0.9), (-0.3, -0.3), (-0.04, -0.28)]), darker(WHITE, 0.12)),
        (np.array([(-0.5, -0.22), (0.55, -0.22), (0.38, 0.0), (-0.36, 0.0)]), colour),
        (np.array([(-0.5, -0.22), (0.55, -0.22), (0.52, -0.17), (-0.47, -0.17)]), mix(colour, WHITE, 0.6)),
    ]


def _mushroom(colour: Colour, _rng: np.random.Generator) -> list[Piece]:
    cap = np.concatenate(
        [ellipse((0.0, -0.5), (0.46, 0.46), 180, 360), smooth([(0.46, -0.5), (0.0, -0.4), (-0.46, -0.5)], closed=False)]
    )
    spots: list[Piece] = [
        (ellipse(centre, (0.07, 0.06)), WHITE)
        for centre in ((-0.22, -0.66), (0.08, -0.8), (0.26, -0.6), (-0.02, -0.58))
    ]
    return [(smooth([(-0.12, -0.5), (0.12, -0.5), (0.16, 0.0), (-0.16, 0.0)]), (240, 228, 208)), (cap, colour), *spots]


def _kite(colour: Colour, _rng: np.random.Generator) -> list[Piece]:
    ribbon = smooth([(0.0, -0.4), (0.1, -0.28), (-0.06, -0.14), (0.04, 0.0)], closed=False)
    return [
        (stroke(ribbon, 0.03, 0.02), darker(colour, 0.3)),
        (np.array([(0.0, -1.0), (0.28, -0.76), (0.0, -0.4), (-0.28, -0.76)]), colour),
        (np.array([(0.0, -1.0), (0.28, -0.76), (0.0, -0.76)]), mix(colour, WHITE, 0.35)),
        (np.array([(0.0, -0.4), (-0.28, -0.76), (0.0, -0.76)]), darker(colour, 0.18)),
    ]


_PIECES: Final[dict[str, Callable[[Colour, np.random.Generator], list[Piece]]]] = {
    "balloon": _balloon,
    "buoy": _buoy,
    "stone": _stone,
    "flower": _flower,
    "boat": _boat,
    "mushroom": _mushroom,
    "kite": _kite,
}
