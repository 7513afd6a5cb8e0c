"""Fixtures of both panels' tests. FiftyOne may be imported only once the tests' database runs."""

import pytest


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Drawn birds, on some of which WCA is misled."""
    from tests.helpers.worlds.birds import draw_misleading

    return draw_misleading(tmp_path_factory.mktemp("birds"))


@pytest.fixture
def made():
    """Datasets that a test makes; deleted after it."""
    import fiftyone as fo

    datasets: list[fo.Dataset] = []
    yield datasets
    for one in datasets:
        if fo.dataset_exists(one.name):
            fo.delete_dataset(one.name)
