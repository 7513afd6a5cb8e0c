"""The compare panel's sections with figures: agreement, accuracy, class flow and how sure the methods are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....lgca_plugin.method.core.methods import COMPARED, METHODS, method_title
from ....lgca_plugin.method.number_text import labels_text, percent_text, samples_text
from ....lgca_plugin.workflows.overview.overview import Overview
from ....lgca_plugin.workflows.overview.selections import pattern_words
from ..widgets import SMALL, button, card, choice, heading, row, text
from .content import Comparison

LAYER = {"item": {"sx": {"willChange": "transform"}}}
"""Puts a figure on a layer of its own: otherwise the browser sorts the points of a plot into the page's layers at every
frame of any animation, which takes 0.7 s with 2,000 points."""

NARROW = "130px"


def add_agreement(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds how often the methods agree."""
    of = shown.overview
    own = of.run.config.voters is not None
    heading(body, "agreement_head", f"Do the {'predictions' if own else 'methods'} agree?", _looks(of.compared))
    if len(of.compared) < 2:
        words = "This run has one method. Classify with clip, wca and lgca to compare."
        if own:
            words = "There is one prediction. Find wrong labels with more of them to compare."
        text(body, "agreement_none", words, muted=True)
        return
    total, alike = int(of.predicted.sum()), of.pattern_counts[0]
    *first, last = (method_title(name) for name in of.compared)
    who = f"{', '.join(first)} and {last}"
    words = f"On {alike:,} of {samples_text(total)}, {who} agree ({percent_text(alike / total)})."
    text(body, "agreement_all", words, bold=True)
    if len(of.compared) > 2:
        pairs = (
            f"{method_title(a)} and {method_title(b)} on {percent_text(count / total)}"
            for (a, b), count in of.pairs_agree.items()
        )
        text(body, "agreement_pairs", f"{', '.join(pairs)}.", size=SMALL, muted=True)
    _plot(body, "agreement", shown, on_click=panel.show_bar)
    chips = row(body, "patterns", gap="6px")
    params: dict[str, Any] = {"part": "disagreements"}
    label, title = f"Show the {total - alike:,} disagreements", "Samples to which they do not all give the same class"
    button(chips, "apart", label, panel.show, title=title, params=params, disabled=total == alike)
    for at, count in enumerate(of.pattern_counts):
        words, title = pattern_words(of.compared, at), f"Show the {samples_text(count)}"
        params = {"part": "pattern", "at": at}
        button(chips, f"pattern{at}", words, panel.show, title=title, params=params, disabled=not count)


def _looks(compared: tuple[str, ...]) -> str:
    """Returns what the compared methods look at, for readers who do not know them."""
    looks = [f"{method_title(name)} looks at {COMPARED[METHODS[name].regions]}" for name in compared if name in METHODS]
    return f"{'; '.join(looks)}." if looks else ""


def add_accuracy(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the methods' accuracies and their differences, or what is missing for them."""
    of = shown.overview
    found = of.evaluation
    if of.ground_truth is None or found is None:
        heading(body, "accuracy_head", "How often are they right?")
        text(body, "accuracy_none", _no_accuracy(shown), muted=True)
        return
    about = (
        f"Measured against {of.ground_truth}, {labels_text(found.samples)}, the same for all methods. Smaller, below: "
        "where the share would lie in 19 of 20 other sets of such samples."
    )
    heading(body, "accuracy_head", "How often are they right?", about)
    _add_corrections(panel, body, shown)
    if only_suspects(of):
        words = (
            "All labels here look wrong themselves, because the methods disagree with them: how often the methods "
            "agree with them measures nothing. Show your whole dataset for an accuracy."
        )
        text(body, "accuracy_none", words, muted=True)
        return
    cards = row(body, "accuracy", gap="18px", align="flex-start")
    for name, score in zip(of.table.answers, found.methods.values(), strict=True):
        low, high = score.interval
        caption = f"{method_title(name)}\n{100 * low:.1f}% to {100 * high:.1f}%"
        wrong = found.samples - score.correct
        about = (
            f"{method_title(name)} gives {score.correct:,} of {labels_text(found.samples)} in {of.ground_truth}, too"
        )
        show = (f"{wrong:,} differ", panel.show) if wrong else ()
        card(cards, f"right_{name}", f"{score.accuracy:.1%}", caption, about, *show, part="wrong", method=name)
    compared = [method_title(name) for name in (*of.compared, of.learned) if name is not None]
    about = "Over the samples on which only one of the two is right; corrected for the number of comparisons"
    for at, pair in enumerate(pair for pair in found.pairs if pair.a in compared and pair.b in compared):
        text(body, f"difference{at}", found.plain_sentence(pair), muted=not found.is_real(pair), title=about)
    if found.excluded:
        left_out = ", ".join(f"{count:,} {why}" for why, count in found.excluded.items())
        text(body, "basis", f"Samples left out: {left_out}.", size=SMALL, muted=True)


def _add_corrections(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds whether the labels are the given ones or the corrected ones, where there are both, and the way to these."""
    report = shown.run.results.get("triage") or {}
    given, corrected = report.get("ground_truth"), report.get("corrected_field")
    if corrected not in shown.label_fields or shown.labels not in (given, corrected):
        return
    line = row(body, "corrections", gap="4px 10px")
    if shown.labels == corrected:
        text(line, "words", f"These are the labels of {given} with all corrections.", size=SMALL)
        return
    text(line, "words", "These are the labels as they were given, without the corrections.", size=SMALL)
    params = {"value": corrected}
    button(line, "corrected", f"Measure against {corrected}", panel.pick_labels, params=params)


def _no_accuracy(shown: Comparison) -> str:
    """Returns why there is no accuracy."""
    of = shown.overview
    if of.ground_truth is None:
        return "Choose labels to compare with above." if shown.label_fields else "There is no field with labels here."
    return f"No sample here has both a label in {of.ground_truth}, a class of the run, and all predictions."


def only_suspects(of: Overview) -> bool:
    """Returns whether every label that the accuracies rest on is one that looks wrong: then all accuracies are near 0.

    It is so where a filter or a view of the user's own picks out what the triage has found.
    """
    judged = np.flatnonzero(of.judged)
    checked = (of.run.results.get("triage") or {}).get("ground_truth")
    return of.ground_truth == checked and len(judged) > 0 and bool(np.isin(judged, of.suspects).all())


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
    about = (
        "A point is a sample; it lies far to the right or far up where that method's class is far ahead of its second "
        "choice, and near 0 where it was a close call. Click on a point, or draw around several, to see their samples. "
    )
    heading(body, "margins_head", "How sure are they?", f"{about}{words}")
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
