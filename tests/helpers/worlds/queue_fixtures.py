"""A triaged run on twelve drawings, classified once; every test decides about a copy."""

import pytest


@pytest.fixture(scope="session")
def triaged_dataset(demo_encoder, demo_images):
    from tests.helpers.checks import untouched
    from tests.helpers.worlds.queue import triaged_birds

    dataset = triaged_birds(demo_images, demo_encoder)
    with untouched(dataset):
        yield dataset
    dataset.delete()


@pytest.fixture
def triage(triaged_dataset):
    import lgca_plugin as lgca
    from lgca_plugin.workflows.decisions.queue import Triage

    copy = triaged_dataset.clone()
    yield Triage.of(lgca.load_run(copy, "zs"))
    copy.delete()
