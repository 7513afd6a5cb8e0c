"""Rescoring 100,000 samples against 1,000 classes: what it costs to compute, to read, and to write.

Embeddings are random unit vectors, put straight into the store and the dataset: what is measured does not depend on
what they mean. ``make bench`` runs it; so does ``python scripts/mongod.py FOLDER python -m benchmarks.rescore``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from typing import Any

import numpy as np

from .shared import DIM, KEY, RandomTexts, new_run, unit

METHODS = ("clip", "wca", "lgca")
AT_ONCE = 5000


def fill(samples: int, classes: list[str]) -> Any:
    """Makes a dataset with a finished run, and the store's entry for it."""
    from bson import ObjectId

    from lgca_plugin.engine.embeddings import EncodedImage
    from lgca_plugin.fiftyone_io.documents import classification, write_fields
    from lgca_plugin.prediction.predictor import MethodPrediction
    from lgca_plugin.store.rows import StoredSample
    from lgca_plugin.store.store import Store

    made = new_run(classes, METHODS)
    dataset, vector_keys = made.run.dataset, made.predictor.vector_keys
    ids = [ObjectId() for _ in range(samples)]
    dataset._sample_collection.insert_many(made.sample(id_) for id_ in ids)
    random = np.random.default_rng(0)
    empty = np.zeros(0, np.int64)
    with Store() as store:
        stored = made.open_entry(store)
        for start in range(0, samples, AT_ONCE):
            batch = [str(id_) for id_ in ids[start : start + AT_ONCE]]
            vectors = unit(random.standard_normal((len(batch), len(vector_keys), DIM)))
            images = [
                EncodedImage(
                    id=id_,
                    content_hash=hashlib.blake2b(id_.encode(), digest_size=16).hexdigest(),
                    image_size_hw=(400, 500),
                    boxes=np.zeros((0, 4), np.int64),
                    step=empty,
                    chain=empty,
                    regions=np.zeros((0, DIM), np.float32),
                    whole=vectors[row, 0],
                    fresh=np.zeros(0, bool),
                    encodes=1,
                )
                for row, id_ in enumerate(batch)
            ]
            store.write_samples(stored, [StoredSample(image, vectors[row]) for row, image in enumerate(images)])
            guess = classification(MethodPrediction(0, 0.5, 0.1, None), classes, logits=False)
            write_fields(dataset, {id_: {f"{KEY}_{name}": guess for name in METHODS} for id_ in batch})
    return made.run


def measure(run: Any, classes: list[str]) -> dict[str, float]:
    """Times computing alone, reading alone, and the whole of ``run.rescore``."""
    from lgca_plugin.config import RegionPlan
    from lgca_plugin.descriptions.class_texts import class_texts
    from lgca_plugin.prediction.predictor import Predictor
    from lgca_plugin.store.store import Store

    encoder = RandomTexts()
    methods = run.config.methods
    started = time.perf_counter()
    predictor = Predictor(methods, class_texts(classes), encoder, RegionPlan.of(methods, run.config.regions))
    texts_seconds = time.perf_counter() - started
    with Store() as store:
        stored = store.run(run.token)
        assert stored is not None
        started = time.perf_counter()
        batches = [vectors for _, vectors in store.image_vectors(stored)]
        read_seconds = time.perf_counter() - started
    started = time.perf_counter()
    for vectors in batches:
        for row, method in enumerate(methods):
            predictor.predict_from_vectors(method, vectors[:, row], with_logits=False)
    compute_seconds = time.perf_counter() - started
    del batches
    started = time.perf_counter()
    rescored = run.rescore(classes=classes, encoder=encoder, run_key="again", shown_chains=0, progress=False)
    whole_seconds = time.perf_counter() - started
    assert rescored.summary()["encodes"] == 0
    return {
        "texts_s": texts_seconds,
        "read_s": read_seconds,
        "compute_s": compute_seconds,
        "compute_s_per_method": compute_seconds / len(methods),
        "rescore_s": whole_seconds,
        "compute_share_of_rescore": compute_seconds / whole_seconds,
    }


def main() -> int:
    """Runs the benchmark and prints one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=1_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LGCA_STORE_DIR"] = folder
        classes = [f"class {number}" for number in range(options.classes)]
        run = fill(options.samples, classes)
        try:
            found = measure(run, [f"other {number}" for number in range(options.classes)])
        finally:
            run.dataset.delete()
    sys.stdout.write(json.dumps({"benchmark": "rescore", **vars(options), "dim": DIM, "methods": 3, **found}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
