"""Measuring in a process of its own, where a peak of memory is that of what is measured."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any


def measure_samples(
    name: str,
    about: str,
    fill: Callable[[int], Any],
    measure: Callable[[str], dict[str, float]],
    *,
    few: int,
    many: int,
) -> int:
    """Makes a dataset, measures in another process, and prints one line of JSON; returns the exit status.

    Args:
        name: the module's name in this package, which is what the other process executes
        about: the module's docstring, the first line of which the command line shows
        fill: makes a dataset of a number of samples
        measure: measures on the dataset of a name, ``peak_mb`` among other numbers
        few: number of samples of a dataset on which is measured first, so that what is loaded once does not count
        many: number of samples without ``--samples``
    """
    import fiftyone as fo

    parser = argparse.ArgumentParser(description=about.split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=many)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.name:
        small = fill(few)
        measure(small.name)
        small.delete()
        print(json.dumps(measure(options.name)))
        return 0
    dataset = fill(options.samples)
    try:
        command = [sys.executable, "-m", f"benchmarks.scale.{name}", "--name", dataset.name]
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 (this package)
    finally:
        fo.delete_dataset(dataset.name)
    found = json.loads(ended.stdout.splitlines()[-1])
    found["bytes_per_sample"] = found["peak_mb"] * 1024**2 / options.samples
    rounded = {name: round(value, 1) for name, value in found.items()}
    print(json.dumps({"benchmark": name, "samples": options.samples, **rounded}))
    return 0
