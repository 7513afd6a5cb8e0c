"""The sections of the panel that compares methods: agreement, accuracy, class flow and margins."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.figures.compare import share_text
from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.workflows.overview.overview import Overview
from ....lgca_plugin.workflows.overview.parts import pattern_words
from ..widgets import SMALL, button, card, choice, heading, row, samples_word, text
from .screen import Screen

LAYER = {"item": {"sx": {"willChange": "transform"}}}
"""Makes a picture a layer of its own: a browser sorts the points of a plot into the page's layers at every frame of any
animation, and 2,000 of them took 0.7 s each time."""

MARGIN = "A margin is the best class's score minus the second best's: how far ahead an answer is."


def add_agreement(panel: Any, body: Any, screen: Screen, of: Overview) -> None:
    """Adds who agrees with whom."""
    heading(body, "agreement_head", "Do the methods agree?")
    if len(of.compared) < 2:
        text(
            body, "agreement_none", "This run has one method. Classify with clip, wca and lgca to compare.", muted=True
        )
        return
    total = int(of.predicted.sum())
    pairs = row(body, "pairs", gap="18px", align="flex-start")
    for at, ((a, b), count) in enumerate(of.pairs_agree.items()):
        about = f"Share of the predicted samples to which {method_title(a)} and {method_title(b)} give the same class"
        card(pairs, f"pair{at}", share_text(count / total), f"{method_title(a)} = {method_title(b)}", about)
    if len(of.compared) > 2:
        card(
            pairs,
            "all",
            share_text(of.pattern_counts[0] / total),
            "all three agree",
            "Share to which all three give one class",
        )
    apart = total - of.pattern_counts[0]
    card(
        pairs,
        "apart",
        f"{apart:,}",
        "disagreements",
        "Samples to which the methods do not all give the same class",
        *(("Show", panel.show) if apart else ()),
        part="disagreements",
    )
    _plot(body, "agreement", screen, on_click=panel.show_bar)
    chips = row(body, "patterns", gap="6px")
    text(chips, "label", "Show:", size=SMALL, muted=True)
    for at, count in enumerate(of.pattern_counts):
        words = pattern_words(of.compared, at)
        title = f"Show the {count:,} {samples_word(count)}"
        button(
            chips,
            f"pattern{at}",
            words,
            panel.show,
            title=title,
            params={"part": "pattern", "at": at},
            disabled=not count,
        )


def add_accuracy(panel: Any, body: Any, screen: Screen, of: Overview) -> None:
    """Adds accuracies and their differences, or what they need."""
    heading(body, "accuracy_head", "How often are they right?")
    if of.ground_truth is None:
        words = "Choose labels to compare with above." if screen.label_fields else "There is no field with labels here."
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
        about = (
            f"{score.correct:,} of {found.samples:,} labels found. In brackets, Wilson's 95% interval: where the "
            "accuracy would lie on more images like these"
        )
        wrong = found.samples - score.correct
        card(
            cards,
            f"right_{name}",
            f"{score.accuracy:.1%}",
            f"{method_title(name)} ({100 * low:.1f} to {100 * high:.1f})",
            about,
            *((f"{wrong:,} wrong", panel.show) if wrong else ()),
            part="wrong",
            method=name,
        )
    about = "On the same samples. In brackets, the 95% interval; McNemar's exact test with Holm's correction"
    compared = [method_title(name) for name in of.compared]
    for at, pair in enumerate(pair for pair in found.pairs if pair.a in compared and pair.b in compared):
        text(body, f"difference{at}", found.sentence(pair), muted=not found.is_real(pair), title=about)
    text(body, "basis", found.basis(), size=SMALL, muted=True)


def add_flow(panel: Any, body: Any, screen: Screen, of: Overview) -> None:
    """Adds the class flow between two methods."""
    if "flow" not in screen.pictures:
        return
    heading(
        body,
        "flow_head",
        "Which classes turn into which?",
        "Rows: what the one method says. Columns: what the other says of the same samples. Blue: they disagree. "
        "Classes with most disagreements come first. Click on a cell to see its samples.",
    )
    pair = row(body, "pair", align="flex-end")
    methods = [(name, method_title(name)) for name in of.table.answers]
    choice(pair, "a", "Answers of", methods, panel.pick_a, "The method of the rows", "130px")
    choice(pair, "b", "become, with", methods, panel.pick_b, "The method of the columns", "130px")
    button(pair, "swap", "Swap", panel.swap, icon="swap_horiz", title="Exchange the two methods")
    _plot(body, "flow", screen, on_click=panel.show_cell)


def add_margins(panel: Any, body: Any, screen: Screen, of: Overview) -> None:
    """Adds the scatter plot of two methods' margins."""
    if "margins" not in screen.pictures:
        return
    total = int(of.predicted.sum())
    words = (
        f"All {total:,} predicted samples."
        if screen.points == total
        else (f"{screen.points:,} of {total:,} predicted samples, disagreements first.")
    )
    heading(
        body,
        "margins_head",
        "How sure are they?",
        f"{MARGIN} Click on a point, or draw around several, to see their samples. {words}",
    )
    _plot(body, "margins", screen, on_click=panel.show_point, on_selected=panel.show_points)


def _plot(body: Any, name: str, screen: Screen, **events: Any) -> None:
    """Adds a picture; its data has been sent apart, where it has changed.

    ``composite_view`` keeps the App from copying that data into the panel's state, which travels with every event.
    """
    look = screen.pictures[name]["layout"]
    bar = name == "margins"
    config = {"displayModeBar": bar, "displaylogo": False, "scrollZoom": False, "responsive": True}
    config["modeBarButtonsToRemove"] = ["toImage", "autoScale2d", "zoomIn2d", "zoomOut2d"]
    view = {"layout": look, "config": config, "height": f"{look['height']}px", "composite_view": True}
    body.plot(name, **view, componentsProps=LAYER, **events)
