"""The compare panel's layout: from its content to FiftyOne's components. Nothing is read from the dataset here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....lgca_plugin.method.number_text import samples_text
from ....lgca_plugin.runs.state import DONE
from ....lgca_plugin.workflows.decisions.decisions import Decision
from ....lgca_plugin.workflows.overview.overview import Overview
from ....lgca_plugin.workflows.overview.selections import NAMED
from ...shared.grid.user_view import GridFilter, UserView
from ..widgets import SMALL, EmptyState, bar, button, card, choice, dock, empty_state, heading, page, row, text
from .content import NO_LABELS, CompareContent, Comparison
from .fusion import add_fusion
from .lists import add_misleading, add_suspects
from .sections import add_accuracy, add_agreement, add_flow, add_margins
from .state import CompareState

OPERATORS = (
    ("classify", "Classify", "Classify the view or the dataset, or go on with a run"),
    ("rescore", "Rescore", "Other classes, descriptions or settings, from stored embeddings: no image is encoded"),
    ("triage", "Triage", "Find disagreements, misleading crops and suspected label errors of this run"),
    ("evaluate", "Evaluate", "Compare the methods with labels; opens FiftyOne's Model Evaluation panel"),
)


def layout(content: CompareContent, panel: Any, selected: int) -> Any:
    """Returns the panel's page, for a number of samples selected in the grid; its buttons call the panel's methods."""
    root, body = page()
    shown = content.shown
    if content.keys:
        _add_head(panel, body, content)
    if isinstance(shown, EmptyState):
        empty_state(body, shown, panel)
        return root
    of, grid_filter = shown.overview, content.view.grid_filter
    decides = of.triaged and selected > 0
    if grid_filter or decides:
        docked = dock(body, "dock")
        if grid_filter:
            _add_filter(panel, docked, content, grid_filter, of)
        if decides:
            _add_selection(panel, docked, content.state, selected)
    _add_status(panel, body, shown)
    if not of.predicted.any():
        _add_no_predictions(panel, body, shown)
        return root
    if content.state.action and not decides:
        _add_undo(panel, bar(body, "undone"), content.state)
    for add in (add_suspects, add_agreement, add_misleading, add_accuracy, _add_fusion, add_flow, add_margins):
        add(panel, body, shown)
    _add_numbers(panel, body, shown)
    return root


def _add_head(panel: Any, body: Any, content: CompareContent) -> None:
    """Adds the lists of runs and label fields, and the buttons of the operators."""
    head = row(body, "head", align="flex-end")
    keys = [(key, key) for key in content.keys]
    choice(head, "run", "Run", keys, panel.pick_run, "The runs of this dataset, the latest first")
    if content.comparison is not None:
        fields = [(NO_LABELS, "no labels"), *((name, name) for name in content.comparison.label_fields)]
        about = "A field with one label per sample, which the methods' labels are compared with"
        choice(head, "labels", "Labels to compare with", fields, panel.pick_labels, about)
        if content.view.grid_filter is None:
            words = f"All figures are over {over(content.view, content.comparison.overview)}."
            text(body, "over", words, size=SMALL, muted=True)


def _add_filter(panel: Any, body: Any, content: CompareContent, grid_filter: GridFilter, of: Overview) -> None:
    """Adds a sentence on what the panel shows in the grid, and the button that leads back."""
    line = bar(body, "narrowing")
    part = NAMED.get(grid_filter.part or "") if grid_filter.run in (None, of.run.key) else None
    now = part(of).sentence if part else grid_filter.sentence  # the count of a named part changes with decisions
    basis = f"The figures below are over {over(content.view, of)}."
    text(line, "sentence", f"{now}.", bold=True, flex="1 1 100%")
    text(line, "basis", basis, size=SMALL, flex="1 1 160px")
    label = f"Back to your view ({samples_text(of.total)})"
    button(line, "back", label, panel.back, main=True, title="Show your own view again, as it was")


def over(view: UserView, of: Overview) -> str:
    """Returns in words which samples the figures are over."""
    whole = len(of.table.ids)
    return f"all {samples_text(whole)}" if view.is_whole else f"your view, {of.total:,} of {samples_text(whole)}"


def _add_status(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds a note if the run is not finished."""
    summary = shown.run.summary()
    status, state = summary.get("status"), shown.run.state
    if state.is_live:
        words = f"This run is {state.doing}" + (f": {state.progress}." if state.progress else ".")
        text(bar(body, "status"), "words", words, flex="1 1 200px")
        return
    if status in (DONE, None):
        return
    done, total = summary.get("predicted", 0), summary.get("total", 0)
    line = bar(body, "status")
    words = f"This run is not finished ({state.name}): {done:,} of {total:,} images are predicted."
    if not total:
        words = f"This run is not finished ({state.name})."
    text(line, "words", f"{words} Classify with the same settings to continue it.", flex="1 1 200px")
    title = "Opens the form; only what is missing is classified"
    button(line, "go_on", "Go on classifying", panel.open_form, title=title, params={"form": "classify"})


def _add_no_predictions(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds why there is nothing to compare."""
    of = shown.overview
    if not of.total:
        sentence = "No sample of the dataset is in it: remove a filter or a stage."
        empty_state(body, EmptyState("This view is empty", sentence), panel)
        return
    sentence = (
        f"None of the {samples_text(of.total)} in this view has a prediction of run {shown.run.key!r}: "
        f"{int(of.failed.sum()):,} failed, {int(of.without.sum()):,} are without a result."
    )
    empty_state(body, EmptyState.classify("No predictions here", sentence), panel)


def _add_selection(panel: Any, body: Any, state: CompareState, selected: int) -> None:
    """Adds the buttons that decide about the samples selected in the grid, and the one that undoes it."""
    line = bar(body, "decisions")
    text(line, "count", f"{samples_text(selected)} selected", bold=True, title="Decisions act on the selected samples")
    for decision in Decision:
        name, params = decision.value.replace(" ", "_"), {"decision": decision.value}
        button(line, name, decision.button, panel.decide, title=decision.explanation, params=params)
    title = "Another class, a note, or your name"
    button(line, "more", "Other…", panel.open_form, title=title, params={"form": "decide"})
    if state.action:
        _add_undo(panel, line, state)


def _add_undo(panel: Any, line: Any, state: CompareState) -> None:
    """Adds the button that takes the last decision back."""
    button(line, "undo", f"Undo {state.undo}", panel.undo, title="Take this decision back", icon="undo")


def _add_fusion(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the offer to fuse the run with runs of other models."""
    add_fusion(panel, body, shown.run, shown.fusion)


def _add_numbers(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the run: what it has done in this view, its cost and speed, and what can be done with it."""
    of, summary = shown.overview, shown.run.summary()
    heading(body, "run_head", "The run")
    cards = row(body, "figures", gap="18px", align="flex-start")
    predicted, failed, without = (int(which.sum()) for which in (of.predicted, of.failed, of.without))
    card(cards, "samples", f"{of.total:,}", "samples", "Samples of your view")
    card(cards, "predicted", f"{predicted:,}", "predicted", "Samples with a prediction of every method of the run")
    about = "Samples whose image could not be classified; the field of errors has the reason"
    show = ("Show", panel.show)
    card(cards, "failed", f"{failed:,}", "failed", about, *(show if failed else ()), part="failures")
    about = "Samples that the run has not reached, or that were added later"
    card(cards, "without", f"{without:,}", "without result", about, *(show if without else ()), part="without_result")
    if shown.run.config.voters is not None:
        _add_operators(panel, body, [one for one in OPERATORS if one[0] in ("triage", "evaluate")])
        return
    encodes, speed = summary.get("encodes_per_image") or 0, summary.get("images_per_second") or 0
    about = "Crops and whole images that the model looked at, for each image: the cost of the run"
    card(cards, "encodes", f"{encodes:.1f}" if encodes else "-", "looks per image", about)
    about = "Images per second of the run, with decoding, cropping and writing"
    card(cards, "speed", f"{speed:,.1f}" if speed else "-", "images a second", about)
    _add_operators(panel, body, OPERATORS)


def _add_operators(panel: Any, body: Any, operators: Sequence[tuple[str, str, str]]) -> None:
    """Adds the buttons of what can be done with the run."""
    actions = row(body, "actions", gap="6px")
    for name, label, title in operators:
        button(actions, name, label, panel.open_form, title=title, params={"form": name})
    button(actions, "refresh", "Read again", panel.refresh, title="Read all samples from the database again")
