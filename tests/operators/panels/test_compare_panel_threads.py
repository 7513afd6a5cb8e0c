"""Events of the compare panel that come at the same time, each answered in a thread."""

import threading

import fiftyone.operators as foo
import pytest

from tests.helpers.app.panels import PanelSession, as_json, stages
from tests.helpers.worlds.compared import URI, compared


@pytest.fixture
def run(made):
    found = compared()
    made.append(found.dataset)
    return found


@pytest.fixture
def operator(monkeypatch):
    """The panel, which answers all pages, as where FiftyOne keeps its plugins."""
    found = foo.get_operator(URI)
    monkeypatch.setattr(foo, "get_operator", lambda _: found)
    return found


def test_panel__answers_events_of_two_datasets_at_once(run, made, operator, monkeypatch):
    other = compared()
    made.append(other.dataset)
    meeting = threading.Barrier(2)
    layout = type(operator).layout

    def together(self, ctx, content):
        meeting.wait(60)
        return layout(self, ctx, content)

    monkeypatch.setattr(type(operator), "layout", together)
    other.dataset.delete_samples(other.dataset.limit(25))
    pages = [PanelSession(URI, one.dataset) for one in (run, other)]
    threads = [threading.Thread(target=page.send, args=("on_load",)) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [page.shown.number("samples") for page in pages] == ["60", "35"]


def test_panel__sends_data_and_layout_together_though_events_come_at_once(run, operator, monkeypatch):
    """Else the App would draw the old data in the new layout, and not draw it again when the new data come."""
    panel = PanelSession(URI, run.dataset).load()
    first_draws, second_is_done = threading.Event(), threading.Event()
    layout = type(operator).layout

    def slowly(self, ctx, content):
        if not first_draws.is_set():
            first_draws.set()
            second_is_done.wait(1)
        return layout(self, ctx, content)

    monkeypatch.setattr(type(operator), "layout", slowly)
    pages = [PanelSession(URI, run.dataset, view=stages(run.dataset.limit(20))) for _ in range(2)]
    for page in pages:
        page.panel_id, page.state = panel.panel_id, as_json(panel.state)
    first = threading.Thread(target=pages[0].send, args=("on_change_view",))
    first.start()
    assert first_draws.wait(60)
    pages[1].send("on_change_view")
    second_is_done.set()
    first.join()
    assert {"show_panel_output", "patch_panel_data"} <= set(pages[0].sent)
    assert pages[1].sent == []
