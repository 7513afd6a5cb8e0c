"""Classified drawn birds; one store for all tests of the folder, so that every image is encoded once.

FiftyOne may be imported only once the tests' database runs, so the helpers are imported in the fixtures.
"""

from __future__ import annotations

from typing import Any

import pytest

import lgca_plugin as lgca

COUNT = 60
METHODS = ("clip", "wca", "lgca", "crops_mean")


@pytest.fixture(scope="session")
def triage_store(tmp_path_factory):
    return tmp_path_factory.mktemp("triage")


@pytest.fixture(autouse=True)
def fresh_store(monkeypatch, triage_store):
    monkeypatch.setenv("LGCA_STORE_DIR", str(triage_store))
    return triage_store


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    from lgca_plugin.demo.dataset import draw_images

    return draw_images(tmp_path_factory.mktemp("birds"), count=COUNT, seed=3)


@pytest.fixture(scope="session")
def options() -> dict[str, Any]:
    """Options of ``classified``."""
    return {"methods": METHODS, "regions": lgca.RegionConfig(crops=14), "ground_truth": "ground_truth"}


@pytest.fixture
def make_run(dataset, images, demo_encoder, options):
    """Classifies so many of the images, unless told otherwise all, with these options."""
    from tests.helpers.runs import add_images, classified

    def make(count=COUNT, **changes):
        return classified(add_images(dataset, images[:count]), demo_encoder, **{**options, **changes})

    return make


@pytest.fixture
def run(make_run):
    """A run on all images."""
    return make_run()
