"""The compare panel's sections with figures: agreement, accuracy, class flow and margins."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.method.number_text import percent_text, samples_text
from ....lgca_plugin.workflows.overview.selections import pattern_words
from ..widgets import SMALL, button, card, choice, heading, row, text
from .content import Comparison

LAYER = {"item": {"sx": {"willChange": "transform"}}}
"""Puts a figure on a layer of its own: otherwise the browser sorts the points of a plot into the page's layers at every
frame of any animation, which takes 0.7 s with 2,000 points."""

MARGIN = "A margin is the best class's score minus the second best's: how far ahead a label is."
NARROW = "130px"


def add_agreement(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds how often the methods agree."""
    of = shown.overview
    heading(body, "agreement_head", "Do the methods agree?")
    if len(of.compared) < 2:
        words = "This run has one method. Classify with clip, wca and lgca to compare."
        text(body, "agreement_none", words, muted=True)
        return
    total, alike = int(of.predicted.sum()), of.pattern_counts[0]
    pairs = row(body, "pairs", gap="18px", align="flex-start")
    for at, ((a, b), count) in enumerate(of.pairs_agree.items()):
        about = f"Share of the predicted samples to which {method_title(a)} and {method_title(b)} give the same class"
        card(pairs, f"pair{at}", percent_text(count / total), f"{method_title(a)} = {method_title(b)}", about)
    if len(of.compared) > 2:
        about = "Share of the predicted samples to which all three give the same class"
        card(pairs, "all", percent_text(alike / total), "all three agree", about)
    about = "Samples to which the methods do not all give the same class"
    show = ("Show", panel.show) if total > alike else ()
    card(pairs, "apart", f"{total - alike:,}", "disagreements", about, *show, part="disagreements")
    _plot(body, "agreement", shown, on_click=panel.show_bar)
    chips = row(body, "patterns", gap="6px")
    text(chips, "label", "Show:", size=SMALL, muted=True)
    for at, count in enumerate(of.pattern_counts):
        words, title = pattern_words(of.compared, at), f"Show the {samples_text(count)}"
        params = {"part": "pattern", "at": at}
        button(chips, f"pattern{at}", words, panel.show, title=title, params=params, disabled=not count)


def add_accuracy(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the methods' accuracies and their differences, or what is missing for them."""
    of = shown.overview
    heading(body, "accuracy_head", "How often are they right?")
    if of.ground_truth is None:
        words = "Choose labels to compare with above." if shown.label_fields else "There is no field with labels here."
        text(body, "accuracy_none", words, muted=True)
        return
    found = of.evaluation
    if found is None:
        words = f"No sample here has both a label in {of.ground_truth}, a class of the run, and all predictions."
        text(body, "accuracy_none", words, muted=True)
        return
    cards = row(body, "accuracy", gap="18px", align="flex-start")
    for name, score in zip(of.table.answers, found.methods.values(), strict=True):
        low, high = score.interval
        caption = f"{method_title(name)} ({100 * low:.1f} to {100 * high:.1f})"
        about = (
            f"{score.correct:,} of {found.samples:,} labels found. In brackets, Wilson's 95% interval: where the "
            "accuracy would lie on more images like these"
        )
        wrong = found.samples - score.correct
        show = (f"{wrong:,} wrong", panel.show) if wrong else ()
        card(cards, f"right_{name}", f"{score.accuracy:.1%}", caption, about, *show, part="wrong", method=name)
    about = "On the same samples. In brackets, the 95% interval; McNemar's exact test with Holm's correction"
    compared = [method_title(name) for name in of.compared]
    for at, pair in enumerate(pair for pair in found.pairs if pair.a in compared and pair.b in compared):
        text(body, f"difference{at}", found.sentence(pair), muted=not found.is_real(pair), title=about)
    text(body, "basis", found.basis(), size=SMALL, muted=True)


def add_flow(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the heatmap of the classes that two methods give to the same samples."""
    if "flow" not in shown.figures:
        return
    heading(
        body,
        "flow_head",
        "Which classes turn into which?",
        "Rows: the class under one method. Columns: the class of the same samples under the other. Blue: they "
        "disagree. Classes with most disagreements come first. Click on a cell to see its samples.",
    )
    pair = row(body, "pair", align="flex-end")
    methods = [(name, method_title(name)) for name in shown.overview.table.answers]
    choice(pair, "a", "Answers of", methods, panel.pick_a, "The method of the rows", NARROW)
    choice(pair, "b", "become, with", methods, panel.pick_b, "The method of the columns", NARROW)
    button(pair, "swap", "Swap", panel.swap, icon="swap_horiz", title="Exchange the two methods")
    _plot(body, "flow", shown, on_click=panel.show_cell)


def add_margins(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the scatter plot of two methods' margins."""
    if "margins" not in shown.figures:
        return
    total = int(shown.overview.predicted.sum())
    words = (
        f"All {total:,} predicted samples."
        if shown.points == total
        else f"{shown.points:,} of {total:,} predicted samples, disagreements first."
    )
    about = f"{MARGIN} Click on a point, or draw around several, to see their samples. {words}"
    heading(body, "margins_head", "How sure are they?", about)
    _plot(body, "margins", shown, on_click=panel.show_point, on_selected=panel.show_points)


def _plot(body: Any, name: str, shown: Comparison, **events: Any) -> None:
    """Adds a figure; its data is sent separately, and only when it changes.

    ``composite_view`` keeps the App from copying that data into the panel's state, which travels with every event.
    """
    figure_layout = shown.figures[name]["layout"]
    config = {
        "displayModeBar": name == "margins",
        "displaylogo": False,
        "scrollZoom": False,
        "responsive": True,
        "modeBarButtonsToRemove": ["toImage", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    }
    body.plot(
        name,
        layout=figure_layout,
        config=config,
        height=f"{figure_layout['height']}px",
        composite_view=True,
        componentsProps=LAYER,
        **events,
    )
