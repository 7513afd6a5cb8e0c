"""What the compare panel remembers between events. The App holds it and sends it with every event, so it is small."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..deduplicating_panel import was_just_sent

LISTS = (("head", "run"), ("head", "labels"), ("pair", "a"), ("pair", "b"))
"""The layout's drop-down lists: container and name. The App keeps the value of each in the panel's state."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the user has chosen in the panel; None takes the latest run, its own labels, or the default pair.

    Attributes:
        labels: label field to compare with, ``"-"`` for none
        a, b: the pair of methods
        misleading: first row shown of the list of misleading-crop cases
        suspects: first row shown of the list of suspected label errors
    """

    run: str | None = None
    labels: str | None = None
    a: str | None = None
    b: str | None = None
    misleading: int = 0
    suspects: int = 0


@dataclass(frozen=True, kw_only=True)
class CompareState:
    """The panel's state.

    Attributes:
        drawn: key of the figures and lists that were sent last; None if the App has none
        action: id of the last decision that was made here
        undo: that decision, in words
    """

    choices: Choices = Choices()
    drawn: str | None = None
    action: str | None = None
    undo: str | None = None

    @classmethod
    def read(cls, ctx: Any) -> CompareState:
        """Reads the state that came with an event; values that can't be read are replaced by the defaults.

        The values of the drop-down lists count more than the remembered ones: the App changes them first.
        """
        stored = _dict(ctx.panel_state)
        chosen = _dict(stored.get("chosen"))
        known = Choices(
            **{name: _text(chosen.get(name)) for _, name in LISTS},
            misleading=_row(chosen.get("misleading")),
            suspects=_row(chosen.get("suspects")),
        )
        page = _dict(stored.get("page"))
        lists: dict[str, Any] = {
            name: _text(_dict(_dict(page.get(part)).get(f"{name}_field")).get(name)) or getattr(known, name)
            for part, name in LISTS
        }
        return cls(
            choices=replace(known, **lists) if lists["run"] in (None, known.run) else Choices(run=lists["run"]),
            drawn=_text(stored.get("drawn")),
            action=_text(stored.get("action")),
            undo=_text(stored.get("undo")),
        )

    def write(self, ctx: Any) -> None:
        """Sends what differs from the App's state.

        The App takes every write for a change around the panel and fires the events of a changed view again, and an
        event may carry a state that another event has changed meanwhile: so only differences are sent. The whole state
        is replaced where the App has mixed the figures' data into it, as it does when something is chosen from a list.
        """
        page: dict[str, Any] = {}
        for part, name in LISTS:
            page.setdefault(part, {})[f"{name}_field"] = {name: getattr(self.choices, name)}
        state = {
            "chosen": asdict(self.choices),
            "drawn": self.drawn,
            "action": self.action,
            "undo": self.undo,
            "page": page,
        }
        before = ctx.panel_state
        if set(before) - set(state) or set(_dict(before.get("page"))) - set(page):
            ctx.ops.set_panel_state(state)
        else:
            changed = {name: value for name, value in state.items() if name not in before or before[name] != value}
            if changed and not was_just_sent(ctx.panel_id, "state", [before, changed]):
                ctx.ops.patch_panel_state(changed)
        before.clear()
        before.update(state)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _row(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
