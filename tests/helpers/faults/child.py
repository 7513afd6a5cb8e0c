"""The process that faults happen to: performs one job on a dataset, and prints how far it has come.

Its lines: ``ready`` once everything is imported and the model loaded, ``at DONE LABEL`` at every progress, then
``done``, or ``failed ERROR``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from tests.helpers.runs import classify_by


def say(line: str) -> None:
    print(line.replace("\n", " "), flush=True)


def report(step: lgca.Progress) -> None:
    say(f"at {step.done} {step.label}")


def classify(dataset: Any, write_images: int = 4, **options: Any) -> None:
    given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "run_key": "zs", **options}
    classify_by(write_images, dataset, encoder=lgca.load_encoder("demo"), progress=report, **given)


def find(dataset: Any, **options: Any) -> None:
    given = {"descriptions": DESCRIPTIONS, "run_key": "zs", "encoder": lgca.load_encoder("demo"), **options}
    lgca.find_wrong_labels(dataset, ground_truth="ground_truth", progress=report, **given)


def rescore(dataset: Any, run_key: str = "zs", **options: Any) -> None:
    lgca.load_run(dataset, run_key).rescore(progress=report, **options)


JOBS = {"classify": classify, "find": find, "rescore": rescore}


def main(job: str, dataset: str, options: str) -> None:
    loaded = fo.load_dataset(dataset)
    lgca.load_encoder("demo")
    say("ready")
    try:
        JOBS[job](loaded, **json.loads(options))
    except Exception as error:
        say(f"failed {type(error).__name__}: {error}")
        raise
    say("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
