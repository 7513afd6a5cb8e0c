"""How time grows with the number of crops and classes, as the slope of a line through logarithms: 1 is proportional.

- ``crops``: seconds of the engine, from files to embeddings, with 10 to 200 crops an image (and as many chains as
  cost the same); drawn birds as JPEGs, the demo's model
- ``classes``: seconds of scoring encoded images with all methods, with 10 to 10,000 classes of random vectors, and
  their share of the engine's time at the default crops

A line of JSON is printed for each: ``python -m benchmarks.slopes``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .towers import DEMO, draw, in_turns, load, rounded

if TYPE_CHECKING:
    from collections.abc import Callable

CROPS = (10, 25, 50, 100, 200)
CLASSES = (10, 100, 1000, 10_000)


class RandomTexts:
    """Embeds every text as a random vector; the time does not depend on the texts."""

    logit_scale = 100.0

    def __init__(self, dim: int) -> None:
        self._dim = dim

    def encode_texts(self, texts: Any) -> Any:
        """Returns ``[n, dim]`` unit vectors."""
        vectors = np.random.default_rng(0).standard_normal((len(texts), self._dim)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def slope(sizes: Any, seconds: Any) -> float:
    """Returns the slope of a line through logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def medians(tasks: dict[str, Callable[[], object]], rounds: int) -> list[float]:
    """Returns the median time of each task, timed in turns."""
    return [statistics.median(seconds) for seconds in in_turns(tasks, rounds).values()]


def crops(encoder: Any, files: list[bytes], rounds: int) -> dict[str, Any]:
    """Times the engine by the number of crops."""
    from lgca_plugin.config import RegionConfig, RegionPlan
    from lgca_plugin.engine.engine import encode_images
    from lgca_plugin.method.core.methods import METHODS

    plans = {count: RegionPlan.of(tuple(METHODS.values()), RegionConfig(crops=count)) for count in CROPS}

    def encode(plan: RegionPlan) -> None:
        for _ in encode_images(enumerate(files), encoder=encoder, plan=plan):
            pass

    seconds = medians({str(count): partial(encode, plan) for count, plan in plans.items()}, rounds)
    encodes = [plan.encodes_per_image for plan in plans.values()]
    return {
        "slope": slope(encodes, seconds),
        "crops": list(CROPS),
        "encodes_per_image": encodes,
        "ms_per_encode": [1000 * taken / (len(files) * own) for taken, own in zip(seconds, encodes, strict=True)],
    }


def classes(encoder: Any, files: list[bytes], rounds: int) -> dict[str, Any]:
    """Times scoring by the number of classes."""
    from lgca_plugin.config import RegionConfig, RegionPlan
    from lgca_plugin.descriptions.class_texts import class_texts
    from lgca_plugin.engine.engine import encode_images
    from lgca_plugin.method.core.methods import METHODS
    from lgca_plugin.prediction.predictor import Predictor

    methods = tuple(METHODS.values())
    plan = RegionPlan.of(methods, RegionConfig())
    encoded: list[Any] = []

    def encode() -> None:
        encoded[:] = encode_images(enumerate(files), encoder=encoder, plan=plan)

    encode()
    texts = RandomTexts(encoder.dim)
    tasks: dict[str, Callable[[], object]] = {"engine": encode}
    for count in CLASSES:
        described = class_texts([f"class {number}" for number in range(count)], None)
        predictor = Predictor(methods, described, texts, plan)
        tasks[str(count)] = partial(predictor.predict, encoded)
    engine, *seconds = medians(tasks, rounds)
    return {
        "slope": slope(CLASSES, seconds),
        "slope_of_the_last_decade": slope(CLASSES[-2:], seconds[-2:]),
        "classes": list(CLASSES),
        "scoring_ms_per_image": [1000 * taken / len(files) for taken in seconds],
        "share_of_engine": [taken / engine for taken in seconds],
    }


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each question."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--resize", default="fast")
    options = parser.parse_args()
    encoder = load(DEMO, precision="auto", resize=options.resize)
    files = draw(options.images, "500x400")
    about = {"benchmark": "slopes", "model": DEMO, "images": options.images, "resize": options.resize}
    for name, measure in {"crops": crops, "classes": classes}.items():
        print(json.dumps({**about, "what": name, **rounded(measure(encoder, files, options.rounds))}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
