"""Two styles of descriptions: whole texts, used as they are, and attributes, put into a sentence with the class.

Whole texts are like "A Persian typically has a long, thick coat." (CuPL); attributes like "a black nose"
("classification by description").
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .names import name_key, readable, reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

AUTO, SENTENCES, ATTRIBUTES = "auto", "sentences", "attributes"
STYLES = (AUTO, SENTENCES, ATTRIBUTES)
"""``auto`` judges each text by itself, ``sentences`` uses all as they are, ``attributes`` puts all into sentences."""
GIVEN = "given"
"""The style of texts that code passes in a dict without naming another: they are used as they are."""
RELEASE_0_1 = "release 0.1"
"""The style of that release, which judged all texts of a document together; its runs are continued with it."""

_VERBS = re.compile(r"(can|may|might|is|are|has|have|often|typically|usually|sometimes|comes?|looks?)\b", re.IGNORECASE)
_USES = re.compile(r"(used|made|covered|found|located|designed|shaped)\b", re.IGNORECASE)
_ENDS = re.compile("[.!?\u2026\u3002\uff01\uff1f\u0964][\\s\"'\u2019\u201d\u00bb)\\]*_]*$")
_BEGINS = re.compile(
    r"(it|they|he|she|this|these|those|there)\b|((a|an|the)\s+)?([\w-]+\s+){0,3}"
    r"(photo|photograph|picture|image|drawing|painting|sketch|rendering|close-up|closeup)s?\s+of\b",
    re.IGNORECASE,
)


def check_style(style: object) -> str:
    """Returns a style of descriptions; raises ConfigError if there is none of this name."""
    if not isinstance(style, str) or style not in STYLES:
        rule = f"must be one of {', '.join(STYLES)}, got {style!r}"
        raise ConfigError(f"description_style {rule}", app=f"the style of the texts {rule}")
    return style


def style_in_code(style: str, descriptions: object) -> str:
    """Returns the style of descriptions that code passes: a dict is used as it is unless it names attributes."""
    checked = check_style(style)
    return GIVEN if checked == AUTO and hasattr(descriptions, "items") else checked


def styled(name: str, texts: Iterable[str], style: str) -> tuple[str, ...]:
    """Returns the texts of a class as the model reads them; ``style`` is one of :data:`STYLES`, or ``GIVEN``."""
    if style in (SENTENCES, GIVEN):
        return tuple(texts)
    return tuple(text if style == AUTO and is_whole(text) else attribute_sentence(name, text) for text in texts)


def is_whole(text: str) -> bool:
    """Returns True for a text that ends like a sentence, or begins like one, or like a caption ("a photo of ...")."""
    return bool(_ENDS.search(text) or _BEGINS.match(text))


def attribute_sentence(name: str, attribute: str) -> str:
    """Returns a sentence with an attribute and its class, or the attribute if it mentions the class itself.

    Example:
        >>> attribute_sentence("Blue_Jay", "a black nose")
        'Blue Jay, which has a black nose.'
        >>> attribute_sentence("banded", "can be any color")
        'banded, which can be any color.'
    """
    return attribute if names_class(name, attribute) else _sentence(name, attribute)


def is_attribute_sentence(name: str, text: str) -> bool:
    """Returns True for a text that :func:`attribute_sentence` has put into a sentence with its class."""
    return text.startswith(_beginning(name))


def names_class(name: str, text: str) -> bool:
    """Returns True if a text mentions a class, in the plural too, whatever case and marks stand in and around the name.

    Example:
        >>> names_class("Blue_Jay", "two blue-jays, side by side")
        True
    """
    return bool(_name_pattern(name).search(reading(text)))


@lru_cache(maxsize=4096)
def _name_pattern(name: str) -> re.Pattern[str]:
    """Returns the pattern of a name, without article and numbering; what is in brackets at its end may be missing."""
    key = reading(name_key(name))
    words = re.findall(r"[^\W_]+", key)
    if not words:
        return re.compile(re.escape(key))
    short = re.findall(r"[^\W_]+", re.sub(r"[(\[].*$", "", key))
    either = sorted({tuple(words), tuple(short or words)}, key=len, reverse=True)
    return re.compile("|".join(_bounded(one) for one in either))


def _bounded(words: Sequence[str]) -> str:
    """Returns the pattern of whole words; letters without case are of scripts that may put no space between words."""
    first, last = (unicodedata.category(letter) for letter in (words[0][0], words[-1][-1]))
    before = "" if first == "Lo" else r"(?<![^\W_])"
    after = "" if last == "Lo" else r"(?:e?s)?(?![^\W_])"
    return before + r"[\W_]+".join(re.escape(word) for word in words) + after


def _sentence(name: str, attribute: str) -> str:
    attribute = attribute.rstrip(".")
    link = "" if _VERBS.match(attribute) else "is " if _USES.match(attribute) else "has "
    return f"{_beginning(name)}{link}{attribute}."


def _beginning(name: str) -> str:
    return f"{readable(name)}, which "


def as_release_0_1(given: Iterable[Sequence[str]], own: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Returns class to its texts as release 0.1 used them.

    Args:
        given: all texts of the document; if most end in a full stop, all are used as they are
        own: class to its texts
    """
    ends = [text.endswith((".", "!", "?")) for texts in given for text in texts]
    if 2 * sum(ends) > len(ends):
        return {name: tuple(texts) for name, texts in own.items()}
    keys = {name: f" {name_key(name)} " for name in own}
    return {
        name: tuple(text if keys[name] in f" {name_key(text)} " else _sentence(name, text) for text in texts)
        for name, texts in own.items()
    }
