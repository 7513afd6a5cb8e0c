"""Checksums of rows: they cover what a row belongs to, besides its data.

So a row never answers for another image, whatever bit of an index, of a reference or of a row number has changed.
Rows of earlier releases have a CRC-32 of their data alone, a number from 0 on; the checksums made here are negative. A
row of the earlier kind is taken only if the file's two copies of its key, the row's own and that in the index, agree.
"""

from __future__ import annotations

import hashlib
import zlib


def seal(*covered: str | bytes | float) -> int:
    """Returns a checksum of values: a number of 64 bits, below 0.

    Of data among the values, the caller passes the CRC-32, which is several times as fast.
    """
    joined = b"\0".join([value if isinstance(value, bytes) else str(value).encode() for value in covered])
    return -1 - (int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "little") >> 1)


def crc(data: object) -> int:
    """Returns the CRC-32 of bytes; -1 of anything else, which a damaged row may hold."""
    return zlib.crc32(data) if isinstance(data, bytes) else -1


def is_early(checksum: object) -> bool:
    """True for the checksum of an earlier release, which covers data alone."""
    return isinstance(checksum, int) and checksum >= 0


def is_sound(checksum: object, of_data: int, *belongs_to: str | bytes | float) -> bool:
    """True if a stored checksum is that of data, whose CRC-32 is ``of_data``, and of what they belong to."""
    return checksum == (of_data if is_early(checksum) else seal(*belongs_to, of_data))
