"""The evidence on a sample: how long a panel waits for it, and what stability costs over a whole dataset.

The default regions, 512 dimensions, and 10, 100 and 1,000 classes. Embeddings are random, but made so that regions
resemble their image and images their class; they are put straight into the store. For every number of classes a JSON
line is printed, times in milliseconds. ``make bench`` runs it; so does
``python scripts/mongod.py FOLDER python -m benchmarks.evidence``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from .shared import DIM, new_run, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lgca_plugin.config import RegionPlan
    from lgca_plugin.engine.embeddings import EncodedImage

SIZE_HW = (400, 500)
METHODS = ("clip", "wca", "lgca", "lgca_d")


def image(id_: str, vectors: Any, plan: RegionPlan) -> EncodedImage[str]:
    """Grows an image's regions: a class, something of the image's own, another class in parts, and noise."""
    from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
    from lgca_plugin.engine.region_expansion import RegionExpansion

    content = hashlib.blake2b(id_.encode(), digest_size=16).hexdigest()
    random = np.random.default_rng(int(content[:12], 16))
    own, other = vectors[random.choice(len(vectors), size=2, replace=False)]
    scene = random.uniform(0.05, 0.2) * own + 0.6 * noise(random)
    known = KnownRegions(SIZE_HW, unit(scene), np.zeros((0, 4), np.int32), np.zeros((0, DIM), np.float32))
    expansion = RegionExpansion(content, plan, known=known)
    while True:
        for box in expansion.missing():
            part = random.uniform(0, 0.3) if random.random() < 0.5 else 0.0
            expansion.embeddings[box] = unit(scene + part * other + 0.5 * noise(random))
        if not expansion.next_step():
            break
    grown = expansion.result(id_)
    assert isinstance(grown, EncodedImage)
    return grown


def noise(random: np.random.Generator) -> Any:
    """Draws a random direction."""
    vector = random.standard_normal(DIM)
    return vector / np.linalg.norm(vector)


def fill(samples: int, classes: list[str]) -> Any:
    """Makes a dataset with a finished run and all its regions in the store."""
    from bson import ObjectId

    import lgca_plugin as lgca
    from lgca_plugin.store.rows import StoredSample
    from lgca_plugin.store.store import Store

    made = new_run(classes, METHODS)
    ids = [ObjectId() for _ in range(samples)]
    made.run.dataset._sample_collection.insert_many(made.sample(id_) for id_ in ids)
    vectors = made.texts.class_vectors(made.encoder, lgca.METHODS["wca"])
    none = np.zeros((len(made.predictor.vector_keys), DIM), np.float32)
    with Store() as store:
        stored = made.open_entry(store)
        store.write_samples(stored, [StoredSample(image(str(id_), vectors, made.plan), none) for id_ in ids])
        made.keep_texts(store, stored)
    return made.run


def each(what: Callable[[str], Any], ids: Sequence[str]) -> tuple[float, list[Any]]:
    """Does something for each of several samples; returns the median of the milliseconds, and the results."""
    times, results = [], []
    for id_ in ids:
        started = time.perf_counter()
        results.append(what(id_))
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times), results


def stability_of_a_batch(run: Any, found: Sequence[Any]) -> float:
    """Times WCA's, LGCA's and decisive LGCA's stability on many images at once; milliseconds an image, scores known."""
    from lgca_plugin.method.core.regions import RegionEmbeddings
    from lgca_plugin.method.core.scores import Weights, class_scores
    from lgca_plugin.method.explain.stability import stability

    scoring = found[0].verdicts.scoring
    images = RegionEmbeddings(
        regions=np.stack([one.verdicts.image.regions for one in found]),
        whole=np.stack([one.verdicts.image.whole for one in found]),
        step=found[0].step,
        chain=np.stack([one.chain for one in found]),
    )
    scores = class_scores(images.regions, scoring.class_vectors["wca"])
    seconds = 0.0
    for method in run.config.methods[1:]:
        each = [one.verdicts.weighed[method.name] for one in found]
        weights = Weights(np.stack([own.regions for own in each]), np.array([own.whole for own in each]))
        started = time.perf_counter()
        stability(
            method,
            images,
            scoring.counts,
            scoring.classes_of(method),
            weights=weights,
            region_scores=scores,
        )
        seconds += time.perf_counter() - started
    return 1000 * seconds / len(found)


def measure(run: Any) -> dict[str, Any]:
    """Times what a panel does: open a sample, show it, take regions out."""
    ids = run.dataset.values("id")
    first, _ = each(run.evidence, ids[:1])
    opened, found = each(run.evidence, ids[1:])
    by_id = {one.sample_id: one for one in found}
    shown, documents = each(lambda id_: by_id[id_].to_json(), ids[1:])
    what_if, _ = each(lambda id_: by_id[id_].without(range(10)).to_json(), ids[1:])
    return {
        "first_ms": first,
        "open_ms": opened,
        "document_ms": shown,
        "without_ms": what_if,
        "stability_ms_per_image": stability_of_a_batch(run, found),
        "stability_wca": statistics.mean(one.stability["wca"] for one in found),
        "document_kb": len(json.dumps(documents[0])) / 1000,
        "cases": sum(one.case is not None for one in found),
    }


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each number of classes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100, 1000])
    options = parser.parse_args()
    for count in options.classes:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LGCA_STORE_DIR"] = folder
            run = fill(options.samples, [f"class {number}" for number in range(count)])
            try:
                found = measure(run)
            finally:
                run.dataset.delete()
        rounded = {name: round(value, 3) for name, value in found.items()}
        facts = {"benchmark": "evidence", "samples": options.samples, "classes": count, "dim": DIM, **rounded}
        sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
