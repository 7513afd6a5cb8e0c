"""``lgca_menu``: the plugin's one button above the grid, and the menu of all that it does.

The menu is a form. Each of its buttons executes the menu's own operator, which has the App open the entry in the
place of the menu; FiftyOne would send an operator that a form's button opens the button's own parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ..lgca_plugin.errors import ConfigError
from ..lgca_plugin.fiftyone_io.fields import SUGGESTION, triage_field
from ..lgca_plugin.runs.state import runs_at_work
from ..lgca_plugin.workflows.fuse.partners import has_partners
from .panels.widgets import NORMAL, SMALL, button, row, text
from .shared.caller import from_page
from .shared.dialogs.dialog import Step, operator_uri
from .shared.grid.boxes import on_boxes
from .shared.plain_text import PlainProperty
from .shared.results.result import ReadableOperator, Result, result
from .shared.run_choice import run_keys

FIND = "Find wrong labels"
LABEL = "Wrong labels"
"""The words on the button: few enough to fit above the grid of a window of 1,280 pixels."""

NO_SUBMIT = {
    "[data-cy=operators-prompt-modal]:has(&) .MuiDialogActions-root > :last-child:not(:only-child)": {"display": "none"}
}
"""Hides the form's own button, which every form of the App has, and a menu no use for; without it, the menu has one
more button that closes it."""

HEADING: dict[str, Any] = {"pt": "10px", "mt": "6px", "borderTop": "1px solid", "borderColor": "divider"}
LINE: dict[str, Any] = {"display": "grid", "gridTemplateColumns": "170px minmax(0, 1fr)", "alignItems": "center"}


@dataclass(frozen=True)
class Entry:
    """An entry of the menu.

    Attributes:
        operator: name of the operator that it opens
        label: words on its button
        about: what it does, in a line
        needs: what has to be there: ``"dataset"``, ``"run"``, ``"triage"``, a run whose labels were checked,
            ``"models"``, two runs of different models that can be fused, or ``"work"``, a call that is at work on a run
    """

    operator: str
    label: str
    about: str
    needs: str = "run"


GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "",
        (
            Entry("lgca_find_wrong_labels", FIND, "Check every label, and list those that look wrong", "dataset"),
            Entry("lgca_open_review", "Review labels", "Decide about those that look wrong, one by one", "triage"),
        ),
    ),
    ("At work", (Entry("lgca_cancel_run", "Cancel a run …", "How far each has come, and who started it", "work"),)),
    (
        "Look closer, and pass on",
        (
            Entry("lgca_open_compare", "Compare methods", "Where the methods agree, and how often each is right"),
            Entry("lgca_search", "Search and map", "Find pictures by words or by a picture, or see all on a map"),
            Entry("lgca_report", "Report", "A page for people without the App; suspects for CVAT and Label Studio"),
            Entry("lgca_export_decisions", "Export decisions", "Who decided what, as a CSV file", "triage"),
        ),
    ),
    (
        "Step by step: what “Find wrong labels” does at once, and more",
        (
            Entry("lgca_classify", "Classify", "First step: give every picture one of your classes", "dataset"),
            Entry("lgca_triage", "Check labels", "Second step: check labels against a run that is there"),
            Entry("lgca_rescore", "Rescore", "Change a run's classes, texts or settings within seconds"),
            Entry("lgca_evaluate", "Evaluate", "Measure each method against labels that you trust"),
            Entry("lgca_fuse", "Fuse runs", "Make one answer of what several models have found", "models"),
            Entry(
                "lgca_describe_classes",
                "Describe classes",
                "Have a language model write what each class looks like",
                "dataset",
            ),
        ),
    ),
    (
        "Take back",
        (
            Entry("lgca_undo_decision", "Undo decisions …", "Take decisions back, yours or somebody else's", "triage"),
            Entry("lgca_delete_run", "Delete a run …", "Shows what goes with it; nothing goes before you confirm"),
        ),
    ),
)
"""The menu's groups, each with its heading; what matters most first, and what destroys last."""


def entries() -> Iterator[Entry]:
    """Yields all entries."""
    for _, group in GROUPS:
        yield from group


class Menu(ReadableOperator):
    """Opens the menu."""

    @property
    def config(self) -> Any:
        """How it is executed; the operator browser lists the entries themselves."""
        return foo.OperatorConfig(
            name="lgca_menu",
            label=LABEL,
            description="Menu of finding, reviewing and comparing labels",
            dynamic=True,
            unlisted=True,
            risk_level=types.RiskLevel.LOW,
            view_target=False,
        )

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts the button above the grid; a button with an icon would show its words only as a tooltip."""
        return types.Placement(types.Places.SAMPLES_GRID_ACTIONS, types.Button(label=LABEL, prompt=True))

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the menu."""
        inputs = types.Object()
        offered = available(on_boxes(ctx).dataset)
        body = inputs.v_stack("menu", componentsProps={"grid": {"sx": {"gap": "6px", **NO_SUBMIT}}})
        for at, (heading, group) in enumerate(GROUPS):
            shown = [entry for entry in group if entry.needs in offered]
            if shown and heading:
                text(body, f"heading{at}", heading, size=SMALL, muted=True, bold=True, **HEADING)
            for entry in shown:
                main = entry.operator == ("lgca_open_review" if "triage" in offered else "lgca_find_wrong_labels")
                self._add_entry(body, entry, main=main)
        if "run" not in offered:
            words = "Review, Compare, Report, Rescore, Evaluate and Delete are here once there is a run."
            text(body, "later", words, size=SMALL, muted=True, pt="10px")
        view = types.PromptView(label="Find, review and correct wrong labels", submit_button_label="Close")
        return PlainProperty(inputs, view=view)

    def _add_entry(self, body: Any, entry: Entry, *, main: bool) -> None:
        """Adds a button and, beside it, what it does."""
        line = row(body, entry.operator, gap="12px", **LINE)
        params = {"open": entry.operator}
        button(line, "open", entry.label, operator_uri("lgca_menu"), params=params, main=main)
        text(line, "about", entry.about, size=NORMAL, muted=True)

    def execute(self, ctx: Any) -> Result | None:
        """Opens an entry; nothing without one.

        Returns:
            where there is no page that could show the menu, the operators that the dataset has something for

        Raises:
            ConfigError: if the menu has no such entry
        """
        if not from_page(ctx):
            offered = [entry for entry in entries() if entry.needs in available(ctx.dataset)]
            steps: list[Step] = [(f"{entry.label}: {entry.about}", entry.operator, {}) for entry in offered]
            dataset = "no dataset is open" if ctx.dataset is None else f"for dataset {ctx.dataset.name!r}"
            return result(f"{len(steps)} operators {dataset}", steps=steps)
        name = ctx.params.get("open")
        if name is None:
            return None
        if name not in {entry.operator for entry in entries()}:
            raise ConfigError(f"the menu has no entry {name!r}")
        ctx.prompt(operator_uri(name))
        return None


def available(dataset: Any) -> set[str]:
    """Returns what a dataset has of what entries need."""
    if dataset is None:
        return set()
    keys = run_keys(dataset)
    schema = dataset.get_field_schema()
    triaged = any(triage_field(key, SUGGESTION) in schema for key in keys)
    there = {
        "run": bool(keys),
        "triage": triaged,
        "models": len(keys) > 1 and has_partners(dataset),
        "work": bool(runs_at_work(dataset)),
    }
    return {"dataset"} | {name for name, is_there in there.items() if is_there}
