"""Triage of a run: how long it takes on many samples, part by part, and what memory it takes.

The default regions, 512 dimensions and 100 classes. Embeddings are random, but made so that regions resemble their
image and images their class; they are put straight into the store, 8.9 GB of them for 50,000 samples, as a run puts
them there: with what it has found in them for a triage. One label in twenty is wrong. It is triaged four times: as
after classifying, with the store in the system's cache; with nothing found beforehand, as after a rescoring, so that
the regions have to be looked at; the same with the store on the disk; and with the findings of that one, but without
the image vectors of methods that weigh regions by class, which earlier releases did not store. It also says what
finding beforehand adds to scoring an image.
For every number of classes a JSON line is printed. ``make bench`` runs it with few samples;
``python scripts/mongod.py FOLDER python -m benchmarks.triage --samples 50000`` with many.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from .shared import DIM, KEY, new_run, unit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lgca_plugin.config import RegionPlan
    from lgca_plugin.engine.embeddings import EncodedImage
    from lgca_plugin.prediction.predictor import Predictor

SIZE_HW = (400, 500)
METHODS = ("clip", "wca", "lgca", "wca_d")
WRONG_LABELS = 0.05
AT_ONCE = 250


def image(id_: str, own: Any, other: Any, plan: RegionPlan, random: np.random.Generator) -> EncodedImage[str]:
    """Grows an image's regions: its class, something of the image's own, another class in half of them, and noise."""
    from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
    from lgca_plugin.engine.region_expansion import RegionExpansion

    content = hashlib.blake2b(id_.encode(), digest_size=16).hexdigest()
    scene = random.uniform(0.05, 0.2) * own + 0.6 * noise(random, 1)[0]
    known = KnownRegions(SIZE_HW, unit(scene), np.zeros((0, 4), np.int32), np.zeros((0, DIM), np.float32))
    expansion = RegionExpansion(content, plan, known=known)
    while True:
        boxes = expansion.missing()
        parts = random.uniform(0, 0.3, (len(boxes), 1)) * (random.random((len(boxes), 1)) < 0.5)
        expansion.embeddings.update(
            zip(boxes, unit(scene + parts * other + 0.5 * noise(random, len(boxes))), strict=True)
        )
        if not expansion.next_step():
            break
    grown = expansion.result(id_)
    assert isinstance(grown, EncodedImage)
    return grown


def noise(random: np.random.Generator, count: int) -> Any:
    """Draws random directions."""
    vectors = random.standard_normal((count, DIM), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def fill(samples: int, classes: list[str]) -> tuple[Any, dict[str, float]]:
    """Makes a dataset with labels and a finished run, its predictions, and all its embeddings in the store.

    Returns:
        the run, and how long scoring takes
    """
    from bson import ObjectId

    import lgca_plugin as lgca
    from lgca_plugin.fiftyone_io.documents import classification
    from lgca_plugin.store.rows import StoredSample
    from lgca_plugin.store.store import Store

    made = new_run(classes, METHODS, ground_truth="ground_truth", shown_chains=0)
    vectors = unit(sum(made.texts.class_vectors(made.encoder, lgca.METHODS[name]) for name in ("clip", "wca")))
    random = np.random.default_rng(0)
    with Store(limit_bytes=10**12) as store:
        stored = made.open_entry(store)
        made.keep_texts(store, stored)
        for start in range(0, samples, AT_ONCE):
            ids = [ObjectId() for _ in range(min(AT_ONCE, samples - start))]
            truth = random.integers(len(classes), size=len(ids))
            other = (truth + random.integers(1, len(classes), size=len(ids))) % len(classes)
            encoded = [
                image(str(id_), vectors[a], vectors[b], made.plan, random)
                for id_, a, b in zip(ids, truth, other, strict=True)
            ]
            predicted = made.predictor.predict(encoded, find=True)
            kept = [StoredSample(one, of.vectors, of.finding) for one, of in zip(encoded, predicted, strict=True)]
            store.write_samples(stored, kept, findings_key=made.predictor.findings_key)
            wrong = random.random(len(ids)) < WRONG_LABELS
            given = np.where(wrong, random.integers(len(classes), size=len(ids)), truth)
            made.run.dataset._sample_collection.insert_many(
                {
                    **made.sample(id_),
                    "ground_truth": {"_id": ObjectId(), "_cls": "Classification", "tags": [], "label": classes[label]},
                    **{
                        f"{KEY}_{name}": classification(of_method, classes, logits=False)
                        for name, of_method in answers.methods.items()
                    },
                }
                for id_, label, answers in zip(ids, given.tolist(), predicted, strict=True)
            )
    os.sync()  # a database that still writes gigabytes to the disk would be measured, too
    return made.run, scoring(made.predictor, encoded[:64])


def scoring(predictor: Predictor, images: list[EncodedImage[str]]) -> dict[str, float]:
    """Measures, at best, how many milliseconds an image takes to score as a run does it, and what finding adds."""

    def measured(*, find: bool) -> float:
        started = time.perf_counter()
        predictor.predict(images, find=find)
        return 1e3 * (time.perf_counter() - started) / len(images)

    rounds = [(measured(find=False), measured(find=True)) for _ in range(5)]
    alone, both = (min(of) for of in zip(*rounds, strict=True))
    return {"scoring_ms": round(alone, 3), "finding_ms": round(both - alone, 3)}


@contextmanager
def memory() -> Iterator[dict[str, float]]:
    """Measures the peak of additional memory in megabytes: own memory, and with the mapped store file."""
    import psutil

    process, done = psutil.Process(), threading.Event()

    def now() -> tuple[int, int]:
        info = process.memory_info()
        return info.rss - info.shared, info.rss

    before = now()
    peak = list(before)
    found: dict[str, float] = {}

    def watch() -> None:
        while not done.wait(0.01):
            peak[:] = map(max, peak, now())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()
        found["own_mb"], found["with_mapped_file_mb"] = (
            (most - first) / 1e6 for most, first in zip(peak, before, strict=True)
        )


def triage(run: Any) -> dict[str, Any]:
    """Triages a run; returns wall and processor seconds, seconds of the parts, memory, and what was found."""
    parts: dict[str, float] = {}
    last = time.perf_counter()
    part = "Checking"

    def note(progress: Any) -> None:
        nonlocal last, part
        now = time.perf_counter()
        parts[part] = parts.get(part, 0.0) + now - last
        last, part = now, progress.label.split()[0]

    started, worked = time.perf_counter(), time.process_time()
    with memory() as peak:
        report = run.triage(progress=note).report
    finished, worked = time.perf_counter(), time.process_time() - worked
    parts[part] = parts.get(part, 0.0) + finished - last
    seconds = {"seconds": finished - started, "processor_s": worked, **peak}
    return {
        **{name: round(value, 3) for name, value in seconds.items()},
        "parts_s": {name: round(value, 2) for name, value in parts.items()},
        "cases": report["cases"],
        "misleading": sum(report["misleading"].values()),
        "unproven": report["unproven"],
        "mean_stability": round(report["stability"]["mean"], 3),
    }


def measure(run: Any) -> dict[str, Any]:
    """Triages four times: as after classifying; with nothing found, cached and from the disk; without some vectors."""
    from lgca_plugin.store.store import Store

    found = triage(run)
    with Store() as store:
        path, found["store_gb"] = store.path, round(store.used_bytes / 1e9, 3)
    forget_findings(path)
    found["nothing_found"] = triage(run)
    forget_findings(path)
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    found["nothing_found_from_disk_s"] = triage(run)["seconds"]
    forget_vectors_by_class(path)
    return {**found, "without_vectors_by_class": triage(run)}


def forget_findings(path: Path) -> None:
    """Deletes what has been found in the regions."""
    with closing(sqlite3.connect(path)) as rows, rows:
        rows.execute("DELETE FROM findings")


def forget_vectors_by_class(path: Path) -> None:
    """Makes the store take the image vectors of methods that weigh regions by class for those of other classes."""
    with closing(sqlite3.connect(path)) as rows, rows:
        rows.execute("UPDATE runs SET signatures = replace(signatures, ' texts ', ' texts but '), checksum = NULL")


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each number of classes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--classes", type=int, nargs="+", default=[100])
    options = parser.parse_args()
    for count in options.classes:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LGCA_STORE_DIR"] = folder
            run, scoring = fill(options.samples, [f"class {number}" for number in range(count)])
            try:
                found = measure(run)
            finally:
                run.dataset.delete()
        print(json.dumps({"benchmark": "triage", "samples": options.samples, "classes": count, **found, **scoring}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
