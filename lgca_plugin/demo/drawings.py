"""Draws a scene: one bird of the demo's classes somewhere in a landscape, and where its parts are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from PIL import Image, ImageEnhance

from .backgrounds import SCENES, Setting, grass_tuft, paint_background
from .birds import Pose, bird_shapes, turn
from .canvas import PALETTE, Box, Canvas, Points, bounds, darker, ellipse, from_hsv, mix, smooth, stroke
from .classes import PART_VALUES, PLUMAGE
from .things import AIRBORNE, THINGS, draw_thing

DRAWING_VERSION: Final = 2
"""Increased whenever the same seed gives another picture."""

SIDES: Final = (160, 256)
MAX_ASPECT: Final = 1.3


@dataclass(frozen=True, kw_only=True)
class Composition:
    """How birds are put into their pictures.

    Attributes:
        bird_lengths: range of a bird's larger extent, as a share of the picture's shorter side
        foreign_colour: probability that a part has a colour of another class
        enlargement: 1, 2 or 4: so many times the pixels of :data:`SIDES` on each side, of the same scene
    """

    bird_lengths: tuple[float, float]
    foreign_colour: float
    enlargement: int = 1


VARIED: Final = Composition(bird_lengths=(0.12, 0.5), foreign_colour=0.06)
"""The model was trained on these. Some birds are too small, or too odd, for anybody to decide what they are."""

DECIDABLE: Final = Composition(bird_lengths=(0.2, 0.5), foreign_colour=0.0, enlargement=2)
"""The demo's pictures: small birds too, but the whole bird decides, and whoever looks at the picture can see it."""

_DOMAINS: Final = {"demo": 0, "training": 1, "validation": 2}


def generator(domain: str, seed: int, *index: int) -> np.random.Generator:
    """Returns a random generator for one purpose.

    Generators of different domains never share a stream, whatever their seeds, so the model can't be trained or
    validated on a picture of the demo dataset.

    Args:
        domain: ``demo``, ``training`` or ``validation``
        seed: a seed, at least 0
        index: numbers that tell the generators of one domain and seed apart

    Returns:
        a fresh generator
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_DOMAINS[domain], *index))))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the bird as drawn.

    Attributes:
        value: its colour or shape, which may be foreign to the class
        box: where it is
    """

    value: str
    box: Box


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A thing beside the bird.

    Attributes:
        name: such as ``buoy``
        colour: the name of its colour
        box: where it is
    """

    name: str
    colour: str
    box: Box


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A drawn picture and what is in it. Boxes are left, top, right, bottom in pixels.

    Attributes:
        image: the picture, RGB
        size: its width and height
        label: the bird's class
        background: one of :data:`lgca_plugin.demo.backgrounds.SCENES`
        bird: the box around the bird
        parts: part -> what it looks like and where it is
        things: what lies around
    """

    image: Image.Image
    size: tuple[int, int]
    label: str
    background: str
    bird: Box
    parts: dict[str, Part]
    things: tuple[Thing, ...]


def draw_scene(label: str, rng: np.random.Generator, composition: Composition = VARIED) -> Scene:
    """Draws a picture of a bird.

    The same class and generator state give the same picture.

    Args:
        label: one of :data:`lgca_plugin.demo.classes.CLASSES`
        rng: source of everything that varies
        composition: how much varies

    Returns:
        the scene

    Raises:
        ValueError: if the label is none of the demo's classes
    """
    if label not in PLUMAGE:
        raise ValueError(f"label is {label!r}; the demo draws {', '.join(PLUMAGE)}")
    canvas = Canvas(*picture_size(rng), enlargement=composition.enlargement)
    setting = paint_background(canvas, tuple(SCENES)[int(rng.integers(len(SCENES)))], rng)

    plumage = {slot: _value(slot, value, rng, composition.foreign_colour) for slot, value in PLUMAGE[label].items()}
    flying = rng.random() < (0.6 if setting.kind == "sky" else 0.12)
    shapes = bird_shapes(plumage, Pose.draw(rng, flying=flying), rng)
    polygons, bird = place_bird(
        [shape.points for shape in shapes], canvas, setting, rng, flying=flying, lengths=composition.bird_lengths
    )

    things = draw_things(canvas, setting, bird, rng)
    if not flying:
        draw_footing(canvas, setting, bird, rng)
    for shape, polygon in zip(shapes, polygons, strict=True):
        canvas.polygon(polygon, shape.colour)
    if not flying and setting.kind in ("meadow", "forest"):
        for x in rng.uniform(bird[0], bird[2], 4):
            size = 0.12 * (bird[3] - bird[1])
            grass_tuft(canvas, (float(x), bird[3] + 0.3 * size), size, setting.tint, rng)

    outlines: dict[str, list[Points]] = {slot: [] for slot in plumage}
    for shape, polygon in zip(shapes, polygons, strict=True):
        if shape.part:
            outlines[shape.part].append(polygon)
    image = ImageEnhance.Brightness(canvas.finish()).enhance(rng.uniform(0.93, 1.04))
    boxes = {slot: bounds(np.concatenate(parts)) for slot, parts in outlines.items()}
    return Scene(
        image=image,
        size=image.size,
        label=label,
        background=setting.kind,
        bird=canvas.in_pixels(bird),
        parts={slot: Part(value=value, box=canvas.in_pixels(boxes[slot])) for slot, value in plumage.items()},
        things=tuple(replace(thing, box=canvas.in_pixels(thing.box)) for thing in things),
    )


def picture_size(rng: np.random.Generator) -> tuple[int, int]:
    """Draws the width and height of a picture in pixels, a third of the time equal."""
    width = int(rng.integers(SIDES[0], SIDES[1] + 1))
    if rng.random() < 1 / 3:
        return width, width
    lower, upper = max(SIDES[0], round(width / MAX_ASPECT)), min(SIDES[1], round(width * MAX_ASPECT))
    return width, int(rng.integers(lower, upper + 1))


def _value(slot: str, value: str, rng: np.random.Generator, probability: float) -> str:
    """Returns the value of a part in a picture: sometimes a colour of another class."""
    others = [other for other in PART_VALUES[slot] if other != value]
    foreign, choice = rng.random() < probability, int(rng.integers(len(others)))
    return others[choice] if foreign and value in PALETTE else value


def place_bird(
    polygons: list[Points],
    canvas: Canvas,
    setting: Setting,
    rng: np.random.Generator,
    *,
    flying: bool,
    lengths: tuple[float, float] = VARIED.bird_lengths,
) -> tuple[list[Points], Box]:
    """Turns, mirrors, scales and moves a bird so that it lies inside the picture's central square.

    Args:
        polygons: the bird's shapes, ``[n, 2]`` points each
        canvas: the picture
        setting: the landscape, which says where the ground is
        rng: draws where and how
        flying: whether the bird is in the air
        lengths: range of its larger extent, as a share of the picture's shorter side

    Returns:
        the shapes in the picture, and the bird's box
    """
    tilt = rng.uniform(-16, 16) if flying else rng.uniform(-6, 6)
    mirror = np.array([-1.0 if rng.random() < 0.5 else 1.0, 1.0])
    polygons = [turn(points, tilt) * mirror for points in polygons]
    left, top, right, bottom = bounds(np.concatenate(polygons))
    side = min(canvas.width, canvas.height)
    scale = side * rng.uniform(*lengths) / max(right - left, bottom - top)
    width, height = scale * (right - left), scale * (bottom - top)

    margin = 2.0
    corner = (canvas.width - side) / 2 + margin, (canvas.height - side) / 2 + margin
    lowest = (canvas.height + side) / 2 - margin
    highest = corner[1] + height
    if not flying:
        highest = max(highest, min(lowest, setting.horizon * (0.4 if setting.kind == "sky" else 1.06)))
    x = rng.uniform(corner[0], corner[0] + side - 2 * margin - width)
    y = rng.uniform(min(highest, lowest), lowest) - height
    moved = [(points - (left, top)) * scale + (x, y) for points in polygons]
    return moved, (x, y, x + width, y + height)


def draw_footing(canvas: Canvas, setting: Setting, bird: Box, rng: np.random.Generator) -> None:
    """Draws what a standing bird stands on: a branch in the sky, ripples in the water, else its shadow."""
    middle, ground, width = (bird[0] + bird[2]) / 2, bird[3], bird[2] - bird[0]
    if setting.kind != "sky":
        tint = setting.tint if setting.kind == "lake" else darker(setting.tint, 0.14)
        canvas.polygon(ellipse((middle, ground), (0.34 * width, 0.045 * width + 0.8)), tint)
        return
    start = -5.0 if rng.random() < 0.5 else canvas.width + 5.0
    end = middle + np.sign(middle - start) * width * rng.uniform(0.7, 1.4)
    thick = 2.5 + 0.05 * width
    ys = ground + 0.4 * thick + rng.uniform(-0.08, 0.08, 2) * width
    line = smooth([(start, ys[0]), (middle, ground + 0.4 * thick), (end, ys[1])], closed=False)
    wood = from_hsv(rng.uniform(0.05, 0.1), rng.uniform(0.25, 0.45), rng.uniform(0.35, 0.5))
    canvas.polygon(stroke(line, 1.5 * thick, 0.5 * thick), wood)
    leaf = from_hsv(rng.uniform(0.2, 0.36), 0.45, rng.uniform(0.45, 0.68))
    for x, y in line[rng.integers(0, len(line), 7)]:
        direction = rng.uniform(-1.2, 1.2), rng.choice((-1.0, 1.0))
        tip = x + 3.4 * thick * direction[0], y + 2.2 * thick * direction[1]
        side = thick * 0.7
        blade = smooth(
            [(x, y), ((x + tip[0]) / 2 - side, (y + tip[1]) / 2), tip, ((x + tip[0]) / 2 + side, (y + tip[1]) / 2)]
        )
        canvas.polygon(blade, mix(leaf, (255, 255, 255), rng.uniform(0, 0.15)))


def draw_things(canvas: Canvas, setting: Setting, bird: Box, rng: np.random.Generator) -> tuple[Thing, ...]:
    """Draws up to two things beside the bird; one that finds no free place is left out."""
    names = [name for name, (_, backgrounds) in THINGS.items() if setting.kind in backgrounds]
    things: list[Thing] = []
    for _ in range(int(rng.integers(0, 3))):
        name = names[int(rng.integers(len(names)))]
        colours = THINGS[name][0]
        colour = colours[int(rng.integers(len(colours)))]
        size = min(canvas.width, canvas.height) * rng.uniform(0.09, 0.24)
        highest = size + 2 if name in AIRBORNE else max(setting.horizon + 0.15 * size, size + 2)
        lowest = max(highest + 2, 1.1 * setting.horizon) if name in AIRBORNE else canvas.height - 2.0
        for _ in range(8):
            x = rng.uniform(0.5 * size, canvas.width - 0.5 * size)
            y = rng.uniform(min(highest, lowest - 1), lowest)
            room = (x - 0.6 * size, y - size, x + 0.6 * size, y)
            taken = [bird, *(thing.box for thing in things)]
            if not any(_overlap(room, box) for box in taken):
                things.append(Thing(name=name, colour=colour, box=draw_thing(canvas, name, colour, (x, y), size, rng)))
                break
    return tuple(things)


def _overlap(first: Box, second: Box) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]
