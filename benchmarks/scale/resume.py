"""The memory and time of going on with a run of which nearly all samples are done.

A dataset of synthetic samples is filled with the fields of a run, but for the last 100. Another process then prepares
the run as ``lgca.classify`` does on a resume, and counts how its samples have ended. The line of JSON has the growth of
that process's peak memory, also in bytes a sample, and the seconds of both. ``python scripts/mongod.py FOLDER python
-m benchmarks.scale.resume``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.reuse import peak_mb
from benchmarks.shared import KEY, RandomTexts, new_run

LEFT = 100
AT_ONCE = 20_000
CLASSES = [f"class {number}" for number in range(10)]
METHODS = ("clip", "wca", "lgca")


def fill(samples: int) -> Any:
    """Makes a dataset with a run that has nearly finished."""
    from bson import ObjectId

    from lgca_plugin.fiftyone_io.documents import classification, detections
    from lgca_plugin.prediction.predictor import MethodPrediction

    made = new_run(CLASSES, METHODS)
    made.run.dataset.persistent = True  # it outlives this process
    guess = classification(MethodPrediction(0, 0.5, 0.1, None), CLASSES, logits=False)
    values = {**{f"{KEY}_{name}": guess for name in METHODS}, f"{KEY}_regions": detections([], CLASSES)}
    for start in range(0, samples, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, samples))
        batch = [{**made.sample(ObjectId()), **(values if number < samples - LEFT else {})} for number in numbers]
        made.run.dataset._sample_collection.insert_many(batch)
    return made.run.dataset


def resume(name: str) -> dict[str, float]:
    """Prepares the run in this process."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.encoder.own_encoder import as_encoder
    from lgca_plugin.workflows.classify.plan import prepare_classify
    from lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify
    from lgca_plugin.workflows.classify.writer import outcome_counts

    dataset = fo.load_dataset(name)
    options = ClassifyOptions(samples=dataset, classes=CLASSES, methods=METHODS, run_key=KEY)
    before = peak_mb()
    started = time.perf_counter()
    plan = prepare_classify(check_classify(options), as_encoder(RandomTexts()))
    assert plan.request.existing is not None
    assert len(plan.todo) == LEFT, len(plan.todo)
    prepared, prepared_mb = time.perf_counter() - started, peak_mb() - before
    started = time.perf_counter()
    counts = outcome_counts(plan.request.existing, plan)
    assert counts["pending"] == LEFT, counts
    assert lgca.list_runs(dataset) == [KEY]
    return {
        "prepare_s": prepared,
        "prepare_mb": prepared_mb,
        "count_s": time.perf_counter() - started,
        "peak_mb": peak_mb() - before,
    }


def main() -> int:
    """Runs the benchmark and prints one line of JSON."""
    import fiftyone as fo

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.name:
        small = fill(10 * LEFT)
        resume(small.name)  # so that what is loaded once is not measured
        small.delete()
        print(json.dumps(resume(options.name)))
        return 0
    dataset = fill(options.samples)
    try:
        command = [sys.executable, "-m", "benchmarks.scale.resume", "--name", dataset.name]
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 (this module)
    finally:
        fo.delete_dataset(dataset.name)
    found = json.loads(ended.stdout.splitlines()[-1])
    found["bytes_per_sample"] = found["peak_mb"] * 1024**2 / options.samples
    rounded = {name: round(value, 1) for name, value in found.items()}
    print(json.dumps({"benchmark": "resume", "samples": options.samples, **rounded}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
