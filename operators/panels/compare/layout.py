"""How the panel that compares methods is laid out, from a screen to FiftyOne's components; nothing is looked up."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.runs.registry import DONE
from ....lgca_plugin.workflows.overview.overview import Overview
from ....lgca_plugin.workflows.overview.parts import NAMED
from ..widgets import bar, button, card, choice, dock, empty_state, page, row, samples_word, text
from .lists import add_misleading, add_suspects
from .screen import NO_LABELS, Screen
from .sections import add_accuracy, add_agreement, add_flow, add_margins
from .view import Narrowing

DECISIONS = (
    ("accepted", "Accept suggestion", "The suggested class is right: it goes to the field of corrected labels"),
    ("label right", "Label is right", "The given label stands"),
    ("bad crop", "Bad crop", "A region misled the method; the given label stands"),
    ("bad image", "Bad image", "The image can't be judged, or does not belong here"),
    ("skipped", "Skip", "Looked at, and left for later"),
)
SELECT = "Select samples in the grid to decide: accept a suggestion, confirm a label, or set a bad image aside"
OPERATORS = (
    ("classify", "Classify", "Classify the view or the dataset, or go on with a run"),
    ("rescore", "Rescore", "Other classes, descriptions or settings, from stored embeddings: no image is encoded"),
    ("triage", "Triage", "Find disagreements, misleading crops and suspected label errors of this run"),
    ("evaluate", "Evaluate", "Compare the methods with labels; opens FiftyOne's Model Evaluation panel"),
)


def layout(panel: Any, screen: Screen, mine: dict[str, Any], selected: int) -> Any:
    """Lays the panel out.

    Args:
        panel: the panel, whose methods are called
        screen: what is to be shown
        mine: what the panel remembers: the last decision
        selected: how many samples are selected in the grid
    """
    root, body = page()
    obstacle = screen.situation.obstacle
    if screen.situation.keys:
        _add_head(panel, body, screen)
    if obstacle is not None:
        call = getattr(panel, obstacle.method) if obstacle.method else None
        empty_state(body, obstacle.title, obstacle.sentence, action=obstacle.action, on_click=call)
        return root
    of, narrowed = screen.overview, screen.situation.base.narrowed
    if of is None:
        return root
    decides = of.triaged and selected > 0
    if narrowed or decides:
        docked = dock(body, "dock")
        if narrowed:
            _add_narrowing(panel, docked, narrowed, of)
        if decides:
            _add_selection(panel, docked, mine, selected)
    _add_status(panel, body, screen)
    if not of.predicted.any():
        _add_nothing(panel, body, screen, of)
        return root
    if of.triaged and not decides:
        _add_selection(panel, body, mine, selected)
    _add_figures(panel, body, screen, of)
    add_agreement(panel, body, screen, of)
    add_accuracy(panel, body, screen, of)
    add_flow(panel, body, screen, of)
    add_margins(panel, body, screen, of)
    add_misleading(panel, body, screen, of)
    add_suspects(panel, body, screen, of)
    return root


def _add_head(panel: Any, body: Any, screen: Screen) -> None:
    """Adds the choices of run and labels, and the buttons of the operators."""
    head = row(body, "head", align="flex-end")
    keys = [(key, key) for key in screen.situation.keys]
    choice(head, "run", "Run", keys, panel.pick_run, "The runs of this dataset, the latest first")
    if screen.overview is not None:
        fields = [(NO_LABELS, "no labels"), *((name, name) for name in screen.label_fields)]
        about = "A field with one label a sample: answers are compared with it"
        choice(head, "labels", "Labels to compare with", fields, panel.pick_labels, about)
    actions = row(body, "actions", gap="6px")
    for name, label, title in OPERATORS:
        button(actions, name, label, getattr(panel, name), title=title)
    button(actions, "refresh", "Read again", panel.refresh, title="Read all samples anew from the database")


def _add_narrowing(panel: Any, body: Any, narrowed: Narrowing, of: Overview) -> None:
    """Says what the panel shows in the grid, with the way back."""
    line = bar(body, "narrowing")
    now = NAMED[narrowed.part](of).sentence if narrowed.part in NAMED else narrowed.sentence  # decisions change it
    text(line, "sentence", now, bold=True, flex="1 1 200px")
    label = f"Back to your view ({of.total:,} {samples_word(of.total)})"
    button(line, "back", label, panel.back, main=True, title="Show your own view again, as it was")


def _add_status(panel: Any, body: Any, screen: Screen) -> None:
    """Says what there is to know of the run: that it is not finished, or comes with warnings."""
    summary = screen.run.summary()
    status = summary.get("status")
    if status in (DONE, None):
        return
    done, total = summary.get("predicted", 0), summary.get("total", 0)
    line = bar(body, "status")
    words = f"This run is not finished ({status}): {done:,} of {total:,} images are predicted."
    if not total:
        words = f"This run is not finished ({status})."
    text(line, "words", f"{words} Classifying with the same settings goes on where it stopped.", flex="1 1 200px")
    button(line, "go_on", "Go on classifying", panel.classify, title="Opens the form; the run does what is missing")


def _add_nothing(panel: Any, body: Any, screen: Screen, of: Overview) -> None:
    """Says why there are no figures."""
    if not of.total:
        empty_state(body, "This view is empty", "No sample of the dataset is in it: remove a filter or a stage.")
        return
    sentence = (
        f"None of the {of.total:,} {samples_word(of.total)} in this view has a prediction of run {screen.run.key!r}: "
        f"{int(of.failed.sum()):,} failed, {int(of.without.sum()):,} are without a result."
    )
    empty_state(body, "No predictions here", sentence, action="Classify zero-shot", on_click=panel.classify)


def _add_selection(panel: Any, body: Any, mine: dict[str, Any], selected: int) -> None:
    """Adds the queue's decisions, which act on the samples that are selected in the grid."""
    line = bar(body, "decisions")
    words = f"{selected:,} {samples_word(selected)} selected" if selected else SELECT
    text(line, "count", words, bold=bool(selected), muted=not selected, title="Decisions act on the selected samples")
    if selected:
        for value, label, title in DECISIONS:
            button(line, value.replace(" ", "_"), label, panel.decide, title=title, params={"decision": value})
        button(line, "more", "Other…", panel.decide_form, title="Another class, a note, or your name")
    if mine.get("action"):
        button(line, "undo", f"Undo {mine['undo']}", panel.undo, title="Take this decision back", icon="undo")


def _add_figures(panel: Any, body: Any, screen: Screen, of: Overview) -> None:
    """Adds the row of numbers."""
    summary = screen.run.summary()
    cards = row(body, "figures", gap="18px", align="flex-start")
    predicted, failed, without = (int(which.sum()) for which in (of.predicted, of.failed, of.without))
    card(cards, "samples", f"{of.total:,}", "samples", "Samples of your view")
    card(cards, "predicted", f"{predicted:,}", "predicted", "Samples with a prediction of every method of the run")
    shown = ("Show", panel.show)
    about = "Samples whose image could not be classified; the field of errors says why"
    card(cards, "failed", f"{failed:,}", "failed", about, *(shown if failed else ()), part="failures")
    about = "Samples that the run has not come to, or that were added since"
    card(cards, "without", f"{without:,}", "without result", about, *(shown if without else ()), part="without_result")
    encodes, speed = summary.get("encodes_per_image") or 0, summary.get("images_per_second") or 0
    about = "How many regions and whole images the encoder looked at for each image: the cost of the run"
    card(cards, "encodes", f"{encodes:.1f}" if encodes else "-", "encodes per image", about)
    about = "Images per second of the run, with decoding, cropping and writing"
    card(cards, "speed", f"{speed:,.1f}" if speed else "-", "images/s", about)
