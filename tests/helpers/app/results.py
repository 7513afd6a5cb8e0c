"""What code reads: an operator's result, the next steps in it, and its layout."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators as foo

from tests.helpers.app.operators import AppOperator, context

KEYS = ["summary", "run", "counts", "warnings", "next", "read"]


def assert_readable(operator: AppOperator, dataset: Any, result: Any) -> dict[str, Any]:
    """Fails unless a result is JSON with a sentence, counts and steps that exist, and has a layout; returns it."""
    assert json.loads(json.dumps(result)) == result
    assert list(result)[: len(KEYS)] == KEYS
    assert len(result["summary"].split()) > 2 and "\n" not in result["summary"]
    assert all(isinstance(count, int) and count >= 0 for count in result["counts"].values())
    for step in result["next"]:
        assert foo.operator_exists(step["operator"]), step
        assert step["label"] and isinstance(step["params"], dict)
    ctx = context(dataset, uri=operator.uri, results=result)
    del ctx.request_params["operator_uri"]  # as code and a worker resolve it
    layout = operator.operator.resolve_type(ctx, "outputs")
    shown = {name for name, value in result.items() if value is not None and value not in ([], {})}
    assert set(layout.to_json()["type"]["properties"]) == shown
    found: dict[str, Any] = result
    return found
