"""Fixtures shared by all tests, the markers of their kinds, and when a database is started for them."""

import gc
import os
import sys
import uuid
from pathlib import Path

import pytest
import yaml

from tests.helpers import database
from tests.helpers.kinds import kind_of, selects_units_only
from tests.helpers.paths import ROOT

pytest_plugins = [
    "tests.helpers.browser.plugin",
    "tests.helpers.faults.report",
    "tests.helpers.worlds.queue_fixtures",
]

database.configure()

# FiftyOne reads the definitions of all plugins whenever an operator is looked up; libyaml is twenty times as fast.
if yaml.__with_libyaml__:
    yaml.SafeLoader = yaml.CSafeLoader


def pytest_ignore_collect(collection_path, config):
    """Leaves out the files of other tests with ``-m unit``: importing them takes FiftyOne and a database."""
    if not selects_units_only(config.option.markexpr) or collection_path.suffix != ".py":
        return None
    return kind_of(collection_path) != "unit" or None


def pytest_pycollect_makemodule(module_path):
    """Starts the database before the first test module is imported that may need it."""
    if kind_of(module_path) != "unit":
        database.start()


def pytest_collection_modifyitems(items):
    """Marks every test with its kind, and those in tests/faults as such."""
    for item in items:
        if "faults" in item.path.relative_to(ROOT / "tests").parts[:1]:
            item.add_marker("faults")
        if not item.get_closest_marker("app"):
            item.add_marker(kind_of(item.path))


def pytest_collection_finish():
    """Makes importing FiftyOne fail where only unit tests run.

    Also spares the garbage collector the modules, which are there to stay: 600,000 objects at every full collection.
    """
    if not database.is_started():
        sys.modules["fiftyone"] = None  # type: ignore[assignment]  # None makes the import fail
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def fresh_store(request, monkeypatch, tmp_path_factory):
    """Gives every test a store of its own, so that no test finds what another has encoded.

    Fixtures of wider scope use the session's, and so do the tests in the App, whose server is a process of its own. The
    tests of a module that says ``pytestmark = pytest.mark.usefixtures("module_store")`` share one.
    """
    if "module_store" in request.fixturenames:
        return request.getfixturevalue("module_store")
    if request.node.get_closest_marker("app"):
        return Path(os.environ["LGCA_STORE_DIR"])
    folder = tmp_path_factory.mktemp("store")
    monkeypatch.setenv("LGCA_STORE_DIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def module_store(tmp_path_factory):
    """A store for a module's tests and fixtures, one after the other."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(folder))
        yield folder


@pytest.fixture
def dataset():
    """A new, empty dataset, deleted after the test."""
    import fiftyone as fo

    created = fo.Dataset(f"test-{uuid.uuid4().hex[:12]}")
    yield created
    if fo.dataset_exists(created.name):
        fo.delete_dataset(created.name)


@pytest.fixture(scope="session")
def photographs():
    """Paths of the photographs that scikit-image ships inside its wheel, JPEG and PNG, colour and grey."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    names = [
        "astronaut.png",
        "camera.png",
        "chelsea.png",
        "coffee.png",
        "coins.png",
        "hubble_deep_field.jpg",
        "motorcycle_left.png",
        "retina.jpg",
        "rocket.jpg",
    ]
    paths = [folder / name for name in names if (folder / name).is_file()]
    assert len(paths) >= 6, f"scikit-image ships too few of its photographs in {folder}"
    return paths


@pytest.fixture(scope="session")
def demo_images(tmp_path_factory):
    """24 of the demo's drawn birds: objects with ``path``, ``label`` and ``truth``."""
    from lgca_plugin.demo.dataset import draw_images

    return draw_images(tmp_path_factory.mktemp("birds"), count=24, seed=51)


@pytest.fixture(scope="session")
def demo_encoder():
    """The tiny model that ships with the package."""
    import lgca_plugin as lgca

    return lgca.load_encoder("demo")


@pytest.fixture(scope="session")
def random_vit():
    """A full-size ViT-B-32 with random weights from a fixed seed: what CLIP costs, without a download."""
    import open_clip
    import torch

    from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, _, _ = open_clip.create_model_and_transforms("ViT-B-32")
    return OpenClipEncoder(model, open_clip.get_tokenizer("ViT-B-32"), name="random-ViT-B-32", device="cpu")
