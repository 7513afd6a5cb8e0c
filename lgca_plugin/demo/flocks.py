"""Pictures of several drawn birds with a box around each: for labels of boxes whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..config import DEMO_MARKER, SAVED_DESCRIPTIONS
from .backgrounds import SCENES, paint_background
from .birds import Pose, bird_shapes, turn
from .canvas import Box, Canvas, bounds
from .classes import CLASSES, DESCRIPTIONS, PLUMAGE
from .dataset import JPEG_QUALITY
from .drawings import draw_footing, generator

if TYPE_CHECKING:
    import fiftyone as fo
    from PIL import Image

CELL: Final = 110
"""Side of the square of the picture in which each bird is, in coordinates."""

COLUMNS, ROWS, ENLARGEMENT = 3, 2, 2
BIRD_LENGTHS: Final = (0.5, 0.85)
"""Range of a bird's larger extent, as a share of its square's side."""

WRONG_LABELS: Final = 0.1
"""Share of the boxes that get a wrong label."""


@dataclass(frozen=True, kw_only=True)
class DrawnBox:
    """A bird of a picture.

    Attributes:
        box: relative ``(x, y, width, height)``
        label: the label it is given
        truth: the class that was drawn
    """

    box: tuple[float, float, float, float]
    label: str
    truth: str


@dataclass(frozen=True, kw_only=True)
class Flock:
    """A picture of several birds: the path of its file, and the birds."""

    path: str
    birds: tuple[DrawnBox, ...]


def draw_flock(labels: list[str], rng: np.random.Generator) -> tuple[Image.Image, list[Box]]:
    """Draws birds of some classes side by side into one landscape.

    Args:
        labels: up to six classes
        rng: source of everything that varies

    Returns:
        the picture, and the box around each bird, left, top, right, bottom in pixels
    """
    canvas = Canvas(COLUMNS * CELL, ROWS * CELL, enlargement=ENLARGEMENT)
    setting = paint_background(canvas, tuple(SCENES)[int(rng.integers(len(SCENES)))], rng)
    boxes: list[Box] = []
    for label, cell in zip(labels, sorted(rng.permutation(COLUMNS * ROWS)[: len(labels)].tolist()), strict=True):
        flying = bool(rng.random() < (0.6 if setting.kind == "sky" else 0.12))
        shapes = bird_shapes(dict(PLUMAGE[label]), Pose.draw(rng, flying=flying), rng)
        tilt = rng.uniform(-16, 16) if flying else rng.uniform(-6, 6)
        mirror = np.array([-1.0 if rng.random() < 0.5 else 1.0, 1.0])
        polygons = [turn(shape.points, tilt) * mirror for shape in shapes]
        left, top, right, bottom = bounds(np.concatenate(polygons))
        scale = (CELL - 8) * rng.uniform(*BIRD_LENGTHS) / max(right - left, bottom - top)
        width, height = scale * (right - left), scale * (bottom - top)
        x = 4 + CELL * (cell % COLUMNS) + rng.uniform(0, CELL - 8 - width)
        y = 4 + CELL * (cell // COLUMNS) + rng.uniform(0, CELL - 8 - height)
        bird = (x, y, x + width, y + height)
        if not flying:
            draw_footing(canvas, setting, bird, rng)
        for shape, polygon in zip(shapes, polygons, strict=True):
            canvas.polygon((polygon - (left, top)) * scale + (x, y), shape.colour)
        boxes.append(canvas.in_pixels(bird))
    return canvas.finish(), boxes


def draw_flocks(directory: str | Path, *, count: int, seed: int, wrong: float = WRONG_LABELS) -> list[Flock]:
    """Draws pictures of three to six birds into a folder.

    Args:
        directory: the folder, made if it is missing
        count: number of pictures
        seed: seed of the drawings and labels, at least 0
        wrong: share of the boxes that get a wrong label, rounded to a whole number of them

    Returns:
        the pictures
    """
    directory = Path(directory).expanduser().resolve()
    directory.mkdir(parents=True, exist_ok=True)
    drawn: list[tuple[str, list[str], list[tuple[float, float, float, float]]]] = []
    for index in range(count):
        rng = generator("demo", seed, 7, index)
        labels = [CLASSES[at] for at in rng.integers(len(CLASSES), size=int(rng.integers(3, 7))).tolist()]
        image, boxes = draw_flock(labels, rng)
        path = directory / f"flock-{index:03d}.jpg"
        image.save(path, "JPEG", quality=JPEG_QUALITY)
        wide, high = image.size
        shares = [(x / wide, y / high, (right - x) / wide, (bottom - y) / high) for x, y, right, bottom in boxes]
        drawn.append((str(path), labels, shares))
    truths = [label for _, labels, _ in drawn for label in labels]
    rng = generator("demo", seed, 7)
    given = list(truths)
    for index in rng.choice(len(truths), round(wrong * len(truths)), replace=False).tolist():
        others = [name for name in CLASSES if name != truths[index]]
        given[index] = others[int(rng.integers(len(others)))]
    label_of = iter(given)
    return [
        Flock(
            path=path,
            birds=tuple(
                DrawnBox(box=box, label=next(label_of), truth=truth) for truth, box in zip(labels, shares, strict=True)
            ),
        )
        for path, labels, shares in drawn
    ]


def load_flocks_dataset(
    directory: str | Path, name: str | None = None, *, count: int = 40, seed: int = 51, wrong: float = WRONG_LABELS
) -> fo.Dataset:
    """Makes a dataset of drawn flocks, with a box around each bird in ``ground_truth``.

    Its Detections carry the given label, wrong on some of them, and ``truth``, the class that was drawn.

    Args:
        directory: folder of the pictures
        name: name of the dataset; None takes one of FiftyOne's
        count: number of pictures
        seed: seed of the drawings and labels
        wrong: share of the boxes that get a wrong label

    Returns:
        the dataset
    """
    import fiftyone as fo

    samples = [
        fo.Sample(
            filepath=flock.path,
            ground_truth=fo.Detections(
                detections=[
                    fo.Detection(label=bird.label, bounding_box=list(bird.box), truth=bird.truth)
                    for bird in flock.birds
                ]
            ),
        )
        for flock in draw_flocks(directory, count=count, seed=seed, wrong=wrong)
    ]
    dataset = fo.Dataset(name)
    dataset.add_samples(samples, progress=False)
    dataset.add_dynamic_sample_fields()
    dataset.info = {DEMO_MARKER: {"flocks": True, "count": count, "seed": seed}, SAVED_DESCRIPTIONS: DESCRIPTIONS}
    dataset.default_classes = list(CLASSES)
    dataset.save()
    return dataset
