"""Fixtures of the faults: drawn birds, and what undisturbed jobs make of them."""

import pytest

IMAGES = 48


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    from lgca_plugin.demo.dataset import draw_images

    return draw_images(tmp_path_factory.mktemp("birds"), count=IMAGES, seed=52)


@pytest.fixture(scope="session")
def reference(images, tmp_path_factory):
    from tests.helpers.faults.undisturbed import Reference

    return Reference(images, tmp_path_factory.mktemp("reference"))


@pytest.fixture
def birds(images):
    """A dataset of 48 drawn birds."""
    from tests.helpers.faults.world import new_dataset

    created = new_dataset(images)
    yield created
    created.delete()
