"""Pairs of pictures that differ in one part of the bird: a test set for misleading crops whose truth is known.

A pair shows one bird of the demo twice: as its class looks, and with one part, such as the beak or the tail, as another
class has it. That class is the *decoy*. A crop that shows little but the part speaks for the decoy; the rest of the
bird, which is the same in both pictures to the pixel, speaks for the truth. So where a method answers the decoy on the
altered picture, and on the plain one does not, that part has led it astray, or the luck of the crops has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageEnhance

from ..errors import ConfigError
from .backgrounds import SCENES, grass_tuft, paint_background
from .birds import Pose, Shape, bird_shapes
from .canvas import Box, Canvas, Points, bounds
from .classes import CLASSES, PART_VALUES, PLUMAGE
from .drawings import draw_footing, draw_things, generator, picture_size, place_bird

PAIRS: Final = 300
SEED: Final = 52

PARTS: Final = ("beak", "head", "breast", "wings", "tail", "legs")
"""The parts that are altered: all but the neck, because a longer one moves the head and lengthens the legs."""

SMALLEST_CHANGE: Final = 24
"""Minimum number of pixels in which the pictures of a pair differ clearly; pairs with fewer are redrawn."""

CLEARLY: Final = 32
"""A pixel differs clearly if some channel, of 0 to 255, differs by more than this."""

_STREAM: Final = 1  # three numbers after the seed: distinct from the generators of the demo's pictures


@dataclass(frozen=True, kw_only=True)
class Swap:
    """A class's bird with one part of another class.

    Attributes:
        truth: the class of all other parts
        part: one of :data:`PARTS`
        value: what the part looks like instead
        decoy: of the classes with that value, the one that shares most of the other parts with the truth
    """

    truth: str
    part: str
    value: str
    decoy: str


@dataclass(frozen=True, kw_only=True)
class TwinImage:
    """A picture of a pair.

    Attributes:
        path: absolute path of the PNG file
        pair: number of the pair, from 0
        altered: whether this is the picture with the foreign part
        swap: what was drawn: the truth of both pictures, and the part that the altered one has from the decoy
        box: the part's place in either picture, relative ``(x, y, width, height)``; outside it the two are equal
    """

    path: str
    pair: int
    altered: bool
    swap: Swap
    box: tuple[float, float, float, float]


def swaps() -> tuple[Swap, ...]:
    """Returns every swap after which the true class is still certain.

    The altered bird differs from its own class in one part and from every other in two or more. A swap that brings it
    as near to another class is left out, because then the drawing does not say what it shows.
    """
    found = []
    for truth, plumage in PLUMAGE.items():
        for part in PARTS:
            for value in PART_VALUES[part]:
                altered = {**plumage, part: value}
                others = {name: _differences(altered, PLUMAGE[name]) for name in CLASSES if name != truth}
                if value != plumage[part] and min(others.values()) >= 2:
                    decoy = min((name for name in others if PLUMAGE[name][part] == value), key=others.__getitem__)
                    found.append(Swap(truth=truth, part=part, value=value, decoy=decoy))
    return tuple(found)


def draw_pairs(directory: str | Path, *, count: int = PAIRS, seed: int = SEED) -> list[TwinImage]:
    """Draws pairs of pictures into a folder.

    The parts of :data:`PARTS` take turns; which bird is drawn, and which value replaces the part's own, is drawn at
    random. Backgrounds, things, poses and sizes vary as in the demo, but no part is foreign by chance. The files are
    PNG, so that twins are equal where they should be. The same seed gives the same files.

    Args:
        directory: the folder, made if it is missing; files of the same names are replaced
        count: number of pairs, at least 1
        seed: seed of the drawings, at least 0

    Returns:
        the pictures, the plain one of each pair and then the altered one

    Raises:
        ConfigError: if ``count`` or ``seed`` is too small
    """
    if count < 1:
        raise ConfigError(f"count is {count}; at least one pair has to be drawn")
    if seed < 0:
        raise ConfigError(f"seed is {seed}; it has to be at least 0")
    directory = Path(directory).expanduser().resolve()
    directory.mkdir(parents=True, exist_ok=True)
    choices = {part: [swap for swap in swaps() if swap.part == part] for part in PARTS}
    images = []
    for pair in range(count):
        own = choices[PARTS[pair % len(PARTS)]]
        swap = own[int(generator("demo", seed, _STREAM, pair, 0).integers(len(own)))]
        *pictures, box = _draw_pair(swap, seed, pair)
        for picture, kind in zip(pictures, ("plain", "altered"), strict=True):
            path = directory / f"pair-{pair:0{max(3, len(str(count - 1)))}d}-{kind}.png"
            picture.save(path, "PNG")
            images.append(TwinImage(path=str(path), pair=pair, altered=kind == "altered", swap=swap, box=box))
    return images


def _differences(first: dict[str, str], second: dict[str, str]) -> int:
    return sum(value != second[part] for part, value in first.items())


def _draw_pair(swap: Swap, seed: int, pair: int) -> tuple[Image.Image, Image.Image, Box]:
    """Returns the plain picture, the altered one and the part's relative box; redraws until the change is visible."""
    attempt = 0
    while True:
        attempt += 1
        plain, altered = (
            _draw(swap, generator("demo", seed, _STREAM, pair, attempt), altered=altered) for altered in (False, True)
        )
        width, height = plain[0].size
        edges = bounds(np.concatenate([plain[1], altered[1]]))
        left, top, right, bottom = (*map(math.floor, edges[:2]), *map(math.ceil, edges[2:]))
        if min(left, top) < 0 or right > width or bottom > height:
            continue  # a longer tail may reach beyond the picture
        change = np.abs(np.asarray(plain[0], dtype=np.int16) - np.asarray(altered[0], dtype=np.int16)).max(axis=-1)
        if (change > CLEARLY).sum() >= SMALLEST_CHANGE:
            box = (left / width, top / height, (right - left) / width, (bottom - top) / height)
            return plain[0], altered[0], box


def _draw(swap: Swap, rng: np.random.Generator, *, altered: bool) -> tuple[Image.Image, Points]:
    """Draws one picture of a pair, as :func:`.drawings.draw_scene` draws a scene.

    Whether it is the altered one makes no difference to what ``rng`` is asked, nor to where the bird is put.

    Returns:
        the picture and the corners of all that belongs to the part, in its pixels
    """
    canvas = Canvas(*picture_size(rng))
    setting = paint_background(canvas, tuple(SCENES)[int(rng.integers(len(SCENES)))], rng)
    flying = rng.random() < (0.6 if setting.kind == "sky" else 0.12)
    pose, colours = Pose.draw(rng, flying=flying), int(rng.integers(2**32))
    own = bird_shapes(PLUMAGE[swap.truth], pose, np.random.default_rng(colours))
    other = bird_shapes({**PLUMAGE[swap.truth], swap.part: swap.value}, pose, np.random.default_rng(colours))
    of_part = [slot == swap.part for slot in _owners(own, other, swap.part)]
    points = [shape.points for shape in own]
    moved, bird = place_bird(points, canvas, setting, rng, flying=flying)
    if altered:
        onto = _motion(np.concatenate(points), np.concatenate(moved))
        for index in np.flatnonzero(of_part).tolist():
            own[index] = other[index]
            moved[index] = _homogeneous(other[index].points) @ onto

    draw_things(canvas, setting, bird, rng)
    if not flying:
        draw_footing(canvas, setting, bird, rng)
    for shape, polygon in zip(own, moved, strict=True):
        canvas.polygon(polygon, shape.colour)
    if not flying and setting.kind in ("meadow", "forest"):
        for x in rng.uniform(bird[0], bird[2], 4):
            size = 0.12 * (bird[3] - bird[1])
            grass_tuft(canvas, (float(x), bird[3] + 0.3 * size), size, setting.tint, rng)
    picture = ImageEnhance.Brightness(canvas.finish()).enhance(rng.uniform(0.93, 1.04))
    return picture, np.concatenate([polygon for polygon, there in zip(moved, of_part, strict=True) if there])


def _owners(own: list[Shape], other: list[Shape], part: str) -> list[str]:
    """Returns the part that each shape belongs to; ``""`` for the eye and shading.

    The outlines come first, in the order of the parts' shapes. Of the shading, what the swap changes belongs to the
    part. A tail has the colour of the wings; here it keeps its own, and so do its outlines.
    """
    outlines = [shape.part for shape in own if shape.part]
    rest = [
        shape.part or (part if shape.colour != twin.colour else "")
        for shape, twin in zip(own[len(outlines) :], other[len(outlines) :], strict=True)
    ]
    return outlines + rest


def _motion(before: Points, after: Points) -> Points:
    """Returns the ``[3, 2]`` affine map from the points before to those after."""
    return np.asarray(np.linalg.lstsq(_homogeneous(before), after, rcond=None)[0], dtype=np.float64)


def _homogeneous(points: Points) -> Points:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)
