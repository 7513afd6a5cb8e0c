"""Operators as FiftyOne executes them: their forms, what they tell the App, and what the App makes of both."""

import json

import fiftyone.operators as foo
from fiftyone.operators.executor import ExecutionContext, Executor, ValidationContext


def context(dataset, params, *, uri, **request):
    """The context of an execution; ``dataset`` is None where none is open."""
    request = {"dataset_name": None if dataset is None else dataset.name, "params": params, **request}
    return ExecutionContext(request_params=request, executor=Executor(), operator_uri=uri)


def form(dataset, *, uri, **params):
    """The form's fields, and the message of each that is not valid."""
    operator = foo.get_operator(uri)
    ctx = context(dataset, params, uri=uri)
    inputs = operator.resolve_type(ctx, "inputs")
    properties = inputs.type.properties
    found = {name: prop.error_message for name, prop in properties.items() if prop.invalid}
    assert ValidationContext(ctx, inputs, operator).invalid == bool(found)
    return properties, found


def run_it(dataset, *, uri, **params):
    """Executes an operator as the App does, and returns the messages that the App would receive."""
    operator = foo.get_operator(uri)
    ctx = context(dataset, params, uri=uri)
    assert not ValidationContext(ctx, operator.resolve_type(ctx, "inputs"), operator).invalid
    messages = [message.body for message in operator.execute(ctx)]
    json.dumps([message.to_json() for message in messages])
    dataset.reload()
    return messages
