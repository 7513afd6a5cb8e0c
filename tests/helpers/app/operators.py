"""An operator as FiftyOne executes it: its form, its messages to the App, and its calls from code."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionContext, Executor, ValidationContext


def context(dataset: Any, params: dict[str, Any] | None = None, *, uri: str, **request: Any) -> ExecutionContext:
    """The context of an execution; ``dataset`` is None where none is open, ``request`` is what else the App sends."""
    operator = foo.get_operator(uri)
    name = None if dataset is None else dataset.name
    request = {"operator_uri": uri, "dataset_name": name, "params": params or {}, **request}
    secrets = getattr(operator, "_plugin_secrets", None)
    return ExecutionContext(request_params=request, executor=Executor(), operator_uri=uri, required_secrets=secrets)


class AppOperator:
    """An operator in the App. ``request`` of its methods is what the App sends beside the parameters."""

    def __init__(self, name: str) -> None:
        self.uri = f"@lgca/zero-shot/{name}"

    @property
    def operator(self) -> Any:
        """FiftyOne's own object."""
        return foo.get_operator(self.uri)

    def context(self, dataset: Any, params: dict[str, Any] | None = None, **request: Any) -> ExecutionContext:
        """The context of an execution."""
        return context(dataset, params, uri=self.uri, **request)

    def placement(self, dataset: Any, **request: Any) -> str | None:
        """Where the App has a button for the operator; None for nowhere."""
        placement = self.operator.resolve_placement(self.context(dataset, **request))
        return placement and placement.to_json()["place"]

    def form(
        self, dataset: Any, request: dict[str, Any] | None = None, /, **params: Any
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """The form's fields, and the message of each that is not valid."""
        ctx = self.context(dataset, params, **(request or {}))
        inputs = self.operator.resolve_type(ctx, "inputs")
        json.dumps(inputs.to_json())
        properties = inputs.type.properties
        found = {name: prop.error_message for name, prop in properties.items() if prop.invalid}
        assert ValidationContext(ctx, inputs, self.operator).invalid == bool(found)
        return properties, found

    def errors(self, dataset: Any, request: dict[str, Any] | None = None, /, **params: Any) -> dict[str, str]:
        """The messages of the form alone."""
        return self.form(dataset, request, **params)[1]

    def filled(self, dataset: Any, request: dict[str, Any] | None = None, /, **params: Any) -> dict[str, Any]:
        """The parameters once the App has given every empty field its default, until no field is new."""
        while True:
            inputs = self.operator.resolve_type(self.context(dataset, params, **(request or {})), "inputs")
            defaults = {
                name: prop.default
                for name, prop in inputs.type.properties.items()
                if prop.default is not None and name not in params and not name.startswith("suggestions")
            }
            if not defaults:
                return params
            params.update(defaults)

    def run(self, dataset: Any, /, **params: Any) -> list[Any]:
        """Executes the operator as the App does; returns its messages."""
        messages, error = self.run_to_error(dataset, **params)
        if error:
            raise error
        return messages

    def run_to_error(self, dataset: Any, /, **params: Any) -> tuple[list[Any], Exception | None]:
        """Executes the operator as the App does; returns its messages, and the error that it ends with, if any."""
        ctx = self.context(dataset, params)
        assert not ValidationContext(ctx, self.operator.resolve_type(ctx, "inputs"), self.operator).invalid
        return messages_of(dataset, self.begin(ctx))

    def begin(self, ctx: ExecutionContext) -> Any:
        """Begins an operator that works step by step as FiftyOne does, and returns its messages."""
        return asyncio.run(self.operator.execute(ctx))

    def run_at_once(
        self, dataset: Any, request: dict[str, Any] | None = None, /, **params: Any
    ) -> tuple[Any, list[tuple[str, Any]]]:
        """Executes an operator that is no generator; returns its result, and name and content of its messages."""
        ctx = self.context(dataset, params, **(request or {}))
        result = self.operator.execute(ctx)
        json.dumps(result)
        dataset.reload()
        return result, [(sent.operator_uri.rpartition("/")[2], sent.params) for sent in ctx.executor._requests]

    def execute(self, dataset: Any, request: dict[str, Any] | None = None, /, **params: Any) -> Any:
        """Executes the operator through FiftyOne's function for code; returns the result."""
        done = foo.execute_operator(self.uri, dataset=dataset, params=params, **(request or {}))
        json.dumps(done.result)
        dataset.reload()
        return done.result

    def call(self, samples: Any, *args: Any, **options: Any) -> Any:
        """Calls the operator as code does."""
        result = self.operator(samples, *args, **options)
        samples._root_dataset.reload()
        return result

    def queue(self, samples: Any, *args: Any, **options: Any) -> Any:
        """Queues the operator for a worker; returns the operation's id."""
        result = self.operator(samples, *args, delegate=True, **options)
        assert result.delegated
        return result.result["id"]


def work(operation_id: Any, dataset: Any) -> str:
    """Executes a queued operation as a worker does; returns its label."""
    service = DelegatedOperationService()
    operation = service.get(operation_id)
    outcome = asyncio.run(service._execute_operator(operation))
    assert outcome.error is None
    assert service.get(operation.id).status.progress == 1.0
    service.delete_operation(operation.id)
    dataset.reload()
    return str(operation.label)


def messages_of(dataset: Any, steps: Any) -> tuple[list[Any], Exception | None]:
    """The messages of an operator's generator, and the error that it ends with, if any."""
    messages, failure = [], None
    try:
        for message in steps:
            messages.append(message.body)  # noqa: PERF401, what came before an error counts too
    except Exception as error:  # noqa: BLE001, the plugin's own copy of the library has its own classes
        failure = error
    json.dumps([message.to_json() for message in messages])
    dataset.reload()
    return messages, failure


def shown(messages: list[Any]) -> dict[str, Any]:
    """What the dialog shows in the end: the views of its fields, and their values."""
    params = next(message.params for message in reversed(messages) if message.operator_uri == "show_output")
    fields = params["outputs"]["type"]["properties"]
    return {"views": {name: field["view"] for name, field in fields.items()}, "values": params["results"]}


def warned(messages: list[Any]) -> list[str]:
    """The warnings in the dialog that is shown in the end."""
    return [view["label"] for view in shown(messages)["views"].values() if view["name"] == "Warning"]


def progress(messages: list[Any]) -> list[float]:
    """The shares of the work that were reported as done."""
    found = []
    for message in messages:
        if message.operator_uri == "set_progress":
            found.append(message.params["progress"])
        elif message.operator_uri.endswith(("show_output", "lgca_show_progress")):
            found += [share for name, share in message.params["results"].items() if name == "progress"]
    return found


def notice(messages: list[Any]) -> str:
    """The last notification."""
    return str(next(message.params["message"] for message in reversed(messages) if message.operator_uri == "notify"))


CLASSIFY = AppOperator("lgca_classify")
RESCORE = AppOperator("lgca_rescore")
SUGGEST = AppOperator("lgca_suggest_settings")
TRIAGE = AppOperator("lgca_triage")
DECIDE = AppOperator("lgca_decide")
UNDO = AppOperator("lgca_undo_decision")
EXPORT = AppOperator("lgca_export_decisions")
REPORT = AppOperator("lgca_report")
EVALUATE = AppOperator("lgca_evaluate")
DESCRIBE = AppOperator("lgca_describe_classes")
CANCEL = AppOperator("lgca_cancel_run")
DELETE = AppOperator("lgca_delete_run")
FUSE = AppOperator("lgca_fuse")
SEARCH = AppOperator("lgca_search")
