"""The rows of samples: read by the numbers that an index has for them, and compared with what was looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .seals import crc, is_early, is_sound

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ..engine.embeddings import EncodedImage
    from ..method.explain.region_findings import SampleFindings
    from .file import StoreFile

READ_AT_ONCE = 256

_COLUMNS = "samples.id, run, samples.sample, image, regions, vectors, checksum, coalesce(rung, 0)"
# NOT INDEXED: else columns that an index holds are read from it, and not from the row.
_ROWS = "FROM samples NOT INDEXED LEFT JOIN rungs ON rungs.sample = samples.id"


@dataclass(frozen=True)
class StoredSample:
    """What is stored of one sample: its image, under the sample's id, and its ``[V, dim]`` float32 image vectors.

    The vectors are in the order of the run's vector keys. The finding, which a triage needs, is there if it was
    computed with the embeddings.
    """

    image: EncodedImage[str]
    vectors: NDArray[np.float32]
    finding: SampleFindings | None = None


@dataclass(frozen=True)
class StoredRun:
    """A run's entry in the store; ``id`` and ``encoder`` are row numbers, ``fingerprint`` is the encoder's.

    ``token`` is the run's key in the store.

    ``geometry`` names how the run's regions were sampled, ``vector_keys`` a sample's image vectors.
    """

    id: int
    encoder: int
    geometry: str
    vector_keys: tuple[str, ...]
    logit_scale: float
    fingerprint: str
    token: str


@dataclass(frozen=True)
class SampleRow:
    """A sound row of a sample; ``id`` and ``image`` are row numbers, ``level`` is its budget level."""

    id: int
    sample: str
    image: int
    regions: int
    vectors: bytes
    level: int


def parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yields values in parts that fit into a query."""
    for start in range(0, len(values), READ_AT_ONCE):
        yield values[start : start + READ_AT_ONCE]


def as_bytes(values: ArrayLike, dtype: type[np.floating] = np.float32) -> bytes:
    """Returns numbers as bytes."""
    return np.ascontiguousarray(values, dtype).tobytes()


def samples_of_run(file: StoreFile, run: StoredRun, sample_ids: Sequence[str]) -> list[SampleRow]:
    """Returns the rows of some hundred samples of a run, without those that are not stored, or damaged."""
    marks = ",".join("?" * len(sample_ids))
    query = f"""SELECT {_COLUMNS} {_ROWS}
                WHERE samples.id IN (SELECT id FROM samples WHERE run = ? AND sample IN ({marks}))"""  # noqa: S608
    asked = set(sample_ids)
    rows = file.read(query, (run.id, *sample_ids))
    return [row for row in _sound(file, run, rows) if row.sample in asked]


def all_samples_of_run(file: StoreFile, run: StoredRun, at_once: int) -> Iterator[list[SampleRow]]:
    """Yields at most ``at_once`` rows of a run's samples in turn, in the order in which they were written."""
    last = 0
    # The ids first: SQLite would otherwise sort all that is left of the run, vectors and all, for every batch.
    listed = "SELECT id FROM samples WHERE run = ? AND id > ? ORDER BY id"
    query = f"SELECT {_COLUMNS} {_ROWS} WHERE samples.id BETWEEN ? AND ? AND run = ? ORDER BY samples.id"
    while numbers := [row for (row,) in file.read(listed, (run.id, last))]:
        last = numbers[-1]
        for start in range(0, len(numbers), at_once):
            part = numbers[start : start + at_once]
            yield _sound(file, run, file.read(query, (part[0], part[-1], run.id)))


def _sound(file: StoreFile, run: StoredRun, rows: Sequence[tuple[Any, ...]]) -> list[SampleRow]:
    """Returns those of some rows that are of a run, and whose checksums hold."""
    found: list[SampleRow] = []
    early: list[SampleRow] = []
    for id_, of_run, sample, image, regions, vectors, checksum, level in rows:
        if of_run == run.id and is_sound(checksum, crc(vectors), run.token, sample, image, regions, level):
            found.append(SampleRow(id_, sample, image, regions, vectors, level))
            if is_early(checksum):
                early.append(found[-1])
    if early:
        wrong = {row.id for row in early} - _agreeing(file, run, early)
        found = [row for row in found if row.id not in wrong]
    return found


def _agreeing(file: StoreFile, run: StoredRun, rows: Sequence[SampleRow]) -> set[int]:
    """Returns the numbers of those rows whose sample and image are those that the indexes have for them."""
    numbers: set[int] = set()
    for start in range(0, len(rows), 256):
        part = rows[start : start + 256]
        marks = ",".join("?" * len(part))
        by_sample = f"SELECT id, sample FROM samples WHERE run = ? AND sample IN ({marks})"  # noqa: S608
        by_image = f"SELECT id, image FROM samples INDEXED BY samples_of_image WHERE image IN ({marks})"  # noqa: S608
        samples = set(file.read(by_sample, (run.id, *(row.sample for row in part))))
        images = set(file.read(by_image, [row.image for row in part]))
        numbers.update(row.id for row in part if (row.id, row.sample) in samples and (row.id, row.image) in images)
    return numbers


def image_vectors(file: StoreFile, run: StoredRun, at_once: int) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Yields at most ``at_once`` sample ids of a run and their ``[b, V, dim]`` vectors, without damaged ones."""
    for rows in all_samples_of_run(file, run, at_once):
        known = [row for row in rows if row.vectors]
        if known:
            stacked = np.frombuffer(b"".join(row.vectors for row in known), np.float32)
            yield [row.sample for row in known], stacked.reshape(len(known), len(run.vector_keys), -1)


def image_vectors_of(file: StoreFile, run: StoredRun, sample_ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Returns the ``[V, dim]`` image vectors of some hundred samples by id, of those that are stored and sound."""
    return {
        row.sample: np.frombuffer(row.vectors, np.float32).reshape(len(run.vector_keys), -1)
        for row in samples_of_run(file, run, sample_ids)
        if row.vectors
    }


def write_vectors(rows: sqlite3.Connection, run: StoredRun, vectors: Mapping[str, NDArray[np.float32]]) -> None:
    """Writes the ``[V, dim]`` image vectors of a run's samples, inside a transaction."""
    # The checksum covers the sample that is meant, whichever row an index finds for it.
    rows.executemany(
        """UPDATE samples SET vectors = ?1, checksum = seal(?2, ?3, image, regions, coalesce((
               SELECT rung FROM rungs WHERE rungs.sample = samples.id), 0), checksum_of(?1))
           WHERE run = ?4 AND sample = ?3""",
        [(as_bytes(of_sample), run.token, sample, run.id) for sample, of_sample in vectors.items()],
    )


def names_of_rows(file: StoreFile, run: StoredRun, numbers: Iterable[int]) -> dict[int, str]:
    """Returns the samples that a run's rows themselves name, by row number."""
    listed, found = list(numbers), dict[int, str]()
    for start in range(0, len(listed), 256):
        part = listed[start : start + 256]
        marks = ",".join("?" * len(part))
        query = f"SELECT id, sample FROM samples NOT INDEXED WHERE run = ? AND id IN ({marks})"  # noqa: S608
        found.update(file.read(query, (run.id, *part)))
    return found
