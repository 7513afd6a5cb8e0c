"""The panel that compares methods, on many samples: how long it takes to open and to answer, event by event.

A dataset with a triaged run of three methods, labels and regions is written straight into the database. Every event of
the panel is then executed as the App's server does, with an execution context of FiftyOne's, in a process that has not
seen the dataset before. With ``--browser`` the real App is opened on it, too, and the time from the click on the panel
to its figures is taken there. A line of JSON is printed for each.
``python scripts/mongod.py FOLDER python -m benchmarks.compare_panel --samples 100000`` with MongoDB in a folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .filling import KEY, new_run

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("clip", "wca", "lgca")
PANEL = "@lgca/zero-shot/lgca_compare"
ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2000
IMAGES = 24
BOXES = 9  # three chains of three
RIGHT = (0.60, 0.67, 0.70)
FAILED, NEW = 0.005, 0.005
LIMITS_S = {"open": 3.0, "event": 1.0}


def fill(samples: int, classes: list[str], folder: Path) -> Any:
    """Writes a dataset with a run, its triage and labels."""
    from bson import ObjectId

    made = new_run(classes, METHODS, ground_truth="ground_truth")
    run = made.run
    run.config = run.config  # the record is as the run has written it
    pictures = list(_pictures(folder))
    rng = np.random.default_rng(0)
    boxes = [_boxes(classes, rng) for _ in range(200)]
    dataset = run.dataset
    triaged = ("case", "misleading", "stability", "label_quality", "suggestion", "decision")
    run.results |= {
        "status": "done",
        "total": samples,
        "predicted": samples,
        "encodes_per_image": 87.0,
        "images_per_second": 11.5,
        "triage_fields": [f"{KEY}_{name}" for name in triaged],
        "triage": {
            "ground_truth": "ground_truth",
            "methods": list(METHODS),
            "corrected_field": "ground_truth_corrected",
            "cases": {},
            "at": "2026-01-01T00:00:00+00:00",
        },
    }
    run.save()
    _declare(dataset)
    names = ("all right", "LGCA repairs WCA", "nobody right", "WCA misled by crops, LGCA right")
    for start in range(0, samples, AT_ONCE):
        n = min(AT_ONCE, samples - start)
        truth = rng.integers(len(classes), size=n)
        answers = [np.where(rng.random(n) < share, truth, rng.integers(len(classes), size=n)) for share in RIGHT]
        margins = rng.exponential(0.03, (3, n))
        luck = rng.random((4, n))
        documents = []
        for at in range(n):
            id_ = ObjectId()
            document = made.sample(id_) | {
                "filepath": pictures[at % len(pictures)],
                "ground_truth": _label(classes[truth[at]]),
            }
            if luck[0, at] < FAILED:
                document[f"{KEY}_error"] = "the file is no image"
            elif luck[0, at] > NEW + FAILED:
                for method, answer, margin in zip(METHODS, answers, margins[:, at].tolist(), strict=True):
                    document[f"{KEY}_{method}"] = _label(classes[answer[at]], confidence=0.5, margin=margin)
                misled = luck[1, at] < 0.01
                document |= {
                    f"{KEY}_regions": boxes[at % len(boxes)],
                    f"{KEY}_error": None,
                    f"{KEY}_case": names[3] if misled else names[int(3 * luck[2, at])],
                    f"{KEY}_misleading": float(1 + int(9 * luck[3, at])) if misled else None,
                    f"{KEY}_stability": 0.9,
                    f"{KEY}_label_quality": float(luck[2, at]),
                    f"{KEY}_suggestion": None,
                }
                if luck[2, at] < 0.02:
                    suggestion = _label(classes[answers[2][at]], confidence=0.9)
                    document[f"{KEY}_suggestion"] = suggestion | {"given": classes[truth[at]]}
            documents.append(document)
        dataset._sample_collection.insert_many(documents)
    return run


def _label(label: str, **values: Any) -> dict[str, Any]:
    from bson import ObjectId

    return {"_id": ObjectId(), "_cls": "Classification", "tags": [], "label": label, **values}


def _boxes(classes: list[str], rng: Any) -> dict[str, Any]:
    """Makes the regions of a sample, as a run writes them."""
    from lgca_plugin.dataset.documents import detections
    from lgca_plugin.shown import ShownRegion

    numbers = rng.random((BOXES, 6)).tolist()
    return detections(
        [
            ShownRegion(
                label=int(rng.integers(len(classes))),
                box=(x, y, 0.4, 0.4),
                confidence=a,
                chain=at // 3,
                step=at % 3,
                similarity=b,
                weight=c,
                contribution=d,
                misleading=at == 0,
            )
            for at, (x, y, a, b, c, d) in enumerate(numbers)
        ],
        classes,
    )


def _declare(dataset: Any) -> None:
    import fiftyone as fo

    from lgca_plugin.dataset.decisions import declare_decisions

    for name, kind in (("case", fo.StringField), ("misleading", fo.FloatField), ("stability", fo.FloatField)):
        dataset.add_sample_field(f"{KEY}_{name}", kind)
    dataset.add_sample_field(f"{KEY}_label_quality", fo.FloatField)
    dataset.add_sample_field(f"{KEY}_suggestion", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    dataset.add_sample_field(f"{KEY}_suggestion.given", fo.StringField)
    declare_decisions(dataset, KEY)


def _pictures(folder: Path) -> Iterator[str]:
    """Draws images of 800 x 600 pixels."""
    from PIL import Image

    for number in range(IMAGES):
        noise = np.random.default_rng(number).integers(0, 255, (30, 40, 3), dtype=np.uint8)
        path = folder / f"{number}.jpg"
        Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC).save(path)
        yield str(path)
