"""The panel's class: what each event of the App and each action of the user does.

All figures are about the user's own view, whatever the panel shows in the grid. Every event returns the content that
is then laid out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fiftyone.operators as foo

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.workflows.decisions.queue import Triage
from ....lgca_plugin.workflows.overview import selections
from ....lgca_plugin.workflows.overview.overview import Overview
from ....lgca_plugin.workflows.overview.selections import Selection
from ...decisions.queue import outcome_line, read_curator
from ...shared.dialogs.dialog import operator_uri
from ...shared.grid.user_view import restore_view, show_in_grid
from ..deduplicating_panel import DeduplicatingPanel, was_just_sent
from .content import CompareContent, Comparison, read_content
from .layout import layout
from .state import Choices, CompareState

NAME = "lgca_compare"
LABEL, ICON = "Compare zero-shot methods", "balance"
"""Title of the panel, of the operator that opens it, and of the button above the grid; and their icon."""
HELP = (
    "Where CLIP, WCA and LGCA agree, how often they are right, which crops misled them, and which labels are likely "
    "wrong. All figures are about your view; every click shows samples in the grid, and a button leads back."
)


class ComparePanel(DeduplicatingPanel):
    """Compares the methods of a run."""

    @property
    def config(self) -> Any:
        """The entry in the App's list of panels."""
        return foo.PanelConfig(
            name=NAME, label=LABEL, surfaces="grid", icon=ICON, category=foo.Categories.ANALYZE, help_markdown=HELP
        )

    def layout(self, ctx: Any, content: CompareContent) -> Any:
        """Returns the layout of an event's content."""
        return layout(content, self, len(ctx.selected))

    # Events of the App.

    def on_load(self, ctx: Any) -> CompareContent:
        """Shows everything: an App that is opened again has kept the panel's state, but none of its figures."""
        return _show(ctx, replace(CompareState.read(ctx), drawn=None))

    def on_change_view(self, ctx: Any) -> CompareContent:
        """Follows the view and the selection; the App also fires this several times after the panel has opened."""
        return _show(ctx, CompareState.read(ctx))

    on_change_selected = on_change_view

    def on_change_dataset(self, ctx: Any) -> CompareContent:
        """Drops the state, which is about another dataset."""
        return _show(ctx, CompareState())

    # Choices of the user.

    def refresh(self, ctx: Any) -> CompareContent:
        """Reads all samples again."""
        return _show(ctx, CompareState.read(ctx), again=True)

    def pick_run(self, ctx: Any) -> CompareContent:
        """Shows another run."""
        state, key = CompareState.read(ctx), ctx.params.get("value")
        if key != state.choices.run:
            state = CompareState(choices=Choices(run=key), drawn=state.drawn)
        return _show(ctx, state)

    def pick_labels(self, ctx: Any) -> CompareContent:
        """Compares with another label field."""
        return _choose(ctx, CompareState.read(ctx), labels=ctx.params.get("value"))

    def pick_a(self, ctx: Any) -> CompareContent:
        """Changes the first method of the pair; if it is the second already, they are swapped."""
        state, value = CompareState.read(ctx), ctx.params.get("value")
        return _choose(ctx, state, a=value, b=state.choices.a if value == state.choices.b else state.choices.b)

    def pick_b(self, ctx: Any) -> CompareContent:
        """Changes the second method of the pair; if it is the first already, they are swapped."""
        state, value = CompareState.read(ctx), ctx.params.get("value")
        return _choose(ctx, state, b=value, a=state.choices.b if value == state.choices.a else state.choices.a)

    def swap(self, ctx: Any) -> CompareContent:
        """Swaps the two methods."""
        state = CompareState.read(ctx)
        return _choose(ctx, state, a=state.choices.b, b=state.choices.a)

    def turn(self, ctx: Any) -> CompareContent:
        """Turns the page of a list."""
        state, name = CompareState.read(ctx), str(ctx.params["list"])
        first = max(0, getattr(state.choices, name) + int(ctx.params["by"]))
        return _choose(ctx, state, **{name: first})

    # Samples in the grid.

    def show(self, ctx: Any) -> CompareContent:
        """Shows the samples of the pressed button."""
        params = ctx.params
        name = params.get("part")
        if name == "pattern":
            return _filter(ctx, lambda of: selections.pattern(of, params["at"]))
        if name == "wrong":
            return _filter(ctx, lambda of: selections.wrong(of, params["method"]))
        if name == "sample":
            return _filter(ctx, lambda of: selections.chosen(of, [params["id"]], "of the list"))
        return _filter(ctx, selections.NAMED[str(name)], part=str(name))

    def show_bar(self, ctx: Any) -> CompareContent:
        """Shows the samples of the clicked bar."""
        return _filter(ctx, lambda of: selections.pattern(of, ctx.params.get("idx")))

    def show_cell(self, ctx: Any) -> CompareContent:
        """Shows the samples of the clicked cell of the class flow."""
        choices, cell = CompareState.read(ctx).choices, ctx.params.get("idx")
        row, column = cell if isinstance(cell, list) and len(cell) == 2 else (-1, -1)
        return _filter(ctx, lambda of: selections.flow_cell(of, str(choices.a), str(choices.b), row, column))

    def show_point(self, ctx: Any) -> CompareContent:
        """Shows the sample of the clicked point."""
        return _filter(ctx, lambda of: selections.chosen(of, [str(ctx.params.get("id"))], "that you have clicked on"))

    def show_points(self, ctx: Any) -> CompareContent:
        """Shows the samples of the points inside the lasso; the App also fires this without points, on a click."""
        ids = [point["id"] for point in ctx.params.get("data") or () if point.get("id")]
        if not ids:
            return _show(ctx, CompareState.read(ctx))
        return _filter(ctx, lambda of: selections.chosen(of, ids, "that you have drawn around"))

    def back(self, ctx: Any) -> CompareContent:
        """Shows the user's own view again."""
        content = _show(ctx, CompareState.read(ctx))
        restore_view(ctx, content.view)
        return content.with_filter(None)

    def leave_view(self, ctx: Any) -> CompareContent:
        """Shows the whole dataset, where a view can't be compared."""
        content = _show(ctx, CompareState.read(ctx))
        ctx.ops.clear_view()
        return content

    def flatten(self, ctx: Any) -> CompareContent:
        """Shows the images of all slices of a grouped dataset."""
        content = _show(ctx, CompareState.read(ctx))
        ctx.ops.set_view(view=ctx.dataset.select_group_slices(media_type="image"))
        return content

    # Decisions.

    def decide(self, ctx: Any) -> CompareContent:
        """Decides about the samples that are selected in the grid."""
        ids, decision = [str(id_) for id_ in ctx.selected], str(ctx.params.get("decision"))

        def write(triage: Triage) -> tuple[Any, str | None, str | None]:
            done = triage.decide(ids, decision, by=read_curator(ctx), wait=False)
            return done, done.action, f"“{done.decision.word}” on {done.samples:,}"

        return _write(ctx, write, tuple(ids))

    def undo(self, ctx: Any) -> CompareContent:
        """Takes back the last decision that was made in this panel."""
        action = CompareState.read(ctx).action

        def write(triage: Triage) -> tuple[Any, str | None, str | None]:
            return triage.undo(action, by=read_curator(ctx)), None, None

        return _write(ctx, write, ())

    def review(self, ctx: Any) -> CompareContent:
        """Opens the panel on which labels that look wrong are reviewed."""
        content = _show(ctx, CompareState.read(ctx))
        ctx.prompt(operator_uri("lgca_open_review"))
        return content

    def open_form(self, ctx: Any) -> CompareContent:
        """Opens an operator's form for the shown run, and reads all samples again when it is done."""
        form = ctx.params["form"]
        content = _show(ctx, CompareState.read(ctx))
        params = {"run_key" if form == "classify" else "run": content.run.key} if content.run else {}
        ctx.prompt(operator_uri(f"lgca_{form}"), params=params, on_success=self.refresh)
        return content


def _show(ctx: Any, state: CompareState, *, changed: tuple[str, ...] = (), again: bool = False) -> CompareContent:
    """Reads what the panel shows, and sends the figures and the state that have changed."""
    content = read_content(ctx, state, changed=changed, again=again)
    state, comparison = content.state, content.comparison
    if comparison is not None and state.drawn != comparison.key:
        if not was_just_sent(ctx.panel_id, "figures", comparison.key):
            _send_figures(ctx, comparison)
        state = replace(state, drawn=comparison.key)
    state.write(ctx)
    return replace(content, state=state)


def _send_figures(ctx: Any, comparison: Comparison) -> None:
    """Sends the data of the figures, and the thumbnails of the lists."""
    data: dict[str, Any] = {f"page.{name}": figure["data"] for name, figure in comparison.figures.items()}
    for name, page in (("misleading", comparison.misleading), ("suspects", comparison.suspects)):
        for at, sample in enumerate(page.rows):
            data[f"page.{name}.row{at}.picture"] = sample.thumbnail
    if data:
        ctx.panel.set_data(data)


def _choose(ctx: Any, state: CompareState, **choices: Any) -> CompareContent:
    return _show(ctx, replace(state, choices=replace(state.choices, **choices)))


def _filter(ctx: Any, choose: Callable[[Overview], Selection], *, part: str | None = None) -> CompareContent:
    """Shows a part of the user's view in the grid."""
    content = _show(ctx, CompareState.read(ctx))
    if content.comparison is None:
        return content
    try:
        found = choose(content.comparison.overview)
    except LgcaError as error:
        ctx.ops.notify(error.app, variant="error")
        return content
    if not found.count:
        ctx.ops.notify(f"There are no samples {found.description}", variant="info")
        return content
    run = content.comparison.run.key if part else None
    shown, _ = show_in_grid(ctx, found.stages, found.sentence, part=part, run=run, above=content.view)
    return content.with_filter(shown)


def _write(
    ctx: Any, write: Callable[[Triage], tuple[Any, str | None, str | None]], changed: tuple[str, ...]
) -> CompareContent:
    """Writes decisions or takes them back, reports it, and shows it.

    ``write`` returns what was done, and the action that can be undone now: its id, and in words; ``changed`` are the
    ids of the samples that it changes.
    """
    content = _show(ctx, CompareState.read(ctx))
    try:
        if content.run is None:
            raise LgcaError("the run no longer exists")
        triage = Triage.of(content.run)
        done, action, undo = write(triage)
    except LgcaError as error:
        ctx.ops.notify(error.app, variant="error")
        return content
    ctx.ops.notify(outcome_line(done, triage.left()), variant="success")
    content = _show(ctx, replace(content.state, action=action, undo=undo), changed=changed)
    ctx.ops.clear_selected_samples()
    ctx.ops.reload_dataset()
    return content
