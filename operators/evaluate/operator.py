"""The operator ``lgca_evaluate``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ..shared.execution import call, report_errors, report_progress, report_steps, run_placement
from ..shared.run_choice import chosen_run, run_form
from .form import add_form, read_request
from .result import PANEL, show

LABEL = "Evaluate a zero-shot run"


class Evaluate(foo.Operator):
    """Has FiftyOne evaluate every method of a run on the same labelled samples, and compares them pair by pair."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_evaluate",
            label=LABEL,
            description="Accuracy of each method of a CLIP, WCA and LGCA run; which differences are more than chance",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button above the grid once the dataset has a run."""
        return run_placement(ctx, LABEL, "ssid_chart")

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form. Runs on every keystroke, so database reads are cached."""
        return run_form(ctx, LABEL, "Evaluate", "evaluate", add_form)

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"Evaluate zero-shot: {chosen_run(ctx)}"

    def execute(self, ctx: Any) -> Iterator[Any]:
        """Checks the settings, then evaluates method by method.

        Raises:
            ConfigError: if a setting is wrong, before anything is written
        """
        return self._steps(ctx, read_request(ctx))

    def _steps(self, ctx: Any, request: Any) -> Iterator[Any]:
        """Yields the messages to the App."""
        if not ctx.delegated:  # an open panel would keep showing the evaluations that are replaced
            yield ctx.ops.close_panel(PANEL)
        evaluation = yield from report_errors(ctx, "The run was not evaluated", self._evaluated(ctx, request))
        if not ctx.delegated:
            yield from show(ctx, evaluation)

    def _evaluated(self, ctx: Any, request: Any) -> Generator[Any, None, Any]:
        """Evaluates, reports the progress, and returns the outcome."""
        from ...lgca_plugin.workflows.evaluate import iter_evaluate

        yield from report_progress(ctx, 0.0, f"Evaluating on {request.samples:,} samples")
        with closing(iter_evaluate(request)) as steps:
            return (yield from report_steps(ctx, steps))

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
