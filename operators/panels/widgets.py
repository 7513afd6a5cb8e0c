"""What the panels share: the runs to choose from, what is shown where there is nothing yet, and parts of the layout.

FiftyOne's stacks give every child the whole width; ``componentsProps`` reaches the elements that its components are
made of, which is the way to set things side by side, to keep them inside the panel, and to explain them on hovering.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fiftyone.operators import types

PLUGIN = "@lgca/zero-shot"
BAR_COLOUR = "var(--fo-palette-background-level2)"
SMALL, NORMAL, HEADING, LARGE = "0.8rem", "0.95rem", "1.1rem", "1.35rem"


def operator_uri(name: str) -> str:
    """Gives the address of one of the plugin's operators."""
    return f"{PLUGIN}/{name}"


def page(*, gap: int = 2) -> tuple[Any, Any]:
    """Makes a panel's page, with some room at its edges and nothing that sticks out of it.

    Returns:
        the property that ``render`` returns, and the object to add to
    """
    root = types.Object()
    style = {"sx": {"padding": "8px 14px 32px 8px", "boxSizing": "border-box", "width": "100%", "overflowX": "clip"}}
    one_column = {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}}  # else it is as wide as its contents would like
    inner = root.v_stack("page", gap=gap, componentsProps={"container": style, "grid": one_column})
    return types.Property(root), inner


def row(parent: Any, name: str, *, gap: str = "8px", align: str = "center", **style: Any) -> Any:
    """Adds things side by side, which go on in the next line where they don't fit; give them :func:`aside`."""
    sx = {"display": "flex", "flexDirection": "row", "flexWrap": "wrap", "gap": gap, "alignItems": align, **style}
    return parent.h_stack(name, componentsProps={"grid": {"sx": sx}})


def dock(parent: Any, name: str) -> Any:
    """Adds a place for what stays in sight, whatever is scrolled to."""
    return column(
        parent, name, gap="4px", width="100%", position="sticky", top=0, zIndex=10, backgroundColor=BAR_COLOUR
    )


def bar(parent: Any, name: str) -> Any:
    """Adds a :func:`row` that stands out."""
    grid = {"display": "flex", "flexWrap": "wrap", "gap": "6px", "alignItems": "center", "padding": "6px 10px"}
    grid |= {"borderRadius": "4px", "backgroundColor": BAR_COLOUR}
    return parent.h_stack(name, componentsProps={"grid": {"sx": grid}, "item": {"sx": {"maxHeight": "none"}}})


def column(parent: Any, name: str, *, gap: str = "0px", title: str | None = None, **style: Any) -> Any:
    """Adds things below each other, as one thing of a :func:`row`."""
    sx = {"display": "flex", "flexDirection": "column", "gap": gap}
    return parent.v_stack(name, componentsProps=aside(title=title, **style) | {"grid": {"sx": sx}})


def aside(*, title: str | None = None, **style: Any) -> dict[str, Any]:
    """Gives the ``componentsProps`` of one thing of a :func:`row`: as wide as it needs, explained on hovering."""
    sx = {"width": "auto", "maxWidth": "100%", "maxHeight": "none", "minWidth": 0, **style}
    return {"item": {"sx": sx}, "container": {"title": title} if title else {}}


def text(
    parent: Any,
    name: str,
    words: str,
    *,
    size: str = NORMAL,
    muted: bool = False,
    bold: bool = False,
    title: str | None = None,
    first: dict[str, Any] | None = None,
    **style: Any,
) -> None:
    """Adds plain text, which is never read as markup, in the theme's colour.

    The App works on every part at every event, so what belongs together is one text of several lines.

    Args:
        parent: where to
        name: its name among the parent's parts
        words: the text
        size: font size
        muted: less prominent
        bold: more prominent
        title: what is shown on hovering: what a number means
        first: the style of the first line, where it is another
        **style: of the item
    """
    parts = aside(title=title, **style)
    look: dict[str, Any] = {"overflowWrap": "anywhere", "fontWeight": 600 if bold else 400, "lineHeight": 1.35}
    if "\n" in words:
        look["whiteSpace"] = "pre-line"
    if first:
        look["&::first-line"] = first
    parts["text"] = {"sx": look}
    color = "text.secondary" if muted else "text.primary"
    parent.view(
        name, types.TextView(title=words, padding="0", font_size=size, color=color, componentsProps=parts, space=None)
    )


def heading(parent: Any, name: str, words: str, explained: str | None = None) -> None:
    """Adds the heading of a section, and a sentence about it."""
    if not explained:
        text(parent, name, words, size=HEADING, bold=True, width="100%", pt="10px")
        return
    first = {"fontSize": HEADING, "fontWeight": 600, "color": "text.primary"}
    text(parent, name, f"{words}\n{explained}", size=SMALL, muted=True, first=first, width="100%", pt="10px")


def button(
    parent: Any,
    name: str,
    label: str,
    on_click: Callable[..., Any] | str,
    *,
    title: str | None = None,
    params: Mapping[str, Any] | None = None,
    icon: str | None = None,
    disabled: bool = False,
    main: bool = False,
    **style: Any,
) -> None:
    """Adds a button, with what it does on hovering: in the browser's own tooltip; the App's is two more parts.

    Args:
        parent: where to
        name: its name among the parent's parts
        label: what stands on it
        on_click: a method of the panel
        title: what it does, or why it can't be used
        params: for the method
        icon: a material icon
        disabled: whether it can't be used
        main: whether it stands out
        **style: of the item
    """
    look = {"minWidth": 0, "padding": "2px 10px", "textAlign": "left", "overflowWrap": "anywhere"}
    props = aside(**style) | {"button": {"sx": look}}
    parent.btn(
        name,
        label=label,
        on_click=on_click,
        description=title,
        params=dict(params or {}),
        icon=icon,
        disabled=disabled,
        variant="contained" if main else "outlined",
        componentsProps=props,
    )


def empty_state(
    parent: Any, title: str, sentence: str, *, action: str | None = None, on_click: Callable[..., Any] | None = None
) -> None:
    """Shows that there is nothing to show: a heading, one sentence, and one button that helps."""
    text(parent, "empty_title", title, size=LARGE, bold=True, width="100%", pt="24px")
    text(parent, "empty_text", sentence, muted=True, width="100%")
    if action and on_click:
        button(parent, "empty_action", action, on_click, main=True, title=sentence)


def card(
    cards: Any,
    name: str,
    number: str,
    caption: str,
    about: str,
    label: str | None = None,
    on_click: Any = None,
    **params: Any,
) -> None:
    """Adds a number with what it is, and a button where its samples can be shown.

    Args:
        cards: a :func:`row`
        name: its name there
        number: the number
        caption: what it is, in a word or two
        about: what it means exactly, on hovering
        label: of the button, None for none
        on_click: a method of the panel
        **params: for the method
    """
    has_button = label and on_click
    place = column(cards, name, title=about, gap="3px") if has_button else cards
    first = {"fontSize": LARGE, "fontWeight": 600, "color": "text.primary"}
    what = {"size": SMALL, "muted": True, "first": first, "title": None if has_button else about}
    text(place, "words" if has_button else name, f"{number}\n{caption}", **what)
    if has_button:
        button(place, "show", label, on_click, title=f"{label}: {about[:1].lower()}{about[1:]}", params=params)


def choice(
    parent: Any, name: str, label: str, choices: list[tuple[str, str]], on_change: Any, about: str, width: str = "210px"
) -> None:
    """Adds a list to choose from; what is chosen is in the panel's state."""
    field = column(parent, f"{name}_field", title=about, width=width, gap="2px")
    text(field, "label", label, size=SMALL, muted=True)
    # composite_view: or the App takes every value that comes from here for one that was chosen, and says so
    view = types.DropdownView(compact=True, label=label, description=about, composite_view=True)
    for value, shown in choices:
        view.add_choice(value, label=shown)
    field.enum(name, view.values(), view=view, on_change=on_change)


def samples_word(count: int) -> str:
    """Gives the right form of a word."""
    return "sample" if count == 1 else "samples"
