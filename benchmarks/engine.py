"""The engine over the encoder alone on as many encodes, as a ratio of times.

Drawn birds as JPEGs, the default regions, all three methods: 87 encodes an image. In every round the engine goes
through the images, from the files' bytes to embeddings in memory, and then the encoder alone through as many batches of
ready pixels. The median of the rounds' ratios is reported, a line of JSON for each image size and way of resizing.
``make bench`` runs it with the demo's model; open_clip's by name:
``python -m benchmarks.engine --model ViT-B-32 --images 4 --batch-size 32``.

With ``--slopes``, how time grows, as the slope of a line through logarithms (1 is proportional), a line each:

- ``crops``: seconds of the engine with 10 to 200 crops an image, and as many chains as cost the same
- ``classes``: seconds of scoring encoded images with all methods, with 10 to 10,000 classes of random vectors, and
  their share of the engine's time at the default crops
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .shared import DEMO, RandomTexts, draw, in_turns, load, rounded

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = ("500x400", "4000x3000")
METHODS = ("clip", "wca", "lgca")
CROPS = (10, 25, 50, 100, 200)
CLASSES = (10, 100, 1000, 10_000)


def measure(encoder: Any, files: list[bytes], rounds: int, batch_size: int | None) -> dict[str, Any]:
    """Times both, in turns."""
    import torch

    from lgca_plugin.config import RegionConfig, RegionPlan
    from lgca_plugin.engine.engine import default_batch_size, encode_images
    from lgca_plugin.engine.stats import EngineStats
    from lgca_plugin.method.core.methods import METHODS as PRESETS

    plan = RegionPlan.of(tuple(PRESETS[name] for name in METHODS), RegionConfig())
    size = batch_size or default_batch_size(encoder)
    pixels = torch.randn(size, 3, encoder.image_size, encoder.image_size)
    pixels = pixels.to(memory_format=torch.channels_last)
    stats = EngineStats()

    def engine() -> None:
        nonlocal stats
        stats = EngineStats()
        for _ in encode_images(enumerate(files), encoder=encoder, plan=plan, batch_size=batch_size, stats=stats):
            pass

    def alone() -> None:
        left = stats.encodes
        while left > 0:
            encoder.encode_images(pixels[:left])
            left -= size

    seconds = in_turns({"engine": engine, "alone": alone}, rounds)
    ratios = [engine_s / alone_s for engine_s, alone_s in zip(seconds["engine"], seconds["alone"], strict=True)]
    wall = seconds["engine"][-1]
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "encodes": stats.encodes,
        "encoder_ms_per_encode": 1000 * statistics.median(seconds["alone"]) / stats.encodes,
        "images_per_second": len(files) / statistics.median(seconds["engine"]),
        "threads_in_encoder": stats.encoder_seconds / wall,
        "threads_cutting": stats.crop_seconds / wall,
        "wait_share": stats.wait_seconds / wall,
        "batch_fill": stats.batch_fill,
    }


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
    """Runs the benchmark and prints a line of JSON for each size and way of resizing, or for each slope."""
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default=DEMO)
    parser.add_argument("--size", nargs="+", default=["500x400"], help=f"of the images, for example {' '.join(SIZES)}")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--resize", nargs="+", default=["exact", "fast"])
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--slopes", action="store_true", help="how time grows with the number of crops and classes")
    options = parser.parse_args()
    for size in options.size:
        files = draw(options.images, size)
        for resize in options.resize:
            encoder = load(options.model, precision=options.precision, resize=resize)
            about = {"benchmark": "engine", "model": options.model, "size": size, "images": options.images}
            how = {"precision": encoder.precision, "resize": resize, "threads": torch.get_num_threads()}
            ratio = partial(measure, batch_size=options.batch_size)
            found = {"slope of crops": crops, "slope of classes": classes} if options.slopes else {"ratio": ratio}
            for what, of_files in found.items():
                numbers = rounded(of_files(encoder, files, options.rounds))
                print(json.dumps({**about, **how, "what": what, **numbers}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
