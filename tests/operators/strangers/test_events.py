"""Panels, as somebody who can reach the App may send their events: only events are executed, and none of them hangs."""

import threading

import fiftyone.operators as foo
import pytest

from tests.helpers.app.operators import context

PANELS = ("lgca_review", "lgca_compare", "lgca_evidence")
NO_EVENTS = [
    *("execute", "layout", "after", "config", "render", "resolve_input", "add_secrets", "method_to_uri", "has_event"),
    *("__init__", "__class__", "__dict__", "__reduce__", "_plugin_secrets", "uri", "to_json", "x", "", "a.b", "\0"),
    *(7, True, {}, [], ["on_load"], {"on_load": 1}, "on_load\0", "on_unheard_of"),
]


def send(panel, dataset, method, **params):
    uri = f"@lgca/zero-shot/{panel}"
    params = {"panel_id": "one", "panel_state": {}, "__method__": method, **params}
    return foo.get_operator(uri).execute(context(dataset, params, uri=uri))


@pytest.mark.parametrize("panel", PANELS)
def test_event__that_the_panel_does_not_have_is_refused_and_holds_nobody_up(dataset, panel):
    """One called "execute" would wait for itself for ever, and all later events of the panel with it."""
    refused = []

    def attack():
        for method in NO_EVENTS:
            with pytest.raises(ValueError, match="has no event") as error:
                send(panel, dataset, method)
            refused.append(str(error.value))
        send(panel, dataset, "on_load")
        refused.append("answered")

    thread = threading.Thread(target=attack, daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert len(refused) == len(NO_EVENTS) + 1, refused
