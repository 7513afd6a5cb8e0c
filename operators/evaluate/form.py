"""The form of ``lgca_evaluate``, and how it shows what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import RunConfig
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.fiftyone_io.database import forget_loaded_evaluations
from ...lgca_plugin.method.comparison.evaluation import Evaluation
from ...lgca_plugin.method.core.methods import method_description
from ...lgca_plugin.method.number_text import p_text
from ...lgca_plugin.workflows.evaluate import EvaluateRequest, check_evaluate
from ..shared import form as forms
from ..shared.params import Params
from ..shared.run_choice import given, initial, known_runs, newest, of_run, remembered

PANEL = "model_evaluation_panel_builtin"
FIGURE_WIDTH = 640


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    params = ctx.params
    runs = known_runs(ctx)
    view = types.DropdownView()
    for key, note, _ in runs:
        view.add_choice(key, label=key, description=note)
    prop = inputs.enum("run", view.values(), default=newest(runs), label="Run", view=view)
    found = forms.checked(prop, _read_run, ctx)
    if found is None:
        return
    key, config = found
    field = add_labels(inputs, ctx, key, config)
    methods = add_methods(inputs, params, key, config)
    if field is not None and methods is not None:
        add_outlook(inputs, remembered(ctx, _outlook, key, field, json.dumps(methods)))


def add_labels(inputs: Any, ctx: Any, key: str, config: RunConfig) -> str | None:
    """Adds the choice of the label field; None if there is none."""
    choices = forms.label_fields(ctx.dataset, keep=config.ground_truth)
    if not choices:
        forms.refusal(inputs, "This dataset has no Classification field with labels to compare with.")
        return None
    view = types.DropdownView()
    for name in choices:
        view.add_choice(name, label=name)
    own = config.ground_truth if config.ground_truth in choices else choices[0]
    prop = inputs.enum(
        of_run("ground_truth", key),
        view.values(),
        default=initial(ctx.params, "ground_truth", own),
        label="Labels to compare with",
        description="The given labels, or the corrected ones",
        view=view,
    )
    return forms.checked(prop, _read_field, ctx.params, key, config, choices)


def add_methods(inputs: Any, params: Params, key: str, config: RunConfig) -> list[str] | None:
    """Adds the choice of the methods; None if it is not valid."""
    own = [method.name for method in config.methods]
    view = types.DropdownView()
    for name in own:
        view.add_choice(name, label=name, description=method_description(name))
    prop = inputs.list(
        of_run("methods", key),
        types.String(),
        default=initial(params, "methods", own),
        label="Methods",
        description="Each gets an evaluation in FiftyOne's Model Evaluation panel; they are compared pair by pair",
        view=view,
    )
    return forms.checked(prop, _read_methods, params, key, own)


def add_outlook(inputs: Any, outlook: dict[str, Any]) -> None:
    """Says which samples would be used, or why there can be no evaluation."""
    if outlook["problem"]:
        prop = inputs.view("outlook", types.Error(label=outlook["problem"]))
        prop.invalid = True
        prop.error_message = outlook["problem"]
        return
    samples, total = outlook["samples"], outlook["samples"] + sum(outlook["excluded"].values())
    left_out = "; ".join(f"{count:,} {why}" for why, count in outlook["excluded"].items())
    inputs.view(
        "outlook",
        types.Notice(
            label=f"{samples:,} of {total:,} images are used, the same for all methods",
            description=f"Left out: {left_out}" if left_out else None,
        ),
    )
    if outlook["replaces"]:
        inputs.view("replaces", types.Notice(label=f"Replaces this run's evaluation against {outlook['replaces']}"))


def read_request(ctx: Any) -> EvaluateRequest:
    """Reads what is asked for, and checks it.

    Raises:
        ConfigError: if it is not valid
    """
    if ctx.dataset is None:
        raise ConfigError("open a dataset first, then evaluate one of its runs")
    key, config = _read_run(ctx)
    choices = forms.label_fields(ctx.dataset, keep=config.ground_truth)
    field = _read_field(ctx.params, key, config, choices) if choices else None
    methods = _read_methods(ctx.params, key, [method.name for method in config.methods])
    confidence = ctx.params.get("confidence", 0.95)
    return check_evaluate(load_run(ctx.dataset, key), ground_truth=field, methods=methods, confidence=confidence)


def _read_run(ctx: Any) -> tuple[str, RunConfig]:
    runs = known_runs(ctx)
    key = ctx.params.get("run") or newest(runs)
    problems = {name: problem for name, _, problem in runs}
    if key not in problems:
        known = ", ".join(problems) or "none"
        raise ConfigError(f"run must name a zero-shot run of this dataset, got {key!r}; its runs: {known}")
    if problems[key]:
        raise ConfigError(problems[key])
    return key, RunConfig.from_json(remembered(ctx, _config, key))


def _read_field(params: Params, key: str, config: RunConfig, choices: list[str]) -> str:
    own = config.ground_truth if config.ground_truth in choices else choices[0]
    field = given(params, "ground_truth", key, own)
    if field not in choices:
        raise ConfigError(f"ground_truth must be a field of labels, got {field!r}; choose from {', '.join(choices)}")
    return str(field)


def _read_methods(params: Params, key: str, own: list[str]) -> list[str]:
    names = given(params, "methods", key, own)
    if not isinstance(names, list) or not names:
        raise ConfigError(f"methods is empty; choose from {', '.join(own)}")
    for name in names:
        if name not in own:
            raise ConfigError(f"run {key!r} has no method {name!r}; choose from {', '.join(own)}")
    return [name for name in own if name in names]


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _config(ctx: Any, key: str) -> dict[str, Any]:
    config: dict[str, Any] = load_run(ctx.dataset, key).config.to_json()
    return config


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _outlook(ctx: Any, key: str, field: str, methods: str) -> dict[str, Any]:
    """Says what an evaluation would be made on, or why it can't be."""
    run = load_run(ctx.dataset, key)
    former = (run.results.get("evaluation") or {}).get("summary") or {}
    outlook = {"problem": None, "samples": 0, "excluded": {}, "replaces": former.get("ground_truth")}
    try:
        request = check_evaluate(run, ground_truth=field, methods=json.loads(methods))
    except LgcaError as error:
        return {**outlook, "problem": str(error)}
    return {**outlook, "samples": request.samples, "excluded": request.excluded}


def show(ctx: Any, evaluation: Evaluation) -> Iterator[Any]:
    """Opens the Model Evaluation panel beside the grid, and shows the numbers in the dialog in front of it."""
    forget_loaded_evaluations(ctx.dataset, [score.eval_key for score in evaluation.methods.values()])
    yield ctx.ops.reload_dataset()
    yield ctx.ops.open_panel(PANEL, layout="horizontal", is_active=True)
    scores = ", ".join(f"{name} {score.accuracy:.1%}" for name, score in evaluation.methods.items())
    images = "image" if evaluation.samples == 1 else "images"
    line = f"Run {evaluation.run_key!r} on {evaluation.samples:,} {images}: {scores} right"
    yield ctx.ops.notify(line, variant="success")
    yield ctx.ops.show_output(**output(evaluation, line))


def output(evaluation: Evaluation, line: str) -> dict[str, Any]:
    """Builds what the dialog shows: a figure, the differences in words, and the counts and p values behind them."""
    from ...lgca_plugin.figures.evaluation import evaluation_figure

    figure = evaluation_figure(evaluation, theme="app", min_width=FIGURE_WIDTH).to_plotly_json()
    outputs = types.Object()
    outputs.view("heading", types.Success(label=line))
    outputs.plot(
        "figure",
        layout=figure["layout"],
        config={"displayModeBar": False, "responsive": True},
        height=f"{figure['layout']['height']}px",
    )
    texts = {"words": words(evaluation), "pairs": pair_table(evaluation), "methods": method_table(evaluation)}
    texts = {name: text for name, text in {**texts, "basis": evaluation.basis()}.items() if text}
    for name in texts:
        outputs.str(name, view=types.MarkdownView())
    return {"outputs": types.Property(outputs).to_json(), "results": {"figure": figure["data"], **texts}}


def words(evaluation: Evaluation) -> str:
    """Lists the differences in words."""
    return "\n".join(f"- {evaluation.sentence(pair)}" for pair in evaluation.pairs)


def pair_table(evaluation: Evaluation) -> str:
    """Lists, in Markdown, what the comparisons rest on; nothing where there is one method."""
    if not evaluation.pairs:
        return ""
    rows = [
        (f"{pair.a} and {pair.b}", f"{pair.only_a:,}", f"{pair.only_b:,}", p_text(pair.p), p_text(pair.p_holm))
        for pair in evaluation.pairs
    ]
    return markdown(("Compared", "Only the first right", "Only the second right", "p", "p, corrected"), rows)


def method_table(evaluation: Evaluation) -> str:
    """Lists, in Markdown, how often each method is right."""
    rows = [
        (name, f"{score.correct:,} of {evaluation.samples:,}", f"{score.accuracy:.1%}", f"{score.macro_recall:.1%}")
        for name, score in evaluation.methods.items()
    ]
    return markdown(("Method", "Right", "Accuracy", "Macro recall: every class counts the same"), rows)


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Formats a table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
