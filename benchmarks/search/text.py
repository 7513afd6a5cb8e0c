"""Search by text: how well a class's name finds its images in the stored vectors of each method.

The demo's drawings of several seeds, and its model; the default regions. A query is a class's name, and the images are
ranked by the cosine of their vectors with the text's. Mean average precision over all classes and seeds; intervals of
the differences to the whole image's vectors, plain CLIP's, are bootstrapped over the queries. Of each class it is also
counted whether a right image is in the first ten. ``python scripts/mongod.py FOLDER python -m benchmarks.search.text``
prints a line of JSON and a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

METHODS = ("clip", "wca", "lgca")


def average_precisions(seed: int, images: int) -> dict[str, list[tuple[float, bool]]]:
    """Returns method to the average precision of every class, and whether a right image is in the first ten."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.demo.classes import CLASSES
    from lgca_plugin.demo.dataset import draw_images

    encoder = lgca.load_encoder("demo")
    queries = encoder.encode_texts(list(CLASSES))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LGCA_STORE_DIR"] = folder
        dataset = fo.Dataset()
        drawn = draw_images(Path(folder) / "images", count=images, seed=seed)
        ids = dataset.add_samples([fo.Sample(filepath=str(one.path)) for one in drawn], progress=False)
        truth = {id_: one.truth for id_, one in zip(ids, drawn, strict=True)}
        run = lgca.classify(dataset, classes=CLASSES, encoder=encoder, methods=METHODS, progress=False)
        found: dict[str, list[tuple[float, bool]]] = {}
        for method in METHODS:
            sample_ids, vectors = run.vectors(method)
            labels = np.array([truth[id_] for id_ in sample_ids])
            found[method] = [
                _scored(vectors @ query, labels == name) for name, query in zip(CLASSES, queries, strict=True)
            ]
        dataset.delete()
    return found


def _scored(likeness: Any, right: Any) -> tuple[float, bool]:
    ranked = right[np.argsort(-likeness, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].mean()), bool(ranked[:10].any())


def main() -> int:
    """Runs the benchmark and prints its lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    options = parser.parse_args()
    from scipy.stats import bootstrap

    parts = [average_precisions(seed, options.images) for seed in options.seeds]
    scores = {name: np.array([ap for part in parts for ap, _ in part[name]]) for name in METHODS}
    in_ten = {name: sum(hit for part in parts for _, hit in part[name]) for name in METHODS}
    queries = len(scores["clip"])
    rows: dict[str, dict[str, Any]] = {}
    for name, own in scores.items():
        rows[name] = {"map": round(float(own.mean()), 3), "right_in_ten": in_ten[name]}
        if name != "clip":
            more = own - scores["clip"]
            interval = bootstrap((more,), np.mean, rng=np.random.default_rng(0)).confidence_interval
            rows[name]["minus_clip"] = [round(float(one), 3) for one in (more.mean(), interval.low, interval.high)]
    head = {"benchmark": "text_search", "images": options.images, "seeds": options.seeds, "queries": queries}
    print(json.dumps({**head, "methods": rows}))
    print(
        "| vectors | mean average precision | minus CLIP's | right image in the first ten |\n| --- | --- | --- | --- |"
    )
    for name, row in rows.items():
        difference = "{:+.3f} ({:+.3f} to {:+.3f})".format(*row["minus_clip"]) if "minus_clip" in row else ""
        print(f"| `{name}` | {row['map']:.3f} | {difference} | {row['right_in_ten']} of {queries} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
