"""Sets of drawn birds, each a folder of images by class that is drawn once."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.fused.pictures import HARD, JPEG_QUALITY
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.drawings import DECIDABLE, DRAWING_VERSION, Composition, draw_scene, generator

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 1080
"""Number of images of a set, 90 of each class."""


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """Drawings of one difficulty.

    Attributes:
        composition: how much they vary
        seeds: of the sets; they were used for nothing else, neither training nor a choice
    """

    composition: Composition
    seeds: tuple[int, ...]


DIFFICULTIES = {
    "hard": Difficulty(composition=HARD, seeds=(190_401, 190_402)),
    "easy": Difficulty(composition=DECIDABLE, seeds=(190_411, 190_412)),
}


def draw(difficulty: str, seed: int, count: int, folder: Path) -> Path:
    """Draws a set, the images that its folder lacks.

    Args:
        difficulty: one of :data:`DIFFICULTIES`
        seed: of the set
        count: number of images; classes take turns
        folder: of all drawn sets

    Returns:
        the set's folder, with a folder of JPEG files for each class
    """
    own = folder / f"{difficulty}-{seed}-{count}-v{DRAWING_VERSION}"
    composition = DIFFICULTIES[difficulty].composition
    started = time.perf_counter()
    drawn = 0
    for index in range(count):
        label = CLASSES[index % len(CLASSES)]
        file = own / label / f"{index:05}.jpg"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_suffix(".unfinished")
            scene = draw_scene(label, generator("demo", seed, index), composition)
            scene.image.save(unfinished, "JPEG", quality=JPEG_QUALITY)
            unfinished.replace(file)
            drawn += 1
    if drawn:
        sys.stderr.write(f"{own.name}: drew {drawn} images in {time.perf_counter() - started:.0f} s\n")
    return own
