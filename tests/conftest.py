"""Fixtures shared by all tests: a real MongoDB of their own, datasets, photographs and the demo's model.

FiftyOne reads its settings when it is first imported, so they are set here, at import time, before any test
module is collected. Nothing touches the database, plugins or datasets of whoever runs the tests.
"""

import atexit
import contextlib
import gc
import os
import shutil
import sys
import tempfile
import uuid
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from scripts import mongod
from tests.helpers.paths import ROOT

_session = contextlib.ExitStack()
atexit.register(_session.close)


def _set_up():
    if "fiftyone" in sys.modules:
        raise RuntimeError("fiftyone was imported before tests/conftest.py could point it at a database of its own")

    home = Path(tempfile.mkdtemp(prefix="lgca-tests-"))
    _session.callback(shutil.rmtree, home, ignore_errors=True)
    plugins = home / "plugins"
    plugins.mkdir()
    (plugins / "lgca").symlink_to(ROOT, target_is_directory=True)

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the demo's model is too small for more
    os.environ.update(
        FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS="true",
        FIFTYONE_DATABASE_NAME=f"lgca-tests-{uuid.uuid4().hex[:12]}",
        FIFTYONE_DATABASE_VALIDATION="false",
        FIFTYONE_DEFAULT_DATASET_DIR=str(home / "datasets"),
        FIFTYONE_DO_NOT_TRACK="true",
        FIFTYONE_MODEL_ZOO_DIR=str(home / "models"),
        FIFTYONE_PLUGINS_DIR=str(plugins),
        FIFTYONE_SHOW_PROGRESS_BARS="false",
        HF_HUB_OFFLINE="1",
        LGCA_STORE_DIR=str(home / "embeddings"),
    )
    if os.environ.get("FIFTYONE_DATABASE_URI"):  # a database of the user's own: leave it as it was
        _session.callback(_drop_database)
    else:
        os.environ["FIFTYONE_DATABASE_URI"] = _session.enter_context(mongod.running_mongod(home / "database"))


def _drop_database():
    import pymongo

    with pymongo.MongoClient(os.environ["FIFTYONE_DATABASE_URI"]) as client:
        client.drop_database(os.environ["FIFTYONE_DATABASE_NAME"])


_set_up()

# FiftyOne reads the definitions of all plugins whenever an operator is looked up; libyaml is twenty times as fast.
if yaml.__with_libyaml__:
    yaml.SafeLoader = yaml.CSafeLoader


def pytest_collection_finish():
    """Spares the garbage collector the modules, which are there to stay: 600,000 objects at every full collection."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Puts the tests in the App first: they take longest, so no process is left alone with them at the end."""
    items.sort(key=lambda item: not in_app(item.path))


def in_app(path):
    """Whether all tests of a file are tests in the App."""
    return Path(path).parent.name == "browser"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Gives processes whole files in their order, and all tests in the App to the same one: it has the App's server."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # else files with many tests come first, and the App last

    class WholeFiles(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "in the App" if in_app(file) else file

    return WholeFiles(config, log)


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Lets a fixture ask on its way out whether its test has failed, to take a last screenshot."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def failed(request):
    """Tells, once the test is over, whether it has failed."""
    return lambda: request.node.stash.get(FAILED, False)


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


@dataclass
class Server:
    """The App's server: its address, and whether a test has opened a dataset there, which it remembers."""

    address: str
    used: bool = False


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The App's server, which runs as long as the tests do."""
    from tests.helpers.app import find_browser, missing_browser_reason, on_ci, running_app

    if not find_browser():
        (pytest.fail if on_ci() else pytest.skip)(missing_browser_reason())
    with running_app(tmp_path_factory.mktemp("app")) as address:
        yield Server(address)


@pytest.fixture
def address(server):
    """The address of the App's server."""
    server.used = True
    return server.address


@pytest.fixture
def new_address(server, tmp_path):
    """The address of a server that has opened no dataset yet: that of all tests, if this one is the first."""
    from tests.helpers.app import running_app

    if not server.used:
        yield server.address
    else:
        with running_app(tmp_path) as own_address:
            yield own_address


@pytest.fixture
def app_at(failed, request):
    """Opens the App of an address, on the page of all tests: ``PAGE_SIZE`` of the module is its size in pixels.

    The App has forgotten what it has kept there. After a test that has failed, the next one gets a new page.
    """
    from tests.helpers.app import App

    opened = []

    def open_app(address):
        opened.append(App(_page().get(*getattr(request.module, "PAGE_SIZE", ())), address))
        return opened[-1]

    yield open_app
    for app in opened:
        if failed():
            app.screenshot(f"failed_{request.node.name}")
            _page().discard()
        else:
            app.end()
            _page().leave(app.address)


@pytest.fixture
def app(app_at, address):
    """The App."""
    return app_at(address)


@lru_cache(maxsize=1)
def _page():
    from tests.helpers.app import OnePage

    return OnePage()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Ends the browser after the last test in the App: its event loop would be in the other tests' way."""
    yield
    if in_app(item.path) and (nextitem is None or not in_app(nextitem.path)):
        _page().close()


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
