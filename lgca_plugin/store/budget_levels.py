"""On which rung of an adaptive budget each sample of a run has ended: how many crops there are of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from .file import StoreFile
    from .rows import StoredRun


def write_rungs(rows: sqlite3.Connection, levels: Iterable[tuple[int, int]]) -> None:
    """Writes row numbers of samples and their rungs, inside a transaction; the lowest, 0, goes without saying."""
    rows.executemany("INSERT OR REPLACE INTO rungs VALUES (?, ?)", [pair for pair in levels if pair[1]])


def copy_rungs(rows: sqlite3.Connection, run: StoredRun, other: StoredRun) -> None:
    """Gives the samples of a run the rungs that another run's have, inside a transaction."""
    rows.execute(
        """INSERT OR REPLACE INTO rungs SELECT own.id, rung FROM rungs JOIN samples ON samples.id = rungs.sample
           JOIN samples AS own ON own.run = ? AND own.sample = samples.sample WHERE samples.run = ?""",
        (run.id, other.id),
    )


def read_rungs(file: StoreFile, run: StoredRun, sample_ids: Sequence[str]) -> dict[str, int]:
    """Reads the rungs of samples that a run holds, some hundred at a time.

    Args:
        file: the store's file
        run: the run's entry
        sample_ids: samples that the run holds

    Returns:
        sample id to rung, without those that are on the lowest
    """
    marks = ",".join("?" * len(sample_ids))
    query = f"""SELECT samples.sample, rung FROM samples JOIN rungs ON rungs.sample = samples.id
                WHERE run = ? AND samples.sample IN ({marks})"""  # noqa: S608
    return dict(file.read(query, (run.id, *sample_ids)))
