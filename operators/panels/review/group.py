"""The review panel's screen of look-alikes: all of them at once, to decide about together."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.workflows.decisions.decisions import Decision
from ..widgets import HEADING, SMALL, button, column, picture, row, text
from .card import TWO, short
from .content import GroupContent, ReviewContent
from .state import CARD

GRID = {
    "display": "grid",
    "gridTemplateColumns": "repeat(auto-fill, minmax(140px, 1fr))",
    "gridAutoFlow": "row",
    "gap": "10px",
}
OUT = {"opacity": 0.3}


def add_group_head(head: Any, content: ReviewContent, shown: GroupContent, panel: Any) -> None:
    """Adds what the pictures have in common, and the buttons that decide about all of them."""
    card, out = shown.card, set(content.state.out)
    count = sum(one.sample_id not in out for one in shown.pictures)
    text(head, "title", f"{len(shown.pictures):,} pictures look alike", size=HEADING, bold=True, width="100%")
    words = f"Given: {card.given}. Suggested: {card.suggested}.\nA click on a picture leaves it out for later."
    text(head, "about", words, width="100%")
    buttons = head.h_stack("decide", componentsProps={"grid": {"sx": TWO}, "item": {"sx": {"width": "100%"}}})
    ids = [one.sample_id for one in shown.pictures if one.sample_id not in out]
    all_of = f"all {count:,}" if count > 1 else "this one"
    for name, label, decision, main in (
        ("change", f"Change {all_of} to {short(card.suggested or '')}", Decision.ACCEPTED, True),
        ("keep", f"Keep {all_of} as {short(card.given or '')}", Decision.LABEL_RIGHT, False),
    ):
        params = {
            "sample": card.sample_id,
            "ids": ids,
            "decision": decision.value,
            "given": card.given,
            "suggested": card.suggested,
        }
        key = name[0]
        button(
            buttons,
            name,
            label,
            panel.decide_group,
            title=f"{label} ({key.upper()})",
            params=params,
            main=main,
            large=True,
            disabled=not count,
            key=key,
            wide=True,
        )
    params = {"screen": CARD, "sample": card.sample_id}
    single = row(head, "single", pb="6px")
    button(single, "single", "One by one", panel.show_screen, title="Back to the card", params=params)


def add_group(body: Any, content: ReviewContent, shown: GroupContent, panel: Any) -> None:
    """Adds the pictures."""
    grid = body.h_stack("pictures", componentsProps={"grid": {"sx": GRID}})
    for at, one in enumerate(shown.pictures):
        out = one.sample_id in content.state.out
        cell = column(grid, f"picture_{at}", gap="2px")
        look: dict[str, Any] = {"aspectRatio": "1", "objectFit": "cover", **(OUT if out else {})}
        title = f"{one.name}: {'put it back' if out else 'leave it out'}"
        params = {"id": one.sample_id, "sample": shown.card.sample_id}
        picture(cell, "picture", one.uri, one.name, title=title, on_click=panel.leave_out, params=params, image=look)
        text(cell, "name", f"{one.name}{' (left out)' if out else ''}", size=SMALL, muted=True)
