"""Patterns for `pytest.raises(match=...)`."""

from __future__ import annotations

import re


def all_of(words: list[str]) -> str:
    """A pattern that matches one line holding all the words, in any order."""
    return r"\A" + "".join(f"(?=.*{re.escape(word)})" for word in words) + r".*\Z"
