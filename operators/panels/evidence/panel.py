"""The panel's class: what each event of the App and each action of the user does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import fiftyone.operators as foo

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.workflows.decisions.queue import Triage
from ...decisions.queue import next_open, outcome_line, read_curator
from ...shared.dialogs.dialog import operator_uri
from ..deduplicating_panel import DeduplicatingPanel
from .content import EvidenceContent, read_content
from .layout import layout
from .state import FIRST, METHOD, REGION, RUN, SECOND, EvidenceState

LABEL = "Zero-shot evidence"
HELP = (
    "Why was this image classified as it was? Each row is a crop and what it grew into, with the class that it votes "
    "for, its weight, and its part in the decision. Take regions out and see what changes."
)

NAME = "lgca_evidence"


class EvidencePanel(DeduplicatingPanel):
    """Shows the regions of the open sample, how each contributes, and the methods' labels without some of them."""

    @property
    def config(self) -> Any:
        """The entry in the App's menus."""
        return foo.PanelConfig(
            name=NAME,
            label=LABEL,
            icon="troubleshoot",
            help_markdown=HELP,
            surfaces="modal",
            category=foo.Categories.ANALYZE,
        )

    def layout(self, ctx: Any, content: EvidenceContent) -> Any:
        """Returns the layout of an event's content."""
        return layout(content, self)

    # Events of the App.

    def on_load(self, ctx: Any) -> EvidenceContent:
        """Shows the sample or slice that is open now."""
        return _follow(ctx, EvidenceState.read(ctx))

    on_change_current_sample = on_change_group_slice = on_load

    def on_change_dataset(self, ctx: Any) -> EvidenceContent:
        """Drops the choice of a run, which was another dataset's."""
        return _follow(ctx, replace(EvidenceState.read(ctx), run=None))

    # Choices of the user.

    def pick_run(self, ctx: Any) -> EvidenceContent:
        """Shows another run."""
        state, key = EvidenceState.read(ctx), ctx.params.get("value")
        run = read_content(ctx, state).run
        if key and (run is None or key != run.key):
            state = replace(state.without_choices(), run=key)
        return _show(ctx, state)

    def pick_first(self, ctx: Any) -> EvidenceContent:
        """Changes the first rival."""
        return _pick_rival(ctx, 0)

    def pick_second(self, ctx: Any) -> EvidenceContent:
        """Changes the second rival."""
        return _pick_rival(ctx, 1)

    def pick_method(self, ctx: Any) -> EvidenceContent:
        """Shows another method's weights."""
        state = EvidenceState.read(ctx)
        return _show(ctx, replace(state, method=ctx.params.get("value") or state.method))

    def show_more(self, ctx: Any) -> EvidenceContent:
        """Shows more chains, or the first ones only."""
        state = EvidenceState.read(ctx)
        return _show(ctx, replace(state, more=not state.more))

    def set_go_on(self, ctx: Any) -> EvidenceContent:
        """Keeps the switch's value, which the App has put into the state, in later events."""
        return _show(ctx, EvidenceState.read(ctx))

    # What if.

    def click_frame(self, ctx: Any) -> EvidenceContent:
        """Takes the clicked region out, or puts it back."""
        return _toggle(ctx, ctx.params.get("id"))

    def toggle_region(self, ctx: Any) -> EvidenceContent:
        """Takes the region chosen from the list out, or puts it back."""
        return _toggle(ctx, ctx.params.get("value"))

    def take_misleading(self, ctx: Any) -> EvidenceContent:
        """Takes all misleading crops out."""
        state = EvidenceState.read(ctx)
        explanation = read_content(ctx, state).explanation
        if explanation is None:
            return _show(ctx, state)
        return _take_out(ctx, {*state.out, *explanation.evidence.misleading.nonzero()[0].tolist()})

    def take_fewest(self, ctx: Any) -> EvidenceContent:
        """Takes out the fewest crops without which WCA's label is LGCA's, and no others."""
        state = EvidenceState.read(ctx)
        explanation = read_content(ctx, state).explanation
        if explanation is None or explanation.evidence.case is None:
            return _show(ctx, state)
        return _take_out(ctx, explanation.evidence.case.crops)

    def put_back(self, ctx: Any) -> EvidenceContent:
        """Puts all regions back."""
        return _take_out(ctx, ())

    # Decisions.

    def decide(self, ctx: Any) -> EvidenceContent:
        """Writes the decision of the button that was pressed."""
        return _decide(ctx, str(ctx.params.get("decision")))

    def undo(self, ctx: Any) -> EvidenceContent:
        """Takes back the current decision on the sample."""
        by = read_curator(ctx)
        return _write(ctx, lambda triage, sample: triage.undo(sample_ids=[sample], by=by))[0]

    def open_form(self, ctx: Any) -> EvidenceContent:
        """Opens an operator's form, for the shown run unless it classifies."""
        form = ctx.params["form"]
        content = _show(ctx, EvidenceState.read(ctx))
        params = {"run": content.run.key} if content.run and form != "classify" else None
        ctx.prompt(operator_uri(f"lgca_{form}"), params=params)
        return content


def _show(ctx: Any, state: EvidenceState) -> EvidenceContent:
    """Reads what the panel shows, and writes the state with the values that the drop-down lists show."""
    content = read_content(ctx, state)
    lists = {RUN: content.run.key if content.run else None, REGION: None}
    if content.result is not None and content.result.strip is not None:
        strip = content.result.strip
        lists |= {FIRST: strip.names[0], SECOND: strip.names[1], METHOD: strip.method}
    state.write(ctx, lists)
    return content


def _follow(ctx: Any, state: EvidenceState) -> EvidenceContent:
    """Shows the open sample, without the choices that were made for another one."""
    if state.sample != ctx.current_sample:
        state = replace(state.without_choices(), sample=ctx.current_sample)
    return _show(ctx, state)


def _pick_rival(ctx: Any, place: int) -> EvidenceContent:
    """Changes one of the two rivals; if the chosen class is the other one, they are swapped."""
    state, value = EvidenceState.read(ctx), ctx.params.get("value")
    explanation = read_content(ctx, state).explanation
    if value and explanation is not None and value != explanation.names[place]:
        shown, other = explanation.names[place], explanation.names[1 - place]
        names = [value, shown if value == other else other]
        first, second = names if place == 0 else reversed(names)
        state = replace(state, first=first, second=second)
    return _show(ctx, state)


def _toggle(ctx: Any, region: Any) -> EvidenceContent:
    """Takes a region out or puts it back; what is clicked beside the regions has no number and is ignored."""
    state = EvidenceState.read(ctx)
    if isinstance(region, str) and region.isdecimal():
        return _take_out(ctx, set(state.out) ^ {int(region)})
    return _show(ctx, state)


def _take_out(ctx: Any, regions: Iterable[int]) -> EvidenceContent:
    return _show(ctx, replace(EvidenceState.read(ctx), out=tuple(sorted(regions))))


def _decide(ctx: Any, decision: str) -> EvidenceContent:
    """Writes a decision, and opens the next suspect if the switch is on."""
    by = read_curator(ctx)
    content, triage = _write(ctx, lambda triage, sample: triage.decide([sample], decision, by=by, wait=False))
    if triage is not None and content.state.go_on:
        following = next_open(ctx, triage)
        if following is not None and following != ctx.current_sample:
            ctx.ops.open_sample(id=following)
    return content


def _write(ctx: Any, write: Callable[[Triage, str], Any]) -> tuple[EvidenceContent, Triage | None]:
    """Writes something about the sample that the pressed button was drawn for, reports it, and shows it.

    Returns:
        the content, and the triage; None where nothing was written
    """
    state = EvidenceState.read(ctx)
    content = _show(ctx, state)
    if content.run is None or content.sample is None:
        return content, None
    if ctx.params.get("sample") != content.sample.id:  # another sample was opened before the panel had followed
        ctx.ops.notify("Another sample has been opened meanwhile: nothing was decided.", variant="warning")
        return content, None
    try:
        triage = Triage.of(content.run)
        done = write(triage, content.sample.id)
    except LgcaError as error:
        ctx.ops.notify(error.app, variant="error")
        return content, None
    ctx.ops.notify(outcome_line(done, triage.left()), variant="success")
    ctx.ops.reload_dataset()
    return _show(ctx, state), triage
