"""What a job costs beside the encoder: CPU time against one process, the driver's share, how full batches are.

Drawn birds and the demo's model, in a folder on this machine; the own cost of a job is the same with any model, so
with a larger one the ratios are smaller. One line of JSON:

- ``cpu_ratio``: CPU seconds of a worker, which reads rows and writes parts and shards, over those of the engine and the
  scoring alone, in turns, the median of ``--rounds`` pairs with the lowest and the highest
- ``beside_ms``: what the worker takes more, CPU milliseconds an image
- ``driver_share``: CPU seconds of ``run_job`` over those of all its processes, model loading included
- ``fill``: encodes over the capacity of the batches of 256, in parts of 512 images at most

``python -m benchmarks.scale.jobs``; ``OMP_NUM_THREADS=1`` keeps threads from spinning on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

import lgca_plugin as lgca
from benchmarks.shared import rounded
from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.config.default_methods import run_methods
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.job.worker import Worker
from lgca_plugin.prediction.elsewhere import SCORE_IMAGES
from lgca_plugin.prediction.predictor import Predictor
from tests.helpers.jobs.new_job import new_job

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 256


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rows-per-part", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    encoder = lgca.load_encoder("demo", device="cpu")
    with tempfile.TemporaryDirectory() as home:
        paths = [str(image.path) for image in draw_images(Path(home) / "birds", count=options.images, seed=0)]

        def folder(batch_size: int | None = None) -> Path:
            shutil.rmtree(made := Path(home) / "job", ignore_errors=True)
            new_job(
                made,
                paths,
                encoder,
                regions=RegionConfig(),
                rows_per_part=options.rows_per_part,
                store_regions=True,
                batch_size=batch_size,
            )
            return made

        alone(paths[:32], encoder)  # what is made once
        pairs = [(alone(paths, encoder), worker(folder())["cpu"]) for _ in range(options.rounds)]
        full = worker(folder(BATCH))
        driver, everybody = driven(folder())
    ratios = [own / other for other, own in pairs]
    found = {
        "images": options.images,
        "rows_per_part": options.rows_per_part,
        "cpu_ratio": [statistics.median(ratios), min(ratios), max(ratios)],
        "beside_ms": 1000 * statistics.median(own - other for other, own in pairs) / options.images,
        "driver_share": driver / everybody,
        "fill": full["encodes"] / full["capacity"],
    }
    print(json.dumps(rounded(found)))


def alone(paths: Sequence[str], encoder: Any) -> float:
    """Returns the CPU seconds of the engine and the scoring."""
    regions = RegionConfig()
    methods = run_methods(None, regions)
    plan = RegionPlan.of(methods, regions)
    predictor = Predictor(methods, class_texts(CLASSES, DESCRIPTIONS), encoder, plan)
    before, waiting = time.process_time(), []
    for image in encode_images(enumerate(paths), encoder=encoder, plan=plan):
        waiting.append(image)
        if len(waiting) == SCORE_IMAGES:
            predictor.predict(waiting, find=True)  # type: ignore[arg-type]  # none of them has failed
            waiting = []
    if waiting:
        predictor.predict(waiting, find=True)  # type: ignore[arg-type]
    return time.process_time() - before


def worker(folder: Path) -> dict[str, float]:
    """Returns the CPU seconds of a worker that does all parts, and its encodes and the capacity of its batches."""
    made = Worker(folder, device="cpu")
    before = time.process_time()
    counts = list(made.work(range(made.job.parts)))
    return {
        "cpu": time.process_time() - before,
        "encodes": sum(one.engine["encodes"] for one in counts),
        "capacity": sum(one.engine["batch_capacity"] for one in counts),
    }


def driven(folder: Path) -> tuple[float, float]:
    """Returns the CPU seconds of a driver while one worker does the job, and those of both."""
    process = psutil.Process()

    def seconds() -> tuple[float, float]:
        times = process.cpu_times()
        return times.user + times.system, times.children_user + times.children_system

    before = seconds()
    lgca.run_job(folder, workers=1, device="cpu")
    own, children = (now - then for now, then in zip(seconds(), before, strict=True))
    return own, own + children


if __name__ == "__main__":
    main()
