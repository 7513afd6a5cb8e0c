"""The time of a sweep of the default grid, and of scoring its settings one by one.

Run it from the repository's root: ``OMP_NUM_THREADS=2 python -m benchmarks.sweep``. It prints a JSON line and a
readable one for the methods of the papers, and again with decisive LGCA. The embeddings are random; time does not
depend on their values. Batches are reused in turn, large enough not to stay in a processor's cache.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.core.regions import ClassScoring, CropCounts, RegionEmbeddings
from lgca_plugin.method.core.scores import class_scores, class_vector, image_vector, normalize, region_weights
from lgca_plugin.method.tuning.scorer import SettingsScorer
from lgca_plugin.method.tuning.sweep import Sweep, default_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lgca_plugin.method.core.methods import Method

CROPS, COUNTS = CropCounts(60, 34), (60, 17, 9)
LOGIT_SCALE = 100.0
SIDE, PIXELS = np.full(sum(COUNTS), 0.7), np.full(sum(COUNTS), 200)
DESCRIPTIONS = 8
BATCH = 256
CASES = (("clip", "wca", "lgca"), ("clip", "wca", "lgca", "lgca_d"))


class World:
    """Random classes, and batches of random images at the default region settings."""

    def __init__(self, classes: int, dim: int, batches: int = 3) -> None:
        rng = np.random.default_rng(0)
        self.labels = _units(rng, classes, dim)
        self.descriptions = _units(rng, classes, DESCRIPTIONS, dim)
        self.batches = [(_units(rng, BATCH, sum(COUNTS), dim), _units(rng, BATCH, dim)) for _ in range(batches)]
        self.step = np.repeat(np.arange(3), COUNTS)
        self.chain = np.concatenate([np.arange(count) for count in COUNTS])

    def class_vectors(self, method: Method) -> NDArray[np.float32]:
        """Computes a method's class vectors, ``[C, dim]``."""
        kind, scale = method.class_vectors, method.text_scale
        pairs = zip(self.descriptions, self.labels, strict=True)
        vectors = [class_vector(own, label, kind=kind, text_scale=scale) for own, label in pairs]
        return np.stack(vectors).astype(np.float32)


def together(world: World, settings: list[Method], images: int) -> dict[str, float]:
    """Sweeps all settings at once; returns seconds for the scores, the report and both."""
    started = time.perf_counter()
    sweep = Sweep(SettingsScorer(settings, world.class_vectors, CROPS, logit_scale=LOGIT_SCALE))
    truth = np.random.default_rng(1).integers(0, len(world.labels), size=images)
    for number, start in enumerate(range(0, images, BATCH)):
        regions, whole = world.batches[number % len(world.batches)]
        of_batch = truth[start : start + BATCH]
        size = len(of_batch)
        sweep.add(RegionEmbeddings(regions[:size], whole[:size], world.step, world.chain, SIDE, PIXELS), of_batch)
    scored = time.perf_counter()
    sweep.report()
    ended = time.perf_counter()
    return {"scores_s": scored - started, "report_s": ended - scored, "total_s": ended - started}


def one_by_one(world: World, settings: list[Method], images: int) -> float:
    """Scores the settings one by one, as a run scores its methods; returns seconds."""
    vectors = [world.class_vectors(setting) for setting in settings]
    regions, whole = (array[:images] for array in world.batches[0])
    started = time.perf_counter()
    for setting, own in zip(settings, vectors, strict=True):
        batch = RegionEmbeddings(
            regions, whole, world.step, world.chain, SIDE, PIXELS
        )  # a new one: it caches similarities
        weights = region_weights(setting, batch, CROPS, ClassScoring(own, LOGIT_SCALE))
        class_scores(image_vector(batch, weights), own).argmax(axis=-1)
    return time.perf_counter() - started


def _units(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    vectors = rng.standard_normal(shape, dtype=np.float32) + np.float32(0.5)
    return normalize(vectors).astype(np.float32)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--one-by-one", type=int, default=64, metavar="IMAGES", help=f"at most {BATCH}")
    options = parser.parse_args()
    world = World(options.classes, options.dim)
    for names in CASES:
        settings = default_grid([METHODS[name] for name in names], steps=len(COUNTS) - 1)
        seconds = together(world, settings, options.images)
        alone = one_by_one(world, settings, min(options.one_by_one, BATCH)) / min(options.one_by_one, BATCH)
        result = {
            "benchmark": "sweep",
            "methods": names,
            "settings": len(settings),
            "images": options.images,
            "classes": options.classes,
            "dim": options.dim,
            **{name: round(value, 3) for name, value in seconds.items()},
            "one_by_one_s": round(alone * options.images, 1),
            "ratio": round(alone * options.images / seconds["scores_s"], 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.write(
            f"{len(settings)} settings of {', '.join(names)} on {options.images} images, {options.classes} classes: "
            f"{seconds['total_s']:.1f} s together, {result['one_by_one_s']:.0f} s one by one "
            f"(from {options.one_by_one} images), {result['ratio']:.0f} times as long\n"
        )


if __name__ == "__main__":
    main()
