"""Classified birds. FiftyOne may be imported only once the tests' database runs, so not while this file is."""

from functools import partial

import pytest


@pytest.fixture
def classify(dataset, demo_images, demo_encoder):
    """A function that classifies drawn birds in a dataset that a test may change."""
    from tests.helpers.worlds.rescore import add_birds, classified

    return partial(classified, add_birds(dataset, demo_images), demo_encoder)


@pytest.fixture(scope="module")
def module_run(demo_images, demo_encoder):
    import fiftyone as fo

    from tests.helpers.worlds.rescore import add_birds, classified

    made = classified(add_birds(fo.Dataset(), demo_images), demo_encoder)
    yield made
    made.dataset.delete()


@pytest.fixture
def shared_run(module_run):
    """The run that the tests of a module look at, and leave as it is."""
    import lgca_plugin as lgca
    from tests.helpers.checks import untouched

    with untouched(module_run.dataset):
        yield lgca.load_run(module_run.dataset, "zs")
