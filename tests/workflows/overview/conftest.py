"""A run without samples, and empty caches, for every test."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def empty_caches():
    from lgca_plugin.workflows.overview.overview import OVERVIEWS
    from lgca_plugin.workflows.overview.table_cache import TABLES

    TABLES.clear()
    OVERVIEWS.clear()


@pytest.fixture
def run():
    import fiftyone as fo

    from tests.helpers.worlds.overview import CLASSES, new_run

    made = new_run(CLASSES)
    yield made
    fo.delete_dataset(made.dataset.name)
