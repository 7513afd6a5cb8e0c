"""Limits on what a small file may cost in time: parts of its header, and scans of a progressive JPEG."""

from __future__ import annotations

import io
import re
import struct
from typing import TYPE_CHECKING

from ..errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

MAX_HEADER_READS = 100_000
"""Maximum number of reads of a file's header; a good one takes some hundred."""

MAX_EXIF_BYTES = 4 * 1024**2
"""Maximum number of bytes of a JPEG's EXIF data, whose segments Pillow joins in a time that grows with their square; a
good file has one or a few segments of 64 kB."""

MAX_SCANS = 100
"""Maximum number of scans of a JPEG, each of which goes through the whole picture; encoders write about ten."""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START_OF_SCAN, _END, _EXIF = b"\xff\xda", b"\xff\xd9", b"Exif\0\0"


class HeaderReader(io.BytesIO):
    """A file's bytes, whose reads are limited until :meth:`end_header` is called."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads = self._exif = 0
        self._limited = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads so many bytes, or all."""
        part = super().read(size)
        if not self._limited:
            return part
        self._reads += 1
        self._exif += len(part) if part.startswith(_EXIF) else 0
        if self._reads > MAX_HEADER_READS or self._exif > MAX_EXIF_BYTES:
            limit = f"{MAX_HEADER_READS:,} parts, or {MAX_EXIF_BYTES // 1024**2} MiB of EXIF data"
            raise ImageError(f"the image is damaged: its header has more than {limit}")
        return part

    def end_header(self) -> None:
        """Ends the limit: the number of reads of pixels depends on their number."""
        self._limited = False


def check_scans(opened: Image.Image, data: bytes) -> None:
    """Checks that a JPEG has no more scans than a good one.

    Raises:
        ImageError: if it has
    """
    if "progressive" in opened.info and data.count(_START_OF_SCAN) > MAX_SCANS and _scans(data) > MAX_SCANS:
        raise ImageError(f"the image is stored in more than {MAX_SCANS} scans, far more than any good one")


def _scans(data: bytes) -> int:
    """Counts the scans of a JPEG's first image: other files in its segments or behind it may have some, too."""
    count, at = 0, 2
    while found := _MARKER.search(data, at):
        marker, at = found.group(), found.end()
        if marker == _END:
            break
        count += marker == _START_OF_SCAN
        at += struct.unpack_from(">H", data, at)[0] if at + 2 <= len(data) else len(data)
    return count
