"""Embeddings kept on disk, so that a new question about the same images encodes nothing.

An image's embeddings are filed under its content hash and the encoder's fingerprint, its regions also under the
geometry that they were sampled with. A run holds, for each of its samples, the image it came from and the image vectors
of its methods. What no run holds any more is deleted with the last run that did.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import StoreError
from .budget_levels import copy_rungs, read_rungs, write_rungs
from .file import FILE_NAME, StoreFile
from .images import image_of_content, images_of_samples
from .limits import default_folder, default_limit, forget_unheld, make_room
from .results import read_findings, write_findings, write_findings_of_samples
from .rows import StoredRun, StoredSample, sealed, write_image

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..config import RegionConfig
    from ..engine.embeddings import KnownRegions
    from ..method.explain.region_findings import SampleFindings

logger = logging.getLogger(__name__)

READ_AT_ONCE = 256
REGIONS_SHARE = 0.875
VECTORS_AT_ONCE = 4096
SECONDS_BETWEEN_MARKS = 3600


def store_exists() -> bool:
    """Tells whether anything has been stored yet."""
    return (default_folder() / FILE_NAME).exists()


def geometry_of(regions: RegionConfig) -> str:
    """Names the geometry of sampled boxes: whatever else differs, runs that share it share crops."""
    return f"{regions.scale_min!r}-{regions.scale_max!r} seed {regions.seed}"


class Store:
    """The store in a folder; open it anew for each use, and close it.

    Args:
        folder: where its file lies; None takes :func:`default_folder`
        limit_bytes: size up to which it grows; None takes :func:`default_limit`

    Raises:
        StoreError: if the file can't be opened
    """

    def __init__(self, folder: Path | None = None, *, limit_bytes: int | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._told = False
        self._file = StoreFile(default_folder() if folder is None else folder)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the store's file."""
        self._file.close()

    @property
    def path(self) -> Path:
        """The store's file."""
        return self._file.path

    @property
    def used_bytes(self) -> int:
        """Size of what the store holds."""
        return self._file.used_bytes

    @property
    def limit_bytes(self) -> int:
        """Size up to which the store grows."""
        return default_limit() if self._limit_bytes is None else self._limit_bytes

    # ------------------------------------------------------------------------------------------ encoders and texts

    def encoder(self, fingerprint: str) -> int | None:
        """Finds the row of an encoder that a run has used."""
        found = self._file.read("SELECT id FROM encoders WHERE fingerprint = ?", (fingerprint,))
        return int(found[0][0]) if found else None

    def keep_texts(self, encoder: int, embeddings: Mapping[str, NDArray[np.float32]]) -> None:
        """Keeps the ``[dim]`` embeddings of texts, if there is room."""
        now = time.time()
        rows_of = [(encoder, _digest(text), *sealed(vector), now) for text, vector in embeddings.items()]
        if self.used_bytes + sum(vector.nbytes for vector in embeddings.values()) > self.limit_bytes:
            return  # they are embedded again when they are needed
        with self._file.writing() as rows:
            rows.executemany(
                """INSERT INTO texts VALUES (?, ?, ?, ?, ?) ON CONFLICT (encoder, digest) DO UPDATE
                   SET embedding = excluded.embedding, checksum = excluded.checksum, used = excluded.used
                   WHERE checksum_of(embedding) != checksum OR used < excluded.used - ?""",
                [(*values, SECONDS_BETWEEN_MARKS) for values in rows_of],
            )

    def forget_texts(self, *, before: float) -> None:
        """Deletes the embeddings of texts that no run has used since a time, in seconds since 1970."""
        with self._file.writing() as rows:
            rows.execute("DELETE FROM texts WHERE used <= ?", (before,))

    def texts(self, encoder: int, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Gives the ``[dim]`` embeddings of those among ``texts`` that are kept."""
        found: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(texts), READ_AT_ONCE):
            by_digest = {_digest(text): text for text in texts[start : start + READ_AT_ONCE]}
            query = f"""SELECT digest, embedding, checksum FROM texts
                        WHERE encoder = ? AND digest IN ({_marks(by_digest)})"""  # noqa: S608
            for digest, embedding, checksum in self._file.read(query, (encoder, *by_digest)):
                if zlib.crc32(embedding) == checksum:
                    found[by_digest[digest]] = np.frombuffer(embedding, np.float32)
        return found

    # ------------------------------------------------------------------------------------------------------ images

    def recall(self, encoder: int, content_hash: str, geometry: str) -> KnownRegions | None:
        """Gives what is known of an image; an entry that does not match its checksum counts as unknown."""
        return image_of_content(self._file, encoder, content_hash, geometry)

    # -------------------------------------------------------------------------------------------------------- runs

    def open_run(
        self,
        token: str,
        *,
        fingerprint: str,
        encoder_name: str,
        logit_scale: float,
        geometry: str,
        vector_keys: Sequence[str],
        database: str,
        dataset: str,
        run_key: str,
        replaces: str | None = None,
    ) -> StoredRun:
        """Opens a run's entry, made if it is new.

        Args:
            token: the run's token, its key here
            fingerprint: tells the encoder from all others
            encoder_name: the encoder's name, for people
            logit_scale: the encoder's factor on similarities
            geometry: see :func:`geometry_of`
            vector_keys: what each image vector of a sample is
            database: identity of the database that the run's dataset lies in
            dataset: the dataset's id
            run_key: the run's key
            replaces: token of a run that this one replaces; what that one holds stays until
                :meth:`release_replaced`, so that this one finds it, or until this one is deleted

        Returns:
            the entry
        """
        now = time.time()
        values = (token, geometry, json.dumps(list(vector_keys)), database, dataset, run_key, now, fingerprint)
        with self._file.writing() as rows:
            rows.execute(
                "INSERT OR IGNORE INTO encoders VALUES (NULL, ?, ?, ?)", (fingerprint, encoder_name, logit_scale)
            )
            rows.execute(
                """INSERT OR IGNORE INTO runs
                   (token, geometry, signatures, database, dataset, run_key, used, encoder)
                   SELECT ?, ?, ?, ?, ?, ?, ?, id FROM encoders WHERE fingerprint = ?""",
                values,
            )
            rows.execute("UPDATE runs SET used = ? WHERE token = ?", (now, token))
            if replaces is not None:
                rows.execute(
                    "UPDATE runs SET replaced_by = ? WHERE token = ? OR replaced_by = ?", (token, replaces, replaces)
                )
        found = self.run(token)
        if found is None:
            raise StoreError(f"run {run_key!r} vanished from the store of embeddings while it was being opened")
        return found

    def run(self, token: str) -> StoredRun | None:
        """Finds a run's entry."""
        query = """SELECT runs.id, encoder, geometry, signatures, logit_scale, fingerprint
                   FROM runs JOIN encoders ON encoders.id = encoder WHERE token = ?"""
        for row, encoder, geometry, vector_keys, logit_scale, fingerprint in self._file.read(query, (token,)):
            return StoredRun(row, encoder, geometry, tuple(json.loads(vector_keys)), logit_scale, fingerprint)
        return None

    def runs(self) -> list[dict[str, Any]]:
        """Lists all runs' entries: token, replaced_by, database, dataset, run_key, used (since 1970) and samples."""
        names = ("token", "replaced_by", "database", "dataset", "run_key", "used", "samples")
        query = """SELECT token, replaced_by, database, dataset, run_key, used,
                   (SELECT count(*) FROM samples WHERE samples.run = runs.id) FROM runs ORDER BY used"""
        return [dict(zip(names, row, strict=True)) for row in self._file.read(query)]

    def keep(
        self, run: StoredRun, kept: Sequence[StoredSample], *, with_regions: bool = True, question: str | None = None
    ) -> bool:
        """Keeps samples of a run, all of them or, after a kill, none.

        Args:
            run: the run's entry
            kept: the samples
            with_regions: whether region embeddings are kept, or image vectors alone
            question: what the samples' findings answer, where they have any

        Returns:
            whether all has been kept; False where the limit left no room, even after the region embeddings of runs used
            longer ago were deleted: then nothing has been kept, or the image vectors alone
        """
        self.mark_used(run)
        small = sum(one.vectors.nbytes + 2 * one.image.whole.nbytes for one in kept)
        regions = sum(int(one.image.fresh.sum()) + len(one.image.former) for one in kept) if with_regions else 0
        large = regions * (kept[0].image.whole.nbytes + 16) if regions else 0
        # Regions leave some room, so that image vectors, which are small, find theirs for long after.
        fits = self._fits(small + large, run, share=REGIONS_SHARE if large else 1.0)
        if not fits and not (large and self._fits(small, run)):
            return False
        with self._file.writing() as rows:
            before = self._images_of(rows, run, [one.image.id for one in kept])
            written = [write_image(rows, run, one, with_regions=with_regions and fits) for one in kept]
            write_rungs(rows, zip(written, (one.image.level for one in kept), strict=True))
            if question is not None:
                found = [(row, one.finding) for row, one in zip(written, kept, strict=True) if one.finding is not None]
                write_findings(rows, question, found)
            if before:  # a file that has changed since an earlier call of the run
                forget_unheld(rows, before)
        return fits

    def copy_samples(self, run: StoredRun, other: StoredRun) -> None:
        """Has a run hold what another one holds; with its image vectors, if they are the same, else without."""
        same = run.vector_keys == other.vector_keys
        with self._file.writing() as rows:
            before = [image for (image,) in rows.execute("SELECT image FROM samples WHERE run = ?", (run.id,))]
            rows.execute(
                f"""INSERT OR REPLACE INTO samples (run, sample, image, regions, vectors, checksum)
                    SELECT ?, sample, image, regions, {"vectors, checksum" if same else "x'', 0"}
                    FROM samples WHERE run = ? ORDER BY id""",  # noqa: S608
                (run.id, other.id),
            )
            copy_rungs(rows, run, other)
            forget_unheld(rows, before)

    def fill_vectors(self, run: StoredRun, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Gives samples that a run holds their ``[V, dim]`` image vectors, in the order of the run's signatures."""
        with self._file.writing() as rows:
            rows.executemany(
                "UPDATE samples SET vectors = ?, checksum = ? WHERE run = ? AND sample = ?",
                [(*sealed(of_sample), run.id, sample) for sample, of_sample in vectors.items()],
            )

    def keep_findings(self, run: StoredRun, question: str, findings: Mapping[str, SampleFindings]) -> None:
        """Keeps what was found of samples that a run holds, by their ids, in answer to a question."""
        with self._file.writing() as rows:
            write_findings_of_samples(rows, run, question, findings)

    def findings(self, run: StoredRun, question: str) -> dict[str, SampleFindings]:
        """Reads what was found of a run's samples in answer to a question, sample id to finding."""
        return read_findings(self._file, run, question)

    def levels(self, run: StoredRun, sample_ids: Sequence[str]) -> dict[str, int]:
        """Reads on which rung of an adaptive budget samples have ended, sample id to rung; the lowest is left out."""
        found: dict[str, int] = {}
        for start in range(0, len(sample_ids), READ_AT_ONCE):
            found.update(read_rungs(self._file, run, sample_ids[start : start + READ_AT_ONCE]))
        return found

    def has_room_for_copy(self, run: StoredRun) -> bool:
        """Tells whether another run can hold what a run holds, if need be without older runs' region embeddings."""
        ((size,),) = self._file.read("SELECT coalesce(sum(length(vectors)), 0) FROM samples WHERE run = ?", (run.id,))
        return self._fits(int(size), run)

    def lacks_vectors(self, run: StoredRun) -> bool:
        """Tells whether some of a run's samples have no image vectors yet."""
        return bool(self._file.read("SELECT 1 FROM samples WHERE run = ? AND vectors = x'' LIMIT 1", (run.id,)))

    def mark_used(self, run: StoredRun) -> None:
        """Notes that a run is in use, so that others' embeddings go before its own; once in a while is enough."""
        now = time.time()
        if self._file.read("SELECT 1 FROM runs WHERE id = ? AND used < ?", (run.id, now - SECONDS_BETWEEN_MARKS)):
            with self._file.writing() as rows:
                rows.execute("UPDATE runs SET used = ? WHERE id = ?", (now, run.id))

    def release_replaced(self, token: str) -> None:
        """Lets go of what the runs that a run has replaced held and the run does not."""
        for (replaced,) in self._file.read("SELECT token FROM runs WHERE replaced_by = ?", (token,)):
            self._delete_entry(replaced)

    def delete_run(self, token: str) -> None:
        """Deletes a run's entry and all that no other run holds, and gives the space back."""
        for (replaced,) in self._file.read("SELECT token FROM runs WHERE replaced_by = ?", (token,)):
            self._delete_entry(replaced)
        self._delete_entry(token)
        self._file.give_back()

    def _delete_entry(self, token: str) -> None:
        with self._file.writing() as rows:
            found = rows.execute("SELECT id FROM runs WHERE token = ?", (token,)).fetchall()
            if not found:
                return
            images = [image for (image,) in rows.execute("SELECT image FROM samples WHERE run = ?", found[0])]
            rows.execute("DELETE FROM runs WHERE id = ?", found[0])
            forget_unheld(rows, images)
            rows.execute("DELETE FROM encoders WHERE id NOT IN (SELECT encoder FROM runs)")

    # --------------------------------------------------------------------------------------------- reading a run back

    def sample_ids(self, run: StoredRun) -> list[str]:
        """Lists the samples that a run holds, in the order in which they were kept."""
        query = "SELECT sample FROM samples WHERE run = ? ORDER BY id"
        return [sample for (sample,) in self._file.read(query, (run.id,))]

    def count(self, run: StoredRun) -> int:
        """Counts the samples that a run holds."""
        ((count,),) = self._file.read("SELECT count(*) FROM samples WHERE run = ?", (run.id,))
        return int(count)

    def with_regions(self, run: StoredRun) -> set[str]:
        """Finds which samples of a run still have the region embeddings that were kept with them."""
        query = """SELECT sample FROM samples WHERE run = ? AND regions > 0 AND regions <= (
                       SELECT coalesce(sum(length(boxes)), 0) / 16 FROM regions
                       WHERE regions.image = samples.image AND geometry = ?)"""
        return {sample for (sample,) in self._file.read(query, (run.id, run.geometry))}

    def image_vectors(
        self, run: StoredRun, *, at_once: int = VECTORS_AT_ONCE
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Reads all image vectors of a run.

        Yields:
            sample ids, and their ``[b, V, dim]`` vectors in the order of the run's signatures; entries that do not
            match their checksum are left out
        """
        last = 0
        # The ids first: SQLite would otherwise sort all that is left of the run, vectors and all, for every batch.
        listed = "SELECT id FROM samples WHERE run = ? AND id > ? ORDER BY id"
        query = """SELECT sample, vectors, checksum FROM samples NOT INDEXED
                   WHERE id BETWEEN ? AND ? AND run = ? ORDER BY id"""
        while rows := [row for (row,) in self._file.read(listed, (run.id, last))]:
            last = rows[-1]
            for start in range(0, len(rows), at_once):
                part = rows[start : start + at_once]
                found = self._file.read(query, (part[0], part[-1], run.id))
                sound = [
                    (sample, vectors)
                    for sample, vectors, checksum in found
                    if vectors and zlib.crc32(vectors) == checksum
                ]
                if not sound:
                    continue
                stacked = np.frombuffer(b"".join(vectors for _, vectors in sound), np.float32)
                yield [sample for sample, _ in sound], stacked.reshape(len(sound), len(run.vector_keys), -1)

    def vectors_of(self, run: StoredRun, sample_id: str) -> NDArray[np.float32] | None:
        """Reads one sample's ``[V, dim]`` image vectors; None where the run does not hold them."""
        query = "SELECT vectors, checksum FROM samples WHERE run = ? AND sample = ?"
        for vectors, checksum in self._file.read(query, (run.id, sample_id)):
            if vectors and zlib.crc32(vectors) == checksum:
                return np.frombuffer(vectors, np.float32).reshape(len(run.vector_keys), -1)
        return None

    def known_regions(self, run: StoredRun, sample_ids: Sequence[str]) -> Iterator[tuple[str, str, KnownRegions]]:
        """Reads the embeddings behind samples of a run.

        Yields:
            sample id, content hash and embeddings, without the samples that the run does not hold
        """
        for start in range(0, len(sample_ids), READ_AT_ONCE):
            yield from images_of_samples(self._file, run, sample_ids[start : start + READ_AT_ONCE])

    def _fits(self, nbytes: int, run: StoredRun, share: float = 1.0) -> bool:
        room = make_room(self._file, nbytes, limit_bytes=int(share * self.limit_bytes), run=run.id)
        if room.evicted and not self._told:
            self._told = True
            logger.warning("The store of embeddings is full, so region embeddings of older runs are deleted")
        return room.enough

    def _images_of(self, rows: sqlite3.Connection, run: StoredRun, sample_ids: Sequence[str]) -> list[int]:
        query = f"SELECT image FROM samples WHERE run = ? AND sample IN ({_marks(sample_ids)})"  # noqa: S608
        return [image for (image,) in rows.execute(query, (run.id, *sample_ids))]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _marks(values: Sequence[object] | Mapping[Any, object]) -> str:
    return ",".join("?" * len(values))
