"""The components of which the panels are laid out: pages, rows, texts, buttons, lists, tables and plots.

FiftyOne's stacks give every child the full width. ``componentsProps`` styles the elements inside its components, which
is how children are placed side by side, kept inside the panel, and given a tooltip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.figures.page import revised
from ..shared.plain_text import PlainProperty

BAR_COLOUR = "var(--fo-palette-background-level2)"
SMALL, NORMAL, HEADING, LARGE = "0.8rem", "0.95rem", "1.1rem", "1.35rem"
TABLE = {
    "container": {"sx": {"width": "100%", "overflowX": "auto"}},
    "tableContainer": {"sx": {"maxWidth": "100%", "overscrollBehavior": "auto"}},  # the wheel scrolls the panel
    "table": {"sx": {"& th, & td": {"padding": "3px 8px", "overflowWrap": "break-word"}}},
}
"""``componentsProps`` of a table that stays inside the panel."""


@dataclass(frozen=True)
class EmptyState:
    """Why a panel has nothing to show, and what to do about it: a button that calls a method of the panel, if any."""

    title: str
    sentence: str
    action: str | None = None
    method: str | None = None
    params: dict[str, str] = field(default_factory=dict)

    @classmethod
    def classify(cls, title: str, sentence: str) -> EmptyState:
        """Returns a state with the button that opens the form to classify."""
        return cls(title, sentence, "Classify zero-shot", "open_form", {"form": "classify"})

    @classmethod
    def find(cls, title: str, sentence: str) -> EmptyState:
        """Returns a state with the button that opens the form to find wrong labels."""
        return cls(title, sentence, "Find wrong labels", "open_form", {"form": "find_wrong_labels"})


def page(*, gap: int = 2) -> tuple[Any, Any]:
    """Returns a page with padding, clipped at the panel's edges: what ``render`` returns, and what to add to."""
    root = types.Object()
    style = {"sx": {"padding": "8px 14px 32px 8px", "boxSizing": "border-box", "width": "100%", "overflowX": "clip"}}
    one_column = {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}}  # else as wide as its widest child
    inner = root.v_stack("page", gap=gap, componentsProps={"container": style, "grid": one_column})
    return PlainProperty(root), inner


def row(parent: Any, name: str, *, gap: str = "8px", align: str = "center", **style: Any) -> Any:
    """Adds a container that places its children side by side and wraps them; style the children with :func:`aside`."""
    sx = {"display": "flex", "flexDirection": "row", "flexWrap": "wrap", "gap": gap, "alignItems": align, **style}
    return parent.h_stack(name, componentsProps={"grid": {"sx": sx}})


def dock(parent: Any, name: str) -> Any:
    """Adds a container that stays at the top of the panel while the page scrolls."""
    return column(
        parent, name, gap="4px", width="100%", position="sticky", top=0, zIndex=10, backgroundColor=BAR_COLOUR
    )


def bar(parent: Any, name: str) -> Any:
    """Adds a :func:`row` with a background colour."""
    grid = {"display": "flex", "flexWrap": "wrap", "gap": "6px", "alignItems": "center", "padding": "6px 10px"}
    grid |= {"borderRadius": "4px", "backgroundColor": BAR_COLOUR}
    return parent.h_stack(name, componentsProps={"grid": {"sx": grid}, "item": {"sx": {"maxHeight": "none"}}})


def column(parent: Any, name: str, *, gap: str = "0px", title: str | None = None, **style: Any) -> Any:
    """Adds a container that stacks its children, as one child of a :func:`row`."""
    sx = {"display": "flex", "flexDirection": "column", "gap": gap}
    return parent.v_stack(name, componentsProps=aside(title=title, **style) | {"grid": {"sx": sx}})


def aside(*, title: str | None = None, **style: Any) -> dict[str, Any]:
    """Returns the ``componentsProps`` of a child of a :func:`row`: only as wide as its content, with a tooltip."""
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
    """Adds plain text, which is never parsed as markup, in the theme's colour.

    The App processes every component at every event, so lines that belong together are one text with line breaks.
    ``title`` is the tooltip, ``first`` the style of the first line, ``style`` the CSS of the item.
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
    """Adds a section's heading, and an explanation in small print."""
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
    large: bool = False,
    key: str | None = None,
    wide: bool = False,
    **style: Any,
) -> None:
    """Adds a button that calls a method of the panel with ``params``; ``main`` fills it, ``style`` is its item's CSS.

    A ``wide`` one fills its place, with its text in the middle.

    Its tooltip is the browser's: the App's own takes two more components. ``key`` presses it, together with the
    browser's keys for this (Alt in Chrome and Edge, Alt+Shift in Firefox, Ctrl+Option on a Mac); the App gives panels
    no keyboard of their own.
    """
    padding = "6px 11px" if large else "2px 10px"
    look = {"minWidth": 0, "padding": padding, "textAlign": "left", "overflowWrap": "anywhere", "lineHeight": 1.3}
    if wide:
        look, style = look | {"width": "100%", "textAlign": "center"}, {"width": "100%", **style}
    props = aside(**style) | {"button": {"sx": look, **({"accessKey": key} if key else {})}}
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


def empty_state(parent: Any, empty: EmptyState, panel: Any) -> None:
    """Adds the reason why there is nothing to show, and the button that helps."""
    text(parent, "empty_title", empty.title, size=LARGE, bold=True, width="100%", pt="24px")
    text(parent, "empty_text", empty.sentence, muted=True, width="100%")
    if empty.action and empty.method:
        method, title = getattr(panel, empty.method), empty.sentence
        button(parent, "empty_action", empty.action, method, main=True, title=title, params=empty.params)


def card(
    cards: Any,
    name: str,
    number: str,
    caption: str,
    about: str,
    label: str | None = None,
    on_click: Callable[..., Any] | None = None,
    **params: Any,
) -> None:
    """Adds a number with its caption and definition to a :func:`row`, and a button that shows its samples, if any."""
    words, first = f"{number}\n{caption}", {"fontSize": LARGE, "fontWeight": 600, "color": "text.primary"}
    if label is None or on_click is None:
        text(cards, name, words, size=SMALL, muted=True, first=first, title=about)
        return
    place = column(cards, name, title=about, gap="3px")
    text(place, "words", words, size=SMALL, muted=True, first=first)
    button(place, "show", label, on_click, title=f"{label}: {about[:1].lower()}{about[1:]}", params=params)


def choice(
    parent: Any,
    name: str,
    label: str,
    choices: Sequence[tuple[str, str]],
    on_change: Callable[..., Any],
    about: str,
    width: str = "210px",
) -> None:
    """Adds a drop-down list of (value, label); the chosen value is in the panel's state."""
    field = column(parent, f"{name}_field", title=about, width=width, gap="2px")
    text(field, "label", label, size=SMALL, muted=True)
    # composite_view: otherwise a value that the panel sets counts as the user's choice, and the App fires on_change
    view = types.DropdownView(compact=True, label=label, description=about, composite_view=True)
    for value, shown in choices:
        view.add_choice(value, label=shown)
    field.enum(name, view.values(), view=view, on_change=on_change)


def picture(
    parent: Any,
    name: str,
    uri: str | None,
    alt: str,
    *,
    title: str | None = None,
    on_click: Callable[..., Any] | None = None,
    params: Mapping[str, Any] | None = None,
    image: Mapping[str, Any] | None = None,
    **style: Any,
) -> None:
    """Adds a picture as wide as its place, given as a data URI; a text where there is none.

    Args:
        parent: what it is added to
        name: its name there
        uri: the picture; None where the file can't be read
        alt: what it shows, for those who can't see it
        title: its tooltip
        on_click: a method of the panel that a click on it calls with ``params``
        params: of that method
        image: CSS of the picture
        **style: CSS of its place
    """
    if uri is None:
        text(parent, name, f"This picture can't be read:\n{alt}", size=SMALL, muted=True, title=title, **style)
        return
    look = {"width": "100%", "display": "block", "borderRadius": "4px", **(image or {})}
    props = aside(title=title, **style) | {"image": {"style": look}}
    view = types.ImageView(alt=alt, operator=on_click, params=dict(params or {}), componentsProps=props)
    parent.str(name, default=uri, view=view)


def meter(parent: Any, name: str, share: float) -> None:
    """Adds a thin bar that is filled to a share, in [0, 1]."""
    end = f"{share:.1%}"
    colours = f"var(--fo-palette-primary-main) {end}, var(--fo-palette-divider) {end}"
    look = {"height": "4px", "borderRadius": "2px", "background": f"linear-gradient(to right, {colours})"}
    parent.h_stack(name, componentsProps={"grid": {"sx": look}})


def search_list(
    parent: Any, name: str, label: str, choices: Sequence[str], on_change: Callable[..., Any], **style: Any
) -> None:
    """Adds a text field that finds one of the choices as its name is typed; long names take several lines."""
    field = column(parent, f"{name}_field", gap="2px", **style)
    lines = {"autocomplete": {"ListboxProps": {"sx": {"& li": {"whiteSpace": "normal", "overflowWrap": "anywhere"}}}}}
    view = types.AutocompleteView(label=label, allow_user_input=False, composite_view=True, componentsProps=lines)
    for value in choices:
        view.add_choice(value, label=value)
    field.enum(name, view.values(), view=view, on_change=on_change)


def plot(page: Any, name: str, figure: dict[str, Any], on_click: Callable[..., Any] | None) -> None:
    """Adds a figure, given as a Plotly document, at its own height."""
    figure = revised(figure)
    page.plot(
        name,
        data=list(figure["data"]),
        layout=figure["layout"],
        config={"displayModeBar": False, "scrollZoom": False, "responsive": True},
        height=f"{figure['layout']['height']}px",  # a bare number is a percentage of the panel's height
        on_click=on_click,
        componentsProps=aside(width="100%"),
    )
