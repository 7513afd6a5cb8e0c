"""The operator ``lgca_triage``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.workflows.triage.plan import TriageRequest
from ..shared.base import RunOperator
from ..shared.execution import call, report_steps, show_lines
from .form import add_form, outcome_lines, read_request, shown_fields


class Triage(RunOperator):
    """Finds disagreements, misleading crops and suspected label errors, from what a run has stored."""

    operator_name = "lgca_triage"
    title = "Triage a zero-shot run"
    description = "Disagreements, misleading crops and suspected label errors of a CLIP, WCA and LGCA run"
    icon = "rule"
    submit = "Triage"
    problem = "The run was not triaged"

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the run, the labels and the compared methods."""
        add_form(inputs, ctx)

    def read_request(self, ctx: Any) -> TriageRequest:
        """Reads and checks the triage."""
        if ctx.dataset is None:
            raise ConfigError("open a dataset first, then triage one of its runs")
        return read_request(ctx)

    def work(self, ctx: Any, request: TriageRequest) -> Generator[Any, None, Any]:
        """Triages, reports the progress, and returns the triage."""
        from ...lgca_plugin.workflows.triage.triage import iter_triage

        with closing(iter_triage(request)) as steps:
            return (yield from report_steps(ctx, steps))

    def show(self, ctx: Any, triage: Any) -> Iterator[Any]:
        """Shows a finished triage: the queue on the grid where there is one, and the counts."""
        yield ctx.ops.reload_dataset()
        yield ctx.ops.set_active_fields(shown_fields(triage))
        if triage.report.get("suspects"):
            yield ctx.ops.set_view(view=triage.suspects())  # by its name, the App would find it only after a reload
        for warning in triage.report["warnings"]:
            yield ctx.ops.notify(warning, variant="warning")
        heading, lines = outcome_lines(triage)
        yield ctx.ops.notify(heading, variant="success")
        yield show_lines(ctx, types.Success(label=heading), lines)

    def __call__(
        self,
        sample_collection: Any,
        run: str,
        ground_truth: str | None = None,
        *,
        methods: tuple[str, ...] | list[str] | None = None,
        corrected_field: str | None = None,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK.

        ``lgca.load_run(dataset, key).triage(...)`` does the same in the calling process and returns the triage; this is
        the way to queue it for a delegated worker. In a notebook the returned task must be awaited.

        ``run`` is the run's key; with ``delegate`` the operation is queued. The other arguments are those of
        :meth:`lgca_plugin.Run.triage`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook

        Raises:
            fiftyone.operators.executor.ExecutionError: if the operation can't be executed or queued
        """
        params = {
            "run": run,
            "ground_truth": ground_truth,
            "methods": None if methods is None else list(methods),
            "corrected_field": corrected_field,
        }
        return call(self, sample_collection, params, delegate=delegate)
