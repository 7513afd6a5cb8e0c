"""Six kinds of background with their clutter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from .canvas import PALETTE, Canvas, Colour, darker, ellipse, from_hsv, jitter, mix, smooth, stroke

SCENES: Final[dict[str, str]] = {
    "sky": "in the sky",
    "lake": "on a lake",
    "meadow": "in a meadow",
    "beach": "on a beach",
    "snow": "in the snow",
    "forest": "in a forest",
}
"""Background -> the phrase for being in it."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A painted background.

    Attributes:
        kind: one of :data:`SCENES`
        horizon: row where the ground starts, in pixels; the picture's height in the sky
        tint: colour of the ground, for what is drawn in front of a bird's feet
    """

    kind: str
    horizon: float
    tint: Colour


def paint_background(canvas: Canvas, kind: str, rng: np.random.Generator) -> Setting:
    """Fills the canvas with a background and its clutter."""
    horizon = canvas.height * rng.uniform(0.26, 0.46)
    return _PAINTERS[kind](canvas, horizon, rng)


def _sky(canvas: Canvas, horizon: float, rng: np.random.Generator, *, clouds: int | None = None) -> None:
    hue = rng.uniform(0.53, 0.6)
    top = from_hsv(hue, rng.uniform(0.3, 0.6), rng.uniform(0.78, 0.95))
    low = from_hsv(hue + 0.01, rng.uniform(0.08, 0.25), 0.97)
    if rng.random() < 0.2:
        low = from_hsv(rng.uniform(0.04, 0.1), rng.uniform(0.15, 0.35), 0.98)
    canvas.gradient(0, horizon, top, low)
    for _ in range(int(rng.integers(0, 3)) if clouds is None else clouds):
        size = canvas.width * rng.uniform(0.05, 0.13)
        x, y = rng.uniform(0, canvas.width), rng.uniform(0.05, 0.8) * horizon
        colour = mix(low, (255, 255, 255), rng.uniform(0.5, 0.9))
        for dx, dy, share in ((-1.1, 0.2, 0.55), (-0.3, -0.15, 0.85), (0.6, 0.0, 0.7), (1.3, 0.25, 0.45)):
            canvas.polygon(ellipse((x + dx * size, y + dy * size), (share * size * 1.2, share * size * 0.62)), colour)


def _hills(canvas: Canvas, base: float, height: float, colour: Colour, rng: np.random.Generator) -> None:
    xs = np.linspace(-0.1, 1.1, 7) * canvas.width
    ridge = [(float(x), base - height * float(rng.uniform(0.15, 1.0))) for x in xs]
    canvas.polygon(
        [*smooth(ridge, closed=False).tolist(), (canvas.width * 1.1, base + 1), (-0.1 * canvas.width, base + 1)], colour
    )


def _scatter(
    canvas: Canvas, horizon: float, count: tuple[int, int], rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Returns random places on the ground, from far to near: x, y and a size factor that grows towards the viewer."""
    places = []
    for _ in range(int(rng.integers(*count))):
        depth = rng.uniform(0.02, 1.0)
        places.append((rng.uniform(0, canvas.width), horizon + depth * (canvas.height - horizon), 0.5 + depth))
    return sorted(places, key=lambda place: place[1])


def _open_sky(canvas: Canvas, _horizon: float, rng: np.random.Generator) -> Setting:
    _sky(canvas, canvas.height, rng, clouds=int(rng.integers(1, 5)))
    if rng.random() < 0.6:
        colour = from_hsv(rng.uniform(0.28, 0.5), 0.2, rng.uniform(0.6, 0.75))
        _hills(canvas, canvas.height, canvas.height * 0.14, colour, rng)
    return Setting(kind="sky", horizon=canvas.height, tint=(120, 90, 70))


def _lake(canvas: Canvas, horizon: float, rng: np.random.Generator) -> Setting:
    _sky(canvas, horizon, rng)
    _hills(canvas, horizon, canvas.height * 0.13, from_hsv(rng.uniform(0.3, 0.55), 0.3, rng.uniform(0.5, 0.7)), rng)
    hue = rng.uniform(0.5, 0.58)
    near = from_hsv(hue, rng.uniform(0.4, 0.6), rng.uniform(0.55, 0.72))
    canvas.gradient(horizon, canvas.height, from_hsv(hue, 0.3, rng.uniform(0.78, 0.88)), near)
    for x, y, size in _scatter(canvas, horizon, (10, 26), rng):
        width = canvas.width * 0.05 * size
        canvas.polygon(ellipse((x, y), (width, 0.09 * width)), mix(near, (255, 255, 255), rng.uniform(0.2, 0.5)))
    for _ in range(int(rng.integers(0, 3))):
        _reeds(canvas, rng, from_hsv(rng.uniform(0.2, 0.3), 0.45, rng.uniform(0.4, 0.6)))
    return Setting(kind="lake", horizon=horizon, tint=mix(near, (255, 255, 255), 0.45))


def _reeds(canvas: Canvas, rng: np.random.Generator, colour: Colour) -> None:
    x, foot = rng.uniform(0, canvas.width), canvas.height * rng.uniform(0.6, 1.0)
    for _ in range(int(rng.integers(3, 8))):
        x += rng.uniform(2, 6)
        tip = (x + rng.uniform(-8, 8), foot - canvas.height * rng.uniform(0.12, 0.34))
        canvas.polygon(
            stroke([(x, foot), ((x + tip[0]) / 2, (foot + tip[1]) / 2), tip], 1.8, 0.6), jitter(colour, rng, 2)
        )
        if rng.random() < 0.3:
            canvas.polygon(ellipse(tip, (1.8, 6)), PALETTE["brown"])


def _meadow(canvas: Canvas, horizon: float, rng: np.random.Generator) -> Setting:
    _sky(canvas, horizon, rng)
    hue = rng.uniform(0.2, 0.32)
    far = from_hsv(hue, rng.uniform(0.3, 0.5), rng.uniform(0.66, 0.8))
    _hills(canvas, horizon, canvas.height * 0.12, from_hsv(hue + 0.06, 0.3, rng.uniform(0.6, 0.72)), rng)
    near = from_hsv(hue + 0.02, rng.uniform(0.45, 0.6), rng.uniform(0.52, 0.66))
    canvas.gradient(horizon, canvas.height, far, near)
    for x, y, size in _scatter(canvas, horizon, (0, 3), rng):
        _bush(canvas, (x, horizon + 0.4 * (y - horizon)), 10 * size, from_hsv(hue + 0.05, 0.45, 0.5), rng)
    for x, y, size in _scatter(canvas, horizon, (18, 46), rng):
        grass_tuft(canvas, (x, y), 4.5 * size, darker(mix(far, near, 0.5), rng.uniform(0.0, 0.25)), rng)
        if rng.random() < 0.35:
            petal = PALETTE[("white", "yellow", "red", "blue")[int(rng.integers(4))]]
            canvas.polygon(ellipse((x, y - 5 * size), (1.3 * size, 1.2 * size)), petal)
    return Setting(kind="meadow", horizon=horizon, tint=darker(near, 0.12))


def grass_tuft(
    canvas: Canvas, foot: tuple[float, float], size: float, colour: Colour, rng: np.random.Generator
) -> None:
    """Draws a few blades of grass that grow from ``foot``."""
    x, y = foot
    for lean in (-0.7, -0.2, 0.3, 0.8):
        tip = (x + (lean + rng.uniform(-0.2, 0.2)) * size, y - size * rng.uniform(0.7, 1.2))
        canvas.polygon([(x - 0.12 * size, y), tip, (x + 0.12 * size, y)], colour)


def _beach(canvas: Canvas, horizon: float, rng: np.random.Generator) -> Setting:
    _sky(canvas, horizon * 0.8, rng)
    shore = horizon + canvas.height * rng.uniform(0.0, 0.1)
    hue = rng.uniform(0.49, 0.56)
    canvas.gradient(horizon * 0.8, shore, from_hsv(hue, 0.5, 0.68), from_hsv(hue - 0.02, 0.3, 0.84))
    sand = from_hsv(rng.uniform(0.09, 0.13), rng.uniform(0.2, 0.36), rng.uniform(0.86, 0.95))
    canvas.gradient(shore, canvas.height, sand, darker(sand, 0.14))
    edge = [(x * canvas.width, shore + rng.uniform(-2, 2)) for x in np.linspace(-0.05, 1.05, 8)]
    canvas.polygon(stroke(smooth(edge, closed=False), 3, 3), (250, 250, 246))
    for x, y, size in _scatter(canvas, shore, (14, 40), rng):
        colour = (darker(sand, rng.uniform(0.1, 0.4)), (246, 236, 226), (226, 168, 150))[
            int(rng.choice(3, p=(0.6, 0.25, 0.15)))
        ]
        canvas.polygon(ellipse((x, y), (rng.uniform(0.8, 2.2) * size, rng.uniform(0.6, 1.3) * size)), colour)
    return Setting(kind="beach", horizon=shore, tint=darker(sand, 0.2))


def _snow(canvas: Canvas, horizon: float, rng: np.random.Generator) -> Setting:
    _sky(canvas, horizon, rng, clouds=0)
    blue = rng.uniform(0.56, 0.62)
    _hills(canvas, horizon, canvas.height * 0.2, from_hsv(blue, 0.16, rng.uniform(0.78, 0.86)), rng)
    canvas.gradient(horizon, canvas.height, from_hsv(blue, 0.03, 0.98), from_hsv(blue, rng.uniform(0.06, 0.14), 0.9))
    for x, y, size in _scatter(canvas, horizon, (3, 9), rng):
        _fir(canvas, (x, horizon + 0.25 * (y - horizon)), 14 * size, rng)
    for x, y, size in _scatter(canvas, horizon, (6, 16), rng):
        canvas.polygon(ellipse((x, y), (9 * size, 1.6 * size)), from_hsv(blue, 0.1, rng.uniform(0.86, 0.93)))
    for _ in range(int(rng.integers(0, 40))):
        canvas.polygon(
            ellipse((rng.uniform(0, canvas.width), rng.uniform(0, canvas.height)), (1.2, 1.2)), (255, 255, 255)
        )
    return Setting(kind="snow", horizon=horizon, tint=from_hsv(blue, 0.12, 0.88))


def _fir(canvas: Canvas, foot: tuple[float, float], size: float, rng: np.random.Generator) -> None:
    x, y = foot
    colour = from_hsv(rng.uniform(0.36, 0.46), 0.34, rng.uniform(0.36, 0.52))
    canvas.polygon(
        [
            (x - 0.08 * size, y),
            (x - 0.08 * size, y - 0.3 * size),
            (x + 0.08 * size, y - 0.3 * size),
            (x + 0.08 * size, y),
        ],
        PALETTE["brown"],
    )
    for level, width in ((0.2, 0.5), (0.6, 0.4), (1.0, 0.28)):
        canvas.polygon(
            [
                (x - width * size, y - level * size),
                (x, y - (level + 0.75) * size),
                (x + width * size, y - level * size),
            ],
            darker(colour, 0.1 * level),
        )


def _bush(canvas: Canvas, foot: tuple[float, float], size: float, colour: Colour, rng: np.random.Generator) -> None:
    """Draws a round bush, half the time with berries in one of the birds' colours."""
    x, y = foot
    for dx, dy, radius in (
        (-0.6, -0.3, 0.5),
        (0.6, -0.3, 0.5),
        (0.0, -0.55, 0.62),
        (-0.2, -0.2, 0.4),
        (0.35, -0.15, 0.35),
    ):
        centre = (x + dx * size, y + dy * size)
        canvas.polygon(ellipse(centre, (radius * size, 0.85 * radius * size)), darker(colour, rng.uniform(0.0, 0.16)))
    if rng.random() < 0.5:
        berry = PALETTE[("red", "orange", "blue", "black", "white")[int(rng.integers(5))]]
        for _ in range(int(rng.integers(4, 11))):
            spot = (x + rng.uniform(-0.8, 0.8) * size, y - rng.uniform(0.1, 0.85) * size)
            canvas.polygon(ellipse(spot, (0.09 * size, 0.09 * size)), berry)


def _forest(canvas: Canvas, horizon: float, rng: np.random.Generator) -> Setting:
    hue = rng.uniform(0.24, 0.38)
    horizon = max(horizon, canvas.height * 0.4)
    light = from_hsv(hue, rng.uniform(0.2, 0.35), rng.uniform(0.76, 0.9))
    canvas.gradient(0, horizon, from_hsv(hue, 0.4, 0.6), light)
    for depth in (0.25, 0.6):
        for _ in range(int(rng.integers(3, 7))):
            x, width = rng.uniform(0, canvas.width), rng.uniform(3, 7) * (0.6 + depth)
            foot = horizon + depth * 8
            trunk = mix(light, jitter((96, 74, 60), rng, 2), 0.3 + depth)
            canvas.polygon(
                [(x - width / 2, -1), (x + width / 2, -1), (x + width * 0.7, foot), (x - width * 0.7, foot)], trunk
            )
    ground = from_hsv(hue - 0.04, rng.uniform(0.35, 0.5), rng.uniform(0.42, 0.58))
    canvas.gradient(horizon, canvas.height, mix(ground, light, 0.35), ground)
    for x, y, size in _scatter(canvas, horizon, (1, 6), rng):
        bush = from_hsv(hue + rng.uniform(-0.05, 0.05), 0.42, rng.uniform(0.38, 0.55))
        _bush(canvas, (x, horizon + 0.6 * (y - horizon)), 13 * size, bush, rng)
    for x, y, size in _scatter(canvas, horizon, (16, 40), rng):
        if rng.random() < 0.4:
            leaf = from_hsv(rng.uniform(0.04, 0.14), rng.uniform(0.5, 0.75), rng.uniform(0.5, 0.85))
            canvas.polygon(ellipse((x, y), (2.2 * size, 1.0 * size)), leaf)
        else:
            grass_tuft(canvas, (x, y), 5 * size, darker(ground, rng.uniform(0.0, 0.3)), rng)
    return Setting(kind="forest", horizon=horizon, tint=darker(ground, 0.2))


_PAINTERS: Final[dict[str, Callable[[Canvas, float, np.random.Generator], Setting]]] = {
    "sky": _open_sky,
    "lake": _lake,
    "meadow": _meadow,
    "beach": _beach,
    "snow": _snow,
    "forest": _forest,
}
