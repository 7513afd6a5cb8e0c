"""The operator ``lgca_describe_classes``: sends class names, once that is confirmed, and saves the texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.config import check_classes
from ...lgca_plugin.descriptions.describe import DEFAULT_BASE_URL, DEFAULT_PER_CLASS
from ...lgca_plugin.errors import ConfigError
from ..shared.classes import label_fields, read_classes, read_ground_truth
from ..shared.descriptions import saved_descriptions
from ..shared.execution import call, report_errors, report_progress, report_steps
from ..shared.form import refuse
from .form import SECRET, add_form, of_classes, read_arguments, read_path
from .result import outcome_line, save, show

LABEL = "Describe classes with a language model"


class DescribeClasses(foo.Operator):
    """Has a language model describe what the classes look like, and saves its texts on the dataset."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_describe_classes",
            label=LABEL,
            description="Send class names, and nothing else, to an OpenAI-compatible server; save its texts for LGCA",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.HIGH,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form. Runs on every keystroke, so it does not scan the dataset, and it sends nothing."""
        inputs = types.Object()
        prompt = types.PromptView(label=LABEL, submit_button_label="Describe")
        if ctx.dataset is None:
            refuse(inputs, "Open a dataset first, then describe its classes.")
        else:
            add_form(inputs, ctx)
        return types.Property(inputs, view=prompt)

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"Describe classes: {ctx.params.get('model')}"

    def execute(self, ctx: Any) -> Iterator[Any]:
        """Checks the settings, then has the classes described one by one.

        Raises:
            ConfigError: if a setting is wrong or sending was not confirmed, before anything is sent
        """
        params = ctx.params
        arguments = read_arguments(params)
        if not params.get("confirm"):
            raise ConfigError(f"confirm that the class names may be sent to {arguments['base_url']}")
        names = read_classes(params)
        if names is None:
            names = labels_of(ctx.dataset, read_ground_truth(params, label_fields(ctx.dataset)))
        path = read_path(params)
        saved = {} if params.get("replace") else of_classes(saved_descriptions(ctx.dataset), names)
        missing = [name for name in names if name not in saved]
        return self._steps(ctx, missing, saved, arguments, path)

    def _steps(
        self,
        ctx: Any,
        missing: list[str],
        saved: dict[str, tuple[str, ...]],
        arguments: dict[str, Any],
        path: Path | None,
    ) -> Iterator[Any]:
        """Yields the messages to the App."""
        work = self._described(ctx, missing, saved, arguments, path)
        described, problem = yield from report_errors(ctx, "The descriptions were not finished", work)
        if not ctx.delegated:
            line = outcome_line(described, n_saved=len(saved))
            yield ctx.ops.notify(line, variant="warning" if described.failed or problem else "success")
            yield show(ctx, line, described, problem, path)

    def _described(
        self,
        ctx: Any,
        missing: list[str],
        saved: dict[str, tuple[str, ...]],
        arguments: dict[str, Any],
        path: Path | None,
    ) -> Generator[Any, None, tuple[Any, str | None]]:
        """Saves texts of the missing classes; returns all texts, and why they are not saved, if so."""
        from ...lgca_plugin.descriptions.describe import Described, iter_describe
        from ...lgca_plugin.workflows.describe import default_cache

        described = Described(descriptions={}, failed={}, cached=0)
        if missing:
            yield from report_progress(ctx, 0.0, f"Sending class names to {arguments['base_url']}")
            key = ctx.secret(SECRET) or None
            with closing(iter_describe(missing, api_key=key, cache=default_cache(), **arguments)) as steps:
                described = yield from report_steps(ctx, steps)
        described = dataclasses.replace(described, descriptions={**saved, **described.descriptions})
        problem = save(ctx.dataset, described.descriptions)
        if path and described.descriptions:
            described.save(path)
        return described, problem

    def __call__(
        self,
        sample_collection: Any,
        classes: list[str] | None = None,
        *,
        model: str,
        ground_truth: str | None = None,
        topic: str | None = None,
        base_url: str = DEFAULT_BASE_URL,
        per_class: int = DEFAULT_PER_CLASS,
        save_to: str | Path | None = None,
        replace: bool = False,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK; the call itself confirms that the class names may be sent.

        ``lgca.describe_classes`` does it in the calling process and returns the texts; this saves them as
        ``dataset.info["lgca_descriptions"]``. In a notebook the returned task must be awaited: ``await operator(...)``.

        Args:
            sample_collection: a FiftyOne dataset or view
            classes: the class names; None takes the distinct labels of ``ground_truth``
            model: the model's name on the server
            ground_truth: Classification field with the classes, if they are not given
            topic: what the pictures show
            base_url: address of an OpenAI-compatible server
            per_class: texts per class
            save_to: path of a JSON file for the texts
            replace: describe classes again that the dataset has descriptions of, and replace the file
            delegate: queue the operation for a delegated worker instead of running it here

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook

        Raises:
            ConfigError: if the class names are not valid
            fiftyone.operators.executor.ExecutionError: if the operation can't be executed or queued
        """
        params = {
            "class_source": "field" if classes is None else "typed",
            "classes": None if classes is None else list(check_classes(classes)),
            "ground_truth": ground_truth,
            "model": model,
            "topic": topic,
            "base_url": base_url,
            "per_class": per_class,
            "save_to": None if save_to is None else str(save_to),
            "replace": replace,
            "replace_file": replace,
            "confirm": True,
        }
        return call(self, sample_collection, params, delegate=delegate)


def labels_of(dataset: Any, field: str | None) -> tuple[str, ...]:
    """Returns the distinct labels of a field."""
    labels = [label for label in dataset.distinct(f"{field}.label") if label]
    if not labels:
        raise ConfigError(f"field {field!r} has no labels to describe; type the classes")
    return tuple(labels)
