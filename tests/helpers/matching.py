"""Patterns for `pytest.raises(match=...)`."""

from __future__ import annotations

import re


def all_of(words: list[str]) -> str:
    """A pattern that matches one line holding all the words, in any order."""
    return r"\A" + "".join(f"(?=.*{re.escape(word)})" for word in words) + r".*\Z"


def assert_one_sentence(error: object) -> None:
    """The message of an error is short, and no traceback."""
    message = str(error)
    assert "\n" not in message, message
    assert "Traceback" not in message, message
    assert 20 < len(message) < 500, message
