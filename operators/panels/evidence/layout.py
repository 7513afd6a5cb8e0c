"""The evidence panel's layout: from its content to FiftyOne's components. Nothing is read from the dataset here."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.figures.film_strip import film_strip
from ....lgca_plugin.figures.region_map import region_map
from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.method.explain.film_strip import CHAINS, Strip
from ....lgca_plugin.runs.record import stored_triage
from ....lgca_plugin.workflows.decisions.decisions import Decision
from ....lgca_plugin.workflows.evidence.film_strip import Pictures
from ....lgca_plugin.workflows.evidence.sample_record import cached_votes_figure
from ..widgets import SMALL, EmptyState, aside, button, choice, column, empty_state, heading, page, plot, row, text
from .content import MAX_CHAINS, EvidenceContent, Explanation, Result
from .tables import add_answers, add_what_if

WIDTH = 430
"""Width of the figures in pixels: that of the panel beside the image in a window of 1280 pixels."""

NARROW = "132px"
"""Width of the drop-down lists."""

NOTE = {"sx": {"width": "100%", "boxSizing": "border-box", "padding": "0 10px", "overflowWrap": "anywhere"}}


def layout(content: EvidenceContent, panel: Any) -> Any:
    """Returns the panel's page; its buttons and lists call methods of ``panel``."""
    root, body = page(gap=1)
    _add_top(body, content, panel)
    notes = [*content.notes, *(content.result.notes if content.result else ())]
    for at, note in enumerate(notes):
        body.view(f"note_{at}", types.AlertView(severity="warning", label=note, componentsProps={"container": NOTE}))
    if isinstance(content.shown, EmptyState):
        empty_state(body, content.shown, panel)
        return root
    result = content.shown
    explanation, strip = result.explanation, result.strip
    add_answers(body, result)
    _add_decision(body, result, panel)
    if explanation is not None and strip is not None:
        add_what_if(body, explanation, strip, panel)
    columns = row(body, "columns", align="flex-start", gap="0px 24px")
    left = column(columns, "left", flex=f"1 1 {WIDTH - 20}px", width="100%", maxWidth="660px")
    right = column(columns, "right", flex=f"1 1 {WIDTH - 20}px", width="100%", maxWidth="760px")
    if strip is not None:
        _add_strip(left, content, result, strip, panel)
        if result.pictures is not None:
            _add_map(right, strip, result.pictures, panel.click_frame if explanation else None)
    if explanation is not None:
        _add_descriptions(right, result, explanation)
    return root


def _add_top(page: Any, content: EvidenceContent, panel: Any) -> None:
    """Adds the list of runs, where there are several, and the file's name."""
    top = row(page, "top", gap="4px 14px")
    if len(content.keys) > 1:
        keys = [(key, key) for key in content.keys]
        choice(top, "run", "Run", keys, panel.pick_run, "The run whose evidence is shown", NARROW)
    if content.sample is not None:
        name = content.sample.filepath.replace("\\", "/").rpartition("/")[2]
        text(top, "file", name, size=SMALL, muted=True, title=content.sample.filepath)


def _add_decision(page: Any, result: Result, panel: Any) -> None:
    """Adds the buttons with which a curator decides about the sample."""
    results, sample = result.run.results, result.sample
    buttons = row(page, "decide", gap="6px")
    if not stored_triage(results):
        text(buttons, "why", "To decide about labels, triage the run first.", size=SMALL, muted=True)
        about = "Sorts the samples by what should be reviewed"
        button(buttons, "triage", "Triage this run", panel.open_form, title=about, params={"form": "triage"})
        return
    params = {"sample": sample.id}
    if sample.suggested is not None:
        about = f"“{sample.suggested}” is the right label. It is written to the field of corrected labels"
        accepted = {**params, "decision": Decision.ACCEPTED.value}
        label = f"Change to “{sample.suggested}”"
        button(buttons, "accept", label, panel.decide, title=about, params=accepted, main=True)
    for decision in Decision:
        if decision is Decision.ACCEPTED or (decision is Decision.LABEL_RIGHT and sample.given is None):
            continue
        name, own_params = decision.value.replace(" ", "_"), {**params, "decision": decision.value}
        words = f"Keep “{sample.given}”" if decision is Decision.LABEL_RIGHT else decision.button
        button(buttons, name, words, panel.decide, title=decision.explanation, params=own_params)
    another, about = {"form": "decide"}, "Name the right class, or leave a note"
    button(buttons, "another", "Another label …", panel.open_form, title=about, params=another)
    if sample.decision is not None:
        about = "Take back the current decision on this sample"
        button(buttons, "undo", "Undo", panel.undo, icon="undo", title=about, params=params)
    page.bool(
        "go_on",
        label="Then open the next suspect",
        view=types.SwitchView(componentsProps=aside()),
        on_change=panel.set_go_on,
    )


def _add_strip(page: Any, content: EvidenceContent, result: Result, strip: Strip, panel: Any) -> None:
    """Adds the film strip, with the lists of what it compares where there is evidence."""
    heading(page, "strip_title", "How crops grow", "Click a picture to take it out and see the labels without it.")
    explanation, pictures = result.explanation, result.pictures
    if explanation is not None:
        classes = [(name, name) for name in explanation.evidence.classes]
        rivals = row(page, "rivals", gap="8px", align="flex-end")
        about = "Weights and contributions are about the lead of the first class over the second"
        choice(rivals, "first", "First rival (blue)", classes, panel.pick_first, about, NARROW)
        choice(rivals, "second", "Second rival (orange)", classes, panel.pick_second, about, NARROW)
        if len(explanation.methods) > 1:
            methods = [(name, method_title(name)) for name in explanation.methods]
            about = "The method whose weights are shown"
            choice(rivals, "method", "Weights of", methods, panel.pick_method, about, NARROW)
    figure = film_strip(
        strip,
        pictures.regions if pictures else {},
        image=pictures.whole if pictures else None,
        image_size_hw=pictures.size_hw if pictures else (1, 1),
        theme="app",
        min_width=WIDTH,
    )
    plot(page, "strip", figure, panel.click_frame if explanation else None)
    more = min(MAX_CHAINS, strip.n_chains)
    if explanation is not None and more > CHAINS:
        label = "Show fewer crops" if content.state.more else f"Show {more} of {strip.n_chains} crops"
        about = "Misleading crops come first, then those that contribute most"
        button(page, "more", label, panel.show_more, title=about)


def _add_map(page: Any, strip: Strip, pictures: Pictures, on_click: Any) -> None:
    """Adds the whole image with the boxes of the strip's regions."""
    heading(page, "map_title", "Where they are", "The boxes of these crops and of what they grew into.")
    figure = region_map(strip, pictures.whole, pictures.size_hw, min_width=WIDTH)
    plot(page, "map", figure, on_click)


def _add_descriptions(page: Any, result: Result, explanation: Explanation) -> None:
    """Adds the figure of which descriptions vote for which rival."""
    try:
        methods = ("wca", "lgca") if explanation.evidence.misleading_pair else None
        figure = cached_votes_figure(result.run, result.sample, explanation.names, methods=methods, min_width=WIDTH)
    except (LgcaError, AttributeError, KeyError, TypeError, ValueError) as error:
        why = getattr(error, "app", error)
        text(page, "descriptions_why", f"No descriptions to show: {why}", size=SMALL, muted=True, width="100%")
        return
    plot(page, "descriptions", figure.to_plotly_json(), None)
