"""What a model's tokenizer makes of texts: which of them it cuts, and which words it does not have."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import torch

_SAMPLES = (
    "a photo of a European goldfinch, a small songbird with a red face.",
    "A PHOTO of Sphinx, of black quartz: judge my vow! (5,000 & 3.75%; #1, A-320/B_737 \u2014 it's \u201cquoted\u201d)",
    "Ein Kätzchen, un été, niño, 写真の猫, кошка, قطة, \U0001f426",
    " ".join(f"word{number} and" for number in range(200)),
)
_NEARLY_FULL = 4
"""A text with at most this many tokens of padding, which some tokenizers also use in texts, may have been cut."""


class TextTokens:
    """A model's tokenizer, which remembers how full the context was.

    Attributes:
        context: number of tokens that the model reads of a text, the marks of its start and end among them
    """

    def __init__(self, tokenizer: Callable[[list[str]], torch.Tensor]) -> None:
        self._tokenizer = tokenizer
        empty = tokenizer([""])[0]
        self.context = len(empty)
        self._padding = int(empty.mode().values)
        self._marks = self._count(empty[None])[0]
        self._full: dict[str, bool] = {}

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what the tokenizer makes of a few texts: tokenizers with the same one read texts alike."""
        tokens = self._tokenizer(list(_SAMPLES))
        return hashlib.blake2b(repr(tokens.tolist()).encode(), digest_size=8).hexdigest()

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Returns ``[n, context]`` tokens."""
        tokens = self._tokenizer(list(texts))
        fullness = self._count(tokens)
        self._full.update((text, n >= self.context - _NEARLY_FULL) for text, n in zip(texts, fullness, strict=True))
        return tokens

    def cut(self, texts: Iterable[str]) -> list[str]:
        """Returns those of the texts that are longer than the context, so that their end is not read.

        Of a tokenizer that takes no other context, all that fill it.
        """
        distinct = list(dict.fromkeys(texts))
        unseen = [text for text in distinct if text not in self._full]
        if unseen:
            self(unseen)
        full = [text for text in distinct if self._full[text]]
        if not full:
            return []
        try:
            whole: Any = self._tokenizer
            longer = self._count(whole(full, context_length=2 * self.context))
        except TypeError:
            return full
        return [text for text, n, read in zip(full, longer, self._count(self(full)), strict=True) if n > read]

    def unknown(self, texts: Iterable[str]) -> list[str]:
        """Returns the words that the tokenizer reads byte by byte, as unknown or not at all.

        Words in ASCII are left out: they have pieces of their own, if only letters.
        """
        words = dict.fromkeys(word.strip(_MARKS) for text in texts for word in text.split())
        foreign = [word for word in words if not word.isascii()]
        if not foreign:
            return []
        tokens = self._tokenizer(foreign)
        counts = [n - self._marks for n in self._count(tokens)]
        unknown_id = getattr(getattr(self._tokenizer, "tokenizer", None), "unk_token_id", None)
        missing = [unknown_id is not None and unknown_id in row for row in tokens.tolist()]
        return [
            word
            for word, n, is_missing in zip(foreign, counts, missing, strict=True)
            if is_missing or n == 0 or _in_bytes(word, n)
        ]

    def _count(self, tokens: torch.Tensor) -> list[int]:
        """Returns the number of tokens of each text, without padding."""
        counts: list[int] = (tokens != self._padding).sum(dim=1).tolist()
        return counts


_MARKS = "".join(chr(code) for code in range(128) if not chr(code).isalnum())
_LATIN = re.compile(r"[a-zA-Z]")
_SHORT = 3
"""A word of at most so many characters may well be a unit or a symbol."""


def _in_bytes(word: str, n_tokens: int) -> bool:
    """True for a word with more tokens than characters; for one in other letters than Latin ones, with as many."""
    n_characters = len(unicodedata.normalize("NFC", word))
    if _LATIN.search(unicodedata.normalize("NFD", word)):
        return n_characters > _SHORT and n_tokens > n_characters
    return n_tokens > n_characters - (n_characters > 1 and word.isalpha())
