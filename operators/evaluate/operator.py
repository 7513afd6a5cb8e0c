"""The operator ``lgca_evaluate``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from ...lgca_plugin.method.comparison.evaluation import Evaluation
from ...lgca_plugin.workflows.evaluate import EvaluateRequest
from ..shared.execution import StepOperator, call, report_progress, report_steps, run_placement, step_config
from ..shared.run_choice import chosen_run, run_form
from .form import add_form, read_request
from .result import PANEL, show

LABEL = "Evaluate a zero-shot run"


class Evaluate(StepOperator):
    """Has FiftyOne evaluate every method of a run on the same labelled samples, and compares them pair by pair."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        description = "Accuracy of each method of a CLIP, WCA and LGCA run; which differences are more than chance"
        return step_config("lgca_evaluate", LABEL, description, view_target=False)

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button above the grid once the dataset has a run."""
        return run_placement(ctx, LABEL, "ssid_chart")

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form. Runs on every keystroke, so database reads are cached."""
        return run_form(ctx, LABEL, "Evaluate", "evaluate", add_form)

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"Evaluate zero-shot: {chosen_run(ctx)}"

    problem = "The run was not evaluated"

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

        Args:
            sample_collection: a FiftyOne dataset or view; all samples of the run that have labels are used
            run: key of the run
            ground_truth: Classification field with the labels; None takes the run's
            methods: names of the run's methods; None takes all
            confidence: of the intervals, in (0, 1)
            delegate: queue the operation for a delegated worker instead of running it here

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
