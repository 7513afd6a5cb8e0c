"""The panel's class: what each event of the App and each action of the user does."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import fiftyone.operators as foo

from ....lgca_plugin.errors import ConfigError, LgcaError
from ....lgca_plugin.method.number_text import capitalized, samples_text
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.decisions.decisions import Decision
from ....lgca_plugin.workflows.decisions.queue import Triage
from ....lgca_plugin.workflows.evidence.sample_record import SampleRecord, read_sample_record
from ....lgca_plugin.workflows.review.queue import ReviewQueue
from ...decisions.queue import read_curator
from ...shared.dialogs.dialog import operator_uri
from ...shared.grid.tiles import FOLLOW, show_written
from ...shared.grid.user_view import restore_view, user_view
from ..deduplicating_panel import DeduplicatingPanel, was_just_sent
from ..evidence.content import source_id
from ..evidence.panel import NAME as EVIDENCE
from .card import decision_text
from .changes import show_changed
from .content import ReviewContent, card_key, decision_key, read_run
from .layout import layout
from .pictures import file_name
from .showing import (
    is_current,
    refused,
    reviewed_run,
    show,
    show_beside_the_grid,
    show_next,
    show_sample,
    with_restored,
)
from .state import CARD, CLASSES, SCREENS, SUMMARY, Done, ReviewState

NAME = "lgca_review"
LABEL, ICON = "Review labels", "rate_review"
"""Title and icon of the panel, and of the operator that opens it."""
HELP = (
    "Labels that are probably wrong, one at a time: what the label says, what the methods see, and examples of both "
    "classes. Decide, and the next one comes. Given labels stay as they are; corrected ones go to a field of their "
    "own. Keys: Alt (in Firefox Alt and Shift, on a Mac Ctrl and Option) with C to change, K to keep, A for another "
    "class, T if you can't tell, B for a bad image, U to undo, N for the next and P for the previous one."
)


class ReviewPanel(DeduplicatingPanel):
    """Shows one suspected label after the other for a person to decide."""

    @property
    def config(self) -> Any:
        """The entry in the App's menus."""
        return foo.PanelConfig(
            name=NAME, label=LABEL, icon=ICON, help_markdown=HELP, surfaces="grid modal", category=foo.Categories.CURATE
        )

    def layout(self, ctx: Any, content: ReviewContent) -> Any:
        """Returns the layout of an event's content."""
        return layout(content, self)

    def after(self, ctx: Any, content: ReviewContent) -> None:
        """Makes the App load what was changed, once it has the next suspect; the whole dataset only if needed: slow."""
        screen, sample = content.state.screen, content.state.sample
        if content.declared:
            ctx.ops.reload_dataset()
        elif content.wrote or screen == SUMMARY:
            show_written(ctx, content.written if content.wrote else (), now=screen == SUMMARY)
        follow = {"sample": sample if screen != SUMMARY else None, "focus": screen == CLASSES}
        if not was_just_sent(ctx.panel_id, "follow", [screen, follow], seconds=math.inf):
            ctx.trigger(FOLLOW, follow)

    # Events of the App.

    def on_load(self, ctx: Any) -> ReviewContent:
        """Shows the first undecided suspect, or the open sample."""
        return show(ctx, ReviewState.read(ctx).opened())

    def on_change_view(self, ctx: Any) -> ReviewContent:
        """Shows what others have decided meanwhile: the App fires this when it has loaded the samples anew."""
        return show(ctx, ReviewState.read(ctx))

    on_change_group_slice = on_change_view

    def on_change_current_sample(self, ctx: Any) -> ReviewContent:
        """Follows the open sample; where it was opened for the evidence, brings that panel to the front."""
        state = ReviewState.read(ctx)
        if state.why and ctx.current_sample:
            ctx.ops.open_panel(EVIDENCE, is_active=True, layout="horizontal")
            state = replace(state, why=False)
        return show(ctx, state)

    def on_change_dataset(self, ctx: Any) -> ReviewContent:
        """Drops the state, which is about another dataset."""
        return show(ctx, ReviewState(turn=ReviewState.read(ctx).turn + 1))

    # Moving.

    def pick_run(self, ctx: Any) -> ReviewContent:
        """Reviews another run."""
        state, key = ReviewState.read(ctx), ctx.params.get("value")
        if key and key != state.run:
            state = ReviewState(run=str(key), turn=state.turn + 1)
        return show(ctx, state)

    def go_to(self, ctx: Any) -> ReviewContent:
        """Shows another suspect, without a decision about the one on the screen."""
        return show_sample(ctx, ReviewState.read(ctx).at(ctx.params.get("sample")))

    def go_on(self, ctx: Any) -> ReviewContent:
        """Shows the first undecided suspect."""
        return show_next(ctx, ReviewState.read(ctx), None)

    def go_again(self, ctx: Any) -> ReviewContent:
        """Shows the first of the suspects that the reviewer could not tell; the others of them follow."""
        return show_next(ctx, replace(ReviewState.read(ctx), again=True), None)

    def go_to_first(self, ctx: Any) -> ReviewContent:
        """Shows the first suspect, decided or not."""
        state = ReviewState.read(ctx)
        run, _, _ = read_run(ctx, state)
        ids = ReviewQueue.of(run).ids if run is not None else ()
        return show_sample(ctx, state.at(ids[0] if ids else None))

    def show_screen(self, ctx: Any) -> ReviewContent:
        """Shows another screen about the same suspect."""
        state, screen = ReviewState.read(ctx), ctx.params.get("screen")
        sample = ctx.params.get("sample") or source_id(ctx) or state.sample
        return show(ctx, state.at(sample, screen if screen in SCREENS else CARD, ctx.params.get("was")))

    def open_sample(self, ctx: Any) -> ReviewContent:
        """Opens a sample in its own view."""
        ctx.ops.open_sample(id=ctx.params["sample"])
        return show(ctx, ReviewState.read(ctx))

    def show_evidence(self, ctx: Any) -> ReviewContent:
        """Opens the sample with the panel that shows who says what, and where."""
        state = ReviewState.read(ctx)
        if ctx.current_sample:
            ctx.ops.open_panel(EVIDENCE, is_active=True, layout="horizontal")
            return show(ctx, state)
        ctx.ops.open_sample(id=ctx.params["sample"])  # the panel can be opened once the sample is
        return show(ctx, replace(state, why=True, turn=state.turn + 1))

    def show_example(self, ctx: Any) -> ReviewContent:
        """Shows an example as large as the picture in question, beside it; or all examples again."""
        state = ReviewState.read(ctx)
        return show(ctx, replace(state, example=ctx.params.get("example"), turn=state.turn + 1))

    # Decisions.

    def decide(self, ctx: Any) -> ReviewContent:
        """Decides about the sample that the pressed button was drawn for, and shows the next undecided suspect."""
        params = ctx.params
        return _decide(ctx, params["sample"], params["was"], params["decision"], params.get("label"))

    def pick_class(self, ctx: Any) -> ReviewContent:
        """Accepts the class that was chosen from the list, for the sample that the list was opened on."""
        state, label = ReviewState.read(ctx), ctx.params.get("value")
        sample, was = state.sample, state.was
        run = reviewed_run(ctx, state)
        if not label or sample is None or was is None or run is None or label not in run.config.classes:
            return show(ctx, state)
        try:
            record = read_sample_record(run, sample)
        except ConfigError:
            return show(ctx, state)
        if label == record.given:
            return _decide(ctx, sample, was, Decision.LABEL_RIGHT.value, None)
        return _decide(ctx, sample, was, Decision.ACCEPTED.value, label)

    def leave_out(self, ctx: Any) -> ReviewContent:
        """Leaves a look-alike out of the decision about the group, or puts it back."""
        state, id_ = ReviewState.read(ctx), str(ctx.params["id"])
        out = tuple(sorted({*state.out} ^ {id_}))
        return show(ctx, replace(state, out=out, turn=state.turn + 1))

    def decide_group(self, ctx: Any) -> ReviewContent:
        """Decides about those of the look-alikes that are undecided and have the labels that the buttons name."""
        state, params = ReviewState.read(ctx), ctx.params
        decision = Decision(params["decision"])
        run = reviewed_run(ctx, state)
        if run is None:
            return show(ctx, state)
        labels = params["given"], params["suggested"]
        undecided = {
            one.sample_id: one
            for one in ReviewQueue.of(run).suspects
            if one.decision is None and (one.given, one.suggested) == labels
        }
        ids = [id_ for id_ in params["ids"] if id_ in undecided]
        if not ids:  # a second click
            return show_next(ctx, state, params["sample"])
        first = undecided[ids[0]]
        label = first.suggested if decision is Decision.ACCEPTED else first.given
        said = f"{samples_text(len(ids))}: {decision_text(decision, label, first.given)}"
        return _write(ctx, state, run, ids, decision, None, said)

    def undo(self, ctx: Any) -> ReviewContent:
        """Takes the last decision of this panel back, and shows its sample again."""
        state, action = ReviewState.read(ctx), ctx.params["action"]
        run = reviewed_run(ctx, state)
        if run is None or not state.done or state.done[-1].action != action:  # a second click
            return show(ctx, state)
        last, triage = state.done[-1], Triage.of(run)
        try:
            undone = triage.undo(action, by=read_curator(ctx))
        except LgcaError as error:
            if is_current(triage, action):
                return refused(ctx, state, "undone", error)
            ctx.ops.notify(capitalized(error.app), variant="warning")
            return show_sample(ctx, state.undone().at(last.sample), wrote=True)
        content = show_sample(ctx, state.undone().at(last.sample), wrote=True)
        return with_restored(ctx, content, undone)

    def take_back(self, ctx: Any) -> ReviewContent:
        """Takes the decision on the shown sample back."""
        state, sample = ReviewState.read(ctx), ctx.params["sample"]
        run = reviewed_run(ctx, state)
        if run is None or not _stands(run, sample, ctx.params["was"]):
            return show(ctx, state)
        try:
            undone = Triage.of(run).undo(sample_ids=[sample], by=read_curator(ctx))
        except LgcaError as error:
            return refused(ctx, state, "undone", error)
        state = replace(state, done=tuple(one for one in state.done if one.sample != sample))
        return with_restored(ctx, replace(show(ctx, state.at(sample), wrote=True), written=(sample,)), undone)

    # What comes next.

    def show_changes(self, ctx: Any) -> ReviewContent:
        """Shows the samples whose label was changed in the grid."""
        content = show_beside_the_grid(ctx)
        if content.run is not None:
            show_changed(ctx, content.run)
        return replace(content, changes=True)

    def show_all(self, ctx: Any) -> ReviewContent:
        """Shows in the grid what the user had there before the changes."""
        content = show_beside_the_grid(ctx)
        restore_view(ctx, user_view(ctx))
        return replace(content, changes=False)

    def go_below(self, ctx: Any) -> ReviewContent:
        """Goes on with the least certain of the labels that are not suspected."""
        return show_next(ctx, replace(ReviewState.read(ctx), below=True, again=False), None)

    def open_panel(self, ctx: Any) -> ReviewContent:
        """Opens another panel."""
        content = show_beside_the_grid(ctx)
        ctx.ops.open_panel(ctx.params["panel"], layout="horizontal", is_active=True)
        return content

    def open_form(self, ctx: Any) -> ReviewContent:
        """Opens an operator's form, and shows what has changed when it is done."""
        form = ctx.params["form"]
        content = show(ctx, ReviewState.read(ctx))
        params: dict[str, Any] = {}
        if content.run is not None and form != "find_wrong_labels":
            params["run"] = content.run.key
        if form == "decide":
            params["sample_ids"] = [content.state.sample]
        ends = {"find_wrong_labels": self.on_load, "decide": self.go_on}
        then = ends.get(form, self.on_change_view)
        ctx.prompt(operator_uri(f"lgca_{form}"), params=params, on_success=then)
        return content


def _stands(run: Run, sample: str, was: str) -> bool:
    """Returns whether the decision on a sample is the one that its button was drawn for."""
    try:
        return card_key(read_sample_record(run, sample)) == was
    except ConfigError:
        return False


def _decide(ctx: Any, sample: str, was: str, decision: str, label: str | None) -> ReviewContent:
    """Decides about a sample, unless its labels or the decision have changed since its buttons were drawn."""
    state = ReviewState.read(ctx)
    run = reviewed_run(ctx, state)
    if run is None:
        return show(ctx, state)
    try:
        record = read_sample_record(run, sample)
    except ConfigError:
        ctx.ops.notify("This picture is no longer in the dataset.", variant="warning")
        return show_next(ctx, state, None)
    if card_key(record) != was:
        return _changed_meanwhile(ctx, state, record, was)
    made = Decision(decision)
    corrected = label if label is not None else record.suggested
    said = f"{file_name(record.filepath)}: {decision_text(made, corrected, record.given)}"
    return _write(ctx, state, run, [sample], made, label, said)


def _changed_meanwhile(ctx: Any, state: ReviewState, record: SampleRecord, was: str) -> ReviewContent:
    """Shows the next suspect after a second click, and what somebody else has changed about this one."""
    if any(one.sample == record.id for one in state.done):
        return show_next(ctx, state, record.id)
    by = f" by {record.decided_by}" if record.decided_by else ""
    what = f"was decided{by}" if record.decision is not None else "is undecided again"
    if was.endswith(decision_key(record)):
        what = "was checked again or relabelled"
    ctx.ops.notify(f"{file_name(record.filepath)} {what} meanwhile, so nothing was changed.", variant="warning")
    return show(ctx, state.at(record.id))


def _write(
    ctx: Any, state: ReviewState, run: Run, ids: list[str], decision: Decision, label: str | None, said: str
) -> ReviewContent:
    """Writes a decision and shows the next suspect; the next one after the first sample."""
    known = len(ctx.dataset.get_field_schema())
    try:
        done = Triage.of(run).decide(ids, decision, label=label, by=read_curator(ctx), wait=False)
    except LgcaError as error:
        return refused(ctx, state, "decided", error)
    was_suspect = ReviewQueue.of(run).place(ids[0]) is not None
    state = state.decided(Done(action=done.action, sample=ids[0]), said)
    if not was_suspect and not state.below and source_id(ctx) is not None:
        content = show(ctx, state.at(ids[0]), wrote=True)
    else:
        content = show_next(ctx, state, ids[0], wrote=True)
    content = replace(content, written=tuple(ids), declared=len(ctx.dataset.get_field_schema()) > known)
    return with_restored(ctx, content, done)
