"""What the review panel shows after an action: the same sample, the next one, or why nothing was changed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.method.number_text import capitalized
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.decisions.decide import restored_note
from ....lgca_plugin.workflows.decisions.queue import Triage
from ....lgca_plugin.workflows.decisions.rows import noted_actions
from ....lgca_plugin.workflows.review.below import labels_below
from ....lgca_plugin.workflows.review.queue import ReviewQueue
from ..evidence.content import source_id
from .content import ReviewContent, read_content, read_run
from .state import SUMMARY, ReviewState


def show(ctx: Any, state: ReviewState, *, opened: str | None = None, wrote: bool = False) -> ReviewContent:
    """Reads what the panel shows, and writes the state."""
    content = read_content(ctx, state, opened=opened)
    if content.run is not None and content.state.done:
        fields, ids = Triage.of(content.run).places, [one.sample for one in content.state.done]
        content = replace(content, state=content.state.noted(noted_actions(content.run.dataset, fields, ids)))
    content.state.write(ctx, content.run.key if content.run else None)
    return replace(content, wrote=wrote)


def show_beside_the_grid(ctx: Any) -> ReviewContent:
    """Shows the same again, and closes a sample that lies over the grid."""
    if ctx.current_sample:
        ctx.ops.close_sample()
    return show(ctx, ReviewState.read(ctx))


def show_sample(ctx: Any, state: ReviewState, *, wrote: bool = False) -> ReviewContent:
    """Shows a sample: in the sample view it is opened, and the panel follows."""
    now = source_id(ctx)
    if now is None or state.sample is None:
        return show(ctx, state, wrote=wrote)
    if state.sample != now:
        ctx.ops.open_sample(id=state.sample)
    return show(ctx, state, opened=state.sample, wrote=wrote)


def show_next(ctx: Any, state: ReviewState, after: str | None, *, wrote: bool = False) -> ReviewContent:
    """Shows the next suspect after one that is undecided, or that is looked at again; the summary where none is."""
    run, _, _ = read_run(ctx, state)
    queue = None if run is None else ReviewQueue.of(run)
    following = None
    if queue is not None:
        following = queue.first_unsure(after=after) if state.again else queue.first_undecided(after=after)
    if following is None and run is not None and state.below:
        following = _following_below(run, after)
    if following is None:
        state = replace(state.at(after or state.sample, SUMMARY), below=False, again=False)
        return show(ctx, state, wrote=wrote)
    return show_sample(ctx, state.at(following), wrote=wrote)


def _following_below(run: Run, after: str | None) -> str | None:
    """Returns the label that follows below the suspects, and after the last one the first that was passed over."""
    found = labels_below(run, 1, after=after) or labels_below(run, 1)
    return next(iter(found), None)


def reviewed_run(ctx: Any, state: ReviewState) -> Run | None:
    """Returns the run that the buttons on the screen are about, and not another one in its place if it is gone."""
    run, _, _ = read_run(ctx, state)
    if run is not None and state.run in (None, run.key):
        return run
    if state.run is not None:
        ctx.ops.notify(f"Nothing was changed: run “{state.run}” can't be reviewed any more.", variant="warning")
    return None


def refused(ctx: Any, state: ReviewState, what: str, error: LgcaError) -> ReviewContent:
    """Shows the same again, and above it why nothing was decided or undone."""
    content = show(ctx, replace(state, turn=state.turn + 1))
    return _with_note(ctx, content, f"Nothing was {what}: {error.app}.")


def with_restored(ctx: Any, content: ReviewContent, done: Any) -> ReviewContent:
    """Returns the content, with a note if the field of corrected labels was gone and was made again."""
    for note in restored_note(done.corrected_field, done.restored):
        content = _with_note(ctx, replace(content, declared=True), f"{capitalized(note)}.")
    return content


def _with_note(ctx: Any, content: ReviewContent, note: str) -> ReviewContent:
    """Returns the content with a note that stays until the user's next action, whatever the App loads meanwhile."""
    state = replace(content.state, note=note)
    state.write(ctx, content.run.key if content.run else None)
    return replace(content, state=state, notes=[*content.notes, note])


def is_current(triage: Triage, action: str) -> bool:
    """Returns whether an action is still the current decision of a sample."""
    with suppress(LgcaError):
        return any(one.id == action for one in triage.actions())
    return False
