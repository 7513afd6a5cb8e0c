"""The dialog after a fusion: is the fused answer right more often than the best single one, and what comes next."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.method.comparison.evaluation import Evaluation
from ...lgca_plugin.method.number_text import labels_text
from ...lgca_plugin.runs.proposals import given_label_fields, is_likely
from ..shared.dialogs.dialog import Dialog, Step, steps_after
from ..shared.execution import outcome_line
from ..shared.results.result import Result, in_python, result

FIGURE_WIDTH = 640


def fused_dialog(run: Any, evaluation: Evaluation | None, dataset: Any) -> tuple[str, Dialog]:
    """Returns the outcome of a fusion in a line, and the dialog with it.

    Args:
        run: the fused run
        evaluation: its comparison with the runs that it was fused from; None without labels
        dataset: the dataset
    """
    summary = run.summary()
    answer = f"Run {run.key!r}: {outcome_line(summary)}"
    dialog = Dialog()
    if evaluation is None or not evaluation.pairs:
        dialog.heading(types.Success(label=answer, description="Without labels nothing can be measured"))
    else:
        pair = evaluation.pairs[0]
        answer = evaluation.plain_sentence(pair)
        worse = pair.difference < 0 and evaluation.is_real(pair)
        heading = types.Warning if worse else types.Success
        dialog.heading(heading(label=answer, description=_basis(run, evaluation)))
    dialog.buttons(_steps(run, dataset))
    dialog.warnings(summary.get("warnings") or [])
    if evaluation is not None:
        from ...lgca_plugin.figures.evaluation import evaluation_figure

        dialog.figure(evaluation_figure(evaluation, min_width=FIGURE_WIDTH).to_plotly_json())
    return answer, dialog


def fused_result(run: Any, evaluation: Evaluation | None, dataset: Any) -> Result:
    """Returns the result of a fusion; its arguments are those of :func:`fused_dialog`."""
    summary = run.summary()
    compared = [] if evaluation is None else [evaluation.plain_sentence(pair) for pair in evaluation.pairs]
    return result(
        " ".join([f"Run {run.key!r}: {outcome_line(summary)}.", *compared[:1]]),
        run=run.key,
        counts={name: summary.get(name, 0) for name in ("total", "predicted", "failed", "skipped")},
        warnings=summary.get("warnings") or (),
        steps=_steps(run, dataset),
        read=in_python(run.key),
        evaluation=None if evaluation is None else evaluation.to_json(),
    )


def _steps(run: Any, dataset: Any) -> list[Step]:
    """Returns what comes after a fusion."""
    labels: list[Step] = []
    if any(is_likely(dataset, field) for field in given_label_fields(dataset)):
        labels = [("Find wrong labels", "lgca_triage", {"run": run.key})]
    return [*labels, *steps_after(run.key)]


def _basis(run: Any, evaluation: Evaluation) -> str:
    """Returns which labels the accuracies rest on, and what was learnt from them."""
    basis = f"On {labels_text(evaluation.samples)} in {evaluation.ground_truth}, against the best single method."
    fusion = run.config.fusion
    if fusion is None or not fusion.labels:
        return f"{basis} Nothing was learnt from them."
    return (
        f"{basis} It has learnt from {labels_text(fusion.labels)}, and each of these pictures was answered by weights "
        "that had not seen its label."
    )
