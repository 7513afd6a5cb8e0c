"""The anatomy of a drawn bird: shapes in body lengths, facing right, y pointing down."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .canvas import PALETTE, Colour, Points, bounds, darker, ellipse, jitter, mix, smooth, stroke


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A filled polygon of a bird.

    Attributes:
        points: ``[n, 2]`` corners
        colour: the fill
        part: the part that it shows, ``""`` for eyes, shading and outlines
    """

    points: Points
    colour: Colour
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """The variation between birds of one class. Lengths in body lengths, angles in degrees.

    Attributes:
        flying: wings spread and legs trailing, instead of standing
        plumpness: height of the body relative to a slim bird's
        head: factor on the size of the head
        nod: angle by which the head points down
        bend: how far a long neck bends into an S
        reach: how far a long neck leans forward
        beak: factor on the length of the beak
        leg: factor on the length of the legs
        stride: half the distance between the feet
        wing: angle by which the folded wing hangs
        tail: angle by which the tail hangs
    """

    flying: bool
    plumpness: float
    head: float
    nod: float
    bend: float
    reach: float
    beak: float
    leg: float
    stride: float
    wing: float
    tail: float

    @classmethod
    def draw(cls, rng: np.random.Generator, *, flying: bool) -> Pose:
        """Draws a pose at random."""
        return cls(
            flying=flying,
            plumpness=rng.uniform(0.86, 1.14),
            head=rng.uniform(0.9, 1.12),
            nod=rng.uniform(-14, 20),
            bend=rng.uniform(0.02, 0.3),
            reach=rng.uniform(-0.08, 0.3),
            beak=rng.uniform(0.8, 1.25),
            leg=rng.uniform(0.8, 1.2),
            stride=rng.uniform(-0.16, 0.2),
            wing=rng.uniform(-6, 8),
            tail=rng.uniform(-12, 12),
        )


def turn(points: Points, degrees: float, pivot: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Turns points about a pivot, clockwise as seen on the screen."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    centre = np.asarray(pivot)
    turned: Points = (points - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre
    return turned


def bird_shapes(plumage: dict[str, str], pose: Pose, rng: np.random.Generator) -> list[Shape]:
    """Draws a bird about the centre of its body.

    Args:
        plumage: part -> value, as in :data:`lgca_plugin.demo.classes.PLUMAGE`
        pose: the pose
        rng: source of the colours' variation

    Returns:
        the shapes from back to front
    """
    colours = {slot: jitter(PALETTE[value], rng) for slot, value in plumage.items() if value in PALETTE}
    white = jitter(PALETTE["white"], rng)
    long_neck = plumage["neck"] == "long"
    head = (0.66 + pose.reach, -0.86) if long_neck else (0.47, -0.36)
    shapes = [
        *_legs(colours["legs"], pose, long_neck),
        *(_spread_wing(darker(colours["wings"], 0.24), (0.22, -0.16), 24) if pose.flying else ()),
        *_tail(plumage["tail"], mix(colours["wings"], darker(colours["wings"], 0.5), 0.2), pose),
        *_neck(white, head, pose, long_neck),
        *_body(colours["breast"], pose),
        *(_spread_wing(colours["wings"], (0.12, -0.1), 0) if pose.flying else _folded_wing(colours["wings"], pose)),
        *_head(white, colours["head"], colours["beak"], head, pose, long_neck),
    ]
    return [*(_outline(shape) for shape in shapes if shape.part), *shapes]


def _outline(shape: Shape) -> Shape:
    """Returns a slightly larger, darker copy, drawn beneath all shapes, so that a pale bird stands out."""
    left, top, right, bottom = bounds(shape.points)
    centre = np.array([(left + right) / 2, (top + bottom) / 2])
    offset = shape.points - centre
    length = np.maximum(np.linalg.norm(offset, axis=1, keepdims=True), 1e-9)
    return Shape(points=shape.points + 0.014 * offset / length, colour=darker(shape.colour, 0.5))


def _legs(colour: Colour, pose: Pose, long: bool) -> list[Shape]:
    length = (0.66 if long else 0.34) * pose.leg
    width = 0.058
    shapes = []
    for hip, foot, shade in ((-0.06, -pose.stride, 0.3), (0.06, pose.stride, 0.0)):
        if pose.flying:
            line = [(hip - 0.1, 0.16), (hip - 0.32, 0.24 + 0.3 * foot), (hip - 0.3 - length, 0.24 + 0.5 * foot)]
            toes = [line[-1], (line[-1][0] - 0.12, line[-1][1] + 0.02)]
        else:
            ground = 0.2 * pose.plumpness + length
            knee = (hip + foot * 0.5 - 0.05, 0.2 + 0.5 * length)
            line = [(hip, 0.12), knee, (hip + foot, ground)]
            toes = [(hip + foot - 0.06, ground), (hip + foot + 0.16, ground + 0.01)]
        tint = darker(colour, shade)
        shapes += [
            Shape(points=stroke(line, width * 1.2, width), colour=tint, part="legs"),
            Shape(points=stroke(toes, width, width * 0.8), colour=tint, part="legs"),
        ]
    return shapes


def _tail(kind: str, colour: Colour, pose: Pose) -> list[Shape]:
    root_top, root_bottom = (-0.3, -0.13), (-0.3, 0.1)
    outlines = {
        "short": [root_top, (-0.8, -0.12), (-0.88, 0.0), (-0.8, 0.12), root_bottom],
        "long": [root_top, (-0.7, -0.05), (-1.3, -0.02), (-1.32, 0.09), (-0.7, 0.09), root_bottom],
        "forked": [root_top, (-0.7, -0.1), (-1.16, -0.24), (-0.8, 0.01), (-1.16, 0.24), (-0.7, 0.1), root_bottom],
    }
    points = turn(np.array(outlines[kind]), pose.tail - 4, (-0.35, 0.0))
    return [Shape(points=points, colour=colour, part="tail")]


def _neck(white: Colour, head: tuple[float, float], pose: Pose, long: bool) -> list[Shape]:
    if not long:
        blend = smooth([(0.05, -0.2), (0.3, -0.46), (0.52, -0.42), (0.66, -0.26), (0.54, -0.02), (0.3, 0.05)])
        return [Shape(points=blend, colour=white, part="neck")]
    base = (0.36, -0.06)
    line = smooth(
        [
            base,
            (base[0] + 0.16 + 0.5 * pose.bend, base[1] - 0.2),
            ((base[0] + head[0]) / 2 - 0.3 * pose.bend, -0.52),
            (head[0] - 0.06, head[1] + 0.02),
        ],
        closed=False,
    )
    return [Shape(points=stroke(line, 0.27, 0.14), colour=white, part="neck")]


def _body(breast: Colour, pose: Pose) -> list[Shape]:
    outline = smooth(
        [
            (-0.5, -0.03),
            (-0.22, -0.22),
            (0.16, -0.27),
            (0.42, -0.15),
            (0.5, 0.04),
            (0.34, 0.21),
            (0.02, 0.28),
            (-0.3, 0.17),
        ]
    )
    shade = smooth([(-0.4, 0.08), (0.0, 0.13), (0.38, 0.14), (0.3, 0.23), (0.02, 0.28), (-0.28, 0.17)])
    stretch = np.array([1.0, pose.plumpness])
    return [
        Shape(points=outline * stretch, colour=breast, part="breast"),
        Shape(points=shade * stretch, colour=darker(breast, 0.1)),
    ]


def _folded_wing(colour: Colour, pose: Pose) -> list[Shape]:
    pivot = (0.2, -0.1)
    outline = smooth(
        [(0.27, -0.13), (0.02, -0.25), (-0.36, -0.14), (-0.72, 0.06), (-0.36, 0.12), (0.0, 0.13), (0.23, 0.03)]
    )
    covert = smooth([(0.25, -0.12), (0.0, -0.22), (-0.26, -0.12), (-0.1, -0.03), (0.14, -0.02)])
    shapes = [
        Shape(points=outline, colour=colour, part="wings"),
        Shape(points=covert, colour=mix(colour, (255, 255, 255), 0.14)),
    ]
    for drop in (0.02, 0.075):
        feather = smooth([(0.1, drop), (-0.2, drop + 0.015), (-0.56, 0.03 + 0.4 * drop)], closed=False)
        shapes.append(Shape(points=stroke(feather, 0.022, 0.01), colour=darker(colour, 0.3)))
    return [
        Shape(points=turn(shape.points, pose.wing, pivot), colour=shape.colour, part=shape.part) for shape in shapes
    ]


def _spread_wing(colour: Colour, shoulder: tuple[float, float], lean: float) -> list[Shape]:
    outline = smooth(
        [
            (0.16, 0.02),
            (0.1, -0.4),
            (-0.12, -0.76),
            (-0.46, -1.02),
            (-0.44, -0.76),
            (-0.54, -0.56),
            (-0.44, -0.28),
            (-0.34, 0.06),
        ]
    )
    shapes = [Shape(points=outline, colour=colour, part="wings")]
    for reach in (0.55, 0.8):
        feather = smooth(
            [(-0.3 * reach, -0.1), (-0.34 * reach, -0.5 * reach), (-0.42 * reach, -0.9 * reach)], closed=False
        )
        shapes.append(Shape(points=stroke(feather, 0.022, 0.012), colour=darker(colour, 0.25)))
    return [
        Shape(points=turn(shape.points, lean) + np.asarray(shoulder), colour=shape.colour, part=shape.part)
        for shape in shapes
    ]


def _head(white: Colour, cap: Colour, beak: Colour, centre: tuple[float, float], pose: Pose, long: bool) -> list[Shape]:
    """Returns head, cap, eye and beak, turned about the head's centre."""
    x, y = centre
    radius = (0.165 if long else 0.23) * pose.head
    reach = (0.4 if long else 0.3) * pose.beak
    thick = 0.075 if long else 0.085
    base = x + 0.8 * radius
    upper = np.array(
        [
            (base, y - thick),
            (base + 0.4 * reach, y - 0.7 * thick),
            (base + reach, y + 0.25 * thick),
            (base, y + 0.2 * thick),
        ]
    )
    lower = np.array([(base, y + 0.1 * thick), (base + reach * 0.96, y + 0.25 * thick), (base, y + thick)])
    crown = np.concatenate(
        [
            ellipse(centre, (1.06 * radius, radius), 172, 356),
            smooth(
                [
                    (x + 0.98 * radius, y - 0.06 * radius),
                    (x + 0.2 * radius, y - 0.12 * radius),
                    (x - 1.02 * radius, y + 0.34 * radius),
                ],
                closed=False,
            ),
        ]
    )
    eye = (x + 0.34 * radius, y - 0.14 * radius)
    shapes = [
        Shape(points=upper, colour=beak, part="beak"),
        Shape(points=lower, colour=darker(beak, 0.2), part="beak"),
        Shape(points=ellipse(centre, (1.04 * radius, radius)), colour=white, part="head"),
        Shape(points=crown, colour=cap, part="head"),
        Shape(points=ellipse(eye, (0.25 * radius, 0.25 * radius)), colour=mix(white, cap, 0.1)),
        Shape(points=ellipse(eye, (0.18 * radius, 0.18 * radius)), colour=(26, 24, 30)),
        Shape(
            points=ellipse((eye[0] + 0.06 * radius, eye[1] - 0.06 * radius), (0.06 * radius, 0.06 * radius)),
            colour=(255, 255, 255),
        ),
    ]
    return [
        Shape(points=turn(shape.points, pose.nod, centre), colour=shape.colour, part=shape.part) for shape in shapes
    ]
