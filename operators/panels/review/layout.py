"""The review panel's layout: from its content to FiftyOne's components. Nothing is read from the dataset here."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ..widgets import SMALL, EmptyState, button, choice, dock, empty_state, meter, page, row, text
from .card import add_card, add_card_head
from .content import CardContent, GroupContent, ReviewContent, SummaryContent
from .group import add_group, add_group_head
from .state import SUMMARY
from .summary import add_summary

BACK, ON = "\u2039", "\u203a"
NOTE = {"sx": {"width": "100%", "boxSizing": "border-box", "padding": "0 10px", "overflowWrap": "anywhere"}}


def layout(content: ReviewContent, panel: Any) -> Any:
    """Returns the panel's page; its buttons and lists call methods of ``panel``."""
    root, body = page(gap=1)
    for at, note in enumerate(content.notes):
        body.view(f"note_{at}", types.AlertView(severity="warning", label=note, componentsProps={"container": NOTE}))
    shown = content.shown
    if isinstance(shown, EmptyState):
        _add_runs(body, content, panel)
        empty_state(body, shown, panel)
        return root
    head = dock(body, "dock")
    _add_top(head, content, shown, panel)
    if content.changes:
        line = row(head, "changes", gap="4px 10px")
        text(line, "words", "The grid shows what you have changed.", size=SMALL)
        button(line, "all", "Show all pictures", panel.show_all, title="Show in the grid what was there before")
    meter(head, "meter", shown.progress.reviewed / max(1, shown.progress.total))
    if isinstance(shown, CardContent):
        add_card_head(head, content, shown, panel)
        add_card(body, content, shown, panel)
    elif isinstance(shown, GroupContent):
        add_group_head(head, content, shown, panel)
        add_group(body, content, shown, panel)
    else:
        add_summary(body, content, shown, panel)
    return root


def _add_runs(page: Any, content: ReviewContent, panel: Any) -> None:
    """Adds the list of runs, where there are several."""
    if len(content.keys) > 1 and content.run is not None:
        keys = [(key, key) for key in content.keys]
        choice(page, "run", "Run", keys, panel.pick_run, "The run whose suspects are reviewed", "132px")


def _add_top(head: Any, content: ReviewContent, shown: CardContent | GroupContent | SummaryContent, panel: Any) -> None:
    """Adds the progress, and the buttons that move through the queue."""
    top = row(head, "top", gap="4px 8px")
    _add_runs(top, content, panel)
    below = shown.below if isinstance(shown, CardContent) else None
    words = str(shown.progress) if below is None else f"Other labels, the least certain first: {below}"
    text(top, "progress", words, bold=True, size=SMALL, flex="1 1 150px")
    if isinstance(shown, CardContent):
        for name, label, target, about in (
            ("previous", BACK, shown.previous, "The previous suspect, without a decision about this one (P)"),
            ("next", ON, shown.following, "The next suspect, without a decision about this one (N)"),
        ):
            params, key = {"sample": target}, about[-2].lower()
            button(top, name, label, panel.go_to, title=about, params=params, disabled=target is None, key=key)
    state = content.state
    if state.done:
        about = f"Take back: {state.said}" if state.said else "Take the last decision back"
        last = state.done[-1]
        params = {"action": last.action, "sample": last.sample}
        button(top, "undo", "Undo", panel.undo, title=f"{about} (U)", params=params, key="u")
    if not isinstance(shown, SummaryContent):
        about = "What the review has changed so far, and whether it is worth going on"
        button(top, "summary", "Summary", panel.show_screen, title=about, params={"screen": SUMMARY})
