"""What a run costs beside the encoder, from files to labels in the database.

``lgca.classify`` on drawn birds as JPEGs, with the default regions:

- ``methods``: all methods and controls, over WCA and LGCA alone; both encode the same regions
- ``second``: a run with other classes on the same images, which reuses the stored embeddings, over the first
- ``rescore``: the same other classes by ``run.rescore``, over the first run
- ``engine``: the first run, over the engine alone on the same images
- ``memory``: the peak memory of a run on ten times as many images, over that of this one; each in a process of its own

A line of JSON is printed for each. ``python scripts/mongod.py FOLDER python -m benchmarks.reuse``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shared import DEMO, draw, load, rounded

if TYPE_CHECKING:
    from collections.abc import Callable

TWO = ("wca", "lgca")
OTHERS = ["goldfinch", "redpoll", "blue tit", "great tit"]


def dataset_of(folder: Path, files: list[bytes], count: int) -> Any:
    """Makes a dataset of ``count`` images; files that are used again differ by the bytes at their end."""
    import fiftyone as fo

    samples = []
    for index in range(count):
        path = folder / f"{index}.jpg"
        path.write_bytes(files[index % len(files)] + index.to_bytes(4, "big"))
        samples.append(fo.Sample(filepath=str(path)))
    dataset = fo.Dataset()
    dataset.add_samples(samples, progress=False)
    return dataset


def classes() -> list[str]:
    """Returns the names of the demo's classes."""
    from lgca_plugin.demo.classes import CLASSES

    return [getattr(one, "name", one) for one in CLASSES]


def measure(dataset: Any, encoder: Any, rounds: int) -> dict[str, list[float]]:
    """Times all runs in turns; each round begins with an empty store."""
    import lgca_plugin as lgca
    from lgca_plugin.config import RegionConfig, RegionPlan
    from lgca_plugin.engine.engine import encode_images
    from lgca_plugin.method.core.methods import METHODS

    paths = dataset.values("filepath")
    plan = RegionPlan.of(tuple(METHODS[name] for name in METHODS), RegionConfig())
    ratios: dict[str, list[float]] = {"methods": [], "second": [], "rescore": [], "engine": []}

    def run(key: str, names: Any, labels: list[str]) -> Any:
        return lgca.classify(
            dataset, labels, methods=names, run_key=key, encoder=encoder, overwrite=True, progress=False
        )

    for counted in range(-1, rounds):
        os.environ["LGCA_STORE_DIR"] = tempfile.mkdtemp()
        _, two = timed(lambda: run("two", TWO, classes()))
        os.environ["LGCA_STORE_DIR"] = tempfile.mkdtemp()
        first, all_ = timed(lambda: run("all", tuple(METHODS), classes()))
        _, second = timed(lambda: run("other", tuple(METHODS), OTHERS))
        _, rescored = timed(partial(first.rescore, classes=OTHERS, run_key="again", progress=False))
        _, alone = timed(lambda: list(encode_images(enumerate(paths), encoder=encoder, plan=plan)))
        for key in ("two", "all", "other", "again"):
            lgca.load_run(dataset, key).delete()
        if counted >= 0:
            ratios["methods"].append(all_ / two)
            ratios["second"].append(second / all_)
            ratios["rescore"].append(rescored / all_)
            ratios["engine"].append(all_ / alone)
    return ratios


def timed(task: Callable[[], Any]) -> tuple[Any, float]:
    """Returns a task's result and its seconds."""
    started = time.perf_counter()
    result = task()
    return result, time.perf_counter() - started


def peak(images: int, files: list[bytes]) -> float:
    """Classifies images in this process and returns its peak memory in MB."""
    import lgca_plugin as lgca

    os.environ["LGCA_STORE_DIR"] = tempfile.mkdtemp()
    with tempfile.TemporaryDirectory() as folder:
        dataset = dataset_of(Path(folder), files, images)
        encoder = load(DEMO, precision="auto", resize="fast")
        lgca.classify(dataset, classes(), encoder=encoder, progress=False)
        dataset.delete()
    return peak_mb()


def peak_mb() -> float:
    """Returns the peak memory of this process in MB.

    ``ru_maxrss`` of a process begins with the memory of its parent, which here is larger.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each question."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default=DEMO)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--resize", default="exact")
    parser.add_argument("--memory-images", type=int, default=200, help="0 leaves memory out")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    files = draw(min(options.images, 100), "500x400")
    if options.peak:
        print(peak(options.peak, files))
        return 0
    encoder = load(options.model, precision="auto", resize=options.resize)
    about = {"benchmark": "reuse", "model": options.model, "images": options.images, "resize": options.resize}
    with tempfile.TemporaryDirectory() as folder:
        dataset = dataset_of(Path(folder), files, options.images)
        for name, ratios in measure(dataset, encoder, options.rounds).items():
            found = rounded({"ratio": statistics.median(ratios), "ratios": ratios})
            print(json.dumps({**about, "what": name, **found}), flush=True)
        dataset.delete()
    if options.memory_images:
        command = [sys.executable, "-m", "benchmarks.reuse", "--peak"]
        peaks = []
        for count in (options.memory_images, 10 * options.memory_images):
            ended = subprocess.run([*command, str(count)], check=True, capture_output=True, text=True)  # noqa: S603 (this module)
            peaks.append(float(ended.stdout.split()[-1]))
        found = rounded({"ratio": peaks[1] / peaks[0], "mb": peaks})
        print(json.dumps({"benchmark": "reuse", "what": "memory", "images": options.memory_images, **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
