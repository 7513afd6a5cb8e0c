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


@pytest.fixture(scope="session")
def few_images(images):
    return images[:12]


@pytest.fixture(scope="session")
def few_reference(few_images, tmp_path_factory):
    from tests.helpers.faults.undisturbed import Reference

    return Reference(few_images, tmp_path_factory.mktemp("few"))


@pytest.fixture
def few(few_images):
    """A dataset of 12 drawn birds."""
    from tests.helpers.faults.world import new_dataset

    created = new_dataset(few_images)
    yield created
    created.delete()
