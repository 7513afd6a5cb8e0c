"""The panel that compares methods, on many samples: how long it takes to open and to answer, event by event.

A dataset with a triaged run of three methods, labels and regions is written straight into the database. A process that
has not seen it before then executes every event of the panel as the App's server does, with an execution context of
FiftyOne's. With ``--browser`` the real App is opened on it, too (:mod:`benchmarks.compare_clicks`): from the click that
opens the panel until its figures and its last picture are there, and from each of some clicks until the panel and the
grid have answered; with ``--against FOLDER`` also the App with another checkout of the plugin, both clicked in turn.
A line of JSON is printed for each; the exit status tells whether the panel has opened in 3 s and answered every event,
and half of the clicks in the App, in 1 s.
``python scripts/mongod.py FOLDER python -m benchmarks.compare_panel --samples 100000`` with MongoDB in a folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from .compare_clicks import PLUGINS, ROOT, measure_in_browser, plugins_of
from .shared import KEY, new_run

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("clip", "wca", "lgca")
PANEL = "@lgca/zero-shot/lgca_compare"
AT_ONCE = 2000
IMAGES = 24
BOXES = 9  # three chains of three
RIGHT = (0.60, 0.67, 0.70)
FAILED, NEW = 0.005, 0.005
OPEN_S, EVENT_S = 3.0, 1.0


def fill(samples: int, classes: list[str], folder: Path) -> Any:
    """Writes a dataset with a run, its triage and labels."""
    from bson import ObjectId

    made = new_run(classes, METHODS, ground_truth="ground_truth")
    run = made.run
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
    from lgca_plugin.fiftyone_io.documents import detections
    from lgca_plugin.prediction.displayed_regions import DisplayedRegion

    numbers = rng.random((BOXES, 6)).tolist()
    return detections(
        [
            DisplayedRegion(
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

    from lgca_plugin.workflows.decisions.decisions import DecisionFields, declare_decisions

    for name, kind in (("case", fo.StringField), ("misleading", fo.FloatField), ("stability", fo.FloatField)):
        dataset.add_sample_field(f"{KEY}_{name}", kind)
    dataset.add_sample_field(f"{KEY}_label_quality", fo.FloatField)
    dataset.add_sample_field(f"{KEY}_suggestion", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    dataset.add_sample_field(f"{KEY}_suggestion.given", fo.StringField)
    declare_decisions(dataset, DecisionFields(run_key=KEY, ground_truth=None, corrected="ground_truth_corrected"))


def _pictures(folder: Path) -> Iterator[str]:
    """Draws images of 800 x 600 pixels."""
    from PIL import Image

    for number in range(IMAGES):
        noise = np.random.default_rng(number).integers(0, 255, (30, 40, 3), dtype=np.uint8)
        path = folder / f"{number}.jpg"
        Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC).save(path)
        yield str(path)


class Panel:
    """An open panel, whose events are timed."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.state: dict[str, Any] = {}
        self.view: list[Any] = []
        self.selected: list[str] = []
        self.data: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}

    def send(self, name: str, method: str, /, **params: Any) -> None:
        """Sends an event and notes how long the answer took, as JSON ready to be sent."""
        import fiftyone.operators as foo
        from fiftyone.operators.executor import ExecutionContext, Executor

        executor, operator = Executor(), foo.get_operator(PANEL)
        event = {"panel_id": "one", "panel_state": self.state, "__method__": method, **params}
        request = {"dataset_name": self.dataset, "params": event, "view": self.view, "selected": self.selected}
        started = time.perf_counter()
        operator.execute(ExecutionContext(request_params=request, executor=executor, operator_uri=PANEL))
        answer = json.dumps(executor.to_json())
        self.seconds[name] = time.perf_counter() - started
        for message in json.loads(answer)["requests"]:
            what, given = message["operator_uri"], message["params"]
            if what == "set_panel_state":
                self.state = given["state"]
            elif what == "patch_panel_state":
                self.state |= given["state"]
            elif what == "patch_panel_data":
                self.data |= given["data"]
            elif what == "set_view":
                self.view = given["view"]
            elif what == "notify" and given["variant"] == "error":
                raise RuntimeError(given["message"])


def measure(name: str) -> dict[str, Any]:
    """Times the panel's events in this process."""
    import fiftyone as fo
    import fiftyone.operators as foo
    from fiftyone import ViewField as F

    foo.get_operator(PANEL)  # the App's server has loaded the plugin when it has started
    dataset = fo.load_dataset(name)
    panel = Panel(name)
    panel.send("open", "on_load")
    panel.send("view again", "on_change_view")
    panel.send("disagreements", "show", part="disagreements")
    panel.send("view narrowed", "on_change_view")
    panel.send("bar", "show_bar", idx=1)
    panel.send("cell", "show_cell", idx=[0, 1])
    points = [{"id": id_} for trace in panel.data["page.margins"] for id_ in trace["ids"]]
    panel.send("lasso", "show_points", data=points)
    panel.send("wrong answers", "show", part="wrong", method="clip")
    panel.send("misleading crops", "show", part="misleading_cases")
    panel.send("suspects", "show", part="open_suspects")
    panel.send("back", "back")
    panel.send("swap", "swap")
    panel.send("no labels", "pick_labels", value="-")
    panel.send("labels", "pick_labels", value="ground_truth")
    panel.send("next page", "turn", list="misleading", by=5)
    for what, view in (
        ("user's view, 1 class", dataset.match(F(f"{KEY}_clip.label") == "class 3")),
        ("user's view, most classes", dataset.match(F(f"{KEY}_clip.label") != "class 3")),
    ):
        panel.view = json.loads(json.dumps(view._serialize()))
        panel.send(what, "on_change_view")
    panel.view = []
    panel.send("read again", "refresh")
    panel.selected = dataset.limit(3).values("id")
    panel.send("selection", "on_change_selected")
    panel.send("first decision", "decide", decision="label right")  # labels begin to be copied to the corrected ones
    panel.send("read after it", "on_change_view")
    panel.send("decision", "decide", decision="bad image")
    panel.send("undo", "undo")
    return panel.seconds


ONCE = ("open",)
"""Events that need not be as quick as a click."""


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each way of measuring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=200)
    parser.add_argument("--browser", action="store_true", help="time the panel in the real App, too")
    parser.add_argument("--clicks", type=int, default=8, help="how many clicks are timed in the App")
    parser.add_argument("--against", type=Path, help="another checkout, to time the App with both")
    parser.add_argument("--measure", metavar="DATASET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return 0
    clicks = [0.0]
    with tempfile.TemporaryDirectory() as folder:
        os.environ[PLUGINS] = plugins_of(ROOT, Path(folder) / "plugins")
        run = fill(options.samples, [f"class {number}" for number in range(options.classes)], Path(folder))
        run.dataset.persistent = True  # for the other process
        about = {"samples": options.samples, "classes": options.classes}
        about["mb"] = round(run.dataset.stats()["samples_bytes"] / 1e6)
        try:
            if options.browser or options.against:
                roots = [ROOT, options.against.resolve()] if options.against else [ROOT]
                in_browser = measure_in_browser(run.dataset.name, Path(folder), roots, options.clicks)
                _print("compare_panel_in_browser", about, in_browser)
                clicks = in_browser["this"]["clicks"] or clicks
            command = [sys.executable, "-m", "benchmarks.compare_panel", "--measure", run.dataset.name]
            child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)  # noqa: S603
            events = json.loads(child.stdout.splitlines()[-1])
        finally:
            run.dataset.delete()
    slowest = max((name for name in events if name not in ONCE), key=lambda name: float(events[name]))
    _print("compare_panel", {**about, "slowest": slowest}, events)
    return int(events["open"] > OPEN_S or events[slowest] > EVENT_S or median(clicks) > EVENT_S)


def _print(name: str, about: dict[str, Any], seconds: dict[str, Any]) -> None:
    print(json.dumps({"benchmark": name, **about, "seconds": _rounded(seconds)}), flush=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else round(value, 3)


if __name__ == "__main__":
    sys.exit(main())
