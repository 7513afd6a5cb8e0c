"""What the review panel remembers between events. The App holds it and sends it with every event, so it is small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ....lgca_plugin.cache import ResultCache

CARD, GROUP, CLASSES, SUMMARY = "card", "group", "classes", "summary"
SCREENS = (CARD, GROUP, CLASSES, SUMMARY)
"""One suspect; all of its look-alikes; one suspect with the list of classes; the end of the queue."""

RUN = "page.dock.top.run_field.run"
CLASS = "page.dock.classes.class_field.class"
"""Where the layout's lists keep their values."""

MAX_UNDO = 30


@dataclass(frozen=True, kw_only=True)
class Done:
    """A decision that was made in this panel: its action, and the sample that it was made on."""

    action: str
    sample: str


@dataclass(frozen=True, kw_only=True)
class ReviewState:
    """The panel's state.

    Attributes:
        run: key of the reviewed run; None for the one triaged last
        sample: the suspect on the screen; None for the first undecided one
        screen: one of :data:`SCREENS`
        out: look-alikes that are left out of a decision about the group
        done: the decisions that can be undone, the latest last
        said: what the last one did, in words
        was: what the card said when the list of classes was opened on it
        note: what the user has to read about the last action, until the next one
        turn: number of the user's actions so far
        below: whether the review goes on below the suspects, with the least certain of the other labels
        again: whether it goes through the suspects that the reviewer could not tell
        example: the example that is shown large
        why: whether the evidence panel is to be opened once the sample is
    """

    run: str | None = None
    sample: str | None = None
    screen: str = CARD
    out: tuple[str, ...] = ()
    done: tuple[Done, ...] = ()
    said: str | None = None
    was: str | None = None
    note: str | None = None
    turn: int = 0
    below: bool = False
    again: bool = False
    example: str | None = None
    why: bool = False

    @classmethod
    def read(cls, ctx: Any) -> ReviewState:
        """Returns the newest state: the event's, or the one that was sent since.

        The App fires events with the state from before the answer that it waits for, for instance while the grid loads
        anew after a decision: they would lead back to the sample that was just decided.
        """
        state = cls._from_app(ctx)
        newest = None if ctx.panel_id is None else _SENT.get(ctx.panel_id, lambda: [state])[0]
        return newest if newest is not None and newest.turn > state.turn else state

    @classmethod
    def _from_app(cls, ctx: Any) -> ReviewState:
        get = ctx.panel.get_state
        pairs = [pair.split(":") for pair in str(get("done") or "").split()]
        return cls(
            run=_text(get("key")),
            sample=_text(get("sample")),
            screen=get("screen") if get("screen") in SCREENS else CARD,
            out=tuple(str(get("out") or "").split()),
            done=tuple(Done(action=pair[0], sample=pair[1]) for pair in pairs if len(pair) == 2),
            said=_text(get("said")),
            was=_text(get("was")),
            note=_text(get("note")),
            turn=get("turn") if isinstance(get("turn"), int) else 0,
            below=get("below") is True,
            again=get("again") is True,
            example=_text(get("example")),
            why=get("why") is True,
        )

    def write(self, ctx: Any, run: str | None) -> None:
        """Sends what differs from the App's state; ``run`` is the key that the list of runs shows."""
        values: dict[str, Any] = {
            "key": self.run,
            "sample": self.sample,
            "screen": self.screen,
            "out": " ".join(self.out),  # a text: the App would merge a list into the one that it has
            "done": " ".join(f"{one.action}:{one.sample}" for one in self.done),
            "said": self.said,
            "was": self.was,
            "note": self.note,
            "turn": self.turn,
            "below": self.below,
            "again": self.again,
            "example": self.example,
            "why": self.why,
            RUN: run,
            CLASS: None,
        }
        changed = {path: value for path, value in values.items() if ctx.panel.get_state(path) != value}
        if changed:
            ctx.panel.set_state(changed)
        if ctx.panel_id is not None:
            _SENT.get(ctx.panel_id, lambda: [self])[0] = self

    def opened(self) -> ReviewState:
        """Returns the state of a panel that has just been opened: at the first undecided suspect of the latest run."""
        return ReviewState(done=self.done, turn=self.turn + 1)

    def at(self, sample: str | None, screen: str = CARD, was: str | None = None) -> ReviewState:
        """Returns the state with another sample or screen."""
        turn = self.turn + 1
        return replace(self, sample=sample, screen=screen, out=(), was=was, note=None, example=None, turn=turn)

    def decided(self, done: Done, said: str) -> ReviewState:
        """Returns the state after a decision."""
        return replace(self, done=(*self.done, done)[-MAX_UNDO:], said=said)

    def noted(self, actions: set[str]) -> ReviewState:
        """Returns the state without the decisions that are none of some actions: they went with their run."""
        done = tuple(one for one in self.done if one.action in actions)
        return self if done == self.done else replace(self, done=done, said=None)

    def undone(self) -> ReviewState:
        """Returns the state after the latest decision was undone."""
        return replace(self, done=self.done[:-1], said=None)


_SENT: ResultCache[list[ReviewState]] = ResultCache(64)
"""The newest state of each panel, by its id."""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
