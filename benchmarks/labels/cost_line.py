"""The time that the form of "Find wrong labels" estimates, over the time that the search then takes.

On drawn birds, in rounds that each begin with an empty store. ``measured``: the speed was measured on a few images, as
in a first search; ``known``: it is that of the first search, over a search on as many new images. The measurement has
loaded the model and embedded the texts, as in the App.

A line of JSON with ratios is printed for each model.
``python scripts/mongod.py FOLDER python -m benchmarks.labels.cost_line``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.shared import DEMO, load, rounded

MODELS = {DEMO: 240, "ViT-B-32": 12}
"""Models, the second with random weights, and the number of images."""


def measure(model: str, images: int, folder: Path) -> dict[str, float]:
    """Returns the ratios of one round."""
    import lgca_plugin as lgca
    from lgca_plugin.demo.dataset import load_demo_dataset
    from lgca_plugin.workflows.find.cost import search_cost
    from lgca_plugin.workflows.find.request import FindOptions, check_find

    os.environ["LGCA_STORE_DIR"] = str(folder / "store")
    dataset = load_demo_dataset(f"cost-line-{folder.name}", folder / "birds", count=2 * images)
    encoder: Any = load(model, precision="auto", resize="auto")
    ratios = {}
    try:
        for name, samples in (("measured", dataset[:images]), ("known", dataset)):
            options = FindOptions(samples=samples, ground_truth="ground_truth", encoder=encoder)
            cost = search_cost(check_find(options))
            assert cost.todo == images
            assert (cost.measured > 0) == (name == "measured")
            started = time.perf_counter()
            lgca.find_wrong_labels(samples, "ground_truth", encoder=encoder, progress=False)
            ratios[name] = cost.seconds / (time.perf_counter() - started)
    finally:
        dataset.delete()
    return ratios


def main() -> None:
    """Prints the ratios of each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    for model in options.models:
        found: dict[str, Any] = {"measured": [], "known": []}
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                for name, ratio in measure(model, MODELS[model], Path(folder)).items():
                    found[name].append(ratio)
        print(json.dumps({"model": model, "images": MODELS[model], **rounded(found)}), flush=True)


if __name__ == "__main__":
    main()
