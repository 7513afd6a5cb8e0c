"""The operator ``lgca_evaluate``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from ...lgca_plugin.method.comparison.evaluation import Evaluation
from ...lgca_plugin.workflows.evaluate import EvaluateRequest
from ..shared.base import RunOperator
from ..shared.execution import call, report_progress, report_steps
from .form import add_form, read_request
from .result import PANEL, show


class Evaluate(RunOperator):
    """Has FiftyOne evaluate every method of a run on the same labelled samples, and compares them pair by pair."""

    operator_name = "lgca_evaluate"
    title = "Evaluate a zero-shot run"
    description = "Accuracy of each method of a CLIP, WCA and LGCA run; which differences are more than chance"
    icon = "ssid_chart"
    submit = "Evaluate"
    problem = "The run was not evaluated"

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the run, the labels and the methods."""
        add_form(inputs, ctx)

    def read_request(self, ctx: Any) -> EvaluateRequest:
        """Reads and checks the evaluation."""
        return read_request(ctx)

    def work(self, ctx: Any, request: EvaluateRequest) -> Generator[Any, None, Evaluation]:
        """Evaluates, reports the progress, and returns the outcome."""
        from ...lgca_plugin.workflows.evaluate import iter_evaluate

        if not ctx.delegated:  # an open panel would keep showing the evaluations that are replaced
            yield ctx.ops.close_panel(PANEL)
        yield from report_progress(ctx, 0.0, f"Evaluating on {request.samples:,} samples")
        with closing(iter_evaluate(request)) as steps:
            return (yield from report_steps(ctx, steps))

    def show(self, ctx: Any, evaluation: Evaluation) -> Iterator[Any]:
        """Opens the Model Evaluation panel, and shows figures and tables."""
        return show(ctx, evaluation)

    def __call__(
        self,
        sample_collection: Any,
        run: str,
        ground_truth: str | None = None,
        *,
        methods: tuple[str, ...] | list[str] | None = None,
        confidence: float = 0.95,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK.

        ``lgca.load_run(dataset, key).evaluate(...)`` does the same in the calling process and returns the numbers; this
        is the way to queue it for a delegated worker. In a notebook the returned task must be awaited.

        ``run`` is the run's key; with ``delegate`` the operation is queued. The other arguments are those of
        :meth:`lgca_plugin.Run.evaluate`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook

        Raises:
            fiftyone.operators.executor.ExecutionError: if the operation can't be executed or queued
        """
        params = {
            "run": run,
            "ground_truth": ground_truth,
            "methods": None if methods is None else list(methods),
            "confidence": confidence,
        }
        return call(self, sample_collection, params, delegate=delegate)
