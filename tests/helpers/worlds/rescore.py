"""A classified dataset, and what the tests of rescoring read of it."""

import json

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers import runs
from tests.helpers.app.operators import SUGGEST
from tests.helpers.runs import assert_same_results

SMALL = lgca.RegionConfig(crops=14)
FEWER = CLASSES[3:9]
TRIED = "suggestion_of_zs_by_ground_truth"


def add_birds(dataset, images):
    """Adds drawn birds, their labels and others that are no classes of a run."""
    dataset.add_samples(
        [
            fo.Sample(
                filepath=image.path,
                ground_truth=fo.Classification(label=image.label),
                other=fo.Classification(label="nothing of the run's"),
            )
            for image in images
        ]
    )
    return dataset


def classified(birds, encoder, run_key="zs", methods=("clip", "wca", "lgca"), **options):
    """Classifies them; what is not given is of the demo."""
    return runs.classified(birds, encoder, **{"run_key": run_key, "methods": methods, "regions": SMALL, **options})


def suggestion(dataset, field="ground_truth", run="zs"):
    """What the App's loader puts among the form's parameters."""
    answer = SUGGEST.operator.execute(SUGGEST.context(dataset, {"run": run, "label_field": field}))
    return {"state": "loaded", "data": json.loads(json.dumps(answer))}


def labels(dataset, key):
    """The labels of each method."""
    return {name: dataset.values(f"{key}_{name}.label") for name in ("clip", "wca", "lgca")}


def assert_same(dataset, key, other):
    """Fails where two runs differ."""
    assert_same_results(lgca.load_run(dataset, key), lgca.load_run(dataset, other))
