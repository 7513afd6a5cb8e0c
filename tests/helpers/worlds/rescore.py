"""A classified dataset and what the App makes of the form that rescores it, for the tests of both its operators."""

import json
from functools import partial

import fiftyone as fo
import fiftyone.operators as foo
import numpy as np

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from tests.helpers import operators as harness

RESCORE = "@lgca/zero-shot/lgca_rescore"
SUGGEST = "@lgca/zero-shot/lgca_suggest_settings"
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
    given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "regions": SMALL, **options}
    return lgca.classify(birds, methods=methods, encoder=encoder, run_key=run_key, progress=False, **given)


form, run_it = partial(harness.form, uri=RESCORE), partial(harness.run_it, uri=RESCORE)


def context(dataset, operator, params, **request):
    return harness.context(dataset, params, uri=operator.uri, **request)


def filled(dataset, **params):
    """What the App makes of a form: every field that nobody has filled gets its default, until nothing changes."""
    while True:
        properties, _ = form(dataset, **params)
        defaults = {
            name: prop.default
            for name, prop in properties.items()
            if prop.default is not None and name not in params and not name.startswith("suggestions")
        }
        if not defaults:
            return params
        params.update(defaults)


def suggestion(dataset, field="ground_truth", run="zs"):
    """What the App's loader puts among the form's parameters."""
    operator = foo.get_operator(SUGGEST)
    answer = operator.execute(context(dataset, operator, {"run": run, "label_field": field}))
    return {"state": "loaded", "data": json.loads(json.dumps(answer))}


def labels(dataset, key):
    return {name: dataset.values(f"{key}_{name}.label") for name in ("clip", "wca", "lgca")}


def assert_same(dataset, key, other):
    assert labels(dataset, key) == labels(dataset, other)
    for name in ("clip", "wca", "lgca"):
        found, expected = (dataset.values(f"{one}_{name}.confidence") for one in (key, other))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    found, expected = (dataset.values(f"{one}_regions.detections.bounding_box", unwind=True) for one in (key, other))
    np.testing.assert_allclose(found, expected, atol=1e-5)
