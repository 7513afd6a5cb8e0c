"""A panel as FiftyOne executes it: events in, and what the App would then show and know."""

import json
import uuid

import fiftyone.operators as foo

from tests.helpers.operators import context


class Shown:
    """What a panel's event has brought onto the screen.

    Attributes:
        texts: plain texts, in their order
        notes: warnings
        buttons: label to the button's view
        tables: name to rows
        tooltips: name of a table to what cells explain, by row and place of the column
        lists: name to the values to choose from
        plots: name to the figure's view
        switches: names of switches
        requests: name of the App's operator to its parameters, of those that the event has called
    """

    def __init__(self, requests, output):
        json.dumps(requests)  # whatever is sent must be JSON
        self.requests = {one["operator_uri"]: one["params"] for one in requests}
        self.texts, self.notes, self.switches = [], [], []
        self.buttons, self.tables, self.tooltips, self.lists, self.plots = {}, {}, {}, {}, {}
        self.bytes = len(json.dumps(output))
        self._collect(output, "")

    def _collect(self, prop, name):
        view = prop.get("view") or {}
        kind = view.get("name")
        if kind == "TextView":
            self.texts.append(view["title"])
        elif kind == "AlertView":
            self.notes.append(view["label"])
        elif kind in ("Button", "ButtonView"):
            self.buttons[view["label"]] = view
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


class PanelSession:
    """A panel that is open, on a dataset and a sample.

    Attributes:
        state: what the App keeps for the panel
        sample: id of the sample that is open
        output: the layout that was sent last
    """

    def __init__(self, uri, dataset, sample=None, **request):
        self.uri, self.dataset, self.sample, self.request = uri, dataset, sample, request
        self.panel_id = uuid.uuid4().hex
        self.state, self.output = {}, None

    def send(self, method, **params):
        """Executes an event as the App does."""
        params = {"__method__": method, "panel_id": self.panel_id, "panel_state": self.state, **params}
        ctx = context(self.dataset, params, uri=self.uri, current_sample=self.sample, **self.request)
        foo.get_operator(self.uri).execute(ctx)
        self.state = json.loads(json.dumps(ctx.panel_state))
        requests = [one.to_json() for one in ctx.executor._requests]
        for one in requests:
            if one["operator_uri"] == "show_panel_output":
                self.output = one["params"]["output"]
        return Shown(requests, self.output)

    def press(self, shown, label):
        """Presses a button that can be pressed."""
        view = shown.buttons[label]
        assert not view.get("disabled")
        return self.send(view["operator"].rpartition("#")[2], **(view.get("params") or {}))

    def turn_to(self, sample):
        """Opens another sample."""
        self.sample = sample
        return self.send("on_change_current_sample", value=sample)
