"""The review panel's end of the queue: what changed, how right the methods are now, and how far down the finds went."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ....lgca_plugin.method.labels.expected_errors import Expectation
from ....lgca_plugin.method.number_text import capitalized, labels_text, percent_text
from ....lgca_plugin.workflows.review.summary import Block, ReviewSummary
from ..widgets import LARGE, SMALL, TABLE, button, heading, row, text
from .card import expected_text
from .content import ReviewContent, SummaryContent

MAX_CHANGES = 12
MAX_BLOCKS = 8


def add_summary(body: Any, content: ReviewContent, shown: SummaryContent, panel: Any) -> None:
    """Adds the summary of the review."""
    progress, summary = shown.progress, shown.summary
    if progress.left:
        title = f"{progress.reviewed:,} of {progress.total:,} suspects reviewed"
    else:
        title = "All suspects are reviewed" if progress.total > 1 else "The only suspect is reviewed"
    text(body, "title", title, size=LARGE, bold=True, width="100%", pt="6px")
    _add_counts(body, shown)
    _add_buttons(body, content, shown, panel)
    _add_changes(body, summary)
    _add_accuracy(body, summary)
    _add_finds(body, shown)


def _add_counts(body: Any, shown: SummaryContent) -> None:
    progress = shown.progress
    counts = row(body, "counts", gap="4px 18px")
    for name, number, caption in (
        ("changed", progress.changed, "changed"),
        ("kept", progress.kept, "kept"),
        ("bad", progress.bad_images, "bad images"),
        ("unsure", progress.unsure, "can't tell"),
        ("left", progress.left, "not reviewed"),
    ):
        if number or name in ("changed", "kept"):
            first = {"fontSize": LARGE, "fontWeight": 600, "color": "text.primary"}
            text(counts, name, f"{number:,}\n{caption}", size=SMALL, muted=True, first=first, minWidth="56px")
    below = shown.summary.below
    if below.reviewed:
        text(body, "below_counts", f"Other labels, which are no suspects: {below}.", width="100%")


def _add_buttons(body: Any, content: ReviewContent, shown: SummaryContent, panel: Any) -> None:
    """Adds what can be done next."""
    buttons = row(body, "next", gap="6px 8px", pt="4px")
    ended = shown.first is None
    if shown.first is not None:
        label = f"Review the {shown.progress.left:,} left" if shown.progress.left > 1 else "Review the last one"
        params = {"sample": shown.first}
        button(buttons, "review", label, panel.go_to, params=params, main=True, large=True)
    unsure = shown.progress.unsure
    if unsure:
        label = (
            f"Look again at the {unsure:,} you could not tell"
            if unsure > 1
            else "Look again at the one you could not tell"
        )
        button(buttons, "unsure", label, panel.go_again, main=ended, large=True)
    about = "A CSV file: who decided what about which picture"
    params = {"form": "export_decisions"}
    button(
        buttons, "export", "Export", panel.open_form, title=about, params=params, main=ended and not unsure, large=True
    )
    changed = shown.summary.changed
    about = "Show the pictures whose label was changed in the grid"
    button(buttons, "changes", "Show all changes", panel.show_changes, title=about, disabled=not changed, large=True)
    about = "How often each method is right, and where they disagree"
    params = {"panel": "lgca_compare"}
    button(buttons, "compare", "Compare methods", panel.open_panel, title=about, params=params, large=True)
    if ended:
        about = "Go on with the other labels, the least certain first: some wrong ones are no suspects"
        if shown.summary.beyond.samples:
            button(buttons, "below", "Go on with other labels", panel.go_below, title=about, large=True)
        about = "Go through the suspects and what was decided about them again, from the first one on"
        params, label = {"sample": content.state.sample or ""}, "Look at the decisions again"
        button(buttons, "again", label, panel.go_to_first, title=about, params=params, large=True)


def _add_changes(body: Any, summary: ReviewSummary) -> None:
    heading(body, "changes_title", "What changed")
    if not summary.changes:
        text(body, "changes", "No label was changed.", muted=True)
        return
    rows = [
        {"given": given or "no label", "corrected": corrected, "count": f"{count:,}"}
        for given, corrected, count in summary.changes[:MAX_CHANGES]
    ]
    _add_table(body, "changes", {"given": "From", "corrected": "To", "count": "Pictures"}, rows)
    others = len(summary.changes) - MAX_CHANGES
    words = f"The changes are in the field “{summary.corrected_field}”; the given labels stay as they are."
    if summary.renamed_field is not None:
        words = (
            f"Their field, “{summary.corrected_field}”, was renamed to “{summary.renamed_field}”: rename it back, or "
            "find wrong labels again, which goes on with it. Until then nothing can be decided."
        )
    elif summary.lost_labels:
        words = (
            f"Their field, “{summary.corrected_field}”, was deleted: the next decision makes it again, with "
            f"{_all_labels(summary.lost_labels)} changed so far."
        )
    if others > 0:
        words = f"… and {others:,} more kinds of change. {words}"
    text(body, "changes_where", words, size=SMALL, muted=True, width="100%")


def _add_accuracy(body: Any, summary: ReviewSummary) -> None:
    """Adds how often each method is right, against the given and against the corrected labels."""
    known = [one for one in summary.accuracy if one.given is not None or one.corrected is not None]
    if not known:
        return
    about = "The share of the pictures on which a method sees what the label says, before the review and after it."
    heading(body, "accuracy_title", "How often the methods are right", about)
    columns = {
        "method": "Method",
        "before": f"Before, by “{summary.given_field}”",
        "after": f"After, by “{summary.corrected_field}”",
    }
    rows = [
        {"method": capitalized(one.title), "before": percent_text(one.given), "after": percent_text(one.corrected)}
        for one in known
    ]
    _add_table(body, "accuracy", columns, rows)


def _add_finds(body: Any, shown: SummaryContent) -> None:
    """Adds how far down the queue wrong labels were found, and what is expected after it."""
    summary = shown.summary
    about = "The queue begins with the labels that are most likely wrong, so the finds get fewer: when they end, stop."
    heading(body, "finds_title", "How far down the finds went", about)
    blocks = merged(summary.blocks, MAX_BLOCKS)
    if blocks:
        rows = [
            {
                "places": f"{block.first:,} to {block.last:,}" if block.last > block.first else f"{block.first:,}",
                "reviewed": f"{block.reviewed:,}",
                "found": f"{block.found:,}",
            }
            for block in blocks
        ]
        _add_table(body, "finds", {"places": "Place", "reviewed": "Reviewed", "found": "Changed"}, rows)
    lines = []
    if summary.last_find is not None:
        lines.append(f"The last changed label was number {summary.last_find:,} of {shown.progress.total:,}.")
    ahead, beyond = shown.expectation, summary.beyond
    if ahead.samples == 1:
        lines.append(f"The label of the last suspect {_probability(ahead)}.")
    elif ahead.samples:
        kind = " whose label is a class of the run" if shown.progress.outside else ""
        lines.append(f"Of the next {ahead.samples:,} suspects{kind}, {expected_text(ahead)}.")
    if beyond.samples == 1:
        lines.append(f"The only label that is not suspected {_probability(beyond)}.")
    elif beyond.samples:
        labels = f"{beyond.samples:,} least certain labels that are not suspected"
        lines.append(f"Of the {labels}, {expected_text(beyond)}.")
    text(body, "finds_words", "\n".join(lines), width="100%")


def _all_labels(count: int) -> str:
    return f"all {labels_text(count)}" if count > 1 else "the label"


def _probability(found: Expectation) -> str:
    return f"is wrong with a probability of {percent_text(found.expected)}"


def merged(blocks: tuple[Block, ...], most: int) -> list[Block]:
    """Returns at most ``most`` blocks: neighbours are merged where there are more."""
    step = -(-len(blocks) // most) or 1
    parts = [blocks[start : start + step] for start in range(0, len(blocks), step)]
    return [
        Block(
            first=part[0].first,
            last=part[-1].last,
            reviewed=sum(one.reviewed for one in part),
            found=sum(one.found for one in part),
        )
        for part in parts
    ]


def _add_table(body: Any, name: str, columns: dict[str, str], rows: list[dict[str, str]]) -> None:
    table = types.TableView(size="small", componentsProps=TABLE)
    for column, label in columns.items():
        table.add_column(column, label=label)
    body.list(name, types.Object(), default=rows, view=table)
