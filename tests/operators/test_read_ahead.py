"""The panel that compares methods has its samples read before it is opened, where they are many."""

import importlib
import threading
import time

import fiftyone as fo
import fiftyone.operators as foo
import pytest

from tests.helpers.operators import context
from tests.helpers.panel_session import PanelSession
from tests.helpers.worlds.compared import URI, compared

OPEN = "@lgca/zero-shot/lgca_open_compare"


@pytest.fixture
def run():
    made = compared()
    yield made
    fo.delete_dataset(made.dataset.name)


@pytest.fixture
def module(monkeypatch):
    """The plugin's module, told that few samples are many and that there is no time to lose."""
    package = type(foo.get_operator(OPEN)).__module__.rpartition(".")[0]
    found = importlib.import_module(f"{package}.read_ahead")
    monkeypatch.setattr(found, "LEAST_SAMPLES", 60)
    monkeypatch.setattr(found, "DELAY_SECONDS", 0.0)
    return found


@pytest.fixture
def readings(module, monkeypatch):
    """The names of the threads that have read a table."""
    memory = importlib.import_module(
        f"{module.__name__.rpartition('.operators')[0]}.lgca_plugin.dataset.overview_memory"
    )
    memory.forget_tables()
    read_table, threads = memory.read_table, []

    def noted(*given, **options):
        threads.append(threading.current_thread().name)
        return read_table(*given, **options)

    monkeypatch.setattr(memory, "read_table", noted)
    return threads


def opened_in_app(run):
    """Does what the App does when it shows a dataset: asks what buttons there are."""
    operator = foo.get_operator(OPEN)
    return operator.resolve_placement(context(run.dataset, {}, uri=operator.uri))


def wait_until_read(module, readings):
    deadline = time.monotonic() + 60
    while (not readings or module._PENDING) and time.monotonic() < deadline:
        time.sleep(0.01)


def test_read_ahead__the_panel_finds_its_samples_read(run, module, readings):
    assert opened_in_app(run) is not None
    wait_until_read(module, readings)
    assert len(readings) == 1
    assert readings != [threading.current_thread().name]
    panel = PanelSession(URI, run.dataset).load()
    assert len(readings) == 1
    assert panel.parts("Button")


def test_read_ahead__what_is_known_is_not_read_again(run, module, readings):
    PanelSession(URI, run.dataset).load()
    assert readings == [threading.current_thread().name]
    opened_in_app(run)
    wait_until_read(module, readings)
    assert len(readings) == 1


def test_read_ahead__few_samples_are_read_when_they_are_asked_for(run, module, readings, monkeypatch):
    monkeypatch.setattr(module, "LEAST_SAMPLES", 61)
    opened_in_app(run)
    assert not module._PENDING
    assert not readings


def test_read_ahead__is_asked_for_once_however_often_the_app_asks_for_buttons(run, module, readings, monkeypatch):
    monkeypatch.setattr(module, "DELAY_SECONDS", 0.3)
    before = threading.active_count()
    for _ in range(5):
        opened_in_app(run)
    assert threading.active_count() == before + 1
    wait_until_read(module, readings)
    assert len(readings) == 1


def test_read_ahead__what_goes_wrong_is_left_to_the_panel(run, module, readings, monkeypatch):
    def fails(*_):
        readings.append("failed")
        raise RuntimeError("the database is away")

    monkeypatch.setattr(module, "read_screen", fails)
    opened_in_app(run)
    wait_until_read(module, readings)
    assert readings == ["failed"]
    assert not module._PENDING
    assert PanelSession(URI, run.dataset).load().parts("Button")


def test_read_ahead__a_changed_view_of_what_is_known_makes_no_work(run, module, readings, monkeypatch):
    PanelSession(URI, run.dataset).load()
    screens = []
    monkeypatch.setattr(module, "read_screen", lambda *_: screens.append(1))
    opened_in_app(run)
    wait_until_read(module, readings)
    assert screens == []
