"""The compare panel's ranked lists: misleading-crop cases and suspected label errors."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.workflows.overview.sample_rows import SampleRow
from ....lgca_plugin.workflows.overview.table import NONE
from ..widgets import SMALL, button, column, heading, row, text
from .content import ROWS_PER_PAGE, Comparison, ListPage

THUMBNAIL = "72px"
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


def add_misleading(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the misleading-crop cases, or the button that finds them."""
    heading(
        body,
        "misleading_head",
        "Misleading crops",
        "Samples where WCA and LGCA disagree, and WCA's label becomes LGCA's once a few crops are taken out. The fewer "
        "crops it takes, the closer the call.",
    )
    if not shown.overview.triaged:
        words = "A triage finds them, from what the run has stored: no image is encoded."
        _add_triage_button(panel, body, "misleading", words)
        return
    count, title = shown.misleading.total, "Show them in the grid, the fewest crops first"
    turn = _add_list(panel, body, "misleading", shown.misleading)
    if turn is not None:
        params = {"part": "misleading_cases"}
        button(turn, "all", f"Show all {count:,}", panel.show, title=title, params=params)


def add_suspects(panel: Any, body: Any, shown: Comparison) -> None:
    """Adds the suspected label errors, or the button that finds them."""
    of = shown.overview
    heading(
        body,
        "suspects_head",
        "Suspected label errors",
        "Given labels that are probably wrong according to the calibrated methods, the lowest label quality first. "
        "Quality is the estimated probability of the given label, from 0 to 1.",
    )
    if not of.triaged:
        _add_triage_button(panel, body, "suspects", "A triage against given labels finds them.")
        return
    report = shown.run.results.get("triage") or {}
    if not report.get("ground_truth"):
        words = "The last triage was made without labels, so none can be suspected."
        _add_triage_button(panel, body, "suspects", words, "Triage against labels", "Triage again, with a label field")
        return
    turn = _add_list(panel, body, "suspects", shown.suspects)
    if turn is not None:
        left, params = int((of.decided[of.suspects] == NONE).sum()), {"part": "open_suspects"}
        title = "Show the undecided ones in the grid; a sample leaves it with its decision"
        label = f"Show the {left:,} undecided"
        button(turn, "all", label, panel.show, title=title, params=params, disabled=not left)


def _add_triage_button(
    panel: Any, body: Any, name: str, words: str, label: str = "Triage this run", title: str | None = None
) -> None:
    text(body, f"{name}_none", words, muted=True)
    button(body, f"{name}_triage", label, panel.open_form, title=title or words, params={"form": "triage"})


def _add_list(panel: Any, body: Any, name: str, page: ListPage) -> Any:
    """Adds a page of a ranked list; returns the row of the buttons that turn it, None where the list is empty."""
    if not page.total:
        text(body, f"{name}_none", "There are none in this view.", muted=True)
        return None
    listed = column(body, name, gap="6px", width="100%")
    for at, sample in enumerate(page.rows):
        _add_row(panel, row(listed, f"row{at}", gap="0 10px", **GRID), name, sample)
    end = page.first + len(page.rows)
    turn = row(listed, "turn", gap="6px")
    text(turn, "which", f"{page.first + 1:,} to {end:,} of {page.total:,}", size=SMALL, muted=True)
    for label, by, usable in (("Previous", -ROWS_PER_PAGE, page.first > 0), ("Next", ROWS_PER_PAGE, end < page.total)):
        params, title = {"list": name, "by": by}, f"{label} samples of the list"
        button(turn, label.lower(), label, panel.turn, title=title, params=params, disabled=not usable)
    return turn


def _add_row(panel: Any, line: Any, name: str, sample: SampleRow) -> None:
    """Adds a sample of a list: thumbnail, facts, and the button that shows it in the grid."""
    cell: dict[str, Any] = {"item": {"sx": {"width": THUMBNAIL, **LEFT}}}
    cell["image"] = {"style": {"maxWidth": THUMBNAIL, "maxHeight": THUMBNAIL, "display": "block"}}
    if sample.thumbnail is None:
        text(line, "missing", "no picture", size=SMALL, muted=True, **LEFT)
    else:
        line.img("picture", alt_text=sample.name, title=sample.name, componentsProps=cell)
    facts = [f"{method_title(method)}: {label}" for method, label in sample.answers.items()]
    more = [sample.name]
    if name == "misleading":
        first = f"{sample.crops:,} {'crop turns' if sample.crops == 1 else 'crops turn'} it"
        about = "The fewest crops whose removal turns WCA's label into LGCA's"
        more = [f"label: {sample.given}", *more] if sample.given else more
    else:
        sure = "" if sample.confidence is None else f" ({sample.confidence:.0%})"
        first = f"{sample.given or '?'} → {sample.suggested}{sure}"
        about = "The given label, the suggested class, and its calibrated probability"
        facts = facts if sample.quality is None else [f"quality {sample.quality:.3f}", *facts]
    if sample.decision:
        more.append(f"decided: {sample.decision.value}")
    text(line, "first", first, bold=True, title=about)
    text(line, "more", "\n".join("  ·  ".join(parts) for parts in (facts, more)), size=SMALL)
    params = {"part": "sample", "id": sample.sample_id}
    button(line, "show", "Show", panel.show, title=f"Show {sample.name} in the grid", params=params, **RIGHT)
