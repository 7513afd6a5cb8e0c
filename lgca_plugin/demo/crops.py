"""Training crops: a third whole pictures, a third large crops, a third small crops on parts."""

from __future__ import annotations

import numpy as np

from .canvas import Box
from .drawings import Scene

SMALLEST_SIDE = 0.08
"""Smallest side of a training crop, as a share of the picture's shorter side."""


def draw_crop(scene: Scene, rng: np.random.Generator) -> Box:
    """Draws a square training crop.

    A whole picture is its central square, as the model's own preprocessing sees it. Half of the large crops lie
    anywhere, half are about the bird. Small crops are about a part or, less often, a thing.

    Args:
        scene: the scene
        rng: chooses the kind, place and size

    Returns:
        left, top, right, bottom in pixels, inside the picture
    """
    width, height = scene.size
    shorter = float(min(width, height))
    kind = rng.random()
    if kind < 1 / 3:
        return _square(width / 2, height / 2, shorter, (width, height))
    if kind < 1 / 2:
        side = shorter * rng.uniform(0.3, 0.95)
        x, y = rng.uniform(side / 2, width - side / 2), rng.uniform(side / 2, height - side / 2)
        return _square(x, y, side, (width, height))
    if kind < 2 / 3:
        return _about(scene.bird, rng.uniform(0.9, 3.0), 0.3, scene, rng)
    boxes = [part.box for part in scene.parts.values()]
    if scene.things and rng.random() < 0.12:
        boxes = [thing.box for thing in scene.things]
    return _about(boxes[int(rng.integers(len(boxes)))], rng.uniform(1.0, 2.6), 0.25, scene, rng)


def _about(box: Box, growth: float, shift: float, scene: Scene, rng: np.random.Generator) -> Box:
    """Returns a square about a box, ``growth`` times its longer side, moved by up to ``shift`` of that."""
    shorter = min(scene.size)
    side = min(shorter, max(SMALLEST_SIDE * shorter, growth * max(box[2] - box[0], box[3] - box[1])))
    dx, dy = rng.uniform(-shift, shift, 2) * side
    return _square((box[0] + box[2]) / 2 + dx, (box[1] + box[3]) / 2 + dy, side, scene.size)


def _square(x: float, y: float, side: float, size: tuple[int, int]) -> Box:
    """Returns a square centred at a point, moved back inside the picture."""
    left = min(max(x - side / 2, 0.0), size[0] - side)
    top = min(max(y - side / 2, 0.0), size[1] - side)
    return left, top, left + side, top + side
