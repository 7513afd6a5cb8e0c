"""The entries of runs in the store: who references which images, and what goes with an entry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .rows import StoredRun, all_samples_of_run
from .seals import crc, seal
from .small_tables import write_levels

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from .file import StoreFile

COPIED_AT_ONCE = 4096

# A run's entry, and those of the runs that it fuses: token = ?1 OR token GLOB ?1 || '-*'


def part_token(token: str, number: int) -> str:
    """Returns the token of the entry of another run that a run fuses, by its number from 1 on; 0 is the run's own."""
    return f"{token}-{number}" if number else token


def whole_token(token: str) -> str:
    """Returns the token of the run that an entry goes with: its own, or that of the run that fuses it."""
    return token.partition("-")[0]


def write_entry(rows: sqlite3.Connection, entry: dict[str, Any], replaces: str | None) -> None:
    """Writes the entry of a run and its encoder, by column, where they are new, inside a transaction.

    Of an entry that is there, the time of use alone is written. ``replaces`` is the token of the run that it replaces.
    """
    write_encoder(rows, entry)
    rows.execute(
        """INSERT OR IGNORE INTO runs
               (token, geometry, signatures, database, dataset, run_key, used, encoder, checksum)
           SELECT :token, :geometry, :signatures, :database, :dataset, :run_key, :used, id,
               seal(:token, :geometry, :signatures, fingerprint, logit_scale)
           FROM encoders WHERE fingerprint = :fingerprint""",
        entry,
    )
    rows.execute("UPDATE runs SET used = :used WHERE token = :token", entry)
    if replaces is not None:
        query = "UPDATE runs SET replaced_by = ?2 WHERE token = ?1 OR token GLOB ?1 || '-*' OR replaced_by = ?1"
        rows.execute(query, (replaces, entry["token"]))


def write_encoder(rows: sqlite3.Connection, entry: dict[str, Any]) -> None:
    """Writes the row of an encoder, by column, where it is new, inside a transaction."""
    rows.execute("INSERT OR IGNORE INTO encoders VALUES (NULL, :fingerprint, :name, :logit_scale)", entry)


def mark_used(rows: sqlite3.Connection, token: str, now: float) -> None:
    """Writes when a run was used, inside a transaction."""
    rows.execute("UPDATE runs SET used = ?2 WHERE token = ?1 OR token GLOB ?1 || '-*'", (token, now))


def read_entry(file: StoreFile, token: str) -> StoredRun | None:
    """Returns the entry of a run and its encoder; None if there is none, or it is damaged."""
    query = """SELECT runs.id, encoder, geometry, signatures, logit_scale, fingerprint, checksum
               FROM runs NOT INDEXED JOIN encoders ON encoders.id = encoder
               WHERE runs.id = (SELECT id FROM runs WHERE token = ?) AND token = ?"""
    for row, encoder, geometry, vector_keys, logit_scale, fingerprint, checksum in file.read(query, (token, token)):
        if checksum in (None, seal(token, geometry, vector_keys, fingerprint, logit_scale)):
            return StoredRun(row, encoder, geometry, tuple(json.loads(vector_keys)), logit_scale, fingerprint, token)
    return None


def list_entries(file: StoreFile) -> list[dict[str, Any]]:
    """Returns all runs' entries, as :meth:`lgca_plugin.store.store.Store.runs` does."""
    names = ("token", "replaced_by", "database", "dataset", "run_key", "used", "samples")
    query = """SELECT token, replaced_by, database, dataset, run_key, used,
               (SELECT count(*) FROM samples WHERE samples.run = runs.id) FROM runs ORDER BY used"""
    return [dict(zip(names, row, strict=True)) for row in file.read(query)]


def runs_of_samples(file: StoreFile, fingerprint: str, geometry: str, sample_ids: Sequence[str]) -> list[str]:
    """Returns the tokens of the runs that hold some of a few hundred samples, those that hold the most first.

    They are runs of the encoder with this fingerprint, with crops of this geometry. Of those that hold as many, one
    with regions comes before one without, then one with image vectors.
    """
    marks = ",".join("?" * len(sample_ids))
    query = f"""SELECT token FROM samples JOIN runs ON runs.id = run JOIN encoders ON encoders.id = encoder
                WHERE fingerprint = ? AND geometry = ? AND sample IN ({marks})
                GROUP BY runs.id
                ORDER BY count(*) DESC, sum(regions) DESC, sum(length(vectors)) DESC, used DESC"""  # noqa: S608
    return [token for (token,) in file.read(query, (fingerprint, geometry, *sample_ids))]


def count_samples(file: StoreFile, run: StoredRun, other: StoredRun) -> int:
    """Counts the samples that two runs have in common, from the index alone; those of one that is given twice."""
    query = """SELECT count(*) FROM samples
               WHERE run = ?1 AND (?1 = ?2 OR sample IN (SELECT sample FROM samples WHERE run = ?2))"""
    return int(file.read(query, (run.id, other.id))[0][0])


def delete_entry(rows: sqlite3.Connection, token: str) -> None:
    """Deletes a run's entry, those of runs that it fuses, and what no other run references, inside a transaction."""
    images = "SELECT image FROM samples JOIN runs ON runs.id = run WHERE token = ?1 OR token GLOB ?1 || '-*'"
    referenced = [image for (image,) in rows.execute(images, (token,))]
    own = rows.execute("SELECT encoder FROM runs WHERE token = ?1 OR token GLOB ?1 || '-*'", (token,)).fetchall()
    rows.execute("DELETE FROM runs WHERE token = ?1 OR token GLOB ?1 || '-*'", (token,))
    delete_unreferenced(rows, referenced)
    unused = "DELETE FROM encoders WHERE id = ? AND id NOT IN (SELECT encoder FROM runs)"
    rows.executemany(unused, own)


def delete_encoders_of_nothing(rows: sqlite3.Connection) -> None:
    """Deletes the encoders of which neither runs nor texts are left, inside a transaction."""
    rows.execute(
        "DELETE FROM encoders WHERE id NOT IN (SELECT encoder FROM runs) AND id NOT IN (SELECT encoder FROM texts)"
    )


def delete_samples(rows: sqlite3.Connection, run: StoredRun, sample_ids: Sequence[str]) -> None:
    """Deletes samples of a run, and what no other sample references of their images, inside a transaction."""
    named, of_sample = [(run.id, sample) for sample in sample_ids], "FROM samples WHERE run = ? AND sample = ?"
    found = (rows.execute(f"SELECT image {of_sample}", one).fetchone() for one in named)
    images = [image for (image,) in filter(None, found)]
    rows.executemany(f"DELETE {of_sample}", named)
    delete_unreferenced(rows, images)


def copy_samples(
    rows: sqlite3.Connection, file: StoreFile, run: StoredRun, source: StoredRun, only: Collection[str] | None
) -> None:
    """Lets a run reference what another one does, inside a transaction; image vectors only with equal keys.

    ``only`` are the ids of the samples, None for all. Damaged rows are left out.
    """
    same = run.vector_keys == source.vector_keys
    before = [image for (image,) in rows.execute("SELECT image FROM samples WHERE run = ?", (run.id,))]
    for part in all_samples_of_run(file, source, COPIED_AT_ONCE):
        copies = []
        part = [row for row in part if only is None or row.sample in only]  # noqa: PLW2901
        for row in part:
            vectors = row.vectors if same else b""
            checksum = seal(run.token, row.sample, row.image, row.regions, row.level, crc(vectors))
            copies.append((run.id, row.sample, row.image, row.regions, vectors, checksum))
        rows.executemany("INSERT OR REPLACE INTO samples VALUES (NULL, ?, ?, ?, ?, ?, ?)", copies)
        write_levels(rows, run, {row.sample: row.level for row in part})
    delete_unreferenced(rows, before)


def referenced_images(rows: sqlite3.Connection, run: StoredRun, sample_ids: Sequence[str]) -> list[int]:
    """Returns row numbers of the images that some samples of a run reference."""
    marks = ",".join("?" * len(sample_ids))
    query = f"SELECT image FROM samples WHERE run = ? AND sample IN ({marks})"  # noqa: S608
    return [image for (image,) in rows.execute(query, (run.id, *sample_ids))]


def delete_unreferenced(rows: sqlite3.Connection, images: Sequence[int]) -> None:
    """Deletes those of some images, and of the others' regions, that no run references, inside a transaction."""
    rows.executemany(
        """DELETE FROM images WHERE id = ?1
           AND NOT EXISTS (SELECT 1 FROM samples WHERE samples.image = images.id)""",
        [(image,) for image in images],
    )
    rows.executemany(
        """DELETE FROM regions WHERE image = ?1 AND NOT EXISTS (
               SELECT 1 FROM samples JOIN runs ON runs.id = samples.run
               WHERE samples.image = regions.image AND runs.geometry = regions.geometry)""",
        [(image,) for image in images],
    )
