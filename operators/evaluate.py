"""``lgca_evaluate``: how often each method of a run is right, and which differences are more than chance."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from fiftyone.operators import types

from ..lgca_plugin.api import load_run
from ..lgca_plugin.config import RunConfig
from ..lgca_plugin.errors import ConfigError, LgcaError
from ..lgca_plugin.fiftyone_io.database import forget_loaded_evaluations
from ..lgca_plugin.method.comparison.evaluation import Evaluation
from ..lgca_plugin.method.number_text import p_text
from ..lgca_plugin.workflows.evaluate import EvaluateRequest, check_evaluate
from .shared.base import RunOperator
from .shared.caller import from_page
from .shared.classes import label_fields
from .shared.dialogs.dialog import steps_after
from .shared.execution import call, report_progress, report_steps
from .shared.form import Params, add_dropdown, add_method_choice, checked, mark_invalid, markdown_table, refuse
from .shared.grid.shown_fields import arrange_app
from .shared.plain_text import PlainProperty, escape_markdown
from .shared.prompt_cache import cached_while_open
from .shared.results.result import Result, in_python, result
from .shared.run_choice import add_run, initial_value, read_param, read_run, run_param

PANEL = "model_evaluation_panel_builtin"
FIGURE_WIDTH = 640


class Evaluate(RunOperator):
    """Has FiftyOne evaluate every method of a run on the same labelled samples, and compares them pair by pair."""

    operator_name = "lgca_evaluate"
    icon = "analytics"
    title = "Evaluate a zero-shot run"
    description = "Accuracy of each method of a CLIP, WCA and LGCA run; which differences are more than chance"
    submit = "Evaluate"
    problem = "The run was not evaluated"

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the run, the labels and the methods."""
        run = checked(add_run(inputs, ctx), read_run, ctx)
        if run is None:
            return
        key, config = run
        label_field = _add_labels(inputs, ctx, key, config)
        methods = _add_methods(inputs, ctx.params, key, config)
        if not from_page(ctx):
            note = "Of all intervals, between 0 and 1"
            inputs.float("confidence", default=0.95, label="Confidence", description=note)
        if label_field is not None and methods is not None:
            _add_preview(inputs, ctx, key, label_field, methods)

    def read_request(self, ctx: Any) -> EvaluateRequest:
        """Reads and checks the evaluation."""
        key, config = read_run(ctx)
        choices = label_fields(ctx.dataset, include=config.ground_truth)
        label_field = _read_field(ctx.params, key, config, choices) if choices else None
        methods = _read_methods(ctx.params, key, config)
        confidence = ctx.params.get("confidence", 0.95)
        run = load_run(ctx.dataset, key)
        return check_evaluate(run, ground_truth=label_field, methods=methods, confidence=confidence)

    def work(self, ctx: Any, request: EvaluateRequest) -> Generator[Any, None, Evaluation]:
        """Evaluates, reports the progress, and returns the outcome."""
        from ..lgca_plugin.workflows.evaluate import iter_evaluate

        if not ctx.delegated:  # an open panel would keep showing the evaluations that are replaced
            yield ctx.ops.close_panel(PANEL)
        yield from report_progress(ctx, 0.0, f"Evaluating on {request.samples:,} samples")
        return (yield from report_steps(ctx, iter_evaluate(request)))

    def show(self, ctx: Any, evaluation: Evaluation) -> Iterator[Any]:
        """Opens the Model Evaluation panel beside the grid, and shows the numbers in the dialog in front of it."""
        forget_loaded_evaluations(ctx.dataset, [score.eval_key for score in evaluation.methods.values()])
        yield arrange_app(ctx)
        yield ctx.ops.reload_dataset()
        yield ctx.ops.open_panel(PANEL, layout="horizontal", is_active=True)
        line = _scores_line(evaluation)
        yield ctx.ops.notify(line, variant="success")
        yield ctx.ops.show_output(**_output(evaluation, line))

    def result_of(self, ctx: Any, evaluation: Evaluation) -> Result:
        """Returns the accuracies, with intervals and tests."""
        return result(
            _scores_line(evaluation),
            run=evaluation.run_key,
            counts={"samples": evaluation.samples, **evaluation.excluded},
            steps=steps_after(evaluation.run_key),
            read=in_python(evaluation.run_key, "last_evaluation()"),
            differences=[evaluation.sentence(pair) for pair in evaluation.pairs],
            evaluation=evaluation.to_json(),
        )

    def __call__(
        self,
        sample_collection: Any,
        run: str,
        ground_truth: str | None = None,
        *,
        methods: tuple[str, ...] | list[str] | None = None,
        confidence: float = 0.95,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK, or queues it with ``delegate``.

        ``lgca.load_run(dataset, key).evaluate(...)`` does the same in the calling process and returns the numbers; this
        is the way to queue it for a delegated worker. In a notebook the returned task must be awaited. ``run`` is the
        run's key; the other arguments are those of :meth:`lgca_plugin.Run.evaluate`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it

        Raises:
            LgcaError: as the library's method raises it
            fiftyone.operators.executor.ExecutionError: if the operation can't be queued
        """
        params = {"run": run, "ground_truth": ground_truth, "methods": methods, "confidence": confidence}
        return call(self, sample_collection, params, delegate=delegate)


def _scores_line(evaluation: Evaluation) -> str:
    """Returns how often each method is right, in a line."""
    scores = ", ".join(f"{name} {score.accuracy:.1%}" for name, score in evaluation.methods.items())
    images = "image" if evaluation.samples == 1 else "images"
    return f"Run {evaluation.run_key!r} on {evaluation.samples:,} {images}: {scores} right"


def _add_labels(inputs: Any, ctx: Any, key: str, config: RunConfig) -> str | None:
    """Adds the choice of the label field; returns None if there is none."""
    choices = label_fields(ctx.dataset, include=config.ground_truth)
    if not choices:
        refuse(inputs, "This dataset has no label field to compare with: one with a class for each image.")
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


def _add_preview(inputs: Any, ctx: Any, key: str, label_field: str, methods: list[str]) -> None:
    """Adds which samples are used, and the evaluation that is replaced; or why there can be none."""
    samples, excluded, replaces, problem = _preview(ctx, key, label_field, methods)
    if problem:
        mark_invalid(inputs.view("preview", types.Error(label=problem)), problem)
        return
    label = f"{samples:,} of {samples + sum(excluded.values()):,} images are used, the same for all methods"
    left_out = "; ".join(f"{count:,} {why}" for why, count in excluded.items())
    notice = types.Notice(label=label, description=f"Left out: {left_out}" if left_out else None)
    inputs.view("preview", notice)
    if replaces:
        inputs.view("replaces", types.Notice(label=f"Replaces this run's evaluation against {replaces}"))


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
def _preview(
    ctx: Any, key: str, label_field: str, methods: list[str]
) -> tuple[int, dict[str, int], str | None, str | None]:
    """Returns the number of samples, those left out by reason, the previous evaluation's label field, and a problem."""
    run = load_run(ctx.dataset, key)
    previous = (run.results.get("evaluation") or {}).get("summary") or {}
    try:
        request = check_evaluate(run, ground_truth=label_field, methods=methods)
    except LgcaError as error:
        return 0, {}, None, error.app
    return request.samples, request.excluded, previous.get("ground_truth"), None


def _output(evaluation: Evaluation, line: str) -> dict[str, Any]:
    """Builds the dialog: a figure, the differences in words, and tables of counts and p values."""
    from ..lgca_plugin.figures.evaluation import evaluation_figure

    figure = evaluation_figure(evaluation, min_width=FIGURE_WIDTH).to_plotly_json()
    outputs = types.Object()
    outputs.view("heading", types.Success(label=line))
    outputs.plot(
        "figure",
        layout=figure["layout"],
        config={"displayModeBar": False, "responsive": True},
        height=f"{figure['layout']['height']}px",
    )
    pairs = [
        (f"{pair.a} and {pair.b}", f"{pair.only_a:,}", f"{pair.only_b:,}", p_text(pair.p), p_text(pair.p_holm))
        for pair in evaluation.pairs
    ]
    methods = [
        (name, f"{score.correct:,} of {evaluation.samples:,}", f"{score.accuracy:.1%}", f"{score.macro_recall:.1%}")
        for name, score in evaluation.methods.items()
    ]
    pair_titles = ("Compared", "Only the first right", "Only the second right", "p", "p, corrected")
    method_titles = ("Method", "Right", "Accuracy", "Macro recall: every class counts the same")
    texts = {
        "words": "\n".join(f"- {escape_markdown(evaluation.sentence(pair))}" for pair in evaluation.pairs),
        "pairs": markdown_table(pair_titles, pairs) if pairs else "",
        "methods": markdown_table(method_titles, methods),
        "basis": escape_markdown(evaluation.basis()),
    }
    texts = {name: text for name, text in texts.items() if text}
    for name in texts:
        outputs.str(name, view=types.MarkdownView())
    return {"outputs": PlainProperty(outputs).to_json(), "results": {"figure": figure["data"], **texts}}
