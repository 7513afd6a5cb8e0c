"""Triaged runs whose labels and image vectors are written by hand, for the tests of reviews: no image is encoded."""

from __future__ import annotations

from typing import Any

import numpy as np

from lgca_plugin.engine.embeddings import EncodedImage
from lgca_plugin.fiftyone_io.database import dataset_id
from lgca_plugin.fiftyone_io.tokens import database_id
from lgca_plugin.store.rows import StoredSample
from lgca_plugin.store.store import Store, geometry_of
from tests.helpers.worlds.overview import METHODS, add, new_run, triaged

CLASSES = ["tern", "swan", "gull"]


def unit(vectors: Any) -> Any:
    found = np.asarray(vectors, dtype=np.float32)
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


def review_run(
    rows: list[dict[str, Any]],
    *,
    classes: list[str] = CLASSES,
    ground_truth: str | None = "labels",
    methods: tuple[str, ...] = METHODS,
) -> Any:
    """A triaged run on samples of ``given``, ``suggested``, ``quality`` and ``answers``, one a method (None: as given).

    The ``vector`` of a sample is that of its whole image; samples without one have none in the store.
    """
    run = new_run(classes, methods=methods, ground_truth=ground_truth)
    samples = [
        {
            "answers": row.get("answers") or [row["given"]] * len(methods),
            "truth": row["given"],
            "filepath": row.get("filepath"),
        }
        for row in rows
    ]
    ids = add(run, [{name: value for name, value in one.items() if value is not None} for one in samples])
    columns = {name: [row.get(name) for row in rows] for name in ("quality", "suggested")}
    triaged(run, columns, ground_truth=ground_truth)
    store_vectors(run, {id_: row["vector"] for id_, row in zip(ids, rows, strict=True) if "vector" in row})
    return run, ids


def store_vectors(run: Any, vectors: dict[str, Any]) -> None:
    """Stores vectors of whole images, by sample id."""
    if not vectors:
        return
    none = np.zeros(0, np.int64)
    dim = len(next(iter(vectors.values())))
    with Store() as store:
        stored = store.open_run(
            run.token,
            fingerprint="by hand",
            encoder_name="by hand",
            logit_scale=100.0,
            geometry=geometry_of(run.config.regions),
            vector_keys=("whole image", "crops"),
            database=database_id(),
            dataset=dataset_id(run.dataset),
            run_key=run.key,
        )
        samples = [
            StoredSample(
                EncodedImage(
                    id=id_,
                    content_hash=f"{id_:0<32}",
                    image_size_hw=(100, 100),
                    boxes=np.zeros((0, 4), np.int64),
                    step=none,
                    chain=none,
                    regions=np.zeros((0, dim), np.float32),
                    whole=unit(vector),
                    fresh=none.astype(bool),
                    encodes=0,
                ),
                np.stack([unit(vector), unit(vector)[::-1]]),
            )
            for id_, vector in vectors.items()
        ]
        store.write_samples(stored, samples, with_regions=False)
