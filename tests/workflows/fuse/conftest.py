"""Two runs of two encoders on the same birds, encoded once: every module fuses the runs of a copy of their dataset."""

import pytest


@pytest.fixture(scope="session")
def fused_store(tmp_path_factory):
    return tmp_path_factory.mktemp("fused")


@pytest.fixture(autouse=True)
def fresh_store(request, monkeypatch, fused_store):
    if "module_store" in request.fixturenames:
        return request.getfixturevalue("module_store")
    monkeypatch.setenv("LGCA_STORE_DIR", str(fused_store))
    return fused_store


@pytest.fixture(scope="session")
def encoders(demo_encoder):
    from tests.helpers.fusion.two_encoders import noisy_encoder

    return demo_encoder, noisy_encoder()


@pytest.fixture(scope="session")
def original(encoders, fused_store, tmp_path_factory):
    """The dataset with the runs ``one`` and ``two``, and ``fused``, which has learnt from labels."""
    from lgca_plugin.demo.dataset import draw_images
    from tests.helpers.fusion.fused_birds import fused, two_runs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(fused_store))
        runs = two_runs(draw_images(tmp_path_factory.mktemp("birds"), count=32, seed=7), encoders)
        fused(list(runs), "given")
    yield runs[0].dataset
    runs[0].dataset.delete()


@pytest.fixture(scope="module")
def birds(original):
    """A copy of the dataset with its runs."""
    copy = original.clone()
    yield copy
    copy.delete()


@pytest.fixture
def runs(birds):
    import lgca_plugin as lgca

    return [lgca.load_run(birds, key) for key in ("one", "two")]
