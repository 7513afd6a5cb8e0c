"""What the evidence panel remembers between events. The App holds it and sends it with every event, so it is small."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

RUN = "page.top.run_field.run"
FIRST = "page.columns.left.rivals.first_field.first"
SECOND = "page.columns.left.rivals.second_field.second"
METHOD = "page.columns.left.rivals.method_field.method"
REGION = "page.what_if.region_field.region"
"""Where the drop-down lists of the layout keep their values."""

GO_ON = "page.go_on"


@dataclass(frozen=True, kw_only=True)
class EvidenceState:
    """The open sample, and what the user has chosen; choices that no longer exist are ignored where they are read.

    Attributes:
        sample: id of the sample that the choices are about
        run: key of the chosen run; None for the latest
        first, second: the two rivals; None for the default
        method: the method whose weights are shown; None for the default
        out: regions that are taken out
        more: whether more chains are shown
        go_on: whether the next suspect is opened after a decision
    """

    sample: str | None = None
    run: str | None = None
    first: str | None = None
    second: str | None = None
    method: str | None = None
    out: tuple[int, ...] = ()
    more: bool = False
    go_on: bool = True

    @classmethod
    def read(cls, ctx: Any) -> EvidenceState:
        """Reads the state that came with an event; values that can't be read are replaced by the defaults."""
        get = ctx.panel.get_state
        return cls(
            sample=_text(get("sample")),
            run=_text(get("key")),
            first=_text(get("rival_a")),
            second=_text(get("rival_b")),
            method=_text(get("weights")),
            out=tuple(int(region) for region in str(get("out") or "").split() if region.isdecimal()),
            more=bool(get("more")),
            go_on=get(GO_ON) is not False,
        )

    def write(self, ctx: Any, lists: dict[str, str | None]) -> None:
        """Sends what differs from the App's state; ``lists`` are the values of the drop-down lists, by their path."""
        values: dict[str, Any] = {
            "sample": self.sample,
            "key": self.run,
            "rival_a": self.first,
            "rival_b": self.second,
            "weights": self.method,
            "out": " ".join(map(str, self.out)),  # a text: the App would merge a list into the one that it has
            "more": self.more,
            GO_ON: self.go_on,
            **lists,
        }
        changed = {path: value for path, value in values.items() if ctx.panel.get_state(path) != value}
        if changed:
            ctx.panel.set_state(changed)

    def without_choices(self) -> EvidenceState:
        """Returns the state without the choices that are about one sample of one run."""
        return replace(self, first=None, second=None, out=(), more=False)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
