"""Checks that several tests share: of messages, and of what a test must leave as it is."""

from __future__ import annotations

import re
from contextlib import contextmanager


def all_of(words: list[str]) -> str:
    """A pattern for `pytest.raises(match=...)`: one line that holds all the words, in any order."""
    return r"\A" + "".join(f"(?=.*{re.escape(word)})" for word in words) + r".*\Z"


def assert_one_sentence(error: object) -> None:
    """The message of an error is short, and no traceback."""
    message = str(error)
    assert "\n" not in message, message
    assert "Traceback" not in message, message
    assert 20 < len(message) < 500, message


@contextmanager
def untouched(dataset):
    """Fails where a test changes a dataset that others look at, too: its samples, its fields or its runs."""

    def state():
        dataset.reload()
        return len(dataset), dataset.max("last_modified_at"), list(dataset.get_field_schema()), dataset.list_runs()

    before = state()
    yield
    assert state() == before, "the test has changed what other tests share"
