"""Datasets of drawn birds, and small classifications of them that write every image on its own.

FiftyOne is imported in the fixtures: before the tests are collected, it has no database.
"""

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def flock(demo_images):
    """Makes datasets of the same drawn birds; deleted after the test."""
    import fiftyone as fo

    from tests.helpers.worlds.stored_runs import IMAGES, add

    made = []

    def make(count=IMAGES, *, start=0):
        made.append(fo.Dataset())
        add(made[-1], demo_images[start : start + count])
        return made[-1]

    yield make
    for dataset in made:
        if not dataset.deleted:
            dataset.delete()


@pytest.fixture
def birds(flock):
    return flock()


@pytest.fixture
def encoder(demo_encoder):
    """The demo's model, which counts what it encodes."""
    from tests.helpers.engine import Counting

    return Counting(demo_encoder)


@pytest.fixture
def classify(encoder):
    """Classifies with the defaults of small runs."""
    from tests.helpers import runs
    from tests.helpers.worlds.stored_runs import defaults

    return lambda samples, **changes: runs.classify_by(1, samples, **{**defaults(encoder), **changes})


@pytest.fixture
def interrupted(encoder):
    """Starts a small classification and closes it after some images."""
    from tests.helpers import runs
    from tests.helpers.worlds.stored_runs import defaults

    return lambda samples, after, **changes: runs.interrupted(samples, after, **{**defaults(encoder), **changes})
