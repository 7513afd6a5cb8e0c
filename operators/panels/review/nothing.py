"""What the review panel says where there is no suspect to show: why, and what to do about it."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.api import load_run
from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.fiftyone_io.boxes.companion import box_fields
from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.method.number_text import capitalized
from ....lgca_plugin.run import Run
from ....lgca_plugin.runs.proposals import no_given_labels
from ....lgca_plugin.workflows.decisions.queue import Triage
from ....lgca_plugin.workflows.decisions.summary_text import checked_labels
from ...shared.run_choice import run_keys
from ..widgets import EmptyState


def no_run(ctx: Any) -> EmptyState:
    """Returns why there is no run whose labels could be reviewed."""
    if ctx.dataset.media_type not in (None, "image", "group"):
        sentence = f"This dataset holds samples of type {ctx.dataset.media_type}, not images."
        return EmptyState("Only images can be checked", sentence)
    sentence = (
        "Find the labels that are probably wrong. They are shown here one at a time, each beside examples of the two "
        "classes, for you to decide."
    )
    problem = _problem(ctx)
    if problem is not None:
        return EmptyState("The labels can't be reviewed", f"{capitalized(problem)}.")
    without = no_given_labels(ctx.dataset)
    if without is not None:
        boxes = bool(box_fields(ctx.dataset))  # the sentence says where their labels are checked
        return (EmptyState if boxes else EmptyState.classify)("Nothing to check", f"{capitalized(without)}.")
    if run_keys(ctx.dataset):
        sentence = f"The images are classified, but their labels are not checked against that yet. {sentence}"
    return EmptyState.find("No labels have been checked yet", sentence)


def _problem(ctx: Any) -> str | None:
    """Returns why the latest run can't be loaded; None if it can be, or there is none."""
    keys = run_keys(ctx.dataset)
    try:
        if keys:
            load_run(ctx.dataset, keys[0])
    except LgcaError as error:
        return error.app
    return None


def no_suspects(run: Run) -> EmptyState:
    """Returns what was checked, where nothing was found."""
    if not run.results.get("triage"):
        sentence = (
            f"The pictures of run “{run.key}” were scored again since the labels were checked, so nothing is known "
            "about the labels. Check them again; what was decided stays."
        )
        return EmptyState.find("The labels have to be checked again", sentence)
    report = Triage.of(run).report
    field_name, found = report.get("ground_truth"), report.get("suspects") or 0
    if not field_name:
        sentence = f"Run “{run.key}” was made without labels, so none can be wrong. Choose the field with your labels."
        return EmptyState.find("No labels were checked", sentence)
    if found:
        were = f"{found:,} {'label' if found == 1 else 'labels'} looked wrong when “{field_name}” was checked"
        sentence = f"{were}, but the pictures or what was written on them are deleted since. Check the labels again."
        return EmptyState.find("The suspects are gone", sentence)
    titles = [method_title(name) for name in report.get("judging") or report.get("methods") or ()]
    names = " and ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles) or "the methods"
    judged = checked_labels(report)
    labels = "the labels" if judged is None else f"{judged:,} {'label' if judged == 1 else 'labels'}"
    sentence = (
        f"This is what was checked: {labels} in “{field_name}”, against what {names} see in the pictures, for "
        f"{len(run.config.classes):,} classes. No label is clearly less likely than another class."
    )
    return EmptyState("Nothing looks wrong", sentence, "Compare the methods", "open_panel", {"panel": "lgca_compare"})
