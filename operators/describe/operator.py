"""The operator ``lgca_describe_classes``: sends class names, once that is confirmed, and saves the texts."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.config import check_classes
from ...lgca_plugin.descriptions.describe import DEFAULT_BASE_URL, DEFAULT_PER_CLASS
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.fiftyone_io.label_fields import label_path
from ..shared.base import StepOperator
from ..shared.classes import class_params, label_fields, read_classes, read_ground_truth
from ..shared.descriptions import Descriptions, saved_descriptions
from ..shared.execution import call, report_progress, report_steps
from ..shared.results.result import Result
from .consent import SECRET, gets_server_key, has_typed_key, is_confirmed, typed_key
from .form import add_form, of_classes, read_arguments, read_path
from .result import Outcome, outcome_result, save, save_file, show


@dataclass(frozen=True)
class DescribeRequest:
    """The classes to describe, saved texts of the others, arguments of ``iter_describe``, and a file for the texts."""

    missing: list[str]
    saved: Descriptions
    arguments: dict[str, Any]
    path: str | None


class DescribeClasses(StepOperator):
    """Has a language model describe what the classes look like, and saves its texts on the dataset."""

    operator_name = "lgca_describe_classes"
    icon = "edit_note"
    title = "Describe classes with a language model"
    description = (
        "Send class names and a topic, nothing else, to an OpenAI-compatible server, which may charge; save its texts"
    )
    submit = "Describe"
    purpose = "describe its classes"
    risk = types.RiskLevel.HIGH
    problem = "The descriptions were not finished"

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds all settings; sends nothing, and does not scan the dataset."""
        add_form(inputs, ctx)

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"Describe classes: {ctx.params.get('model')}"

    def resolve_execution_options(self, ctx: Any) -> Any:
        """Returns how it may be executed: not from a queue with a typed key, which the queue would save."""
        if has_typed_key(ctx.params):
            return foo.ExecutionOptions(allow_immediate_execution=True, allow_delegated_execution=False)
        return super().resolve_execution_options(ctx)

    def read_request(self, ctx: Any) -> DescribeRequest:
        """Reads and checks the settings, and that sending the class names was confirmed."""
        params = class_params(ctx)
        arguments = read_arguments(params)
        if not is_confirmed(params, arguments["base_url"]):
            raise ConfigError(f"confirm that the class names may be sent to {arguments['base_url']}")
        names = read_classes(params)
        if names is None:
            names = labels_of(ctx.dataset, read_ground_truth(params, label_fields(ctx.dataset)))
        path = read_path(params)
        saved = {} if params.get("replace") else of_classes(saved_descriptions(ctx.dataset), names)
        return DescribeRequest([name for name in names if name not in saved], saved, arguments, path)

    def work(self, ctx: Any, request: DescribeRequest) -> Generator[Any, None, Outcome]:
        """Has the missing classes described, and saves the texts."""
        from ...lgca_plugin.descriptions.describe import Described, iter_describe
        from ...lgca_plugin.workflows.describe import default_cache

        described = Described(descriptions={}, failed={}, cached=0)
        if request.missing:
            yield from report_progress(ctx, 0.0, f"Sending class names to {request.arguments['base_url']}")
            address = request.arguments["base_url"]
            server = gets_server_key(ctx.params, address)
            key = ctx.secret(SECRET) if server else typed_key(ctx.params, address)
            steps = iter_describe(
                request.missing,
                api_key=key or None,
                from_environment=server,
                cache=default_cache(),
                **request.arguments,
            )
            described = yield from report_steps(ctx, steps)
        described = replace(described, descriptions={**request.saved, **described.descriptions})
        problem = save(ctx.dataset, described.descriptions)
        path = save_file(ctx.params, request.path, described) if request.path and described.descriptions else None
        return Outcome(described, len(request.saved), problem, path)

    def show(self, ctx: Any, outcome: Outcome) -> Iterator[Any]:
        """Shows the texts, the failures, and where the texts are saved."""
        return show(ctx, outcome)

    def result_of(self, ctx: Any, outcome: Outcome) -> Result:
        """Returns how many classes are described, the failures, and where the texts are."""
        return outcome_result(outcome)

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
            ground_truth: field of labels with the classes, if they are not given
            topic: what the pictures show
            base_url: address of an OpenAI-compatible server
            per_class: texts per class
            save_to: path of a JSON file for the texts
            replace: describe classes again that the dataset has descriptions of, and replace the file
            delegate: queue the operation for a delegated worker instead of running it here

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it

        Raises:
            LgcaError: as the library's function raises it
            fiftyone.operators.executor.ExecutionError: if the operation can't be queued
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
    labels = [label for label in dataset.distinct(label_path(dataset, str(field))) if label]
    if not labels:
        raise ConfigError(f"field {field!r} has no labels to describe; type the classes")
    return tuple(labels)
