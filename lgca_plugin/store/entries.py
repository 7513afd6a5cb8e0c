"""The entries of runs in the store: who references which images, and what goes with an entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .small_tables import copy_levels

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from .rows import StoredRun


def write_entry(rows: sqlite3.Connection, entry: dict[str, Any], replaces: str | None) -> None:
    """Writes the entry of a run and its encoder, by column, where they are new, inside a transaction.

    Of an entry that is there, the time of use alone is written. ``replaces`` is the token of the run that it replaces.
    """
    rows.execute("INSERT OR IGNORE INTO encoders VALUES (NULL, :fingerprint, :name, :logit_scale)", entry)
    rows.execute(
        """INSERT OR IGNORE INTO runs (token, geometry, signatures, database, dataset, run_key, used, encoder)
           SELECT :token, :geometry, :signatures, :database, :dataset, :run_key, :used, id
           FROM encoders WHERE fingerprint = :fingerprint""",
        entry,
    )
    rows.execute("UPDATE runs SET used = :used WHERE token = :token", entry)
    if replaces is not None:
        query = "UPDATE runs SET replaced_by = ? WHERE token = ? OR replaced_by = ?"
        rows.execute(query, (entry["token"], replaces, replaces))


def delete_entry(rows: sqlite3.Connection, token: str) -> None:
    """Deletes a run's entry and what no other run references, inside a transaction."""
    images = "SELECT image FROM samples JOIN runs ON runs.id = run WHERE token = ?"
    referenced = [image for (image,) in rows.execute(images, (token,))]
    rows.execute("DELETE FROM runs WHERE token = ?", (token,))
    delete_unreferenced(rows, referenced)
    rows.execute("DELETE FROM encoders WHERE id NOT IN (SELECT encoder FROM runs)")


def copy_samples(rows: sqlite3.Connection, run: StoredRun, source: StoredRun) -> None:
    """Lets a run reference what another one does, inside a transaction; image vectors only with equal keys."""
    same = run.vector_keys == source.vector_keys
    before = [image for (image,) in rows.execute("SELECT image FROM samples WHERE run = ?", (run.id,))]
    rows.execute(
        f"""INSERT OR REPLACE INTO samples (run, sample, image, regions, vectors, checksum)
            SELECT ?, sample, image, regions, {"vectors, checksum" if same else "x'', 0"}
            FROM samples WHERE run = ? ORDER BY id""",  # noqa: S608
        (run.id, source.id),
    )
    copy_levels(rows, run, source)
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
