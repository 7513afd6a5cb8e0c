"""How the App shows a finished evaluation: the Model Evaluation panel, and figures and tables in the dialog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.fiftyone_io.database import forget_loaded_evaluations
from ...lgca_plugin.method.comparison.evaluation import Evaluation
from ...lgca_plugin.method.number_text import p_text

PANEL = "model_evaluation_panel_builtin"
FIGURE_WIDTH = 640


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
    """Builds the dialog: a figure, the differences in words, and tables of counts and p values."""
    from ...lgca_plugin.figures.evaluation import evaluation_figure

    figure = evaluation_figure(evaluation, min_width=FIGURE_WIDTH).to_plotly_json()
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
    """Returns the differences in words, as a Markdown list."""
    return "\n".join(f"- {evaluation.sentence(pair)}" for pair in evaluation.pairs)


def pair_table(evaluation: Evaluation) -> str:
    """Returns the counts and p values of the comparisons as a Markdown table; empty for a single method."""
    if not evaluation.pairs:
        return ""
    rows = [
        (f"{pair.a} and {pair.b}", f"{pair.only_a:,}", f"{pair.only_b:,}", p_text(pair.p), p_text(pair.p_holm))
        for pair in evaluation.pairs
    ]
    return markdown(("Compared", "Only the first right", "Only the second right", "p", "p, corrected"), rows)


def method_table(evaluation: Evaluation) -> str:
    """Returns how often each method is right as a Markdown table."""
    rows = [
        (name, f"{score.correct:,} of {evaluation.samples:,}", f"{score.accuracy:.1%}", f"{score.macro_recall:.1%}")
        for name, score in evaluation.methods.items()
    ]
    return markdown(("Method", "Right", "Accuracy", "Macro recall: every class counts the same"), rows)


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Formats a Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
