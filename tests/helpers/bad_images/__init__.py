"""A corpus of bad images, made by code: cut files, other formats, bombs, odd values, orientations, names and paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ANY_REASON = "."
NOT_AN_IMAGE = "not an image of a format|damaged"
TOO_LARGE = "million|GiB"


class Bad(NamedTuple):
    """One file, or what takes a file's place.

    Attributes:
        name: of the file
        write: makes it under a path
        reason: pattern of the reason why it can't be read; None if it has to be read
        or_read: whether it may be read as well
    """

    name: str
    write: Callable[[Path], object]
    reason: str | None = None
    or_read: bool = False


def data(name: str, content: bytes, reason: str | None = None, *, or_read: bool = False) -> Bad:
    return Bad(name, lambda path: path.write_bytes(content), reason, or_read)


def corpus() -> list[Bad]:
    """Returns all of them; their names differ."""
    from . import bombs, cut, exif, paths, strangers, values

    found = [bad for part in (cut, strangers, values, exif, bombs, paths) for bad in part.cases()]
    assert len({bad.name for bad in found}) == len(found)
    return found
