"""Embeddings of texts in the store, by encoder and a hash of the text."""

from __future__ import annotations

import hashlib
import time
import zlib
from typing import TYPE_CHECKING

import numpy as np

from .rows import with_checksum

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .file import StoreFile


def write_texts(
    rows: sqlite3.Connection, encoder: int, embeddings: Mapping[str, NDArray[np.float32]], mark_after: float
) -> None:
    """Writes the ``[dim]`` embeddings of texts, inside a transaction.

    Args:
        rows: the store's rows
        encoder: row number of the encoder
        embeddings: text to embedding; of those that are stored undamaged, only the time of use is written
        mark_after: seconds after which that time is written again
    """
    now = time.time()
    rows.executemany(
        """INSERT INTO texts VALUES (?, ?, ?, ?, ?) ON CONFLICT (encoder, digest) DO UPDATE
           SET embedding = excluded.embedding, checksum = excluded.checksum, used = excluded.used
           WHERE checksum_of(embedding) != checksum OR used < excluded.used - ?""",
        [(encoder, _digest(text), *with_checksum(vector), now, mark_after) for text, vector in embeddings.items()],
    )


def read_texts(file: StoreFile, encoder: int, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Returns the stored ``[dim]`` embeddings of some hundred texts, without damaged ones."""
    by_digest = {_digest(text): text for text in texts}
    marks = ",".join("?" * len(by_digest))
    query = f"SELECT digest, embedding, checksum FROM texts WHERE encoder = ? AND digest IN ({marks})"  # noqa: S608
    return {
        by_digest[digest]: np.frombuffer(embedding, np.float32)
        for digest, embedding, checksum in file.read(query, (encoder, *by_digest))
        if zlib.crc32(embedding) == checksum
    }


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
