"""What scoring an image costs by the number of classes, in CPU milliseconds of all threads.

Embeddings are drawn as those of a CLIP lie: classes have cosines of about 0.5 with each other, an image 0.25 with a
class and 0.36 with its own, a region 0.9 with its image. Regions grow as in a run with the default regions; an
embedding has 512 numbers. Images are scored as many at a time as a run writes. For each number of classes, a line of
JSON:

- ``predict``: labels, confidences and margins of the default methods, and the regions on display
- ``find``: the same, with what a triage needs of the regions, as in a run that encodes
- ``write``: making the documents of labels and boxes
- ``stop``: the question whether an image may stop early, at the level where an adaptive budget asks it last
- ``texts_s``: class vectors of the embedded texts, seconds of a run

``python -m benchmarks.scale.scoring``. With ``--profile`` it prints where ``find`` spends its time.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import json
import pstats
import re
import statistics
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.shared import DIM, rounded, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLASSES = (10, 100, 1000, 5000)
SHARED, OWN, REST = 0.28, 0.13, 0.6
"""Lengths of what an image has in common with all texts, with its own class, and with none of them. Of 1,000 classes
about seven in ten labels are right then, and two dozen other classes are some region's own vote."""
REGION = 0.35
"""Length of what a region has of its own."""
TEXT = 0.4
"""Length of what a text has of its own, beside what all texts share and its class."""


class Space:
    """Vectors of texts, images and regions, the same in every process."""

    logit_scale = 100.0

    def __init__(self, classes: int) -> None:
        random = np.random.default_rng(0)
        self.names = [f"class {number}" for number in range(classes)]
        self._shared, self._visual = unit(random.standard_normal((2, DIM)))
        self._classes = unit(random.standard_normal((classes, DIM)))

    def encode_texts(self, texts: Sequence[str]) -> Any:
        """Embeds texts that name their class."""
        rows = [int(re.findall(r"class (\d+)", text)[0]) for text in texts]
        return unit(self._shared + self._classes[rows] + TEXT * np.stack([_noise(text) for text in texts]))

    def encoded(self, number: int, plan: Any) -> Any:
        """Returns an image with all its regions, as the engine does."""
        from lgca_plugin.engine.embeddings import KnownRegions
        from lgca_plugin.engine.region_expansion import RegionExpansion

        own = self._classes[number % len(self._classes)]
        image = SHARED * self._shared + OWN * own + 0.5 * self._visual + REST * _noise(f"image {number}")
        known = KnownRegions((400, 500), unit(image), np.zeros((0, 4), np.int64), np.zeros((0, DIM), np.float32))
        content = hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()
        steps = RegionExpansion(content, replace(plan, budget="full"), known=known)
        while True:
            for box in steps.missing():
                steps.embeddings[box] = unit(image + REGION * _noise(f"{number} {box}"))
            if not steps.next_step():
                return steps.result(str(number))


def _noise(text: str) -> Any:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return unit(np.random.default_rng(seed).standard_normal(DIM))


def cpu_ms(task: Callable[[], object], images: int, seconds: float) -> float:
    """Returns the median CPU time of a task in milliseconds an image, of as many rounds as fit, at least three."""
    task()
    taken: list[float] = []
    while sum(taken) < seconds or len(taken) < 3:
        started = time.process_time()
        task()
        taken.append(time.process_time() - started)
    return 1000 * statistics.median(taken) / images


def measure(classes: int, images: int, texts: int, seconds: float, *, profile: bool) -> dict[str, float]:
    """Times all parts with so many classes, each with so many texts."""
    from lgca_plugin.config import RegionConfig, RegionPlan
    from lgca_plugin.config.default_methods import default_methods
    from lgca_plugin.descriptions.class_texts import class_texts
    from lgca_plugin.fiftyone_io.documents import classification, detections
    from lgca_plugin.method.core.methods import METHODS
    from lgca_plugin.prediction.predictor import Predictor

    regions = RegionConfig()
    methods = tuple(METHODS[name] for name in default_methods(regions))
    full, adaptive = (RegionPlan.of(methods, regions, budget) for budget in ("full", "adaptive"))
    space = Space(classes)
    described = class_texts(space.names, {name: [f"{name}, seen {i}" for i in range(texts)] for name in space.names})
    embedded = dict(zip(described.all_texts(), space.encode_texts(described.all_texts()), strict=True))

    class Embedded:
        logit_scale = space.logit_scale

        def encode_texts(self, texts: Sequence[str]) -> Any:
            return np.stack([embedded[text] for text in texts])

    started = time.process_time()
    predictor = Predictor(methods, described, Embedded(), full)
    texts_s = time.process_time() - started
    can_stop = Predictor(methods, described, Embedded(), adaptive).can_stop
    assert can_stop is not None
    encoded = [space.encoded(number, full) for number in range(images)]
    level = len(adaptive.levels) - 2
    few = [space.encoded(number, adaptive.levels[level]) for number in range(min(images, 8))]
    few = [replace(image, level=level) for image in few]
    if profile:
        profiler = cProfile.Profile()
        profiler.runcall(predictor.predict, encoded, find=True)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(18)
    predictions = predictor.predict(encoded)

    def documents() -> None:
        for one in predictions:
            detections(one.regions, space.names)
            for of_method in one.methods.values():
                classification(of_method, space.names, logits=False)

    return {
        "predict": cpu_ms(lambda: predictor.predict(encoded), images, seconds),
        "find": cpu_ms(lambda: predictor.predict(encoded, find=True), images, seconds),
        "write": cpu_ms(documents, images, seconds),
        "stop": cpu_ms(lambda: [can_stop(image) for image in few], len(few), seconds),
        "texts_s": texts_s,
    }


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each number of classes."""
    from lgca_plugin.workflows.classify.writer import WRITE_IMAGES

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--classes", type=int, nargs="+", default=list(CLASSES))
    parser.add_argument("--images", type=int, default=WRITE_IMAGES)
    parser.add_argument("--texts", type=int, default=8, help="of each class")
    parser.add_argument("--seconds", type=float, default=3.0, help="that each part is repeated for")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    for count in options.classes:
        found = measure(count, options.images, options.texts, options.seconds, profile=options.profile)
        print(json.dumps({"benchmark": "scoring", "classes": count, "texts": options.texts, **rounded(found)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
