"""The store of embeddings: the only class that other rooms use of this one.

An image's embeddings are stored under its content hash and the encoder's fingerprint, its regions also under the
geometry that they were sampled with. A run references, for each of its samples, an image and the image vectors of its
methods. What no run references is deleted.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from . import entries, small_tables
from .file import BUSY_SECONDS, FILE_NAME, StoreFile
from .images import content_hashes, image_of_content, images_of_samples, write_image
from .limits import EVICTED_AT_ONCE, REGIONS_SHARE, default_folder, evict_regions
from .rows import StoredRun, image_vectors, image_vectors_of, write_vectors
from .rows import parts as _parts
from .texts import SECONDS_BETWEEN_MARKS, TextStore
from .weights_files import delete_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ..config import RegionConfig
    from ..engine.embeddings import KnownRegions
    from ..method.explain.region_findings import SampleFindings
    from .rows import StoredSample

logger = logging.getLogger(__name__)

VECTORS_AT_ONCE = 4096


def store_exists() -> bool:
    """True if anything has been stored yet."""
    return (default_folder() / FILE_NAME).exists()


def geometry_of(regions: RegionConfig) -> str:
    """Returns a name for how crops are sampled: runs with the same one share their crops."""
    return f"{regions.scale_min!r}-{regions.scale_max!r} seed {regions.seed}"


class Store(TextStore):
    """The store in a folder; open it anew for each use, and close it.

    Without a folder or a limit it takes :func:`default_folder` and :func:`default_limit`. See :class:`StoreFile` for
    errors and ``busy_seconds``.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        limit_bytes: int | None = None,
        busy_seconds: float = BUSY_SECONDS,
        evicted_at_once: int = EVICTED_AT_ONCE,
    ) -> None:
        folder = default_folder() if folder is None else folder
        super().__init__(StoreFile(folder, busy_seconds=busy_seconds), limit_bytes)
        self._evicted_at_once = evicted_at_once
        self._reported_full = False

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

    def recall(self, encoder: int, content_hash: str, geometry: str) -> KnownRegions | None:
        """Returns the stored embeddings of an image, without damaged ones; None if it has none."""
        return image_of_content(self._file, encoder, self._fingerprint(encoder), content_hash, geometry)

    # ------------------------------------------------------------------------------------------ entries of runs

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
        """Returns a run's entry, made if it is new, and marks it as used.

        ``token`` is the run's key here, ``dataset`` the dataset's id, and ``database`` identifies its database; see
        :func:`geometry_of` and :class:`StoredRun` for the others. ``replaces`` is the token of a replaced run, whose
        embeddings stay until :meth:`release_replaced`, so that this run can recall them, or until this run is deleted.
        """
        entry = {
            "token": token,
            "geometry": geometry,
            "signatures": json.dumps(list(vector_keys)),
            "database": database,
            "dataset": dataset,
            "run_key": run_key,
            "used": time.time(),
            "fingerprint": fingerprint,
            "name": encoder_name,
            "logit_scale": logit_scale,
        }
        with self._file.writing() as rows:
            entries.write_entry(rows, entry, replaces)
        if (found := self.run(token)) is None:
            raise StoreError(
                f"the entry of run {run_key!r} in the store of embeddings is damaged, or was deleted just now"
            )
        return found

    def run(self, token: str) -> StoredRun | None:
        """Returns a run's entry; None if there is none, or it is damaged."""
        return entries.read_entry(self._file, token)

    def runs_of_samples(self, fingerprint: str, geometry: str, sample_ids: Sequence[str]) -> list[str]:
        """Returns the tokens of the runs that hold some of a few hundred samples, those that hold the most first."""
        return entries.runs_of_samples(self._file, fingerprint, geometry, sample_ids)

    def runs(self) -> list[dict[str, Any]]:
        """Lists all runs' entries: token, replaced_by, database, dataset, run_key, used (since 1970) and samples."""
        return entries.list_entries(self._file)

    def mark_used(self, run: StoredRun) -> None:
        """Writes when a run was used, at most once an hour: the least recently used run loses its regions first."""
        now = time.time()
        if self._file.read("SELECT 1 FROM runs WHERE id = ? AND used < ?", (run.id, now - SECONDS_BETWEEN_MARKS)):
            with self._file.writing() as rows:
                entries.mark_used(rows, run.token, now)

    def release_replaced(self, token: str) -> None:
        """Deletes the entries of the runs that a run has replaced, their weights, and what no other run references."""
        for (replaced,) in self._file.read("SELECT token FROM runs WHERE replaced_by = ?", (token,)):
            self._delete(replaced)

    def delete_run(self, token: str) -> None:
        """Deletes a run's entry, its weights, entries of runs that it replaced, and what no other run references."""
        self.release_replaced(token)
        self._delete(token)
        self._file.shrink()

    def _delete(self, token: str) -> None:
        with self._file.writing() as rows:
            entries.delete_entry(rows, token)
        delete_weights(self.path.parent, token)

    # --------------------------------------------------------------------------------------- writing a run's samples

    def write_samples(
        self,
        run: StoredRun,
        samples: Sequence[StoredSample],
        *,
        with_regions: bool = True,
        findings_key: str | None = None,
    ) -> bool:
        """Writes samples of a run, all of them or, after a kill, none; without regions, the image vectors alone.

        Returns:
            True if all was written; False if the limit did not allow it even after eviction of less recently used runs'
            regions: then nothing was written, or the image vectors alone
        """
        self.mark_used(run)
        small = sum(one.vectors.nbytes + 2 * one.image.whole.nbytes for one in samples)
        regions = sum(int(one.image.fresh.sum()) + len(one.image.previous) for one in samples) if with_regions else 0
        large = regions * (samples[0].image.whole.nbytes + 16) if regions else 0
        fits = self._fits(small + large, run, share=REGIONS_SHARE if large else 1.0)
        if not fits and not (large and self._fits(small, run)):
            return False
        with self._file.writing() as rows:
            before = entries.referenced_images(rows, run, [one.image.id for one in samples])
            for one in samples:
                write_image(rows, run, one, with_regions=with_regions and fits)
            small_tables.write_levels(rows, run, {one.image.id: one.image.level for one in samples})
            if findings_key is not None:
                findings = {one.image.id: one.finding for one in samples if one.finding is not None}
                small_tables.write_findings(rows, run, findings_key, findings)
            if before:  # a file that has changed since an earlier call of the run
                entries.delete_unreferenced(rows, before)
        return fits

    def delete_samples(self, run: StoredRun, sample_ids: Sequence[str]) -> None:
        """Deletes samples of a run, and what no other sample references of their images."""
        with self._file.writing() as rows:
            entries.delete_samples(rows, run, sample_ids)

    def copy_samples(self, run: StoredRun, source: StoredRun, *, only: Collection[str] | None = None) -> None:
        """Lets a run reference what another one does, of all samples or some; image vectors only with equal keys."""
        with self._file.writing() as rows:
            entries.copy_samples(rows, self._file, run, source, only)

    def write_vectors(self, run: StoredRun, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Writes the ``[V, dim]`` image vectors of a run's samples, in the order of the run's vector keys."""
        with self._file.writing() as rows:
            write_vectors(rows, run, vectors)

    def write_findings(self, run: StoredRun, findings_key: str, findings: Mapping[str, SampleFindings]) -> None:
        """Writes findings of a run's samples, by sample id, under a key of what they depend on."""
        with self._file.writing() as rows:
            small_tables.write_findings(rows, run, findings_key, findings)

    def has_space_for_copy(self, run: StoredRun) -> bool:
        """True if a copy of a run's samples fits, if need be after eviction of less recently used runs' regions."""
        ((size,),) = self._file.read("SELECT coalesce(sum(length(vectors)), 0) FROM samples WHERE run = ?", (run.id,))
        return self._fits(int(size), run)

    def _fits(self, nbytes: int, run: StoredRun, share: float = 1.0) -> bool:
        until = int(share * self.limit_bytes) - nbytes
        if self.used_bytes <= until:
            return True
        evicted = evict_regions(self._file, until, run=run.id, evicted_at_once=self._evicted_at_once)
        if evicted and not self._reported_full:
            self._reported_full = True
            logger.warning("The store of embeddings is full, so region embeddings of older runs are deleted")
        return self.used_bytes <= until

    def sample_ids(self, run: StoredRun) -> list[str]:
        """Lists a run's samples, in the order in which they were written."""
        query = "SELECT sample FROM samples WHERE run = ? ORDER BY id"
        return [sample for (sample,) in self._file.read(query, (run.id,))]

    def count(self, run: StoredRun, other: StoredRun | None = None) -> int:
        """Counts a run's samples, or those that it has in common with another one."""
        return entries.count_samples(self._file, run, run if other is None else other)

    def samples_with_regions(self, run: StoredRun) -> set[str]:
        """Returns the samples of a run whose region embeddings are all still stored."""
        query = """SELECT sample FROM samples WHERE run = ? AND regions > 0 AND regions <= (
                       SELECT coalesce(sum(length(boxes)), 0) / 16 FROM regions
                       WHERE regions.image = samples.image AND geometry = ?)"""
        return {sample for (sample,) in self._file.read(query, (run.id, run.geometry))}

    def lacks_vectors(self, run: StoredRun) -> bool:
        """True if some of a run's samples have no image vectors yet."""
        return bool(self._file.read("SELECT 1 FROM samples WHERE run = ? AND vectors = x'' LIMIT 1", (run.id,)))

    def image_vectors(
        self, run: StoredRun, *, at_once: int = VECTORS_AT_ONCE
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Yields ``at_once`` sample ids of a run, and their ``[b, V, dim]`` image vectors, in turn; no damaged ones."""
        return image_vectors(self._file, run, at_once)

    def image_vectors_of(self, run: StoredRun, sample_ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Returns the ``[V, dim]`` image vectors of samples by id, without those not stored, or damaged."""
        parts = (image_vectors_of(self._file, run, part) for part in _parts(sample_ids))
        return dict(pair for part in parts for pair in part.items())

    def known_regions(self, run: StoredRun, sample_ids: Sequence[str]) -> Iterator[tuple[str, str, KnownRegions]]:
        """Yields sample id, content hash and embeddings of those samples that are stored, in the order of the ids."""
        for part in _parts(sample_ids):
            yield from images_of_samples(self._file, run, part)

    def content_hashes(self, run: StoredRun, sample_ids: Sequence[str]) -> dict[str, str]:
        """Returns the content hashes of the images of those samples that are stored, by sample id."""
        return dict(pair for part in _parts(sample_ids) for pair in content_hashes(self._file, run, part))

    def findings(self, run: StoredRun, findings_key: str) -> dict[str, SampleFindings]:
        """Returns the findings of a run's samples under a key, by sample id."""
        return small_tables.read_findings(self._file, run, findings_key)

    def levels(self, run: StoredRun, sample_ids: Sequence[str]) -> dict[str, int]:
        """Returns the budget levels at which samples have stopped, by sample id, without those at level 0."""
        parts = (small_tables.read_levels(self._file, run, part) for part in _parts(sample_ids))
        return dict(pair for part in parts for pair in part.items())
