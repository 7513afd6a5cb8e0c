"""The review panel's card: one suspect, the buttons that decide about it, and examples of the two classes."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.method.core.methods import without_controls
from ....lgca_plugin.method.explain.sentences import shares_sentence
from ....lgca_plugin.method.labels.expected_errors import Expectation
from ....lgca_plugin.workflows.decisions.decisions import Decision
from ..widgets import HEADING, SMALL, button, column, picture, row, search_list, text
from .content import CardContent, ReviewContent
from .pictures import Picture, file_name
from .state import CARD, CLASSES, GROUP

LONG = 22
"""Number of characters from which on a class is written smaller."""
FEW = 3
"""Number of suspects below which nothing is said about how many of them are wrong."""
MOST = 44
"""Maximum number of characters of the name of a class on a button."""
END = 16
"""Number of these that its end gets: long names often differ there."""
NEAREST = "3px solid var(--fo-palette-primary-main)"
KEYS = "Keys, each with Alt: C, K, A, T, B; U undo, N next, P previous."
HEIGHT = "max(200px, calc(100vh - 430px))"
"""Maximum height of the large pictures: so high that all of the card is seen without scrolling."""
MOST_BLOCKS, FEWEST = 2, 2
"""Number of blocks of examples above which each has few, and how many these are."""
TWO = {"display": "grid", "gridTemplateColumns": "repeat(2, minmax(0, 1fr))", "gridAutoFlow": "row", "gap": "8px"}
THREE = {**TWO, "gridTemplateColumns": "repeat(3, minmax(0, 1fr))", "paddingBottom": "6px"}
GRID = {**TWO, "gap": "6px"}
COLUMNS = {**TWO, "gridTemplateColumns": "minmax(0, 61fr) minmax(0, 39fr)", "gap": "12px", "alignItems": "start"}
HALVES = {**COLUMNS, "gridTemplateColumns": "repeat(2, minmax(0, 1fr))"}
"""CSS of the buttons, of the examples of a class, and of the picture beside the examples of both, or beside one."""


def short(label: str) -> str:
    """Returns the name of a class as it fits on a button."""
    return label if len(label) <= MOST else f"{label[: MOST - END - 1].rstrip()}…{label[-END:].lstrip()}"


def add_card_head(head: Any, content: ReviewContent, shown: CardContent, panel: Any) -> None:
    """Adds the two labels, the reason, and the buttons of the decision."""
    card = shown.card
    labels = row(head, "labels", gap="0 16px", align="flex-end")
    _add_label(labels, "given", "Given label", card.given or "no label")
    if card.suggested is not None:
        sure = "" if card.confidence is None else f", {card.confidence:.0%} sure"
        caption = "Seen instead" if shown.record.suggested is None else f"Suggested label{sure}"
        text(labels, "arrow", "→", size="1.4rem", muted=True, alignSelf="flex-end")
        _add_label(labels, "suggested", caption, card.suggested)
    why = row(head, "why", gap="0 10px", flexWrap="nowrap")
    text(why, "reason", shown.reason)
    if shown.record.predictions and content.run is not None and content.run.config.voters is None:
        title = "Open the picture and see what each method says, and which parts of the picture speak for it"
        button(
            why, "evidence", "Why?", panel.show_evidence, title=title, params={"sample": card.sample_id}, flexShrink=0
        )
    if card.decision is not None:
        _add_decision(head, shown, panel)
    if content.state.screen == CLASSES:
        _add_classes(head, content, shown, panel)
    else:
        _add_buttons(head, shown, panel)


def _add_label(labels: Any, name: str, caption: str, label: str) -> None:
    place = column(labels, name)
    text(place, "caption", caption, size=SMALL, muted=True)
    text(place, "label", label, size="1.4rem" if len(label) <= LONG else HEADING, bold=True)


def _add_decision(head: Any, shown: CardContent, panel: Any) -> None:
    """Adds what was decided about the sample."""
    line = row(head, "decided", gap="4px 10px")
    by = f", by {shown.record.decided_by}" if shown.record.decided_by else ""
    text(line, "words", f"Decided: {decision_text(shown.card.decision, shown.card.corrected, shown.card.given)}{by}")
    params = {"sample": shown.card.sample_id, "was": shown.stands}
    button(line, "take_back", "Take back", panel.take_back, title="Take this decision back", params=params)


def decision_text(decision: Decision | None, corrected: str | None, given: str | None) -> str:
    """Returns a decision in words."""
    if decision is Decision.ACCEPTED:
        return f"kept “{given}”" if corrected == given else f"changed to “{corrected}”"
    if decision is Decision.LABEL_RIGHT:
        return f"kept “{given}”"
    return {Decision.SKIPPED: "can't tell", Decision.BAD_IMAGE: "bad image"}.get(decision, str(decision))  # type: ignore[arg-type]


def _add_buttons(head: Any, shown: CardContent, panel: Any) -> None:
    """Adds the buttons of the decision."""
    card = shown.card
    buttons = head.h_stack("decide", componentsProps={"grid": {"sx": TWO}, "item": {"sx": {"width": "100%"}}})
    others = head.h_stack("others", componentsProps={"grid": {"sx": THREE}, "item": {"sx": {"width": "100%"}}})
    same: dict[str, Any] = {"sample": card.sample_id, "was": shown.stands}
    first = card.decision is None
    if card.suggested not in (None, card.given):
        title = f"“{card.suggested}” is right: it is written to the corrected labels, the given label stays (C)"
        label, params = f"Change to {short(card.suggested)}", {**same, "decision": Decision.ACCEPTED.value}
        if shown.record.suggested is None:  # no suspect: the class is not written on the sample
            params["label"] = card.suggested
        button(
            buttons,
            "change",
            label,
            panel.decide,
            title=title,
            params=params,
            main=first,
            large=True,
            key="c",
            wide=True,
        )
    if card.given is not None:
        title = f"“{card.given}” is right and stays (K)"
        label, params = f"Keep {short(card.given)}", {**same, "decision": Decision.LABEL_RIGHT.value}
        button(buttons, "keep", label, panel.decide, title=title, params=params, large=True, key="k", wide=True)
    title = "Both are wrong: name the right class (A)"
    params = {**same, "screen": CLASSES}
    button(others, "another", "Another class …", panel.show_screen, title=title, params=params, key="a", wide=True)
    for decision, key in ((Decision.SKIPPED, "t"), (Decision.BAD_IMAGE, "b")):
        params = {**same, "decision": decision.value}
        title = f"{decision.explanation} ({key.upper()})"
        button(others, f"button_{key}", decision.button, panel.decide, title=title, params=params, key=key, wide=True)


def _add_classes(head: Any, content: ReviewContent, shown: CardContent, panel: Any) -> None:
    """Adds the choice of another class, in the place of the buttons."""
    box = column(head, "classes", gap="6px", width="100%", pb="6px")
    classes = content.run.config.classes if content.run else ()
    search_list(box, "class", "Which class is it? Type its name", classes, panel.pick_class, width="100%")
    buttons = row(box, "buttons", gap="6px 8px")
    same: dict[str, Any] = {"sample": shown.card.sample_id, "was": shown.stands, "decision": Decision.ACCEPTED.value}
    for at, label in enumerate(shown.others[:3]):
        params = {**same, "label": label}
        title = f"One of the methods sees “{label}” in this picture"
        if shown.card.twin is not None and label == shown.card.twin.label:
            title = f"Nearly the same picture is labelled “{label}”"
        if label == shown.card.nearest:
            title = f"“{label}” has almost the same name as the given label"
        button(buttons, f"other_{at}", f"Change to {short(label)}", panel.decide, title=title, params=params)
    title = "Name a class that is not in the list, or leave a note"
    button(buttons, "new", "A class that is not in the list …", panel.open_form, title=title, params={"form": "decide"})
    button(buttons, "back", "Cancel", panel.show_screen, params={"screen": CARD, "sample": shown.card.sample_id})


def add_card(body: Any, content: ReviewContent, shown: CardContent, panel: Any) -> None:
    """Adds the picture beside examples of the two classes, or beside one of them, and what lies ahead."""
    card = shown.card
    columns = body.h_stack("columns", componentsProps={"grid": {"sx": HALVES if shown.enlarged else COLUMNS}})
    left = column(columns, "left", gap="6px")
    name, look = file_name(card.filepath), {"maxHeight": HEIGHT, "objectFit": "contain"}
    on_click = None if content.opened else panel.open_sample
    params = {"sample": card.sample_id}
    title = card.filepath if content.opened else f"{card.filepath}\nClick to open it in full size"
    if shown.enlarged is not None:
        text(left, "title", "The picture in question", bold=True, size=SMALL)
    picture(left, "picture", shown.picture, name, title=title, on_click=on_click, params=params, image=look)
    _add_look_alikes(left, shown, panel)
    _add_facts(left, content, shown)
    right = column(columns, "right", gap="8px")
    if shown.enlarged is not None:
        _add_enlarged(right, *shown.enlarged, panel)
    else:
        _add_twin(right, shown, panel)
        blocks = len(shown.examples) + (shown.twin is not None)
        for at, (label, pictures) in enumerate(shown.examples.items()):
            _add_examples(right, f"examples_{at}", label, pictures, panel, few=blocks > MOST_BLOCKS)


def _add_enlarged(right: Any, label: str, example: Picture, panel: Any) -> None:
    """Adds one example as large as the picture in question, and the way back to all of them."""
    text(right, "title", f"{label}: {example.name}", bold=True, size=SMALL)
    look = {"maxHeight": HEIGHT, "objectFit": "contain"}
    title, back = "Click to see all examples again", panel.show_example
    picture(right, "example", example.uri, example.name, title=title, on_click=back, image=look)
    buttons = row(right, "buttons", gap="6px 8px")
    button(buttons, "back", "All examples", back, title=title)
    params = {"sample": example.sample_id}
    button(buttons, "open", "Open it", panel.open_sample, title="Open this example in full size", params=params)


def _add_look_alikes(left: Any, shown: CardContent, panel: Any) -> None:
    """Adds the way to the suspects that look like this one."""
    others = len(shown.card.look_alikes) - 1
    if others < 1 or shown.card.decision is not None:
        return
    line = row(left, "alike", gap="4px 10px")
    text(line, "words", f"{others:,} more {'looks' if others == 1 else 'look'} like this", size=SMALL, bold=True)
    title = "Suspects with the same two labels that look alike; decide about them together"
    params = {"screen": GROUP, "sample": shown.card.sample_id}
    button(line, "show", "Look at all", panel.show_screen, title=title, params=params)


def _add_twin(right: Any, shown: CardContent, panel: Any) -> None:
    """Adds the picture that is nearly the same and has another label."""
    if shown.card.twin is None or shown.twin is None:
        return
    place = column(right, "twin", gap="4px", width="100%")
    text(place, "title", f"Nearly the same picture, labelled {shown.card.twin.label}", bold=True, size=SMALL)
    look: dict[str, Any] = {"maxHeight": "160px", "objectFit": "contain"}
    title = f"{shown.twin.name}\nClick to open it: its label can be changed there"
    params = {"sample": shown.twin.sample_id}
    picture(
        place,
        "picture",
        shown.twin.uri,
        shown.twin.name,
        title=title,
        on_click=panel.open_sample,
        params=params,
        image=look,
    )


def _add_examples(right: Any, name: str, label: str, pictures: tuple[Picture, ...], panel: Any, *, few: bool) -> None:
    """Adds examples of a class; a ``few`` of them are the most typical one and the nearest one."""
    place = column(right, name, gap="4px", width="100%")
    text(place, "title", f"{label} looks like this", bold=True, size=SMALL)
    if not pictures:
        words = "There is no picture of this class whose label is beyond doubt."
        text(place, "none", words, size=SMALL, muted=True)
        return
    if few and len(pictures) > FEWEST:
        pictures = (*pictures[: FEWEST - 1], pictures[-1])
    grid = place.h_stack("grid", componentsProps={"grid": {"sx": GRID}})
    for at, example in enumerate(pictures):
        look: dict[str, Any] = {"aspectRatio": "1", "objectFit": "cover"}
        title, params = f"{example.name}\nClick to see it large", {"example": example.sample_id}
        options = {"on_click": panel.show_example, "params": params, "image": look}
        if not example.nearest:  # without a place of its own: the App processes every component
            picture(grid, f"example_{at}", example.uri, example.name, title=title, **options)
            continue
        look |= {"outline": NEAREST, "outlineOffset": "-3px"}
        title = f"{example.name}: of the pictures with this label, the one most like the picture in question\n"
        cell = column(grid, f"example_{at}", gap="0px")
        picture(cell, "picture", example.uri, example.name, title=f"{title}Click to see it large", **options)
        text(cell, "nearest", "most like it", size="0.72rem", muted=True)


def _add_facts(left: Any, content: ReviewContent, shown: CardContent) -> None:
    """Adds what is framed, what is expected of the next suspects, and the keys."""
    predictions = shown.record.predictions
    before = {name: own for name in without_controls(predictions) if (own := predictions[name].before) is not None}
    lines = [
        shown.card.marked if shown.picture is not None else "",
        _ahead(shown),
        shares_sentence(before) or "",
        KEYS if not content.opened else "",
    ]
    words = "\n".join(line for line in lines if line)
    if words:
        text(left, "facts", words, size=SMALL, muted=True)


def _ahead(shown: CardContent) -> str:
    found = shown.expectation
    if found is None or found.samples < FEW or (shown.place is None and shown.below is None) or shown.card.outside:
        return ""
    return f"Among the next {found.samples:,}, {expected_text(found)}."


def expected_text(found: Expectation) -> str:
    """Returns how many of several labels are expected to be wrong, in words."""
    if not found.high:
        return f"{'both' if found.samples == 2 else 'all'} are expected to be right"
    count = f"{found.expected:.0f}"
    return f"about {count} {'is' if count == '1' else 'are'} expected to be wrong ({found.low:,} to {found.high:,})"
