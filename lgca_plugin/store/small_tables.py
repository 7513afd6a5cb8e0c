"""The small tables: embeddings of texts, findings for the triage, and levels of an adaptive budget."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from typing import TYPE_CHECKING

import numpy as np

from ..method.explain.region_findings import SampleFindings
from .rows import as_bytes, names_of_rows, samples_of_run
from .seals import crc, is_early, is_sound, seal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .file import StoreFile
    from .rows import StoredRun


def write_texts(
    rows: sqlite3.Connection,
    encoder: int,
    embeddings: Mapping[str, NDArray[np.float32]],
    mark_after: float,
    tokenizer: str,
) -> None:
    """Writes the ``[dim]`` embeddings of texts, inside a transaction.

    Of those that are stored undamaged, only the time of use is written, and only ``mark_after`` seconds after the last.
    """
    now = time.time()
    ((fingerprint,),) = rows.execute("SELECT fingerprint FROM encoders WHERE id = ?", (encoder,)).fetchall()
    values = []
    for text, vector in embeddings.items():
        digest, data = _digest(text, tokenizer), as_bytes(vector)
        values.append((encoder, digest, data, seal(fingerprint, digest, crc(data)), now, fingerprint, mark_after))
    rows.executemany(
        """INSERT INTO texts VALUES (?, ?, ?, ?, ?) ON CONFLICT (encoder, digest) DO UPDATE
           SET embedding = excluded.embedding, checksum = excluded.checksum, used = excluded.used
           WHERE checksum != seal(?, digest, checksum_of(embedding)) OR used < excluded.used - ?""",
        values,
    )


def read_texts(
    file: StoreFile, encoder: int, fingerprint: str, texts: Sequence[str], tokenizer: str
) -> dict[str, NDArray[np.float32]]:
    """Returns the stored ``[dim]`` embeddings of at most a few hundred texts, by text; damaged ones are left out."""
    by_digest = {_digest(text, tokenizer): text for text in texts}
    marks = ",".join("?" * len(by_digest))
    query = f"SELECT digest, embedding, checksum FROM texts WHERE encoder = ? AND digest IN ({marks})"  # noqa: S608
    return {
        by_digest[digest]: np.frombuffer(embedding, np.float32)
        for digest, embedding, checksum in file.read(query, (encoder, *by_digest))
        if is_sound(checksum, crc(embedding), fingerprint, digest)
    }


def _digest(text: str, tokenizer: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16, key=tokenizer.encode()).digest()


def write_findings(
    rows: sqlite3.Connection, run: StoredRun, findings_key: str, findings: Mapping[str, SampleFindings]
) -> None:
    """Writes findings by sample id, inside a transaction, under a key; skips samples that are not stored."""
    values = []
    for sample, finding in findings.items():
        data = as_bytes(dataclasses.astuple(finding), np.float64)
        values.append((findings_key, data, seal(run.token, sample, findings_key, crc(data)), run.id, sample))
    rows.executemany(
        "INSERT OR REPLACE INTO findings SELECT id, ?, ?, ? FROM samples WHERE run = ? AND sample = ?", values
    )


def read_findings(file: StoreFile, run: StoredRun, findings_key: str) -> dict[str, SampleFindings]:
    """Returns a run's findings under a key, by sample id, without damaged ones."""
    query = """SELECT samples.id, samples.sample, found, findings.checksum FROM samples
               JOIN findings ON findings.sample = samples.id WHERE run = ? AND question = ?"""
    rows = [
        row
        for row in file.read(query, (run.id, findings_key))
        if is_sound(row[-1], crc(row[2]), run.token, row[1], findings_key)
    ]
    own = names_of_rows(file, run, (row[0] for row in rows if is_early(row[-1])))
    sound = [(id_, found) for row, id_, found, checksum in rows if not is_early(checksum) or own.get(row) == id_]
    table = np.frombuffer(b"".join(found for _, found in sound), np.float64).reshape(len(sound), 5)
    return {
        id_: SampleFindings(int(crops), int(chains), size, bool(proven), stability)
        for (id_, _), (crops, chains, size, proven, stability) in zip(sound, table.tolist(), strict=True)
    }


def write_levels(rows: sqlite3.Connection, run: StoredRun, levels: Mapping[str, int]) -> None:
    """Writes the budget levels at which samples have stopped, by sample id, inside a transaction.

    Level 0 is not written: samples without a row are at it.
    """
    rows.executemany(
        "INSERT OR REPLACE INTO rungs SELECT id, ? FROM samples WHERE run = ? AND sample = ?",
        [(level, run.id, sample) for sample, level in levels.items() if level],
    )


def read_levels(file: StoreFile, run: StoredRun, sample_ids: Sequence[str]) -> dict[str, int]:
    """Returns the budget levels of some hundred samples, by sample id, without those at level 0, or damaged."""
    return {row.sample: row.level for row in samples_of_run(file, run, sample_ids) if row.level}
