"""The operator ``lgca_rescore``."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import check_classes
from ...lgca_plugin.descriptions.style import AUTO
from ...lgca_plugin.errors import ConfigError
from ..shared.base import RunOperator
from ..shared.classes import label_fields
from ..shared.descriptions import description_params
from ..shared.execution import call, report_run, run_result, show_run
from ..shared.run_choice import read_param
from .form import add_form
from .params import UNCHANGED, changes_nothing, read_changes, read_run_key
from .source import read_source


class Rescore(RunOperator):
    """Scores a run's images again from the store of embeddings, with other classes, texts or weights."""

    operator_name = "lgca_rescore"
    icon = "tune"
    title = "Rescore a zero-shot run"
    description = "New classes, descriptions and weights for a CLIP, WCA and LGCA run; no image is encoded"
    submit = "Rescore"
    problem = "The run was not rescored"
    add_form = staticmethod(add_form)
    show = staticmethod(show_run)
    result_of = staticmethod(run_result)

    def read_request(self, ctx: Any) -> Any:
        """Reads and checks the changes to the run."""
        from ...lgca_plugin.workflows.rescore.request import check_rescore

        source = read_source(ctx)
        choices = label_fields(ctx.dataset, include=source.config.ground_truth)
        changes = read_changes(ctx.params, source, ctx.dataset, choices)
        if changes_nothing(changes, source):
            raise ConfigError(UNCHANGED)
        key = read_run_key(ctx.params, source, ctx.dataset)
        overwrite = key is not None and bool(read_param(ctx.params, "overwrite", key))
        return check_rescore(load_run(ctx.dataset, source.key), changes, run_key=key, overwrite=overwrite)

    def work(self, ctx: Any, request: Any) -> Generator[Any, None, Any]:
        """Rescores, reports the progress, and returns the new run."""
        from ...lgca_plugin.workflows.rescore.rescore import iter_rescore

        return report_run(ctx, iter_rescore(request))

    def __call__(
        self,
        sample_collection: Any,
        run: str,
        classes: list[str] | None = None,
        descriptions: dict[str, list[str]] | str | None = None,
        *,
        methods: tuple[str, ...] | list[str] | None = None,
        image_scale: float | None = None,
        text_scale: float | None = None,
        global_weight: float | None = None,
        step_weights: tuple[float, ...] | list[float] | None = None,
        decisiveness: float | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        run_key: str | None = None,
        overwrite: bool = False,
        logits: bool | None = None,
        shown_chains: int | None = None,
        description_style: str = AUTO,
        shares: str | dict[str, float] | None = None,
        display_names: dict[str, str] | None = None,
        prompt: str | None = None,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK; what is None stays as it is in the run.

        ``lgca.load_run(dataset, key).rescore(...)`` does the same in the calling process and returns the run; this is
        the way to queue it for a delegated worker. In a notebook the returned task must be awaited.

        ``run`` is the run's key; with ``delegate`` the operation is queued. The other arguments are those of
        :meth:`lgca_plugin.Run.rescore`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it

        Raises:
            LgcaError: as the library's function raises it
            fiftyone.operators.executor.ExecutionError: if the operation can't be queued
        """
        in_place = run_key is None or run_key == run
        params = {
            "run": run,
            "classes": None if classes is None else list(check_classes(classes)),
            **description_params(descriptions, description_style),
            "methods": methods,
            "image_scale": image_scale,
            "text_scale": text_scale,
            "global_weight": global_weight,
            "step_weights": step_weights,
            "decisiveness": decisiveness,
            "temperature": temperature,
            "steps": steps,
            "result": "in_place" if in_place else "new",
            "run_key": None if in_place else run_key,
            "overwrite": overwrite,
            "logits": logits,
            "shown_chains": shown_chains,
            "shares": shares,
            "display_names": display_names,
            "prompt": prompt,
        }
        return call(self, sample_collection, params, delegate=delegate)
