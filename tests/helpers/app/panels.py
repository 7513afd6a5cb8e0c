"""A panel as the App's page holds it: it sends events, does what the answers say, and shows what they bring."""

import json
import uuid
from typing import Any

import fiftyone.operators as foo
import pydash

from tests.helpers.app.operators import context


class Shown:
    """What is on the screen after an event: texts in order, warnings, and components by their label or name.

    ``requests`` is what the event has requested of the App: operator to its parameters, the last of each.
    """

    def __init__(self, requests, output):
        self.requests = {one["operator_uri"]: one["params"] for one in requests}
        self.bytes = len(json.dumps(output))
        self.texts: list[str] = []
        self.notes: list[str] = []
        self.switches: list[str] = []
        self.buttons: dict[str, Any] = {}
        self.tables: dict[str, Any] = {}
        self.tooltips: dict[str, Any] = {}
        self.lists: dict[str, list[str]] = {}
        self.plots: dict[str, Any] = {}
        self._parts: list[dict[str, Any]] = []
        self._collect(output, "")

    def _collect(self, prop, name):
        view = prop.get("view") or {}
        kind = view.get("name")
        self._parts.append(view)
        if kind == "TextView":
            self.texts += view["title"].split("\n")
        elif kind == "AlertView":
            self.notes.append(view["label"])
        elif kind == "Button":
            self.buttons.setdefault(view["label"], view)
        elif kind == "TableView":
            self.tables[name] = prop["default"]
            self.tooltips[name] = {(one["row"], one["column"]): one["value"] for one in view["tooltips"]}
        elif kind == "DropdownView":
            self.lists[name] = [choice["value"] for choice in view["choices"]]
        elif kind == "PlotlyView":
            self.plots[name] = view
        elif kind == "SwitchView":
            self.switches.append(name)
        for child, inner in (prop.get("type", {}).get("properties") or {}).items():
            self._collect(inner, child)

    @property
    def words(self):
        """All texts and notes in one."""
        return " | ".join([*self.texts, *self.notes])

    def parts(self, kind):
        """The views of one kind."""
        return [view for view in self._parts if view.get("name") == kind]

    def number(self, caption):
        """The number above a caption."""
        return self.texts[self.texts.index(caption) - 1]


class PanelSession:
    """One open panel, with the App's view, filters and selection around it.

    Attributes:
        state: the panel's state, as it travels with every event
        data: the panel's data, by path
        output: the layout that was sent last
        notified: what was notified, as pairs of kind and message
        prompted: the operators whose forms were opened, with their parameters
        sent: names of what the last event has requested of the App
    """

    def __init__(self, uri, dataset, sample=None, *, view=(), **request):
        self.uri, self.dataset, self.sample, self.request = uri, dataset, sample, request
        self.panel_id = uuid.uuid4().hex
        self.view: list[dict[str, Any]] = list(view)
        self.view_name: Any = None
        self.filters: dict[str, Any] = {}
        self.selected: list[str] = []
        self.state: dict[str, Any] = {}
        self.data: dict[str, Any] = {}
        self.output: dict[str, Any] = {}
        self.shown = Shown([], {})
        self.notified: list[tuple[str, str]] = []
        self.prompted: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[str] = []

    def send(self, method, /, **params):
        """Executes an event as the App does, and returns what is then shown."""
        params = {"__method__": method, "panel_id": self.panel_id, "panel_state": as_json(self.state), **params}
        request = {
            "current_sample": self.sample,
            "view": self.view,
            "view_name": self.view_name,
            "filters": self.filters,
            "selected": self.selected,
            **self.request,
        }
        ctx = context(self.dataset, params, uri=self.uri, **request)
        foo.get_operator(self.uri).execute(ctx)
        requests = as_json(ctx.executor.to_json())["requests"]
        view = (self.view, self.view_name)
        for one in requests:
            self._do(one["operator_uri"], one["params"])
        self.shown = Shown(requests, self.output)
        if (self.view, self.view_name) != view:
            self.send("on_change_view")
        self.sent = [one["operator_uri"] for one in requests]
        return Shown(requests, self.output)

    def _do(self, name, params):
        if name == "set_panel_state":
            self.state = params["state"]
        elif name == "patch_panel_state":
            for path, value in params["state"].items():
                pydash.set_(self.state, path, value)
        elif name == "patch_panel_data":
            self.data |= params["data"]
        elif name == "show_panel_output":
            self.output = params["output"]
        elif name == "notify":
            self.notified.append((params["variant"], params["message"]))
        elif name == "clear_selected_samples":
            self.selected = []
        elif name == "prompt_user_for_operation":
            self.prompted.append((params["operator_uri"].split("/")[-1], params["params"]))
        elif name in ("set_view", "clear_view"):
            self.view_name = params.get("name")
            self.view = params.get("view") or []
            if self.view_name:
                self.view = stages(self.dataset.load_saved_view(self.view_name))
            self.selected = []

    def load(self, events=("on_load", "on_change_view", "on_change_selected")):
        """Opens the panel; the App then sends the view and the selection."""
        for event in events:
            self.send(event)
        return self

    def press(self, label, at=0):
        """Presses a button that can be pressed, of those with this label."""
        found = [part for part in self.shown.parts("Button") if part["label"] == label]
        assert found, f"no button {label!r} among {sorted(self.shown.buttons)}"
        assert not found[at]["disabled"], f"button {label!r} can't be pressed"
        return self.send(found[at]["operator"].rpartition("#")[2], **(found[at]["params"] or {}))

    def change_view(self, view):
        """Changes the App's view to that of a FiftyOne view."""
        self.view = stages(view)
        return self.send("on_change_view")

    def select(self, ids):
        """Selects samples in the grid."""
        self.selected = ids
        return self.send("on_change_selected")

    def turn_to(self, sample):
        """Opens another sample."""
        self.sample = sample
        return self.send("on_change_current_sample", value=sample)

    def current(self):
        """The samples that the App shows."""
        from fiftyone.server.view import get_view

        return get_view(self.dataset, stages=self.view, filters=self.filters)


def as_json(document):
    """A copy as the App receives it; fails where something is not JSON."""
    return json.loads(json.dumps(document))


def stages(view):
    """A view's stages as the App sends them."""
    return json.loads(json.dumps(view._serialize(include_uuids=False), default=str))
