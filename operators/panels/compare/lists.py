"""The ranked lists of the panel that compares methods: misleading-crop cases and suspected label errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.workflows.overview.overview import Overview
from ....lgca_plugin.workflows.overview.rows import SampleRow
from ....lgca_plugin.workflows.overview.table import NONE
from ..widgets import SMALL, button, column, heading, row, text
from .screen import ROWS, Screen

THUMBNAIL = "72px"
LINES = {"display": "grid", "gridTemplateColumns": f"{THUMBNAIL} minmax(0, 1fr) auto"}
LEFT, RIGHT = {"gridArea": "1 / 1 / 3"}, {"gridArea": "1 / 3 / 3"}
"""A picture and a button beside two texts, which need no stack of their own: the App works on every part."""


def add_misleading(panel: Any, body: Any, screen: Screen, of: Overview) -> None:
    """Adds the misleading-crop cases, or how to get them."""
    heading(
        body,
        "misleading_head",
        "Misleading crops",
        "Samples where WCA and LGCA disagree, and WCA says what LGCA says once a few crops are taken out. The fewer "
        "crops it takes, the closer the call.",
    )
    if not of.triaged:
        words = "A triage finds them, from what the run has stored: no image is encoded."
        text(body, "misleading_none", words, muted=True)
        button(body, "misleading_triage", "Triage this run", panel.triage, title=words)
        return
    count = len(of.misleading)
    everything = _ShowAll(f"Show all {count:,}", "Show them in the grid, the fewest crops first", "misleading_cases")
    _add_list(panel, body, "misleading", screen, count, everything)


def add_suspects(panel: Any, body: Any, screen: Screen, of: Overview) -> None:
    """Adds the suspected label errors, or how to get them."""
    heading(
        body,
        "suspects_head",
        "Suspected label errors",
        "Given labels that the calibrated methods hold for wrong, the lowest label quality first. Quality is how much "
        "the methods believe in the given label, from 0 to 1.",
    )
    if not of.triaged:
        words = "A triage against given labels finds them."
        text(body, "suspects_none", words, muted=True)
        button(body, "suspects_triage", "Triage this run", panel.triage, title=words)
        return
    report = screen.run.results.get("triage") or {}
    if not report.get("ground_truth"):
        words = "The last triage was made without labels, so none can be suspected."
        text(body, "suspects_none", words, muted=True)
        button(body, "suspects_triage", "Triage against labels", panel.triage, title="Triage again, with a label field")
        return
    left = int((of.decided[of.suspects] == NONE).sum())
    title = "Show in the grid those that nothing is decided about; a decision takes a sample out"
    everything = _ShowAll(f"Show the {left:,} undecided", title, "open_suspects", left > 0)
    _add_list(panel, body, "suspects", screen, len(of.suspects), everything)


@dataclass(frozen=True)
class _ShowAll:
    """The button that shows a whole list in the grid."""

    label: str
    title: str
    part: str
    usable: bool = True


def _add_list(panel: Any, body: Any, name: str, screen: Screen, count: int, everything: _ShowAll) -> None:
    """Adds a page of a ranked list, with what turns the page and what shows all of it."""
    start, rows = getattr(screen.choices, name), getattr(screen, name)
    if not count:
        text(body, f"{name}_none", "There are none in this view.", muted=True)
        return
    listed = column(body, name, gap="6px", width="100%")
    border = {"borderBottom": "1px solid", "borderColor": "divider", "pb": "6px"}
    for at, sample in enumerate(rows):
        _add_row(panel, row(listed, f"row{at}", gap="0 10px", **LINES, **border), name, sample)
    high = start + len(rows)
    turn = row(listed, "turn", gap="6px")
    text(turn, "which", f"{start + 1:,} to {high:,} of {count:,}", size=SMALL, muted=True)
    for label, by, usable in (("Previous", -ROWS, start > 0), ("Next", ROWS, high < count)):
        params, title = {"list": name, "by": by}, f"{label} samples of the list"
        button(turn, label.lower(), label, panel.turn, title=title, params=params, disabled=not usable)
    params = {"part": everything.part}
    title, usable = everything.title, everything.usable
    button(turn, "all", everything.label, panel.show, title=title, params=params, disabled=not usable)


def _add_row(panel: Any, line: Any, name: str, sample: SampleRow) -> None:
    """Adds a sample of a list: picture, what is said about it, and the button that shows it."""
    cell: dict[str, Any] = {"item": {"sx": {"width": THUMBNAIL, **LEFT}}}
    cell["image"] = {"style": {"maxWidth": THUMBNAIL, "maxHeight": THUMBNAIL, "display": "block"}}
    if sample.thumbnail is None:
        text(line, "missing", "no picture", size=SMALL, muted=True, **LEFT)
    else:
        line.img("picture", alt_text=sample.name, title=sample.name, componentsProps=cell)
    answers = "  ·  ".join(f"{method_title(method)}: {label}" for method, label in sample.answers.items())
    if name == "misleading":
        crops = f"{sample.crops:,} {'crop turns' if sample.crops == 1 else 'crops turn'} it"
        text(line, "first", crops, bold=True, title="The fewest crops whose removal turns WCA's answer into LGCA's")
    else:
        sure = "" if sample.confidence is None else f" ({sample.confidence:.0%})"
        about = "The given label, the suggested class, and how sure the calibrated methods are of it"
        text(line, "first", f"{sample.given or '?'} → {sample.suggested}{sure}", bold=True, title=about)
        quality = "" if sample.quality is None else f"quality {sample.quality:.3f}  ·  "
        answers = quality + answers
    given = f"label: {sample.given}  ·  " if name == "misleading" and sample.given else ""
    decision = f"  ·  decided: {sample.decision.value}" if sample.decision else ""
    text(line, "more", f"{answers}\n{given}{sample.name}{decision}", size=SMALL)
    params = {"part": "sample", "id": sample.sample_id}
    button(line, "show", "Show", panel.show, title=f"Show {sample.name} in the grid", params=params, **RIGHT)
