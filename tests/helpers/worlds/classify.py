"""Labelled birds, and what the App makes of the forms that classify them and delete runs."""

import base64

import fiftyone as fo
import fiftyone.operators as foo
from fiftyone.operators.executor import ExecutionContext, Executor, ValidationContext

CLASSIFY = "@lgca/zero-shot/lgca_classify"
DELETE = "@lgca/zero-shot/lgca_delete_run"
LIGHT = {"crops": 4, "steps": 1}  # region settings that keep the tests quick


def add_birds(dataset, images):
    """Adds eight drawn birds with a label field of two classes and a field that is no label."""
    dataset.add_samples(
        [
            fo.Sample(
                filepath=image.path,
                ground_truth=fo.Classification(label=image.label),
                boxes=fo.Detections(),
                taken=fo.Classification(label="x"),
                number=1.0,
            )
            for image in images[:8]
        ]
    )
    return dataset


def context(dataset, operator, **params):
    request = {"dataset_name": dataset.name, "params": params}
    return ExecutionContext(request_params=request, executor=Executor(), operator_uri=operator.uri)


def form(dataset, uri=CLASSIFY, **params):
    """The form for some parameters, and FiftyOne's verdict on them."""
    operator = foo.get_operator(uri)
    ctx = context(dataset, operator, **params)
    inputs = operator.resolve_type(ctx, "inputs")
    return inputs.type.properties, ValidationContext(ctx, inputs, operator)


def errors(dataset, uri=CLASSIFY, **params):
    """Field name to message for everything the form complains about."""
    properties, verdict = form(dataset, uri, **params)
    found = {name: prop.error_message for name, prop in properties.items() if prop.invalid}
    assert verdict.invalid == bool(found)
    return found


def typed(*names, **params):
    return {"class_source": "typed", "classes": "\n".join(names), "encoder": "demo", **params}


def uploaded(data, name="descriptions.json"):
    """What the App sends for a file that was chosen in the form."""
    content = "data:application/json;base64," + base64.b64encode(data).decode()
    file = {"name": name, "type": "application/json", "size": len(data), "content": content, "last_modified": 0}
    return typed("a", "b", description_source="upload", description_upload=file)


def run_it(dataset, **params):
    """Executes the operator as the App does, and returns the messages that the App would receive."""
    operator = foo.get_operator(CLASSIFY)
    ctx = context(dataset, operator, **params)
    assert not ValidationContext(ctx, operator.resolve_type(ctx, "inputs"), operator).invalid
    return [message.body for message in operator.execute(ctx)]
