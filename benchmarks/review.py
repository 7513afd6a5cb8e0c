"""The review of suspected labels on many samples: how long it takes to open, and to decide and show the next suspect.

A dataset with a triaged run of the default methods, labels and boxes is written straight into the database, and the
image vectors of all samples into the store, with the region embeddings of the suspects that are shown. A process that
has not seen it before then reviews it: the queue, what is still expected, a suspect's card, examples of both classes,
and every picture as a panel sends it, from image files of 1600 x 1200 pixels. A line of JSON is printed; the exit
status says whether the review has opened in 2 s and gone from a decision to the next suspect in 1 s, every time.
``python scripts/mongod.py FOLDER python -m benchmarks.review --samples 100000`` with MongoDB in a folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from .compare_clicks import ROOT
from .compare_panel import _boxes, _declare, _label
from .evidence_panel import photograph
from .shared import DIM, KEY, new_run, unit
from .triage import image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .shared import Filling

METHODS = ("clip", "wca", "lgca", "wca_d")
AT_ONCE = 1000
IMAGES = 48
SIZE = (1600, 1200)
WRONG, SEEN = 0.05, 0.85
SHOWN = 24
LARGE, SMALL = 640, 200
OPEN_S, NEXT_S = 2.0, 1.0


def fill(samples: int, classes: list[str], folder: Path) -> Any:
    """Writes a dataset with a run, its triage, labels and embeddings; returns the run."""
    from lgca_plugin.store.store import Store

    made = new_run(classes, METHODS, ground_truth="ground_truth")
    paths = [photograph(folder / f"{number}.jpg", SIZE, number) for number in range(IMAGES)]
    rng = np.random.default_rng(0)
    boxes = [_boxes(classes, rng) for _ in range(200)]
    centres = unit(rng.standard_normal((len(classes), DIM)))
    _register(made)
    _declare(made.run.dataset)
    with Store() as store:
        stored = made.open_entry(store)
        made.keep_texts(store, stored)
        suspects: list[tuple[float, str, int, int]] = []
        for start in range(0, samples, AT_ONCE):
            n = min(AT_ONCE, samples - start)
            documents, seen, given = _documents(made, classes, paths, boxes, n, rng)
            made.run.dataset._sample_collection.insert_many(documents)
            suspects += [
                (one[f"{KEY}_label_quality"], str(one["_id"]), a, b)
                for one, a, b in zip(documents, seen.tolist(), given.tolist(), strict=True)
                if one[f"{KEY}_suggestion"]
            ]
            whole = unit(centres[seen] + 0.04 * rng.standard_normal((n, DIM)))
            _store_vectors(made, store, stored, [str(one["_id"]) for one in documents], whole)
        _store_regions(made, store, stored, {id_: (a, b) for _, id_, a, b in sorted(suspects)[:SHOWN]})
    return made.run


def _register(made: Filling) -> None:
    triaged = ("case", "misleading", "stability", "label_quality", "suggestion", "decision")
    made.run.results |= {
        "status": "done",
        "triage_fields": [f"{KEY}_{name}" for name in triaged],
        "triage": {
            "ground_truth": "ground_truth",
            "methods": list(METHODS[:3]),
            "judging": list(METHODS),
            "corrected_field": "ground_truth_corrected",
            "cases": {},
            "calibration": {name: {"wrong_share": WRONG} for name in METHODS},
            "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        },
    }
    made.run.save()


def _documents(
    made: Filling, classes: Sequence[str], paths: Sequence[str], boxes: Sequence[Any], n: int, rng: Any
) -> tuple[list[dict[str, Any]], Any, Any]:
    """Returns samples, ``[n]`` the class that each image resembles, and ``[n]`` the given one; some are suspects."""
    from bson import ObjectId

    truth = rng.integers(len(classes), size=n)
    seen = np.where(rng.random(n) < SEEN, truth, rng.integers(len(classes), size=n))
    given = np.where(rng.random(n) < WRONG, rng.integers(len(classes), size=n), truth)
    doubted = (seen != given) & (rng.random(n) < 0.2)
    quality = np.where(doubted, 0.05 * rng.random(n) ** 4, 0.1 + 0.9 * rng.random(n))
    documents = []
    for at in range(n):
        labels = {f"{KEY}_{name}": _label(classes[seen[at]], confidence=0.5, margin=0.01) for name in METHODS}
        suggestion = _label(classes[seen[at]], confidence=0.9, given=classes[given[at]]) if doubted[at] else None
        documents.append(
            made.sample(ObjectId())
            | labels
            | {
                "filepath": paths[at % len(paths)],
                "_rand": float(rng.random()),
                "ground_truth": _label(classes[given[at]]),
                f"{KEY}_regions": boxes[at % len(boxes)],
                f"{KEY}_label_quality": float(quality[at]),
                f"{KEY}_suggestion": suggestion,
            }
        )
    return documents, seen, given


def _store_vectors(made: Filling, store: Any, stored: Any, ids: Sequence[str], whole: Any) -> None:
    from lgca_plugin.engine.embeddings import EncodedImage
    from lgca_plugin.store.rows import StoredSample

    none = np.zeros(0, np.int64)
    one = EncodedImage(
        id="",
        content_hash="",
        image_size_hw=SIZE[::-1],
        boxes=np.zeros((0, 4), np.int64),
        step=none,
        chain=none,
        regions=np.zeros((0, DIM), np.float32),
        whole=whole[0],
        fresh=none.astype(bool),
        encodes=0,
    )
    keys = len(made.predictor.vector_keys)
    rows = [
        StoredSample(replace(one, id=id_, content_hash=f"{id_:0<32}", whole=vector), np.tile(vector, (keys, 1)))
        for id_, vector in zip(ids, whole, strict=True)
    ]
    store.write_samples(stored, rows, with_regions=False)


def _store_regions(made: Filling, store: Any, stored: Any, pairs: dict[str, tuple[int, int]]) -> None:
    """Stores regions of samples that resemble the first of two classes, and some of them the second."""
    import lgca_plugin as lgca
    from lgca_plugin.store.rows import StoredSample

    vectors = made.texts.class_vectors(made.encoder, lgca.METHODS["wca"])
    own, rng = store.image_vectors_of(stored, list(pairs)), np.random.default_rng(1)
    grown = [image(id_, vectors[a], vectors[b], made.plan, rng) for id_, (a, b) in pairs.items()]
    store.write_samples(stored, [StoredSample(one, own[one.id]) for one in grown])


def show(run: Any, sample_id: str) -> int:
    """Does what a panel does to show a suspect; returns the size of its pictures in kilobytes."""
    from lgca_plugin.fiftyone_io.thumbnails import marked_uri, thumbnail_uri
    from lgca_plugin.workflows.review.card import review_card
    from lgca_plugin.workflows.review.examples import class_examples

    card = review_card(run, sample_id)
    pictures = [marked_uri(card.filepath, box=card.deciding_box, side=LARGE)]
    for label in (card.given, card.suggested):
        pictures += [
            thumbnail_uri(one.filepath, side=SMALL) for one in class_examples(run, label or "", near=sample_id)
        ]
    if card.deciding_vote is None or None in pictures or len(pictures) != 9:
        raise RuntimeError(f"the card of {sample_id} is not complete: {card}")
    return sum(len(picture or "") for picture in pictures) // 1000


def measure(name: str) -> dict[str, Any]:
    """Times a review in this process."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.workflows.decisions.queue import Triage
    from lgca_plugin.workflows.review.queue import ReviewQueue

    run = lgca.load_run(fo.load_dataset(name), KEY)
    started = time.perf_counter()
    queue = ReviewQueue.of(run)
    at = queue.first_undecided()
    expected, kilobytes = queue.expectation(), show(run, at or "")
    found: dict[str, Any] = {"open": time.perf_counter() - started}
    seconds, decide = [], []
    for turn in range(SHOWN - 1):
        started = time.perf_counter()
        decision = "accepted" if turn % 2 else "label right"
        Triage.of(run).decide(at, decision, by="bench", wait=False)
        decide.append(time.perf_counter() - started)
        queue = ReviewQueue.of(run)
        at = queue.first_undecided(after=at)
        queue.expectation()
        queue.progress()
        kilobytes = show(run, at or "")
        seconds.append(time.perf_counter() - started)
    found |= {"first decision": seconds[0], "next": median(seconds), "slowest next": max(seconds)}
    started = time.perf_counter()
    summary = queue.summary()
    found |= {"of which decide": median(decide), "summary": time.perf_counter() - started}
    about = {"queue": len(queue), "expected": str(expected), "kilobytes": kilobytes, "changed": summary.changed}
    return {**about, "seconds": {what: round(value, 3) for what, value in found.items()}}


def main() -> int:
    """Runs the benchmark and prints a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=200)
    parser.add_argument("--measure", metavar="DATASET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LGCA_STORE_DIR"] = folder
        started = time.perf_counter()
        run = fill(options.samples, [f"class {number}" for number in range(options.classes)], Path(folder))
        run.dataset.persistent = True  # for the other process
        filling = round(time.perf_counter() - started)
        try:
            command = [sys.executable, "-m", "benchmarks.review", "--measure", run.dataset.name]
            child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)  # noqa: S603
            found = json.loads(child.stdout.splitlines()[-1])
        finally:
            run.dataset.delete()
    about = {"benchmark": "review", "samples": options.samples, "classes": options.classes, "filling": filling}
    print(json.dumps({**about, **found}), flush=True)
    seconds = found["seconds"]
    return int(seconds["open"] > OPEN_S or seconds["slowest next"] > NEXT_S)


if __name__ == "__main__":
    sys.exit(main())
