"""Runs to be rescored, and full runs to compare them with.

Two stores are shared by the tests of the folder, so the images are encoded twice, independently, and not once for every
test. FiftyOne may be imported only once the tests' database runs, so the helpers are imported in the fixtures.
"""

from __future__ import annotations

from typing import Any

import pytest

import lgca_plugin as lgca


@pytest.fixture(scope="session")
def shared_stores(tmp_path_factory):
    return tmp_path_factory.mktemp("rescored"), tmp_path_factory.mktemp("full")


@pytest.fixture(autouse=True)
def fresh_store(request, monkeypatch, shared_stores):
    if "module_store" in request.fixturenames:
        return request.getfixturevalue("module_store")
    monkeypatch.setenv("LGCA_STORE_DIR", str(shared_stores[0]))
    return shared_stores[0]


@pytest.fixture(scope="session")
def options() -> dict[str, Any]:
    """Options of ``classified``: 14 crops, of which 8 start chains: 8 + 4 + 2."""
    return {"methods": ("clip", "wca", "lgca", "lgca_d", "clip_d"), "regions": lgca.RegionConfig(crops=14)}


@pytest.fixture
def birds(dataset, demo_images):
    from tests.helpers.runs import add_images

    return add_images(dataset, demo_images[:8])


@pytest.fixture
def run(birds, demo_encoder, options):
    from tests.helpers.runs import classified

    return classified(birds, demo_encoder, **options)


@pytest.fixture
def full_run(birds, demo_encoder, options, monkeypatch, shared_stores):
    """Classifies anew, with what full runs have stored alone."""
    from tests.helpers.runs import classified

    def classify(**changes):
        with monkeypatch.context() as patch:
            patch.setenv("LGCA_STORE_DIR", str(shared_stores[1]))
            return classified(birds, demo_encoder, run_key="full", **{**options, **changes})

    return classify
