"""``lgca_classify``: zero-shot classification from the App, the SDK or a delegated worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.config import DEFAULT_BUDGET, DEFAULT_METHODS, DEFAULT_RUN_KEY, DEFAULT_SHOWN_CHAINS, check_classes
from ..shared.classes import label_fields
from ..shared.descriptions import description_params
from ..shared.execution import call, report_errors, report_progress, report_steps
from ..shared.form import refuse
from ..shared.run_result import show
from .form import add_form
from .params import encoder_params, read_arguments, read_run_key

LABEL = "Classify zero-shot"


class Classify(foo.Operator):
    """Classifies images zero-shot and writes labels, confidences and boxes onto the samples."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_classify",
            label="Classify zero-shot (CLIP, WCA, LGCA)",
            description="Predict a class for every image from class names alone, with the boxes behind each answer",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button above the grid."""
        return types.Placement(
            types.Places.SAMPLES_GRID_SECONDARY_ACTIONS,
            types.Button(label=LABEL, icon="category", prompt=True),
        )

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form. Runs on every keystroke, so it does not scan the dataset or import torch."""
        inputs = types.Object()
        if ctx.dataset is None:
            refuse(inputs, "Open a dataset first, then classify it.")
        else:
            add_form(inputs, ctx)
        return types.Property(inputs, view=types.PromptView(label=LABEL, submit_button_label="Classify"))

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"Classify zero-shot: {read_run_key(ctx.params)}"

    def execute(self, ctx: Any) -> Iterator[Any]:
        """Checks the settings, then runs step by step.

        Raises:
            ConfigError: if a setting is wrong, before anything is loaded or written
        """
        from ...lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify

        choices = label_fields(ctx.dataset, include=ctx.params.get("ground_truth"))
        arguments = read_arguments(ctx.params, choices, ctx.dataset)
        encoder = arguments.pop("encoder")
        request = check_classify(ClassifyOptions(samples=ctx.target_view(require_flat=True), **arguments))
        request.resolved_classes()
        return self._steps(ctx, request, encoder)

    def _steps(self, ctx: Any, request: Any, encoder: tuple[str, str | None]) -> Iterator[Any]:
        """Yields the messages to the App."""
        run = yield from report_errors(ctx, "The run has stopped", self._classified(ctx, request, encoder))
        if not ctx.delegated:
            yield from show(ctx, run)

    def _classified(self, ctx: Any, request: Any, encoder: tuple[str, str | None]) -> Generator[Any, None, Any]:
        """Runs the classification, reports its progress, and returns the run."""
        from ...lgca_plugin.encoder.loading import load_encoder
        from ...lgca_plugin.workflows.classify.classify import iter_classify

        yield from report_progress(ctx, 0.0, "Loading the model")
        name, pretrained = encoder
        options = request.options
        model = load_encoder(name, pretrained, device=options.device, precision=options.precision)
        with closing(iter_classify(request, encoder=model)) as steps:
            return (yield from report_steps(ctx, steps))

    def __call__(
        self,
        sample_collection: Any,
        classes: list[str] | None = None,
        *,
        ground_truth: str | None = None,
        descriptions: dict[str, list[str]] | str | None = None,
        methods: tuple[str, ...] | list[str] = DEFAULT_METHODS,
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
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK.

        ``lgca.classify`` does the same in the calling process and returns the run; this is the way to queue a run for
        a delegated worker. In a notebook the returned task must be awaited: ``await operator(...)``.

        Args:
            sample_collection: a FiftyOne dataset or view
            classes: the candidate classes; None takes the distinct labels of ``ground_truth``
            ground_truth: Classification field with the given labels, if there is one
            descriptions: class name to texts, or the path of a JSON file with such an object
            methods: names of the methods
            run_key: names the fields and the run's record
            encoder: ``"demo"`` or the name of an open_clip model; None takes ``ViT-B-32-quickgelu``
            pretrained: a pretrained tag, or the path of a checkpoint
            regions: a ``RegionConfig`` or a dict of its settings
            shown_chains: how many chains of each image are written as boxes
            logits: write all class scores onto the labels
            store_regions: store the embeddings of all crops on disk, for evidence and for rescoring
            batch_size: crops in one call of the encoder
            device: where the model runs
            precision: ``"auto"``, ``"fp32"``, ``"bf16"`` or ``"fp16"``
            overwrite: replace the run that exists under the key
            skip_failures: go on after an image that can't be used
            budget: ``"full"`` or ``"adaptive"``: all crops of every image, or as many as its labels take
            delegate: queue the run for a delegated worker instead of running it here

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook; read the outcome with
            ``lgca.load_run(dataset, run_key).summary()``

        Raises:
            ConfigError: if the class names are not valid
            fiftyone.operators.executor.ExecutionError: if the operation can't be executed or queued
        """
        is_config = dataclasses.is_dataclass(regions) and not isinstance(regions, type)
        settings = dataclasses.asdict(regions) if is_config else dict(regions or {})
        params = {
            "class_source": "field" if classes is None else "typed",
            "classes": None if classes is None else list(check_classes(classes)),
            "ground_truth": ground_truth,
            **description_params(descriptions),
            "methods": list(methods),
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
        }
        return call(self, sample_collection, params, delegate=delegate)
