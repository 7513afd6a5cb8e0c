"""One plain sentence about a suspect of predictions that were there already: which of them say what, and how sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...method.number_text import first_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_NAMED = 4
"""Maximum number of predictions that a sentence names."""

Said = tuple[str, float | None]
"""A predicted label, and the calibrated probability of it."""


def voters_sentence(said: Mapping[str, Said], suggested: str | None = None, given: str | None = None) -> str:
    """Returns what predictions say, as one sentence; nothing without any.

    Args:
        said: field of the predictions to what they say
        suggested: the suggested class, which is named first; None where none is suggested
        given: the given class
    """
    groups: dict[str, list[str]] = {}
    for field, (label, sure) in said.items():
        groups.setdefault(label, []).append(field if sure is None else f"{field} ({sure:.0%} sure)")
    if not groups:
        return ""
    first = groups.pop(suggested, []) if suggested is not None else []
    others = [f"{_named(fields)} {_verb(fields)} “{label}”" for label, fields in groups.items()]
    if not first:
        if suggested is None:
            return "; ".join(others) + "."
        than = "the given label" if given is None else f"“{given}”"
        return f"{'; '.join(others)}; taken together, the predictions find “{suggested}” more likely than {than}."
    start = f"{_named(first)} {_verb(first)} “{suggested}”"
    return f"{start}, but {' and '.join(others)}." if others else f"{start}."


def _named(fields: Sequence[str]) -> str:
    if len(fields) > MAX_NAMED:
        return first_of(fields, MAX_NAMED - 1)
    *most, last = fields
    return f"{', '.join(most)} and {last}" if most else last


def _verb(fields: Sequence[str]) -> str:
    return "says" if len(fields) == 1 else "say"
