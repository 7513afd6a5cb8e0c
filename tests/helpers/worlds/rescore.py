"""A classified dataset, and what the tests of rescoring read of it."""

import json

import fiftyone as fo
import numpy as np

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from tests.helpers.app.operators import SUGGEST

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
    given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "regions": SMALL, **options}
    return lgca.classify(birds, methods=methods, encoder=encoder, run_key=run_key, progress=False, **given)


def suggestion(dataset, field="ground_truth", run="zs"):
    """What the App's loader puts among the form's parameters."""
    answer = SUGGEST.operator.execute(SUGGEST.context(dataset, {"run": run, "label_field": field}))
    return {"state": "loaded", "data": json.loads(json.dumps(answer))}


def labels(dataset, key):
    """The labels of each method."""
    return {name: dataset.values(f"{key}_{name}.label") for name in ("clip", "wca", "lgca")}


def assert_same(dataset, key, other):
    """Fails where two runs differ in a label, a confidence or a box."""
    assert labels(dataset, key) == labels(dataset, other)
    for name in ("clip", "wca", "lgca"):
        found, expected = (dataset.values(f"{one}_{name}.confidence") for one in (key, other))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    found, expected = (dataset.values(f"{one}_regions.detections.bounding_box", unwind=True) for one in (key, other))
    np.testing.assert_allclose(found, expected, atol=1e-5)
