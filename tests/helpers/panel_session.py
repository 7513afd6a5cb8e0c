"""A panel as the App's page holds it: it sends events, and does what the answers say."""

import json

import fiftyone.operators as foo
from fiftyone.operators.executor import ExecutionContext, Executor


class PanelSession:
    """One open panel.

    Attributes:
        dataset: the dataset that is open in the App; may be None
        view: the stages of the App's view
        view_name: the saved view that it is
        filters: what is set in the sidebar
        selected: ids of the samples that are selected in the grid
        state: the panel's state, as it travels with every event
        data: the panel's data, by path
        shown: the last output of ``render``
        notes: what was notified, as pairs of kind and message
        asked: the operators that were prompted for, with their parameters
        sent: names of what the last event has asked the App to do
    """

    def __init__(self, uri, dataset):
        self.uri, self.dataset = uri, dataset
        self.view, self.view_name, self.filters, self.selected = [], None, {}, []
        self.state, self.data, self.shown = {}, {}, None
        self.notes, self.asked, self.sent = [], [], []

    def send(self, method, /, **params):
        """Sends an event, and gives the messages that the page gets back."""
        executor = Executor()
        request = {
            "dataset_name": None if self.dataset is None else self.dataset.name,
            "params": {
                "panel_id": "one",
                "panel_state": json.loads(json.dumps(self.state)),
                "__method__": method,
                **params,
            },
            "view": self.view,
            "view_name": self.view_name,
            "filters": self.filters,
            "selected": self.selected,
        }
        operator = foo.get_operator(self.uri)
        operator.execute(ExecutionContext(request_params=request, executor=executor, operator_uri=self.uri))
        messages = json.loads(json.dumps(executor.to_json()))["requests"]
        self.sent = [message["operator_uri"] for message in messages]
        view = (self.view, self.view_name)
        for message in messages:
            self._do(message["operator_uri"], message["params"])
        if (self.view, self.view_name) != view:
            self.send("on_change_view")
            self.sent = [message["operator_uri"] for message in messages]
        return messages

    def _do(self, name, params):
        if name == "set_panel_state":
            self.state = params["state"]
        elif name == "patch_panel_state":
            self.state |= params["state"]
        elif name == "patch_panel_data":
            self.data |= params["data"]
        elif name == "show_panel_output":
            self.shown = params["output"]
        elif name == "notify":
            self.notes.append((params["variant"], params["message"]))
        elif name == "clear_selected_samples":
            self.selected = []
        elif name == "prompt_user_for_operation":
            self.asked.append((params["operator_uri"].split("/")[-1], params["params"]))
        elif name in ("set_view", "clear_view"):
            self.view_name = params.get("name")
            self.view = params.get("view") or []
            if self.view_name:
                saved = self.dataset.load_saved_view(self.view_name)
                self.view = json.loads(json.dumps(saved._serialize(include_uuids=False)))
            self.selected = []

    def load(self):
        """Opens the panel; the App then says what the view and the selection are."""
        self.send("on_load")
        self.send("on_change_view")
        self.send("on_change_selected")
        return self

    def parts(self, kind):
        """The views of one kind that are shown."""
        found = []

        def walk(node):
            if isinstance(node, dict):
                if node.get("name") == kind:
                    found.append(node)
                for value in node.values():
                    walk(value)
            elif isinstance(node, list):
                for value in node:
                    walk(value)

        walk(self.shown)
        return found

    @property
    def texts(self):
        """All lines that can be read, in order."""
        return [line for part in self.parts("TextView") for line in part["title"].split("\n")]

    def buttons(self):
        """The labels of the buttons, to whether they can be pressed."""
        return {part["label"]: not part["disabled"] for part in self.parts("Button")}

    def press(self, label, at=0):
        """Presses a button."""
        found = [part for part in self.parts("Button") if part["label"] == label]
        assert found, f"no button {label!r} among {sorted(self.buttons())}"
        assert not found[at]["disabled"], f"button {label!r} can't be pressed"
        return self.send(found[at]["operator"].split("#")[1], **found[at]["params"])

    def current(self):
        """The samples that the App shows."""
        from fiftyone.server.view import get_view

        return get_view(self.dataset, stages=self.view, filters=self.filters)
