"""The form of ``lgca_evaluate``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import RunConfig
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.workflows.evaluate import EvaluateRequest, check_evaluate
from ..shared.classes import label_fields
from ..shared.form import Params, add_dropdown, checked, mark_invalid, refuse
from ..shared.methods import add_method_choice
from ..shared.prompt_cache import cached_while_open
from ..shared.run_choice import add_run, initial_value, read_param, read_run, run_param


@dataclass(frozen=True)
class Preview:
    """The samples that an evaluation would use.

    Attributes:
        problem: why there can be no evaluation, if so; the counts are empty then
        samples: number of samples that are used
        excluded: reason to number of samples that are left out
        replaces: label field of the evaluation that is replaced, if any
    """

    problem: str | None = None
    samples: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    replaces: str | None = None


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    run = checked(add_run(inputs, ctx), read_run, ctx)
    if run is None:
        return
    key, config = run
    label_field = _add_labels(inputs, ctx, key, config)
    methods = _add_methods(inputs, ctx.params, key, config)
    if label_field is not None and methods is not None:
        _add_preview(inputs, _preview(ctx, key, label_field, methods))


def read_request(ctx: Any) -> EvaluateRequest:
    """Reads the evaluation.

    Raises:
        ConfigError: if a setting is not valid
    """
    if ctx.dataset is None:
        raise ConfigError("open a dataset first, then evaluate one of its runs")
    key, config = read_run(ctx)
    choices = label_fields(ctx.dataset, include=config.ground_truth)
    label_field = _read_field(ctx.params, key, config, choices) if choices else None
    methods = _read_methods(ctx.params, key, config)
    confidence = ctx.params.get("confidence", 0.95)
    return check_evaluate(load_run(ctx.dataset, key), ground_truth=label_field, methods=methods, confidence=confidence)


def _add_labels(inputs: Any, ctx: Any, key: str, config: RunConfig) -> str | None:
    """Adds the choice of the label field; returns None if there is none."""
    choices = label_fields(ctx.dataset, include=config.ground_truth)
    if not choices:
        refuse(inputs, "This dataset has no Classification field with labels to compare with.")
        return None
    prop = add_dropdown(
        inputs,
        run_param("ground_truth", key),
        choices,
        default=initial_value(ctx.params, "ground_truth", _own_field(config, choices)),
        label="Labels to compare with",
        description="The given labels, or the corrected ones",
    )
    return checked(prop, _read_field, ctx.params, key, config, choices)


def _add_methods(inputs: Any, params: Params, key: str, config: RunConfig) -> list[str] | None:
    """Adds the choice of the methods; returns None if it is not valid."""
    own = [method.name for method in config.methods]
    default = initial_value(params, "methods", own)
    note = "Each gets an evaluation in FiftyOne's Model Evaluation panel; they are compared pair by pair"
    prop = add_method_choice(inputs, run_param("methods", key), own, default=default, description=note)
    return checked(prop, _read_methods, params, key, config)


def _add_preview(inputs: Any, preview: Preview) -> None:
    if preview.problem:
        mark_invalid(inputs.view("preview", types.Error(label=preview.problem)), preview.problem)
        return
    total = preview.samples + sum(preview.excluded.values())
    left_out = "; ".join(f"{count:,} {why}" for why, count in preview.excluded.items())
    inputs.view(
        "preview",
        types.Notice(
            label=f"{preview.samples:,} of {total:,} images are used, the same for all methods",
            description=f"Left out: {left_out}" if left_out else None,
        ),
    )
    if preview.replaces:
        inputs.view("replaces", types.Notice(label=f"Replaces this run's evaluation against {preview.replaces}"))


def _own_field(config: RunConfig, choices: list[str]) -> str:
    return config.ground_truth if config.ground_truth in choices else choices[0]


def _read_field(params: Params, key: str, config: RunConfig, choices: list[str]) -> str:
    name = read_param(params, "ground_truth", key, _own_field(config, choices))
    if name not in choices:
        raise ConfigError(f"ground_truth must be a field of labels, got {name!r}; choose from {', '.join(choices)}")
    return str(name)


def _read_methods(params: Params, key: str, config: RunConfig) -> list[str]:
    own = [method.name for method in config.methods]
    names = read_param(params, "methods", key, own)
    if not isinstance(names, list) or not names:
        raise ConfigError(f"methods is empty; choose from {', '.join(own)}")
    for name in names:
        if name not in own:
            raise ConfigError(f"run {key!r} has no method {name!r}; choose from {', '.join(own)}")
    return [name for name in own if name in names]


@cached_while_open
def _preview(ctx: Any, key: str, label_field: str, methods: list[str]) -> Preview:
    run = load_run(ctx.dataset, key)
    previous = (run.results.get("evaluation") or {}).get("summary") or {}
    try:
        request = check_evaluate(run, ground_truth=label_field, methods=methods)
    except LgcaError as error:
        return Preview(problem=str(error))
    return Preview(samples=request.samples, excluded=request.excluded, replaces=previous.get("ground_truth"))
