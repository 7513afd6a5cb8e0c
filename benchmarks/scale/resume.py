"""The memory and time of going on with a run of which nearly all samples are done.

A dataset of synthetic samples is filled with the fields of a run, but for the last 100. Another process then prepares
the run as ``lgca.classify`` does on a resume, and counts how its samples have ended. The line of JSON has the growth of
that process's peak memory, also in bytes a sample, and the seconds of both. ``python scripts/mongod.py FOLDER python
-m benchmarks.scale.resume``.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from benchmarks.reuse import peak_mb
from benchmarks.scale.own_process import measure_samples
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
    return measure_samples("resume", __doc__ or "", fill, resume, few=10 * LEFT, many=1_000_000)


if __name__ == "__main__":
    sys.exit(main())
