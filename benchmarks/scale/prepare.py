"""The memory and time of preparing a job of many samples, and of beginning a run on them.

A dataset of synthetic samples is made; another process then plans a new run as ``lgca.classify`` does, and prepares a
job. The line of JSON has the growth of that process's peak memory, also in bytes a sample, and the seconds of both.
``python scripts/mongod.py FOLDER python -m benchmarks.scale.prepare``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.reuse import peak_mb
from benchmarks.scale.own_process import measure_samples
from benchmarks.shared import new_run
from lgca_plugin.demo.classes import CLASSES

AT_ONCE = 20_000
FEW = 2_000
METHODS = ("clip", "wca", "lgca")
SETTINGS: dict[str, Any] = {"classes": CLASSES, "methods": METHODS, "run_key": "prepared"}


def fill(samples: int) -> Any:
    """Makes a dataset of samples whose files do not exist, with paths of usual length."""
    from bson import ObjectId

    made = new_run(list(CLASSES), METHODS)
    made.run.dataset.persistent = True  # it outlives this process
    folder = "/data/photographs/2026/camera-17/original"
    for start in range(0, samples, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, samples))
        batch = [
            {**made.sample(ObjectId()), "filepath": f"{folder}/{number // 1000:06d}/IMG_{number:09d}.jpg"}
            for number in numbers
        ]
        made.run.dataset._sample_collection.insert_many(batch)
    return made.run.dataset


def prepare(name: str) -> dict[str, float]:
    """Plans a run, then prepares a job, in this process."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.encoder.loading import load_encoder
    from lgca_plugin.workflows.classify.plan import prepare_classify
    from lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify

    dataset, encoder = fo.load_dataset(name), load_encoder("demo", device="cpu")
    before, started = peak_mb(), time.perf_counter()
    plan = prepare_classify(check_classify(ClassifyOptions(samples=dataset, **SETTINGS)), encoder)
    found = {"plan_s": time.perf_counter() - started, "plan_mb": peak_mb() - before}
    del plan
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        state = lgca.prepare_job(dataset, folder=Path(folder) / "job", encoder="demo", progress=False, **SETTINGS)
        found["prepare_s"] = time.perf_counter() - started
    assert state.rows == dataset.count()
    return {**found, "peak_mb": peak_mb() - before}


def main() -> int:
    """Runs the benchmark and prints one line of JSON."""
    return measure_samples("prepare", __doc__ or "", fill, prepare, few=FEW, many=200_000)


if __name__ == "__main__":
    sys.exit(main())
