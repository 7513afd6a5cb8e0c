"""Names of classes and fields, notes and answers as they are, where the App would read them as Markdown.

A class called ``![](http://elsewhere/x.png)`` would have every curator's browser load that picture.
"""

from __future__ import annotations

import re
from typing import Any

from fiftyone.operators import types

MARKDOWN_TEXTS = ("label", "description", "caption")
"""Texts of a component that the App reads as Markdown."""

PLAIN_LABELS = {"Button", "ButtonView", "CheckboxView", "IconButtonView", "LoaderView", "PromptView", "SwitchView"}
"""Components whose label the App shows as it is."""

_INLINE = re.compile(r"[\\`*\[\]<~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|:(?=//)")
_BLOCK = re.compile(r"^([ \t]*\d{0,9})([#>+=|.)-])(?=\s|$|[=-]+[ \t]*$)", re.MULTILINE)


class PlainProperty(types.Property):
    """A property of which the App shows all texts as they are, those of its parts included."""

    def to_json(self) -> dict[str, Any]:
        """Returns what the App gets."""
        document: dict[str, Any] = super().to_json()
        _escape(document)
        return document


def escape_markdown(text: str) -> str:
    """Returns the Markdown that shows a text as it is."""
    return _BLOCK.sub(r"\1\\\2", _INLINE.sub(r"\\\g<0>", text))


def _escape(document: dict[str, Any]) -> None:
    """Escapes the texts of a property and of its parts."""
    left = [document]
    while left:
        part = left.pop()
        view, kind = part.get("view") or {}, part.get("type") or {}
        for name in MARKDOWN_TEXTS:
            if isinstance(view.get(name), str) and not (name == "label" and view.get("name") in PLAIN_LABELS):
                view[name] = escape_markdown(view[name])
        left.extend((kind.get("properties") or {}).values())
