"""What can be read and computed of the restored release, as JSON documents, with public names alone."""

import csv
import io
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import lgca_plugin as lgca
from lgca_plugin.workflows.decisions.decisions import Decision
from tests.helpers.release import STORE_FILE, Mute, assert_same, plain

KEYS = ("full", "rescored", "adaptive", "light")
"""All methods on all pictures; the same with other classes; an adaptive budget; few pictures, no regions kept."""

EXPLAINED = {
    "full": ("bird-008", "bird-035", "bird-041"),  # LGCA misled, WCA misled, lies on its side
    "rescored": ("bird-064",),
    "adaptive": ("bird-015", "bird-038"),
}
PAIR = ("grey heron", "caspian tern")
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "other classes": ("full", {"classes": ["snowy egret", "woodpecker", "caspian tern", "grey heron"]}),
    "more decisive": ("full", {"decisiveness": 25.0}),
    "softer": ("full", {"image_scale": 2.5, "text_scale": 3.0, "global_weight": 0.5, "step_weights": (1.0, 2.0, 4.0)}),
    "fewer steps": ("adaptive", {"steps": 1, "image_scale": 3.0, "methods": ["clip", "lgca"]}),
    "without regions": ("light", {"classes": ["oystercatcher", "caspian tern", "great egret"], "shown_chains": 0}),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "full": {
        "methods": ("clip", "wca", "lgca", "lgca_d", "clip_d", "wca_global", "crops_mean"),
        "budget": "full",
    },
    "adaptive": {"methods": ("clip", "wca", "lgca", "lgca_d"), "budget": "adaptive", "logits": True},
}
EVALUATIONS = {
    "evaluation again": (None, ("wca", "lgca")),
    "evaluation of corrected labels": ("ground_truth_corrected", ("lgca_d",)),
}
FOUND = ("case", "misleading", "stability", "label_quality")
NEVER_THE_SAME = ("seconds", "at", "version")


def name_of(path):
    return Path(path).stem


def names_of(dataset):
    """Sample id to the picture's name."""
    ids, paths = dataset.values(["id", "filepath"])
    return dict(zip(ids, map(name_of, paths), strict=True))


def values_of(samples, *paths):
    """Picture to the values of some fields, a list, where any of them has one."""
    rows = zip(samples.values("filepath"), *(samples.values(path) for path in paths), strict=True)
    return {name_of(path): list(row) for path, *row in rows if any(value is not None for value in row)}


def predictions_of(run):
    """Method to picture to label, confidence and margin."""
    fields = {method.name: f"{run.key}_{method.name}" for method in run.config.methods}
    return {
        name: values_of(run.dataset, *(f"{field}.{value}" for value in ("label", "confidence", "margin")))
        for name, field in fields.items()
    }


def boxes_of(run):
    """Picture to its boxes, each a list of what it says."""
    attributes = ("label", "index", "step", "misleading", "weight", "contribution")
    return {
        name: [[box[attribute] for attribute in attributes] for box in found.detections]
        for name, (found,) in values_of(run.dataset, f"{run.key}_regions").items()
    }


def run_of(run):
    """What is known of a run without computing anything."""
    names = names_of(run.dataset)
    return {
        "summary": run.summary(),
        "failures": {names[id_]: reason for id_, reason in run.failures.items()},
        "descriptions": run.descriptions,
        "fields": run.fields,
        "encodes": values_of(run.dataset, f"{run.key}_encodes") if run.config.budget == "adaptive" else {},
        "predictions": predictions_of(run),
        "boxes": boxes_of(run),
    }


def evidence_of_run(dataset, key):
    ids, run = {name: id_ for id_, name in names_of(dataset).items()}, lgca.load_run(dataset, key)
    return {name: account_of(run.evidence(ids[name], encoder=Mute())) for name in EXPLAINED[key]}


def account_of(evidence):
    looking = [name for name in evidence.methods if evidence.weights[name].any()]
    without = evidence.without([0, 3])
    return {
        "explained": evidence.explained,
        "labels": evidence.labels,
        "scores": evidence.scores,
        "confidences": evidence.confidences,
        "margins": {name: evidence.margin(name) for name in evidence.methods},
        "pairs": {name: evidence.pair(name) for name in evidence.methods},
        "stability": evidence.stability,
        "boxes": evidence.boxes,
        "step": evidence.step,
        "chain": evidence.chain,
        "similarity": evidence.similarity,
        "votes": [evidence.classes[vote] for vote in evidence.vote],
        "weights": {name: evidence.weights[name] for name in looking},
        "contributions": {name: evidence.contributions(name, *PAIR) for name in looking},
        "of the whole image": {name: evidence.global_contribution(name, *PAIR) for name in evidence.methods},
        "misleading": evidence.misleading,
        "misleading pair": evidence.misleading_pair,
        "case": None if evidence.case is None else evidence.case.to_json(evidence.classes),
        "flips": evidence.flips,
        "without two regions": {"labels": without.labels, "scores": without.scores},
    }


def triage_of(triage):
    """What a triage has found, its views in their order."""
    run = triage.run
    dataset, key = run.dataset, run.key
    judged = [f"{key}_{name}.{value}" for name in triage.report["judging"] for value in ("label_quality", "calibrated")]
    queue = {"all": None, "undecided": False, "decided": True}
    return {
        "report": {name: value for name, value in triage.report.items() if name not in NEVER_THE_SAME},
        "suspects": {which: names_in(triage.suspects(decided=decided)) for which, decided in queue.items()},
        "cases": {case: names_in(triage.cases(case)) for case in triage.report["cases"]},
        "samples": values_of(dataset, *(f"{key}_{name}" for name in FOUND)),
        "suggestions": values_of(dataset, *(f"{key}_suggestion.{value}" for value in ("label", "confidence", "given"))),
        "judged": values_of(dataset, *judged),
        "left": triage.left(),
    }


def names_in(view):
    return [name_of(path) for path in view.values("filepath")]


def views_of(dataset):
    """Saved view to the pictures in it."""
    return {name: names_in(dataset.load_saved_view(name)) for name in sorted(dataset.list_saved_views())}


def decisions_of(triage, tmp_path):
    """The decisions, as objects and as the CSV file says them."""
    names = names_of(triage.run.dataset)
    triage.export(tmp_path / "decisions.csv", history=True)
    (titles, *rows) = csv.reader(io.StringIO((tmp_path / "decisions.csv").read_text(encoding="utf-8-sig")))
    return {
        "standing": [decision_of(row, names) for row in triage.decisions()],
        "history": [decision_of(row, names) for row in triage.decisions(history=True)],
        "file": [titles, *([cell_of(cell) for cell in row] for row in rows)],
        "actions": [[action.id, action.decision.value, action.samples, action.by] for action in triage.actions()],
        "left": triage.left(),
        "corrected": values_of(triage.run.dataset, "ground_truth_corrected.label"),
        "tags": values_of(triage.run.dataset, "tags"),
    }


def cell_of(text):
    """A cell of the file; decisions by their stored name: the first release had those in its files."""
    words = {decision.word: decision.value for decision in Decision}
    return name_of(text) if text.endswith(".jpg") else words.get(text, text)


def decision_of(row, names):
    attributes = ("given", "suggested", "confidence", "corrected", "label_quality", "by", "note", "action", "undoes")
    decision = None if row.decision is None else row.decision.value
    values = {attribute: getattr(row, attribute) for attribute in attributes}
    return {"sample": names[row.sample_id], "decision": decision, "at": row.at.isoformat(), **values}


def undone_of(triage):
    """What taking back the latest decision, and then a corrected label, has done."""
    latest = triage.undo(by="kim")
    corrected = next(row.sample_id for row in triage.decisions() if row.corrected == "great egret")
    second = triage.undo(sample_ids=corrected, by="lee", note="it was right")
    names = names_of(triage.run.dataset)
    return {
        "counts": [[undone.samples, undone.later, undone.undecided, undone.labels_kept] for undone in (latest, second)],
        "undone": [list(undone.undoes) for undone in (latest, second)],
        "standing": [decision_of(row, names) for row in triage.decisions()],
        "history": sorted([names[row.sample_id], row.by, row.undoes or ""] for row in triage.decisions(history=True)),
        "left": triage.left(),
        "corrected": values_of(triage.run.dataset, "ground_truth_corrected.label"),
        "tags": values_of(triage.run.dataset, "tags"),
        "views": views_of(triage.run.dataset),
    }


def rescored_of(dataset, change):
    """What rescoring a run under a new key gives, with texts that the release has embedded."""
    key, changes = CHANGES[change]
    run = lgca.load_run(dataset, key).rescore(**changes, run_key="changed", encoder=Mute(), progress=False)
    found = run.summary()
    counts = {name: found[name] for name in ("predicted", "failed", "skipped", "encodes", "images_encoded", "methods")}
    boxes = boxes_of(run) if run.config.shown_chains else {}
    return {"counts": counts, "predictions": predictions_of(run), "boxes": boxes}


def settings_of_the_release():
    """The default grid of release 0.1.0: ours varies other settings of decisive methods."""
    wca, lgca_d = lgca.METHODS["wca"], lgca.Method(name="lgca_d", regions="chains", weighting="decisive")
    axes = {
        wca: {"image_scale": (4, 0, 2, 3, 5), "global_weight": (0, 0.5, 1), "text_scale": (2, 0, 3, 4)},
        lgca_d: {"decisiveness": (10, 2.5, 5, 20, 40), "global_weight": (0, 0.5, 1), "text_scale": (2, 0, 4)},
    }
    order = ("global_weight", "image_scale", "decisiveness", "text_scale")
    for method, values in axes.items():
        names = [name for name in order if name in values]
        for one in product(*(values[name] for name in names)):
            changes: dict[str, Any] = {name: float(value) for name, value in zip(names, one, strict=True)}
            yield replace(method, **changes)


def sweep_of(dataset):
    report = lgca.load_run(dataset, "full").sweep(
        settings=list(settings_of_the_release()), folds=3, repeats=2, encoder=Mute(), progress=False
    )
    return {
        "chosen": {name: setting.to_json() for name, setting in report.chosen.items()},
        "choices": [choice.to_json() for choice in report.choices],
        "results": [[result.accuracy, result.effective, result.used] for result in report.results],
        "samples": report.samples,
        "excluded": report.excluded,
    }


def evaluation_of(evaluation, dataset):
    """An evaluation, and what FiftyOne says of the same methods."""
    keys = [score.eval_key for score in evaluation.methods.values()]
    reports = {key: dataset.load_evaluation_results(key).metrics() for key in keys}
    right = values_of(dataset, *keys)
    return {"found": evaluation.to_json(), "of FiftyOne": reports, "right": right}


def store_of(dataset):
    """Which runs hold how many samples in the store."""
    info = lgca.store_info()
    assert info.path.name == STORE_FILE
    return [[run["run_key"], run["dataset"] == dataset.name, run["samples"]] for run in info.runs]


def left_of(dataset):
    """What there is on a dataset, besides samples."""
    return {
        "runs": lgca.list_runs(dataset),
        "fields": sorted(dataset.get_field_schema()),
        "views": sorted(dataset.list_saved_views()),
        "evaluations": sorted(dataset.list_evaluations()),
        "store": sorted(store_of(dataset)),
        "corrected": values_of(dataset, "ground_truth_corrected.label"),
    }


def deleted_of(dataset):
    """What is left after each run has been deleted, one after the other."""
    found = {"all": left_of(dataset)}
    evidence = plain(evidence_of_run(dataset, "rescored"))
    for key in ("full", "adaptive", "rescored", "light"):
        lgca.load_run(dataset, key).delete()
        found[f"without {key}"] = left_of(dataset)
        if "rescored" in lgca.list_runs(dataset):  # it shares images and regions with those that are gone
            assert_same(plain(evidence_of_run(dataset, "rescored")), evidence)
    assert not {group.name for group in dataset.app_config.sidebar_groups or ()}.intersection(KEYS)
    return found


def triage_again(dataset, key):
    return triage_of(lgca.load_run(dataset, key).triage(encoder=Mute(), progress=False))


def last_triage(dataset):
    return lgca.load_run(dataset, "full").last_triage()


def evaluate_again(dataset, field, methods):
    found = evaluation_of(lgca.load_run(dataset, "full").evaluate(field, methods=methods, progress=False), dataset)
    assert sorted(dataset.list_evaluations()) == sorted(f"full_{name}_eval" for name in methods)
    return found


COMPUTED: dict[str, Any] = {
    "runs": lambda dataset, _: {key: run_of(lgca.load_run(dataset, key)) for key in lgca.list_runs(dataset)},
    "evidence": lambda dataset, _: {key: evidence_of_run(dataset, key) for key in EXPLAINED},
    "last triage": lambda dataset, _: triage_of(last_triage(dataset)),
    "triage again": lambda dataset, _: triage_again(dataset, "full"),
    "triage of another run": lambda dataset, _: triage_again(dataset, "rescored"),
    "triage of few": lambda dataset, _: triage_again(dataset, "light"),
    "views": lambda dataset, _: views_of(dataset),
    "decisions": lambda dataset, folder: decisions_of(last_triage(dataset), folder),
    "undone": lambda dataset, _: undone_of(last_triage(dataset)),
    "last evaluation": lambda dataset, _: evaluation_of(lgca.load_run(dataset, "full").last_evaluation(), dataset),
    **{name: lambda dataset, _, given=given: evaluate_again(dataset, *given) for name, given in EVALUATIONS.items()},
    "sweep": lambda dataset, _: sweep_of(dataset),
    "deleted": lambda dataset, _: deleted_of(dataset),
    **{f"rescored: {change}": lambda dataset, _, change=change: rescored_of(dataset, change) for change in CHANGES},
}
"""What ``expected.json`` holds: name to a function of the dataset and a folder."""
