"""The compare panel's ranked lists, with pictures: labels that look wrong, and misleading crops."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.method.number_text import labels_text, percent_text
from ....lgca_plugin.workflows.decisions.summary_text import checked_labels
from ....lgca_plugin.workflows.overview.overview import Overview
from ....lgca_plugin.workflows.overview.sample_rows import SampleRow
from ....lgca_plugin.workflows.overview.table import NONE
from ..widgets import SMALL, button, column, heading, row, text
from .content import ROWS_PER_PAGE, Comparison, ListPage

SELECT = "Or select samples in the grid: the buttons to decide about them then appear at the top of this panel."
THUMBNAIL = "84px"
GRID: dict[str, Any] = {
    "display": "grid",
    "gridTemplateColumns": f"{THUMBNAIL} minmax(0, 1fr) auto",
    "borderBottom": "1px solid",
    "borderColor": "divider",
    "pb": "6px",
}
LEFT: dict[str, Any] = {"gridArea": "1 / 1 / 3"}
RIGHT: dict[str, Any] = {"gridArea": "1 / 3 / 3"}
"""Thumbnail and button beside two texts, without containers of their own: the App processes every component."""


def add_suspects(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the labels that look wrong, or the button that looks for them."""
    of = shown.overview
    heading(body, "suspects_head", "Labels that look wrong")
    report = shown.run.results.get("triage") or {}
    if not of.triaged or not report.get("ground_truth"):
        words = (
            "The methods were compared without labels, so none can look wrong."
            if of.triaged
            else "Nobody has looked for them yet, in what this run has stored: no image is encoded again."
        )
        _add_triage_button(panel, body, "suspects", words)
        return
    total, left = len(of.suspects), int((of.decided[of.suspects] == NONE).sum())
    if not total:
        where = f"{labels_text(checked_labels(report) or 0)} in {report['ground_truth']} were checked"
        text(body, "suspects_none", f"None here. {where}.", muted=True)
        return
    done = "none is reviewed yet" if left == total else f"{left:,} still to review" if left else "all are reviewed"
    verb = "looks" if total == 1 else "look"
    text(body, "suspects_count", f"{labels_text(total)} in {report['ground_truth']} {verb} wrong; {done}.", bold=True)
    line = row(body, "suspects_do", gap="6px")
    title = "Decide about one after the other, with pictures of both classes beside it"
    button(line, "review", "Review labels", panel.review, title=title, main=bool(left))
    title = "Show those without a decision in the grid; a sample leaves it with its decision"
    params = {"part": "open_suspects"}
    button(line, "all", f"Show the {left:,} undecided", panel.show, title=title, params=params, disabled=not left)
    _add_list(panel, body, "suspects", shown.suspects, shown.overview)
    text(body, "suspects_select", SELECT, size=SMALL, muted=True)


def add_misleading(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the misleading-crop cases, or the button that finds them; nothing where no picture was looked at."""
    if shown.run.config.voters is not None:
        return
    about = (
        "Samples where WCA and LGCA disagree only because of a few crops: without them, WCA would say what LGCA says. "
        "The fewer crops it takes, the closer the call."
    )
    heading(body, "misleading_head", "Misleading crops", about)
    if not shown.overview.triaged:
        _add_triage_button(panel, body, "misleading", "Triage finds them, too.")
        return
    count, title = shown.misleading.total, "Show them in the grid, the fewest crops first"
    turn = _add_list(panel, body, "misleading", shown.misleading, shown.overview)
    if turn is not None:
        params = {"part": "misleading_cases"}
        button(turn, "all", f"Show all {count:,}", panel.show, title=title, params=params)


def _add_triage_button(panel: Any, body: Any, name: str, words: str) -> None:
    text(body, f"{name}_none", words, muted=True)
    button(body, f"{name}_triage", "Triage this run", panel.open_form, title=words, params={"form": "triage"})


def _add_list(panel: Any, body: Any, name: str, page: ListPage, of: Overview) -> Any:
    """Adds a page of a ranked list; returns the row of the buttons that turn it, None where the list is empty."""
    if not page.total:
        text(body, f"{name}_none", "There are none in this view.", muted=True)
        return None
    listed = column(body, name, gap="6px", width="100%")
    for at, sample in enumerate(page.rows):
        line = row(listed, f"row{at}", gap="0 10px", **GRID)
        _add_row(panel, line, sample, *(_misled(sample, of) if name == "misleading" else _suspected(sample)))
    end = page.first + len(page.rows)
    turn = row(listed, "turn", gap="6px")
    text(turn, "which", f"{page.first + 1:,} to {end:,} of {page.total:,}", size=SMALL, muted=True)
    for label, by, usable in (("Previous", -ROWS_PER_PAGE, page.first > 0), ("Next", ROWS_PER_PAGE, end < page.total)):
        params, title = {"list": name, "by": by}, f"{label} samples of the list"
        button(turn, label.lower(), label, panel.turn, title=title, params=params, disabled=not usable)
    return turn


def _suspected(sample: SampleRow) -> tuple[str, str]:
    """Returns what is suggested for a sample, and how likely its labels are."""
    likely = []
    if sample.confidence is not None:
        likely.append(f"{sample.suggested} is {percent_text(sample.confidence)} likely")
    if sample.quality is not None:
        likely.append(f"{sample.given or 'the given label'} {percent_text(sample.quality)}")
    return f"{sample.given or '?'} → {sample.suggested}?", ", ".join(likely)


def _misled(sample: SampleRow, of: Overview) -> tuple[str, str]:
    """Returns what crops do to a sample's label, and what label it was given."""
    crops = f"{sample.crops:,} {'crop' if sample.crops == 1 else 'crops'}"
    _, on_crops, growing = (*of.compared, *("",) * 3)[:3]
    said, instead = sample.answers.get(on_crops, "?"), sample.answers.get(growing, "?")
    verb = "makes" if sample.crops == 1 else "make"
    first = f"{crops} {verb} {method_title(on_crops)} say {said}, not {instead}"
    return first, f"given label: {sample.given}" if sample.given else ""


def _answers(sample: SampleRow) -> list[str]:
    """Returns what the compared methods say, those that say the same together."""
    by_label: dict[str, list[str]] = {}
    for method, label in sample.answers.items():
        by_label.setdefault(label, []).append(method_title(method))
    return [f"{', '.join(methods)}: {label}" for label, methods in by_label.items()]


def _add_row(panel: Any, line: Any, sample: SampleRow, first: str, second: str) -> None:
    """Adds a sample of a list: thumbnail, facts, and the button that shows it in the grid."""
    cell: dict[str, Any] = {"item": {"sx": {"width": THUMBNAIL, **LEFT}}}
    cell["image"] = {"style": {"maxWidth": THUMBNAIL, "maxHeight": THUMBNAIL, "display": "block"}}
    if sample.thumbnail is None:
        text(line, "missing", "no picture", size=SMALL, muted=True, **LEFT)
    else:
        line.img("picture", alt_text=sample.name, title=sample.name, componentsProps=cell)
    facts = [
        second,
        "  ·  ".join(_answers(sample)),
        f"Decided: {sample.decision.word}" if sample.decision else "",
    ]
    text(line, "first", first, bold=True, title=sample.name)
    text(line, "more", "\n".join(filter(None, facts)), size=SMALL)
    params = {"part": "sample", "id": sample.sample_id}
    button(line, "show", "Show", panel.show, title=f"Show {sample.name} in the grid", params=params, **RIGHT)
