"""``lgca_describe_classes``: has a language model describe the classes; class names go out, and only once confirmed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.config import check_classes
from ...lgca_plugin.descriptions.describe import DEFAULT_BASE_URL, DEFAULT_PER_CLASS
from ...lgca_plugin.descriptions.files import name_key
from ...lgca_plugin.errors import ConfigError
from ..shared import form as forms
from ..shared import params as settings
from ..shared.execution import call, followed, report, told
from . import form

LABEL = "Describe classes with a language model"
MAX_SHOWN = 200  # classes in the dialog; all are kept on the dataset
MAX_INFO_BYTES = 8 * 1024**2  # MongoDB holds 16 MB in a dataset's document, which has other contents too


class DescribeClasses(foo.Operator):
    """Asks a language model what the classes look like and keeps its texts on the dataset."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_describe_classes",
            label=LABEL,
            description="Send class names, and nothing else, to an OpenAI-compatible server; keep its texts for LGCA",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.HIGH,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form. Runs on every keystroke, so it scans nothing, and it sends nothing anywhere."""
        inputs = types.Object()
        prompt = types.PromptView(label=LABEL, submit_button_label="Describe")
        if ctx.dataset is None:
            forms.refusal(inputs, "Open a dataset first, then describe its classes.")
            return types.Property(inputs, view=prompt)
        form.add_form(inputs, ctx)
        return types.Property(inputs, view=prompt)

    def resolve_run_name(self, ctx: Any) -> str:
        """Names a delegated operation."""
        return f"Describe classes: {ctx.params.get('model')}"

    def execute(self, ctx: Any) -> Iterator[Any]:
        """Checks everything that can be checked, then asks class by class.

        Raises:
            ConfigError: if a setting is wrong or sending was not confirmed, before anything is sent
        """
        params = ctx.params
        arguments = form.read_arguments(params)
        if not params.get("confirm"):
            raise ConfigError(f"confirm that the class names may be sent to {arguments['base_url']}")
        names = settings.read_classes(params)
        if names is None:
            names = labels_of(ctx.dataset, settings.read_ground_truth(params, forms.label_fields(ctx.dataset)))
        path = form.read_path(params)
        kept = {} if params.get("replace") else form.of_classes(settings.saved_descriptions(ctx.dataset), names)
        asked = [name for name in names if name not in kept]
        return self._steps(ctx, asked, kept, arguments, path)

    def _steps(
        self,
        ctx: Any,
        asked: list[str],
        kept: dict[str, tuple[str, ...]],
        arguments: dict[str, Any],
        path: Path | None,
    ) -> Iterator[Any]:
        """Yields what the App is to show on the way and at the end."""
        work = self._described(ctx, asked, kept, arguments, path)
        described, problem = yield from told(ctx, "The descriptions were not finished", work)
        if not ctx.delegated:
            line = outcome_line(described, n_kept=len(kept))
            yield ctx.ops.notify(line, variant="warning" if described.failed or problem else "success")
            yield show(ctx, line, described, problem, path)

    def _described(
        self,
        ctx: Any,
        asked: list[str],
        kept: dict[str, tuple[str, ...]],
        arguments: dict[str, Any],
        path: Path | None,
    ) -> Generator[Any, None, tuple[Any, str | None]]:
        """Asks, keeps the texts, and returns them, and why they could not be kept, if so."""
        from ...lgca_plugin.descriptions.describe import Described, iter_describe
        from ...lgca_plugin.workflows.describe import default_cache

        described = Described(descriptions={}, failed={}, cached=0)
        if asked:
            yield from report(ctx, 0.0, f"Asking {arguments['base_url']}")
            key = ctx.secret(form.SECRET) or None
            with closing(iter_describe(asked, api_key=key, cache=default_cache(), **arguments)) as steps:
                described = yield from followed(ctx, steps)
        described = dataclasses.replace(described, descriptions={**kept, **described.descriptions})
        problem = keep(ctx.dataset, described.descriptions)
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

        ``lgca.describe_classes`` asks in the calling process and returns the texts; this keeps them on the dataset, as
        ``dataset.info["lgca_descriptions"]``. In a notebook the returned task must be awaited: ``await operator(...)``.

        Args:
            sample_collection: a FiftyOne dataset or view
            classes: the class names; None takes the distinct labels of ``ground_truth``
            model: the model's name, as the server knows it
            ground_truth: Classification field with the classes, if they are not given
            topic: what the pictures show
            base_url: address of an OpenAI-compatible server
            per_class: texts per class
            save_to: path of a JSON file for the texts
            replace: describe again what the dataset has descriptions of, and replace the file
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
    """Lists the distinct labels of a field."""
    labels = [label for label in dataset.distinct(f"{field}.label") if label]
    if not labels:
        raise ConfigError(f"field {field!r} has no labels to describe; type the classes")
    return tuple(labels)


def keep(dataset: Any, descriptions: dict[str, tuple[str, ...]]) -> str | None:
    """Keeps descriptions on the dataset beside those of other classes.

    Returns:
        why they could not be kept, if so
    """
    dataset.reload()
    new = {name_key(name): name for name in descriptions}  # of two spellings of one class, one is kept
    saved = settings.saved_descriptions(dataset)
    merged = {name: texts for name, texts in saved.items() if name_key(name) not in new}
    merged.update({name: list(texts) for name, texts in descriptions.items() if name in new.values()})
    if len(json.dumps(merged).encode()) > MAX_INFO_BYTES:
        return f"More than {MAX_INFO_BYTES // 1024**2} MB are too much to keep on a dataset: save them to a file."
    if merged:
        dataset.info[settings.SAVED_KEY] = merged
        dataset.save()
    return None


def outcome_line(described: Any, *, n_kept: int) -> str:
    """Puts what was done into one line."""
    new = len(described.descriptions) - n_kept
    parts = [f"{new:,} {form.plural(new)} described"]
    if described.cached:
        parts.append(f"{described.cached:,} of them asked about before")
    if n_kept:
        parts.append(f"{n_kept:,} kept as they were")
    if described.failed:
        parts.append(f"{len(described.failed):,} without an answer")
    return ", ".join(parts)


def show(ctx: Any, line: str, described: Any, problem: str | None, path: Path | None) -> Any:
    """Shows the texts as JSON that can be copied, what failed, and where the texts are kept."""
    outputs = types.Object()
    kind = types.Success if described.descriptions else types.Warning
    outputs.view("heading", kind(label=line))
    failures = "; ".join(f"{name}: {reason}" for name, reason in list(described.failed.items())[:MAX_SHOWN])
    if failures:
        outputs.view("failed", types.Warning(label="Templates stand in for these classes", description=failures))
    if problem:
        outputs.view("problem", types.Warning(label=problem))
    if not described.descriptions:
        return ctx.ops.show_output(outputs=types.Property(outputs).to_json(), results={})
    shown = dict(list(described.descriptions.items())[:MAX_SHOWN])
    # A text field of a result is disabled, which not every browser lets one copy from
    results = {"descriptions": f"```json\n{json.dumps(shown, indent=2, ensure_ascii=False)}\n```"}
    of = f" (the first {len(shown)} classes)" if len(shown) < len(described.descriptions) else ""
    outputs.str("kept", label="Kept in", view=types.LabelValueView())
    outputs.str("descriptions", label=f"Descriptions{of}", view=types.MarkdownView())
    places = [] if problem else [f'dataset.info["{settings.SAVED_KEY}"], to edit and to classify with']
    results["kept"] = " and ".join([*places, *([str(path)] if path else [])]) or "the cache alone"
    return ctx.ops.show_output(outputs=types.Property(outputs).to_json(), results=results)
