"""Runs whose labels are written by hand, for the tests of the panel that compares methods: no image is encoded."""

import random
import uuid
from typing import Any

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.config import RunConfig
from lgca_plugin.fiftyone_io import fields
from lgca_plugin.run import Run
from lgca_plugin.runs.registry import register_run
from lgca_plugin.workflows.decisions.decisions import DecisionFields, declare_decisions

KEY = "zs"
METHODS = ("clip", "wca", "lgca")
CLASSES = ["tern", "swan", "gull", "a class with a long name, $x^2$ <b>"]
CASES = ["all right", "LGCA repairs WCA", "nobody right"]
TRIAGE_FIELDS = ("case", "misleading", "stability", "label_quality", "suggestion", "decision")


def new_run(classes, *, methods=METHODS, ground_truth="labels", key=KEY, dataset=None, status="done"):
    """Registers a run on a dataset of no samples, or on the one that is given."""
    dataset = dataset or fo.Dataset(f"compared-{uuid.uuid4().hex[:8]}")
    if ground_truth and not dataset.has_field(ground_truth):
        dataset.add_sample_field(ground_truth, fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    presets = tuple(lgca.METHODS[name] for name in methods)
    config = RunConfig(
        classes=tuple(classes),
        descriptions_hash="0",
        methods=presets,
        regions=lgca.RegionConfig(),
        encoder="by hand",
        encoder_fingerprint="by hand",
        precision="fp32",
        ground_truth=ground_truth,
    )
    results = {"status": status, "encodes_per_image": 60.5, "images_per_second": 12.25, "descriptions": {}}
    run = Run.of(register_run(dataset, key, config, results))
    fields.declare_fields(dataset, key, presets)
    return run


def answer(label, margin=0.01):
    """A prediction; None for none."""
    return None if label is None else fo.Classification(label=label, confidence=0.5, margin=margin)


def add(run, rows):
    """Adds samples: dicts of ``answers`` (a label a method, or None), and perhaps ``margins``, ``error``, ``truth``."""
    methods = [method.name for method in run.config.methods]
    samples = []
    for at, row in enumerate(rows):
        margins = row.get("margins", [0.01] * len(methods))
        values = {
            f"{run.key}_{name}": answer(label, margin)
            for name, label, margin in zip(methods, row["answers"], margins, strict=True)
        }
        truth = row.get("truth")
        labelled = {run.config.ground_truth: None if truth is None else fo.Classification(label=truth)}
        samples.append(
            fo.Sample(
                filepath=row.get("filepath", f"/images/{uuid.uuid4().hex}.jpg"),
                number=at,
                **{f"{run.key}_error": row.get("error")},
                **values,
                **(labelled if run.config.ground_truth else {}),
            )
        )
    return run.dataset.add_samples(samples)


def triaged(run, columns, *, ground_truth="labels"):
    """Writes a triage: ``case``, ``misleading``, ``quality`` and ``suggested`` columns, a value a sample."""
    dataset, key = run.dataset, run.key
    schema = {f"{key}_case": fo.StringField(), f"{key}_suggestion": fo.EmbeddedDocumentField(fo.Classification)}
    schema |= {f"{key}_{name}": fo.FloatField() for name in ("misleading", "stability", "label_quality")}
    # add_sample_field reloads the dataset for every field
    dataset._merge_sample_field_schema(schema)
    dataset._merge_sample_field_schema({f"{key}_suggestion.given": fo.StringField()})
    corrected = f"{ground_truth or key}_corrected"
    declare_decisions(dataset, DecisionFields(run_key=key, ground_truth=ground_truth, corrected=corrected))
    for name, column in (("case", "case"), ("misleading", "misleading"), ("label_quality", "quality")):
        if column in columns:
            dataset.set_values(f"{key}_{name}", columns[column])
    if "suggested" in columns:
        given = dataset.values(f"{ground_truth}.label") if ground_truth else [None] * len(dataset)
        suggestions = [
            label and fo.Classification(label=label, confidence=0.75, given=was)
            for label, was in zip(columns["suggested"], given, strict=True)
        ]
        dataset.set_values(f"{key}_suggestion", suggestions)
    run.results["triage_fields"] = [f"{key}_{name}" for name in TRIAGE_FIELDS]
    run.results["triage"] = {
        "ground_truth": ground_truth,
        "methods": [method.name for method in run.config.methods][:3],
        "corrected_field": corrected,
        "cases": {},
    }
    run.save()
    return run


def random_rows(count, seed=0):
    """Samples of every kind: predicted, failed, not come to, half predicted, edited, with all kinds of labels."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        kind = rng.random()
        answers: list[str | None] = [rng.choice(CLASSES) for _ in METHODS]
        row: dict[str, Any] = {"answers": answers, "margins": [rng.random() for _ in METHODS]}
        row["truth"] = rng.choice([*CLASSES, *CLASSES, None, "puffin", ""])
        if kind < 0.1:
            row |= {"answers": [None] * 3, "error": "no image"}
        elif kind < 0.2:
            row["answers"] = [None] * 3
        elif kind < 0.25:
            answers[rng.randrange(3)] = rng.choice([None, ""])
        elif kind < 0.3:
            answers[rng.randrange(3)] = "edited"
        elif kind < 0.35:
            row["error"] = "an error, and yet predicted"
        rows.append(row)
    return rows


def random_triage(count, seed=0):
    rng = random.Random(seed)
    return {
        "case": [rng.choice([*CASES, None]) for _ in range(count)],
        "misleading": [rng.choice([None, None, 1.0, 2.0, 3.0]) for _ in range(count)],
        "quality": [rng.random() for _ in range(count)],
        "suggested": [rng.choice([None, None, *CLASSES]) for _ in range(count)],
    }
