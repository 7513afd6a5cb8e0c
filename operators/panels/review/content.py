"""What the review panel shows: a suspect's card, its look-alikes, the end of the queue, or why there is nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ....lgca_plugin.api import load_run
from ....lgca_plugin.errors import ConfigError, LgcaError
from ....lgca_plugin.fiftyone_io.fields import SUGGESTION, triage_field
from ....lgca_plugin.method.core.methods import without_controls
from ....lgca_plugin.method.labels.expected_errors import Expectation
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.decisions.queue import Triage
from ....lgca_plugin.workflows.evidence.sample_record import SampleRecord, read_sample_record
from ....lgca_plugin.workflows.review.below import BelowProgress, expected_below, labels_below, progress_below
from ....lgca_plugin.workflows.review.card import ReviewCard, review_card
from ....lgca_plugin.workflows.review.queue import ReviewProgress, ReviewQueue
from ....lgca_plugin.workflows.review.summary import ReviewSummary
from ...decisions.queue import triaged_runs
from ...shared.run_choice import run_keys
from ..evidence.content import source_id
from ..widgets import EmptyState
from .changes import grid_shows_changes
from .nothing import no_run, no_suspects
from .pictures import Picture, example_pictures, large_picture, marked_picture, pictures_of
from .state import CARD, GROUP, SUMMARY, ReviewState

BELOW = 60
"""Number of labels below the suspects among which the review moves back and forth."""

NOT_CHECKED = "This picture has not been checked: the run has no result for it."


@dataclass(frozen=True, kw_only=True)
class CardContent:
    """One sample, a suspect or any other that is open.

    Attributes:
        record: what the run and the decisions have written on it
        picture: the picture with the deciding region marked; None where the file can't be read
        twin: the one with nearly the same picture and another label
        examples: class to examples of it, the suggested class first
        enlarged: the example that is shown large, with its class; None while all are shown
        place: place in the queue, from 1; None for a sample that is no suspect
        previous, following: ids of the neighbours in the queue, or below it; after another sample, the first undecided
        others: classes that a method sees in it, beside the given and the suggested one
        expectation: about the next ten suspects, or below them the next ten labels
        below: the decisions below the suspects, of a sample there
    """

    card: ReviewCard
    record: SampleRecord
    reason: str
    picture: str | None
    twin: Picture | None
    examples: dict[str, tuple[Picture, ...]]
    enlarged: tuple[str, Picture] | None
    place: int | None
    previous: str | None
    following: str | None
    others: tuple[str, ...]
    progress: ReviewProgress
    expectation: Expectation | None
    below: BelowProgress | None = None

    @property
    def stands(self) -> str:
        """A text for what the card says and for the current decision, which changes with them."""
        return card_key(self.record)


@dataclass(frozen=True, kw_only=True)
class GroupContent:
    """A suspect with all that look like it.

    Attributes:
        pictures: of the undecided ones, the suspect's own first
    """

    card: ReviewCard
    pictures: tuple[Picture, ...]
    progress: ReviewProgress


@dataclass(frozen=True, kw_only=True)
class SummaryContent:
    """What the review has changed so far.

    Attributes:
        first: id of the first undecided suspect; None where the queue has ended
    """

    summary: ReviewSummary
    progress: ReviewProgress
    expectation: Expectation
    first: str | None


Screen = CardContent | GroupContent | SummaryContent | EmptyState


@dataclass(frozen=True, kw_only=True)
class ReviewContent:
    """What the panel shows.

    Attributes:
        keys: keys of the triaged runs, the latest first
        run: the reviewed run, if there is one
        opened: id of the sample that is open in its own view
        wrote: whether the event has changed samples, so that the grid has to show them anew
        written: ids of these samples; None where they are not known
        changes: whether the grid shows what the review has changed, in the place of the user's view
        declared: whether it has declared a field, which the grid shows only once the dataset is loaded anew
    """

    state: ReviewState
    shown: Screen
    keys: list[str] = field(default_factory=list)
    run: Run | None = None
    opened: str | None = None
    notes: list[str] = field(default_factory=list)
    wrote: bool = False
    written: tuple[str, ...] | None = None
    changes: bool = False
    declared: bool = False


def card_key(record: SampleRecord) -> str:
    """Returns a text for a sample's two labels and the current decision, which changes with them."""
    return f"{record.given}|{record.suggested}{decision_key(record)}"


def decision_key(record: SampleRecord) -> str:
    """Returns the part of :func:`card_key` that stands for the current decision."""
    decision = () if record.decision is None else (record.decision, record.corrected or "", record.decided_by or "")
    return "\n" + "|".join(decision)


def read_run(ctx: Any, state: ReviewState) -> tuple[Run | None, list[str], list[str]]:
    """Returns the reviewed run, the keys of all triaged ones, and notes about runs that are gone."""
    every = run_keys(ctx.dataset)
    notes = []
    if state.run is not None:
        if state.run in every:
            schema = ctx.dataset.get_field_schema()
            keys = [key for key in every if triage_field(key, SUGGESTION) in schema or key == state.run]
            try:
                run = load_run(ctx.dataset, state.run)
                Triage.of(run)
            except LgcaError as error:
                notes.append(f"Run “{state.run}” can't be reviewed: {error.app}.")
            else:
                return run, keys, notes
        else:
            notes.append(f"Run “{state.run}” is gone: it was deleted or renamed.")
    keys = triaged_runs(ctx)
    return (load_run(ctx.dataset, keys[0]) if keys else None), keys, notes


def read_content(ctx: Any, state: ReviewState, *, opened: str | None = None) -> ReviewContent:
    """Reads what the panel shows.

    ``opened`` is the sample that the App is about to open; None for the one that is open now, if any.
    """
    if ctx.dataset is None:
        return ReviewContent(
            state=state, shown=EmptyState("No dataset is open", "Open a dataset, then check its labels.")
        )
    run, keys, notes = read_run(ctx, state)
    notes += [state.note] if state.note is not None else []
    opened = opened or source_id(ctx)
    if run is None:
        return ReviewContent(state=state, shown=no_run(ctx), notes=notes, opened=opened)
    queue = ReviewQueue.of(run)
    state = _placed(replace(state, run=run.key), queue, opened)
    return ReviewContent(
        state=state,
        shown=_screen(run, queue, state),
        keys=keys,
        run=run,
        opened=opened,
        notes=notes,
        changes=grid_shows_changes(ctx),
    )


def _placed(state: ReviewState, queue: ReviewQueue, opened: str | None) -> ReviewState:
    """Returns the state at the open sample, else at a suspect: the one that it is at, or the first undecided."""
    if opened is not None:
        return state if state.sample == opened else replace(state, sample=opened, screen=CARD, out=())
    if state.sample is None or (queue.place(state.sample) is None and not state.below):
        screen = state.screen if state.screen == SUMMARY else CARD
        state = replace(state, sample=queue.first_undecided(), screen=screen, out=())
    if state.sample is None and len(queue):
        state = replace(state, screen=SUMMARY)
    return state


def _screen(run: Run, queue: ReviewQueue, state: ReviewState) -> Screen:
    if state.screen == SUMMARY and len(queue):
        return SummaryContent(
            summary=queue.summary(),
            progress=queue.progress(),
            expectation=queue.expectation(),
            first=queue.first_undecided(),
        )
    if state.sample is None:
        return no_suspects(run)
    try:
        card = review_card(run, state.sample)
        record = read_sample_record(run, state.sample)
    except ConfigError:
        return EmptyState(
            "This picture is gone", "It is no longer in the dataset.", "Go on with the review", "go_on", {}
        )
    if record.media_type != "image":
        return EmptyState("Not an image", f"This sample is of type {record.media_type}: only images are checked.")
    if state.screen == GROUP and len(card.look_alikes) > 1:
        pictures = pictures_of(run.dataset, card.look_alikes)
        return GroupContent(card=card, pictures=pictures, progress=queue.progress())
    return _card(run, queue, card, record, state)


def _card(run: Run, queue: ReviewQueue, card: ReviewCard, record: SampleRecord, state: ReviewState) -> CardContent:
    place, ids = queue.place(card.sample_id), queue.ids
    previous = ids[place - 2] if place is not None and place > 1 else None
    following = queue.first_undecided() if place is None else ids[place] if place < len(ids) else None
    down = labels_below(run, BELOW) if place is None and state.below else None
    ahead = queue.expectation() if queue.first_undecided() else None
    if down is not None:
        previous, following = _neighbours([*down], card.sample_id)
        ahead = ahead or expected_below(run, queue.suspects, down)
    given = card.nearest if card.outside else card.given  # of a label that is no class there are no examples
    labels = list(dict.fromkeys(label for label in (card.suggested, given) if label is not None))
    seen = [label for answer in record.predictions.values() for label in (answer.label, answer.before)]
    other = dict.fromkeys([card.nearest, None if card.twin is None else card.twin.label, *seen, card.deciding_vote])
    others = tuple(label for label in other if label and label not in (card.suggested, card.given))
    if card.suggested is None:  # no suspect: what the methods see instead, if anything
        labels += others[:1]
    else:  # what else one of them sees, whose name stands in the reason
        named = {record.predictions[name].label for name in without_controls(record.predictions)}
        labels += [label for label in others if label in named][:1]
    examples = {label: _examples(run, label, card) for label in labels}
    large = ((label, one) for label, every in examples.items() for one in every if one.sample_id == state.example)
    return CardContent(
        card=card,
        record=record,
        reason=card.reason if record.predictions or card.suggested else NOT_CHECKED,
        picture=marked_picture(card.filepath, card.deciding_box, card.around),
        twin=next(iter(pictures_of(run.dataset, [] if card.twin is None else [card.twin.id])), None),
        examples=examples,
        enlarged=next(((label, large_picture(one)) for label, one in large), None),
        place=place,
        previous=previous,
        following=following,
        others=others,
        progress=queue.progress(),
        expectation=ahead,
        below=None if down is None else progress_below(run),
    )


def _examples(run: Run, label: str, card: ReviewCard) -> tuple[Picture, ...]:
    """Returns examples of a class, without the twin, which is shown above them."""
    twin = None if card.twin is None else card.twin.id
    return tuple(one for one in example_pictures(run, label, card.sample_id) if one.sample_id != twin)


def _neighbours(ids: list[str], sample_id: str) -> tuple[str | None, str | None]:
    """Returns the ids before and after one; without it in the list, the first one comes after it."""
    if sample_id not in ids:
        return None, ids[0] if ids else None
    at = ids.index(sample_id)
    return (ids[at - 1] if at else None), (ids[at + 1] if at + 1 < len(ids) else None)
