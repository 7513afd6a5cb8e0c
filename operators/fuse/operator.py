"""The operator ``lgca_fuse``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ...lgca_plugin.api import load_run
from ..shared.base import RunOperator
from ..shared.execution import call, report_run
from ..shared.grid.shown_fields import show_fields
from ..shared.results.result import Result
from ..shared.run_choice import read_param, run_param
from .form import add_form
from .params import (
    ANCHORED,
    LABELS,
    NO_LABELS,
    PUBLISHED,
    WEIGHTS,
    is_anchored,
    label_choices,
    read_field,
    read_first,
    read_folds,
    read_others,
    read_run_key,
    read_seed,
    read_weights,
)
from .result import fused_dialog, fused_result


class Fuse(RunOperator):
    """Fuses runs of several models on the same pictures into a run with one more method, ``hada``."""

    operator_name = "lgca_fuse"
    icon = "merge_type"
    title = "Fuse zero-shot runs"
    description = "One answer from the runs of several models: HADA, a graph over their crops; no image is encoded"
    submit = "Fuse"
    problem = "The runs were not fused"
    add_form = staticmethod(add_form)

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        key, config = read_first(ctx)
        return f"Fuse zero-shot runs: {read_run_key(ctx, key, config)}"

    def read_request(self, ctx: Any) -> Any:
        """Reads and checks the settings."""
        from ...lgca_plugin.workflows.fuse.request import FuseOptions, check_fuse

        key, config = read_first(ctx)
        run_key = read_run_key(ctx, key, config)
        others = read_others(ctx, key)
        keys = [key, *(other.key for other in others)]
        weights = read_weights(ctx, key, config, others)
        options = FuseOptions(
            runs=[load_run(ctx.dataset, name) for name in keys],
            ground_truth=read_field(ctx.params, key, config, label_choices(ctx)),
            weights=None if weights is None else load_run(ctx.dataset, weights),
            folds=read_folds(ctx.params),
            run_key=run_key,
            anchored=is_anchored(ctx.params),
            seed=read_seed(ctx.params),
            overwrite=bool(read_param(ctx.params, "overwrite", run_key)),
        )
        return check_fuse(options)

    def work(self, ctx: Any, request: Any) -> Generator[Any, None, Any]:
        """Fuses, reports the progress, and returns the fused run."""
        from ...lgca_plugin.workflows.fuse.fuse import iter_fuse

        return report_run(ctx, iter_fuse(request))

    def show(self, ctx: Any, run: Any) -> Iterator[Any]:
        """Shows the fused run's fields, and in the dialog how it compares with the runs that it was fused from."""
        from ...lgca_plugin.workflows.fuse.outcome import compared_with_sources

        yield from show_fields(ctx, run)
        answer, dialog = fused_dialog(run, compared_with_sources(run), ctx.dataset)
        yield ctx.ops.notify(answer, variant="success")
        yield dialog.show(ctx)

    def result_of(self, ctx: Any, run: Any) -> Result:
        """Returns how the fused run compares with the runs that it was fused from."""
        from ...lgca_plugin.workflows.fuse.outcome import compared_with_sources

        return fused_result(run, compared_with_sources(run), ctx.dataset)

    def __call__(
        self,
        sample_collection: Any,
        runs: list[str],
        ground_truth: str | None = None,
        *,
        weights: str | None = None,
        folds: int = 5,
        run_key: str = "fused",
        anchored: bool = True,
        seed: int = 0,
        overwrite: bool = False,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK, or queues it with ``delegate``.

        ``lgca.fuse`` does the same in the calling process and returns the run; this is the way to queue it for a
        delegated worker. In a notebook the returned task must be awaited. ``runs`` are the keys of the runs, the first
        of them the one whose crops and methods the fused run has; ``weights`` is the key of a fused run. The other
        arguments are those of :func:`lgca_plugin.fuse`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it

        Raises:
            LgcaError: as the library's function raises it
            fiftyone.operators.executor.ExecutionError: if the operation can't be queued
        """
        first, *others = runs
        params = {
            "run": first,
            "others": others,
            "learn": WEIGHTS if weights is not None else NO_LABELS if ground_truth is None else LABELS,
            "ground_truth": ground_truth,
            "weights": weights,
            "more": True,
            "kind": ANCHORED if anchored else PUBLISHED,
            "folds": folds,
            "seed": seed,
            "run_key": run_key,
            run_param("overwrite", run_key): overwrite,
        }
        return call(self, sample_collection, params, delegate=delegate)
