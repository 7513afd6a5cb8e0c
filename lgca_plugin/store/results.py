"""What a triage wants to know of a run's regions, kept beside them: once found, it need not be looked for again."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from ..method.explain.region_findings import SampleFindings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from .file import StoreFile
    from .rows import StoredRun


def write_findings(rows: sqlite3.Connection, question: str, findings: Iterable[tuple[int, SampleFindings]]) -> None:
    """Writes findings, inside a transaction.

    Args:
        rows: the store's rows
        question: what they answer
        findings: row numbers of samples, and what was found of them
    """
    rows.executemany(
        "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?)",
        [(sample, question, *_sealed(finding)) for sample, finding in findings],
    )


def write_findings_of_samples(
    rows: sqlite3.Connection, run: StoredRun, question: str, findings: Mapping[str, SampleFindings]
) -> None:
    """Writes findings of samples that a run holds, by their ids, inside a transaction; passes over all others."""
    rows.executemany(
        "INSERT OR REPLACE INTO findings SELECT id, ?, ?, ? FROM samples WHERE run = ? AND sample = ?",
        [(question, *_sealed(finding), run.id, sample) for sample, finding in findings.items()],
    )


def read_findings(file: StoreFile, run: StoredRun, question: str) -> dict[str, SampleFindings]:
    """Reads what was found of a run's samples; what does not match its checksum is left out.

    Args:
        file: the store's file
        run: the run's entry
        question: what the findings have to answer

    Returns:
        sample id to finding
    """
    query = """SELECT samples.sample, found, findings.checksum FROM samples
               JOIN findings ON findings.sample = samples.id WHERE run = ? AND question = ?"""
    sound = [(id_, found) for id_, found, sealed in file.read(query, (run.id, question)) if zlib.crc32(found) == sealed]
    table = np.frombuffer(b"".join(found for _, found in sound), np.float64).reshape(len(sound), 5)
    return {
        id_: SampleFindings(int(crops), int(chains), size, bool(proven), stability)
        for (id_, _), (crops, chains, size, proven, stability) in zip(sound, table.tolist(), strict=True)
    }


def _sealed(finding: SampleFindings) -> tuple[bytes, int]:
    """Gives a finding as bytes, and their checksum."""
    values = (finding.crops_label, finding.chains_label, finding.case_size, finding.proven, finding.stability)
    found = np.array(values, dtype=np.float64).tobytes()
    return found, zlib.crc32(found)
