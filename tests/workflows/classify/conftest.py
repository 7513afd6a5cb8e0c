"""A dataset of drawn birds, and ``lgca.classify`` with the demo's model and few crops.

FiftyOne may be imported only once the tests' database runs, so the helpers are imported in the fixtures.
"""

from __future__ import annotations

from typing import Any

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS

SMALL = lgca.RegionConfig(crops=8, steps=2, scale_min=0.1, scale_max=0.3)


@pytest.fixture
def birds(dataset, demo_images):
    """The first twelve drawn birds as a dataset."""
    from tests.helpers.runs import add_images

    return add_images(dataset, demo_images[:12])


@pytest.fixture
def pairs(dataset, demo_images):
    """Three groups of a left and a right image; left is the active slice."""
    from tests.helpers.runs import pairs_of

    return pairs_of(dataset, demo_images[:6])


@pytest.fixture(scope="session")
def settings(demo_encoder) -> dict[str, Any]:
    """The demo's model, classes and descriptions, and few crops."""
    return {
        "classes": CLASSES,
        "descriptions": DESCRIPTIONS,
        "encoder": demo_encoder,
        "regions": SMALL,
        "run_key": "zs",
    }


@pytest.fixture(scope="session")
def classify(settings):
    """lgca.classify with these settings, unless told otherwise."""
    return lambda samples, **changes: lgca.classify(samples, **{"progress": False, **settings, **changes})


@pytest.fixture(scope="session")
def classify_one_by_one(settings):
    """The same, but every image is written on its own."""
    from tests.helpers.runs import classify_by

    return lambda samples, **changes: classify_by(1, samples, **{**settings, **changes})
