"""``lgca_classify``: zero-shot classification from the App, the SDK or a delegated worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any

from ...lgca_plugin.config import DEFAULT_BUDGET, DEFAULT_RUN_KEY, DEFAULT_SHOWN_CHAINS, check_classes
from ...lgca_plugin.descriptions.style import AUTO
from ..shared.base import StepOperator
from ..shared.classes import class_params, label_fields
from ..shared.descriptions import description_params
from ..shared.encoder import encoder_params
from ..shared.execution import call, report_run, run_result, show_run
from .form import add_form
from .params import READERS, named_methods, read_arguments
from .run_key import PROPOSED, chosen_run_key


class Classify(StepOperator):
    """Classifies images zero-shot and writes labels, confidences and boxes onto the samples."""

    operator_name = "lgca_classify"
    icon = "category"
    title = "Classify zero-shot"
    label = "Classify zero-shot (CLIP, WCA, LGCA)"
    description = "Predict a class for every image from class names alone, with the boxes behind each label"
    submit = "Classify"
    purpose = "classify it"
    on_view = True
    begins = True
    problem = "The run has stopped"
    add_form = staticmethod(add_form)
    show = staticmethod(show_run)
    result_of = staticmethod(run_result)

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"Classify zero-shot: {ctx.params.get(PROPOSED) or READERS['run_key'](ctx.params)}"

    def read_request(self, ctx: Any) -> tuple[Any, tuple[str, str | None]]:
        """Reads and checks the settings; returns the request, and the encoder's name and weights."""
        from ...lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify

        choices = label_fields(ctx.dataset, include=ctx.params.get("ground_truth"))
        arguments = read_arguments(class_params(ctx), choices, ctx.dataset)
        arguments["run_key"] = chosen_run_key(ctx, arguments)
        arguments["methods"] = named_methods(arguments["methods"], arguments["regions"])
        encoder = arguments.pop("encoder")
        request = check_classify(ClassifyOptions(samples=ctx.target_view(require_flat=True), **arguments))
        request.resolved_classes()
        return request, encoder

    def work(self, ctx: Any, request: tuple[Any, tuple[str, str | None]]) -> Generator[Any, None, Any]:
        """Classifies, reports the progress, and returns the run."""
        from ...lgca_plugin.workflows.rescore.classified import iter_classify_with_shares

        checked, encoder = request
        return report_run(ctx, iter_classify_with_shares(checked, encoder=encoder))

    def __call__(
        self,
        sample_collection: Any,
        classes: list[str] | None = None,
        *,
        ground_truth: str | None = None,
        descriptions: dict[str, list[str]] | str | None = None,
        methods: tuple[str, ...] | list[str] | None = None,
        run_key: str = DEFAULT_RUN_KEY,
        encoder: str | None = None,
        pretrained: str | None = None,
        regions: Any = None,
        shown_chains: int = DEFAULT_SHOWN_CHAINS,
        logits: bool = False,
        store_regions: bool = True,
        batch_size: int | None = None,
        device: str | None = None,
        precision: str = "auto",
        overwrite: bool = False,
        skip_failures: bool = True,
        budget: str = DEFAULT_BUDGET,
        description_style: str = AUTO,
        shares: str | dict[str, float] | None = None,
        display_names: dict[str, str] | None = None,
        prompt: str | None = None,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK.

        ``lgca.classify`` does the same in the calling process and returns the run; this is the way to queue a run for
        a delegated worker. In a notebook the returned task must be awaited: ``await operator(...)``.

        ``encoder`` is ``"demo"`` or the name of an open_clip model, None for ``ViT-B-32-quickgelu``; ``pretrained`` a
        tag, or the path of a checkpoint; ``regions`` a ``RegionConfig`` or a dict of its settings; with ``delegate``
        the run is queued. The other arguments are those of :func:`lgca_plugin.classify`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it

        Raises:
            LgcaError: as the library's function raises it
            fiftyone.operators.executor.ExecutionError: if the operation can't be queued
        """
        is_config = dataclasses.is_dataclass(regions) and not isinstance(regions, type)
        settings = dataclasses.asdict(regions) if is_config else dict(regions or {})
        params = {
            "class_source": "field" if classes is None else "typed",
            "classes": None if classes is None else list(check_classes(classes)),
            "ground_truth": ground_truth,
            **description_params(descriptions, description_style),
            "methods": None if methods is None else list(methods),
            "run_key": run_key,
            **encoder_params(encoder, pretrained),
            "advanced": True,
            **settings,
            "shown_chains": shown_chains,
            "logits": logits,
            "store_regions": store_regions,
            "batch_size": batch_size,
            "device": device,
            "precision": precision,
            "overwrite": overwrite,
            "skip_failures": skip_failures,
            "budget": budget,
            "shares": shares,
            "display_names": display_names,
            "prompt": prompt,
        }
        return call(self, sample_collection, params, delegate=delegate)
