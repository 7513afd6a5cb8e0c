"""Class names: how they are compared, how they stand in sentences, and how most tokenizers will read them."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTEXT = 77
"""Number of tokens that CLIP models read of a text, the marks of its start and end among them."""

_ARTICLES = ("a ", "an ", "the ")
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_PIECES = re.compile(r"[^\W\d_]+|\d|[^\w\s]+|_+")


def name_key(name: str) -> str:
    """Returns the form of a class name in which names are compared.

    Example:
        >>> name_key("001.Black_footed_Albatross") == name_key("the black-footed albatross")
        True
    """
    key = " ".join(re.split(r"[\s_\-]+", re.sub(r"^\d+\.\s*(?=\D)", "", name.casefold()))).strip()
    for article in _ARTICLES:
        if key.startswith(article):
            return key.removeprefix(article)
    return key


def readable(name: str) -> str:
    """Returns a class name as it stands in sentences: with spaces for underscores."""
    return " ".join(name.replace("_", " ").split())


def reading(text: str) -> str:
    """Returns a text as most tokenizers read it: without case, entities, curly quotes, ligatures and full width."""
    if not text.isascii() or "&" in text:
        plain = unicodedata.normalize("NFC", html.unescape(html.unescape(text)).translate(_QUOTES))
        text = "".join(map(_folded, plain)).translate(_QUOTES)
    return " ".join(text.lower().split())


def _folded(letter: str) -> str:
    """Returns the usual letters for a ligature or one of another width; others, such as a raised 2, stay."""
    if letter.isascii():
        return letter
    other_width = unicodedata.decomposition(letter).startswith(("<wide>", "<narrow>"))
    ligature = "\ufb00" <= letter <= "\ufb06"
    return unicodedata.normalize("NFKC", letter) if other_width or ligature else letter


@lru_cache(maxsize=4)
def alike(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Returns pairs of class names that are one text to most tokenizers: each that reads as an earlier one, once."""
    first: dict[str, str] = {}
    pairs = ((first.setdefault(reading(readable(name)), name), name) for name in names)
    return [(earlier, name) for earlier, name in pairs if earlier != name]


@lru_cache(maxsize=4)
def in_other_letters(names: tuple[str, ...]) -> list[str]:
    """Returns the class names in other letters than Latin ones, which models that were trained on English lack."""
    return [name for name in names if not name.isascii() and any(map(_is_foreign, name))]


def too_long(texts: Iterable[str]) -> int:
    """Returns the number of texts that are longer than the context of CLIP models whatever their words are.

    Each word, digit and mark is a token at least.
    """
    return sum(len(_PIECES.findall(text)) > CONTEXT - 2 for text in texts)


def _is_foreign(character: str) -> bool:
    return character.isalpha() and not unicodedata.name(character, "LATIN").startswith(
        ("LATIN", "FEMININE", "MASCULINE")
    )
