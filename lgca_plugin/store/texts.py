"""The part of the store that holds encoders, and the embeddings of texts by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StoreError
from . import entries, small_tables
from .limits import default_limit
from .rows import parts as _parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .file import StoreFile

SECONDS_BETWEEN_MARKS = 3600


class TextStore:
    """Encoders and texts in a store's file. Without a limit it takes :func:`default_limit`."""

    def __init__(self, file: StoreFile, limit_bytes: int | None) -> None:
        self._file = file
        self._limit_bytes = limit_bytes
        self._fingerprints: dict[int, str] = {}

    @property
    def used_bytes(self) -> int:
        """Size of the store's contents."""
        return self._file.used_bytes

    @property
    def limit_bytes(self) -> int:
        """Maximum size of the store."""
        return default_limit() if self._limit_bytes is None else self._limit_bytes

    def encoder(self, fingerprint: str) -> int | None:
        """Returns the row number of an encoder, None if neither runs nor texts of it are stored."""
        found = self._file.read("SELECT id FROM encoders WHERE fingerprint = ?", (fingerprint,))
        return int(found[0][0]) if found and self._fingerprint(found[0][0]) == fingerprint else None

    def _fingerprint(self, encoder: int) -> str:
        """Returns the fingerprint in an encoder's own row, which the checksums of its embeddings cover."""
        if encoder not in self._fingerprints:
            found = self._file.read("SELECT fingerprint FROM encoders NOT INDEXED WHERE id = ?", (encoder,))
            self._fingerprints[encoder] = found[0][0] if found else ""
        return self._fingerprints[encoder]

    def has_images(self, fingerprint: str) -> bool:
        """True if images are stored that an encoder has embedded."""
        row = self.encoder(fingerprint)
        return row is not None and bool(self._file.read("SELECT 1 FROM images WHERE encoder = ? LIMIT 1", (row,)))

    def add_encoder(self, fingerprint: str, *, name: str, logit_scale: float) -> int:
        """Returns the row number of an encoder, whose row is made if it is new."""
        with self._file.writing() as rows:
            entries.write_encoder(rows, {"fingerprint": fingerprint, "name": name, "logit_scale": logit_scale})
        if (found := self.encoder(fingerprint)) is None:
            raise StoreError("the row of an encoder in the store of embeddings is damaged, or was deleted just now")
        return found

    def write_texts(self, encoder: int, embeddings: Mapping[str, NDArray[np.float32]], *, tokenizer: str = "") -> None:
        """Writes the ``[dim]`` embeddings of texts, or none if they do not fit under the limit.

        ``tokenizer`` is that of the encoder: the same text has one embedding for each. Of a run
        of earlier releases it is empty.
        """
        if self.used_bytes + sum(vector.nbytes for vector in embeddings.values()) <= self.limit_bytes:
            with self._file.writing() as rows:
                small_tables.write_texts(rows, encoder, embeddings, SECONDS_BETWEEN_MARKS, tokenizer)

    def delete_texts(self, *, before: float) -> None:
        """Deletes the embeddings of texts that no run has used since a time, in seconds since 1970."""
        with self._file.writing() as rows:
            rows.execute("DELETE FROM texts WHERE used <= ?", (before,))
            entries.delete_encoders_of_nothing(rows)

    def texts(self, encoder: int, texts: Sequence[str], *, tokenizer: str = "") -> dict[str, NDArray[np.float32]]:
        """Returns the ``[dim]`` embeddings of those texts that are stored, read by a tokenizer."""
        own = self._fingerprint(encoder)
        parts = (small_tables.read_texts(self._file, encoder, own, part, tokenizer) for part in _parts(texts))
        return dict(pair for part in parts for pair in part.items())
