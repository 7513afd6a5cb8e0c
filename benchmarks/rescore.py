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
from datetime import datetime
from typing import Any

import numpy as np

DIM = 512
AT_ONCE = 5000


class RandomTexts:
    """An encoder of random vectors: its texts are the same in every process, and it has seen no image."""

    name = "random-512"
    image_size = 224
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)
    logit_scale = 100.0
    dim = DIM
    fingerprint = "random-512"

    def encode_images(self, pixels: Any) -> Any:
        """Refuses: rescoring encodes no image."""
        raise AssertionError("an image was encoded")

    def encode_texts(self, texts: Any) -> Any:
        """Embeds texts as random unit vectors."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") for text in texts]
        return unit(np.stack([np.random.default_rng(seed).standard_normal(DIM) for seed in seeds]))


def unit(vectors: Any) -> Any:
    """Scales vectors to unit length, float32."""
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def fill(samples: int, classes: list[str]) -> Any:
    """Makes a dataset with a finished run, and the store's entry for it."""
    import fiftyone as fo
    from bson import ObjectId

    import lgca_plugin as lgca
    from lgca_plugin.config import RunConfig
    from lgca_plugin.dataset import fields
    from lgca_plugin.dataset.documents import classification, write_fields
    from lgca_plugin.dataset.runs import register_run
    from lgca_plugin.dataset.store import Store, geometry_of
    from lgca_plugin.dataset.store_rows import Kept
    from lgca_plugin.dataset.tokens import database_identity, dataset_identity
    from lgca_plugin.growing import EncodedImage
    from lgca_plugin.model.prompts import class_texts
    from lgca_plugin.predict import MethodPrediction, Predictor

    dataset = fo.Dataset()
    now = datetime.utcnow()
    ids = [ObjectId() for _ in range(samples)]
    dataset._sample_collection.insert_many(
        {
            "_id": id_,
            "filepath": f"/images/{number}.jpg",
            "_media_type": "image",
            "_rand": 0.5,
            "tags": [],
            "metadata": None,
            "_dataset_id": dataset._doc.id,
            "created_at": now,
            "last_modified_at": now,
        }
        for number, id_ in enumerate(ids)
    )
    methods = tuple(lgca.METHODS[name] for name in ("clip", "wca", "lgca"))
    texts = class_texts(classes)
    encoder = RandomTexts()
    config = RunConfig(
        classes=tuple(classes),
        descriptions_hash=texts.digest,
        methods=methods,
        regions=lgca.RegionConfig(),
        encoder=encoder.name,
        encoder_fingerprint=encoder.fingerprint,
        precision="fp32",
    )
    run = register_run(dataset, "bench", config, {"descriptions": {k: list(v) for k, v in texts.descriptions.items()}})
    fields.declare_fields(dataset, "bench", methods)
    from lgca_plugin.config import RegionPlan

    predictor = Predictor(methods, texts, encoder, RegionPlan.of(methods, config.regions))
    random = np.random.default_rng(0)
    empty = np.zeros(0, np.int64)
    with Store() as store:
        stored = store.open_run(
            run.token,
            fingerprint="random-512/fp32",
            encoder_name=encoder.name,
            logit_scale=encoder.logit_scale,
            geometry=geometry_of(config.regions),
            signatures=predictor.signatures,
            database=database_identity(),
            dataset=dataset_identity(dataset),
            run_key="bench",
        )
        for start in range(0, samples, AT_ONCE):
            batch = [str(id_) for id_ in ids[start : start + AT_ONCE]]
            vectors = unit(random.standard_normal((len(batch), len(predictor.signatures), DIM)))
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
            store.keep(stored, [Kept(image, vectors[row]) for row, image in enumerate(images)])
            guess = classification(MethodPrediction(0, 0.5, 0.1, None), classes, logits=False)
            write_fields(dataset, {id_: {f"bench_{m.name}": guess for m in methods} for id_ in batch})
    return run


def measure(run: Any, classes: list[str]) -> dict[str, float]:
    """Times computing alone, reading alone, and the whole of ``run.rescore``."""
    from lgca_plugin.config import RegionPlan
    from lgca_plugin.dataset.store import Store
    from lgca_plugin.model.prompts import class_texts
    from lgca_plugin.predict import Predictor

    encoder = RandomTexts()
    methods = run.config.methods
    started = time.perf_counter()
    predictor = Predictor(methods, class_texts(classes), encoder, RegionPlan.of(methods, run.config.regions))
    texts_seconds = time.perf_counter() - started
    with Store() as store:
        stored = store.run(run.token)
        started = time.perf_counter()
        batches = [vectors for _, vectors in store.image_vectors(stored)]
        read_seconds = time.perf_counter() - started
    started = time.perf_counter()
    for vectors in batches:
        for row, method in enumerate(methods):
            predictor.predict_from_vectors(method, vectors[:, row], with_scores=False)
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
