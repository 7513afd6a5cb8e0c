"""pytest plugin with all that the tests in the App need: its server, the browser's page, and the order of the tests."""

from dataclasses import dataclass
from functools import lru_cache

import pytest

from tests.helpers.kinds import kind_of

FAILED = pytest.StashKey[bool]()


@dataclass
class Server:
    """The App's server: its address, and whether a test has opened a dataset there, which it remembers.

    It sends requests to a language model's server on ``llm_port``, where there is one.
    """

    address: str
    llm_port: int
    used: bool = False


def pytest_collection_modifyitems(items):
    """Puts the tests in the App first: they take longest, so no process is left alone with them at the end."""
    items.sort(key=lambda item: kind_of(item.path) != "app")


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
            return "in the App" if kind_of(config.rootpath / file) == "app" else file

    return WholeFiles(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Stores with a test whether it has failed, for fixtures that take a last screenshot."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Ends the browser after the last test in the App: its event loop would be in the other tests' way."""
    yield
    if kind_of(item.path) == "app" and (nextitem is None or kind_of(nextitem.path) != "app"):
        _page().close()


@pytest.fixture
def failed(request):
    """A function that returns, once the test is over, whether it has failed."""
    return lambda: request.node.stash.get(FAILED, False)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The App's server, which runs as long as the tests do."""
    from scripts.mongod import free_port
    from tests.helpers.browser.app import find_browser, missing_browser_reason, on_ci, running_app

    if not find_browser():
        (pytest.fail if on_ci() else pytest.skip)(missing_browser_reason())
    port = free_port()
    allowed = {"LGCA_LLM_HOSTS": f"http://127.0.0.1:{port}", "LGCA_READ_DIRS": str(tmp_path_factory.getbasetemp())}
    with running_app(tmp_path_factory.mktemp("app"), **allowed) as address:
        yield Server(address, int(port))


@pytest.fixture
def address(server):
    """The address of the App's server."""
    server.used = True
    return server.address


@pytest.fixture
def new_address(server, tmp_path):
    """The address of a server that has opened no dataset yet: that of all tests, if this one is the first."""
    from tests.helpers.browser.app import running_app

    if not server.used:
        yield server.address
    else:
        with running_app(tmp_path) as own_address:
            yield own_address


@pytest.fixture
def app_at(failed, request):
    """Opens the App of an address, on the page of all tests: ``PAGE_SIZE`` of the module is its size in pixels.

    What the App has kept in the page is deleted after each test. After a failed test, the next one gets a new page.
    """
    from tests.helpers.browser.app import App

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
    from tests.helpers.browser.app import OnePage

    return OnePage()
