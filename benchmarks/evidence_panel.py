"""Times the evidence panel's events, from the App's request to the JSON of the answer.

A run with the default regions, 512 dimensions and many classes, on image files of two kinds: photographs as they are on
the web, 640 x 480, and as cameras write them, 4000 x 3000. Embeddings are random and are written to the store directly.
Prints one line of JSON: medians over the samples in milliseconds, and the size of an answer. ``make bench`` runs it; so
does ``python scripts/mongod.py FOLDER python -m benchmarks.evidence_panel``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
URI = "@lgca/zero-shot/lgca_evidence"
SIZES = {"typical": (640, 480), "large": (4000, 3000)}
METHODS = ("clip", "wca", "lgca", "lgca_d")


def photograph(path: Path, size: tuple[int, int], seed: int) -> str:
    """Writes a JPEG with the detail of a photograph: shapes of all sizes, and noise."""
    from PIL import Image

    random = np.random.default_rng(seed)
    width, height = size
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (4, 16, 64, 256):
        coarse = Image.fromarray(random.integers(0, 255, (cells * 3 // 4, cells, 3), dtype=np.uint8))
        picture += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32) / 4
    noise = random.standard_normal((height, width, 1)).astype(np.float32)
    Image.fromarray(np.clip(picture + 4 * noise, 0, 255).astype(np.uint8)).save(path, quality=90)
    return str(path)


def fill(folder: Path, samples: int, classes: list[str]) -> tuple[Any, dict[str, list[str]]]:
    """Makes image files and a finished run on them; returns the run and the ids of the samples of each size."""
    from bson import ObjectId

    import lgca_plugin as lgca
    from lgca_plugin.fiftyone_io.documents import write_fields
    from lgca_plugin.store.rows import StoredSample
    from lgca_plugin.store.store import Store
    from lgca_plugin.workflows.classify.writer import sample_values

    from .evidence import image
    from .shared import new_run

    made = new_run(classes, METHODS)
    ids = {kind: [str(ObjectId()) for _ in range(samples)] for kind in SIZES}
    documents = []
    for kind, size in SIZES.items():
        for seed, id_ in enumerate(ids[kind]):
            path = photograph(folder / f"{kind}-{seed}.jpg", size, seed)
            documents.append({**made.sample(ObjectId(id_)), "filepath": path})
    made.run.dataset._sample_collection.insert_many(documents)
    vectors = made.texts.class_vectors(made.encoder, lgca.METHODS["wca"])
    images = [image(id_, vectors, made.plan) for kind in SIZES for id_ in ids[kind]]
    predictions = made.predictor.predict(images)
    with Store() as store:
        stored = made.open_entry(store)
        pairs = zip(images, predictions, strict=True)
        store.write_samples(stored, [StoredSample(one, prediction.vectors) for one, prediction in pairs])
        made.keep_texts(store, stored)
    both = zip(images, predictions, strict=True)
    values = {one.id: sample_values(made.run, found.methods, found.regions) for one, found in both}
    write_fields(made.run.dataset, values)
    made.run.results["status"] = "done"
    made.run.save()
    return made.run, ids


class Session:
    """An open panel, whose events are timed."""

    def __init__(self, dataset: Any) -> None:
        self.dataset, self.sample = dataset, ""
        self.state: dict[str, Any] = {}
        self.times: dict[str, list[float]] = {}
        self.kilobytes: list[float] = []

    def send(self, name: str, method: str, **params: Any) -> None:
        """Executes an event, and records its time under a name."""
        import fiftyone.operators as foo
        from fiftyone.operators.executor import ExecutionContext, Executor

        started = time.perf_counter()
        params = {"__method__": method, "panel_id": "panel", "panel_state": self.state, **params}
        request = {"dataset_name": self.dataset.name, "params": params, "current_sample": self.sample}
        executor = Executor()
        ctx = ExecutionContext(request_params=request, executor=executor, operator_uri=URI)
        foo.get_operator(URI).execute(ctx)
        sent = json.dumps(executor.to_json())
        self.times.setdefault(name, []).append(1000 * (time.perf_counter() - started))
        self.kilobytes.append(len(sent) / 1000)
        self.state = json.loads(json.dumps(ctx.panel_state))


def measure(run: Any, ids: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """Times the events of a curator who goes through the samples and back; returns medians."""
    session = Session(run.dataset)
    session.sample = ids[0]
    session.send("first_open_ms", "on_load")
    for id_ in ids[1:]:
        session.sample = id_
        session.send("next_sample_ms", "on_change_current_sample")
        session.send("take_out_ms", "click_frame", id="3")
        session.send("rival_ms", "pick_second", value=classes[7])
        session.send("more_crops_ms", "show_more")
    for id_ in ids[-2:0:-1]:
        session.sample = id_
        session.send("back_ms", "on_change_current_sample")
    found = {name: round(statistics.median(times), 1) for name, times in session.times.items()}
    slowest = max(max(times) for times in session.times.values())
    return {**found, "slowest_ms": round(slowest, 1), "sent_kb": round(statistics.median(session.kilobytes))}


def main() -> int:
    """Runs the benchmark and prints a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--classes", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plugins = Path(folder) / "plugins"
        plugins.mkdir()
        (plugins / "lgca").symlink_to(ROOT, target_is_directory=True)
        os.environ |= {"LGCA_STORE_DIR": folder, "FIFTYONE_PLUGINS_DIR": str(plugins)}
        classes = [f"class {number}" for number in range(options.classes)]
        run, ids = fill(Path(folder), options.samples, classes)
        try:
            found = {
                f"{kind}_{name}": value for kind in SIZES for name, value in measure(run, ids[kind], classes).items()
            }
        finally:
            run.dataset.delete()
    facts = {"benchmark": "evidence_panel", "samples": options.samples, "classes": options.classes, **found}
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
