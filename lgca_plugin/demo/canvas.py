"""Drawing with Pillow at a multiple of the final size: smooth curves, tapered strokes, jittered colours."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Points = npt.NDArray[np.float64]
Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the finished image."""

OVERSAMPLING: Final = 4

PALETTE: Final[dict[str, Colour]] = {
    "orange": (242, 139, 44),
    "red": (206, 52, 46),
    "yellow": (247, 207, 70),
    "black": (44, 45, 54),
    "white": (248, 246, 240),
    "grey": (146, 155, 166),
    "blue": (58, 112, 190),
    "green": (98, 150, 84),
    "brown": (128, 94, 66),
}


def jitter(colour: Colour, rng: np.random.Generator, amount: float = 1.0) -> Colour:
    """Varies a colour a little in hue, saturation and value."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    shift = rng.uniform(-1, 1, 3) * amount
    return from_hsv(hue + 0.012 * shift[0], saturation * (1 + 0.12 * shift[1]), value * (1 + 0.06 * shift[2]))


def from_hsv(hue: float, saturation: float, value: float) -> Colour:
    """Converts hue, saturation and value in [0, 1] (clipped; the hue wraps around) to a colour."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(1.0, max(0.0, saturation)), min(1.0, max(0.0, value)))
    return round(255 * red), round(255 * green), round(255 * blue)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blends ``share`` of the second colour into the first."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(colour: Colour, share: float) -> Colour:
    """Blends ``share`` of a deep, bluish black into the colour."""
    return mix(colour, (30, 30, 48), share)


def smooth(points: Sequence[tuple[float, float]] | Points, *, closed: bool = True, steps: int = 8) -> Points:
    """Runs a Catmull-Rom spline through the points.

    Args:
        points: ``[n, 2]`` points, n at least 3
        closed: whether the last point is joined to the first
        steps: points for each segment

    Returns:
        ``[n * steps, 2]`` points when closed, else ``[(n - 1) * steps + 1, 2]``
    """
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    before, start, end, after = padded[:-3, None], padded[1:-2, None], padded[2:-1, None], padded[3:, None]
    t = (np.arange(steps) / steps)[None, :, None]
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    flat: Points = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, knots[-1:]])


def stroke(points: Sequence[tuple[float, float]] | Points, start_width: float, end_width: float) -> Points:
    """Outlines a line whose width changes evenly from its start to its end, with round ends."""
    line = np.asarray(points, dtype=np.float64)
    direction = np.gradient(line, axis=0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    half = np.linspace(start_width, end_width, len(line))[:, None] / 2
    turn = np.linspace(0, math.pi, 8)[1:-1, None]
    end_cap = line[-1] + half[-1] * (np.cos(turn) * normal[-1] + np.sin(turn) * direction[-1])
    start_cap = line[0] - half[0] * (np.cos(turn) * normal[0] + np.sin(turn) * direction[0])
    return np.concatenate([line + half * normal, end_cap, (line - half * normal)[::-1], start_cap])


def ellipse(centre: tuple[float, float], radii: tuple[float, float], start: float = 0, end: float = 360) -> Points:
    """Returns points on an ellipse from ``start`` to ``end`` degrees, clockwise on screen from the right."""
    angle = np.radians(np.linspace(start, end, 36))
    return np.stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], axis=1)


def bounds(points: Points) -> Box:
    """Returns the smallest box around the points."""
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


class Canvas:
    """An RGB picture, drawn :data:`OVERSAMPLING` times larger than its coordinates, which are pixels unless enlarged.

    Args:
        width: width of the picture, in coordinates
        height: height of the picture, in coordinates
        enlargement: pixels of the finished picture for a step of the coordinates; divides :data:`OVERSAMPLING`
    """

    def __init__(self, width: int, height: int, enlargement: int = 1) -> None:
        self.width = width
        self.height = height
        self._enlargement = enlargement
        self._image = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING))
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[tuple[float, float]] | Points, colour: Colour) -> None:
        """Fills a polygon."""
        self._draw.polygon([tuple(point) for point in (np.asarray(points) * OVERSAMPLING).tolist()], fill=colour)

    def gradient(self, top: float, bottom: float, first: Colour, last: Colour) -> None:
        """Fills the rows from ``top`` to ``bottom`` with a vertical gradient."""
        start, stop = round(top * OVERSAMPLING), round(bottom * OVERSAMPLING)
        for row in range(start, stop):
            share = (row - start) / max(1, stop - start - 1)
            self._draw.line([(0, row), (self._image.width, row)], fill=mix(first, last, share))

    def finish(self) -> Image.Image:
        """Scales the drawing down to its final size."""
        return self._image.reduce(OVERSAMPLING // self._enlargement)

    def in_pixels(self, box: Box) -> Box:
        """Returns a box in pixels of the finished picture."""
        left, top, right, bottom = (edge * self._enlargement for edge in box)
        return left, top, right, bottom
