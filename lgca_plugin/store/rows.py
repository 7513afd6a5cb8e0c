"""The rows of images and samples: written with checksums, and read back, many with one query, without damaged ones."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.embeddings import KnownRegions, products_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ..engine.embeddings import EncodedImage
    from ..method.explain.region_findings import SampleFindings
    from .file import StoreFile

_COLUMNS = "height, width, whole, images.checksum, boxes, embeddings, regions.checksum"
_REGIONS = "LEFT JOIN regions ON regions.image = images.id AND geometry = ?"


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

    ``geometry`` names how the run's regions were sampled, ``vector_keys`` a sample's image vectors.
    """

    id: int
    encoder: int
    geometry: str
    vector_keys: tuple[str, ...]
    logit_scale: float
    fingerprint: str


def write_image(rows: sqlite3.Connection, run: StoredRun, sample: StoredSample, *, with_regions: bool) -> None:
    """Writes a sample's image, its regions, if ``with_regions``, and its image vectors, inside a transaction.

    They replace all that is stored of the sample, its finding and budget level included.
    """
    image = sample.image
    key = (run.encoder, bytes.fromhex(image.content_hash))
    found = rows.execute(
        "SELECT id, checksum_of(whole) != checksum FROM images WHERE encoder = ? AND content_hash = ?", key
    ).fetchall()
    values = (*key, *image.image_size_hw, *with_checksum(image.whole))
    if not found:
        rows.execute("INSERT INTO images VALUES (NULL, ?, ?, ?, ?, ?, ?)", values)
    elif found[0][1]:  # damaged: so none of its regions were recalled, and all of them are written again
        rows.execute("UPDATE images SET whole = ?, checksum = ? WHERE id = ?", (*values[-2:], found[0][0]))
        if with_regions:
            rows.execute("DELETE FROM regions WHERE image = ? AND geometry = ?", (found[0][0], run.geometry))
    ((row,),) = rows.execute("SELECT id FROM images WHERE encoder = ? AND content_hash = ?", key).fetchall()
    n_regions = 0
    if with_regions:
        stored = _sound_boxes(rows, row, run.geometry)
        # Recalled regions too: they may have been deleted since, with the run that referenced them.
        new = _new_regions(image, stored)
        n_regions = len(stored) + len(new)
        if new:
            boxes = np.array(list(new), np.int32).tobytes()
            embeddings = np.ascontiguousarray(list(new.values()), np.float32).tobytes()
            checksum = checksum_of_regions(boxes, embeddings)
            rows.execute(
                "INSERT INTO regions VALUES (NULL, ?, ?, ?, ?, ?)", (row, run.geometry, boxes, embeddings, checksum)
            )
    rows.execute(
        "INSERT OR REPLACE INTO samples VALUES (NULL, ?, ?, ?, ?, ?, ?)",
        (run.id, image.id, row, n_regions, *with_checksum(sample.vectors)),
    )


def checksum_of_regions(boxes: bytes, embeddings: bytes) -> int:
    """Returns the checksum of an image's regions.

    It is the CRC-32 of the boxes and of the sum of all embeddings, taken as integers that wrap around: a sum reads
    memory several times as fast as a CRC, and every read of an image checks 200 kilobytes. Any damage to one embedding
    changes the sum; so does a page of the file in the place of another, since pages and embeddings do not begin
    together.

    Boxes take 16 bytes each. It has 32 bits, and is -1 if the sizes do not fit together, or there is no box.
    """
    count = len(boxes) // 16
    if not count or len(boxes) % 16 or not embeddings or len(embeddings) % (4 * count):
        return -1
    total = np.frombuffer(embeddings, np.uint32).reshape(count, -1).sum(axis=0, dtype=np.uint32)
    return zlib.crc32(total.tobytes(), zlib.crc32(boxes))


def with_checksum(values: ArrayLike, dtype: type[np.floating] = np.float32) -> tuple[bytes, int]:
    """Returns numbers as bytes, and their CRC-32."""
    data = np.ascontiguousarray(values, dtype).tobytes()
    return data, zlib.crc32(data)


def _new_regions(image: EncodedImage[str], stored: set[tuple[int, ...]]) -> dict[tuple[int, ...], NDArray[np.float32]]:
    """Returns the embeddings of an image's regions that are not stored, by box.

    Those of the lower budget levels are among them: a later run of the same budget passes these levels again.
    """
    own = image.distinct()
    regions = {**dict(zip(map(tuple, image.boxes[own].tolist()), image.regions[own], strict=True)), **image.previous}
    return {box: vector for box, vector in regions.items() if box not in stored}


def _sound_boxes(rows: sqlite3.Connection, image: int, geometry: str) -> set[tuple[int, ...]]:
    """Returns the boxes of an image's stored regions; damaged rows are deleted."""
    found: set[tuple[int, ...]] = set()
    query = "SELECT id, boxes, embeddings, checksum FROM regions WHERE image = ? AND geometry = ?"
    for row, boxes, embeddings, checksum in rows.execute(query, (image, geometry)).fetchall():
        if checksum_of_regions(boxes, embeddings) == checksum:
            found.update(map(tuple, np.frombuffer(boxes, np.int32).reshape(-1, 4).tolist()))
        else:
            rows.execute("DELETE FROM regions WHERE id = ?", (row,))
    return found


def image_of_content(file: StoreFile, encoder: int, content_hash: str, geometry: str) -> KnownRegions | None:
    """Returns an image's embeddings without damaged regions; None if its whole embedding is not stored, or damaged."""
    query = f"SELECT {_COLUMNS} FROM images {_REGIONS} WHERE encoder = ? AND content_hash = ?"  # noqa: S608
    return _joined(file.read_each(query, (geometry, encoder, bytes.fromhex(content_hash)), _part))


def images_of_samples(
    file: StoreFile, run: StoredRun, sample_ids: Sequence[str]
) -> list[tuple[str, str, KnownRegions]]:
    """Returns sample id, content hash and embeddings of some hundred samples, in their order, without damaged regions.

    Samples that are not stored, or whose whole embedding is damaged, are left out.
    """
    marks = ",".join("?" * len(sample_ids))
    query = f"""SELECT sample, content_hash, {_COLUMNS} FROM samples JOIN images ON images.id = samples.image {_REGIONS}
                WHERE run = ? AND sample IN ({marks})"""  # noqa: S608
    parts: dict[str, list[KnownRegions | None]] = {}
    hashes: dict[str, str] = {}
    values = (run.geometry, run.id, *sample_ids)
    for sample, content_hash, part in file.read_each(query, values, lambda row: (row[0], row[1], _part(row[2:]))):
        hashes[sample] = content_hash.hex()
        parts.setdefault(sample, []).append(part)
    joined = ((sample, _joined(parts.get(sample, ()))) for sample in sample_ids)
    return [(sample, hashes[sample], image) for sample, image in joined if image is not None]


def content_hashes(file: StoreFile, run: StoredRun, sample_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Returns sample id and content hash of the images of some hundred samples, without those that are not stored."""
    marks = ",".join("?" * len(sample_ids))
    query = f"""SELECT sample, content_hash FROM samples JOIN images ON images.id = samples.image
                WHERE run = ? AND sample IN ({marks})"""  # noqa: S608
    return [(sample, content_hash.hex()) for sample, content_hash in file.read(query, (run.id, *sample_ids))]


def image_vectors(file: StoreFile, run: StoredRun, at_once: int) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Yields at most ``at_once`` sample ids of a run and their ``[b, V, dim]`` vectors, without damaged ones."""
    last = 0
    # The ids first: SQLite would otherwise sort all that is left of the run, vectors and all, for every batch.
    listed = "SELECT id FROM samples WHERE run = ? AND id > ? ORDER BY id"
    query = """SELECT sample, vectors, checksum FROM samples NOT INDEXED
               WHERE id BETWEEN ? AND ? AND run = ? ORDER BY id"""
    while rows := [row for (row,) in file.read(listed, (run.id, last))]:
        last = rows[-1]
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            found = file.read(query, (part[0], part[-1], run.id))
            sound = [(sample, data) for sample, data, checksum in found if data and zlib.crc32(data) == checksum]
            if not sound:
                continue
            stacked = np.frombuffer(b"".join(data for _, data in sound), np.float32)
            yield [sample for sample, _ in sound], stacked.reshape(len(sound), len(run.vector_keys), -1)


def image_vectors_of(file: StoreFile, run: StoredRun, sample_ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Returns the ``[V, dim]`` image vectors of some hundred samples by id, of those that are stored and sound."""
    marks = ",".join("?" * len(sample_ids))
    query = f"SELECT sample, vectors, checksum FROM samples WHERE run = ? AND sample IN ({marks})"  # noqa: S608
    return {
        sample: np.frombuffer(data, np.float32).reshape(len(run.vector_keys), -1)
        for sample, data, checksum in file.read(query, (run.id, *sample_ids))
        if data and zlib.crc32(data) == checksum
    }


def _part(row: tuple[Any, ...]) -> KnownRegions | None:
    """Returns an image with the regions of one row, none if they are damaged; None if the whole embedding is.

    The arrays share memory with the row.
    """
    height, width, whole, whole_checksum, boxes, embeddings, checksum = row
    if zlib.crc32(whole) != whole_checksum:
        return None
    vector = np.frombuffer(whole, np.float32)
    if boxes is None or checksum_of_regions(boxes, embeddings) != checksum:
        boxes = embeddings = b""
    regions = np.frombuffer(embeddings, np.float32).reshape(-1, len(vector))
    return KnownRegions(
        image_size_hw=(height, width),
        whole=vector,
        boxes=np.frombuffer(boxes, np.int32).reshape(-1, 4),
        regions=regions,
        products=products_of(regions, vector),
    )


def _joined(parts: Sequence[KnownRegions | None]) -> KnownRegions | None:
    """Returns an image with the regions of all its rows; None if no row is sound."""
    sound = [part for part in parts if part is not None]
    if len(sound) < 2:
        return sound[0] if sound else None
    return replace(
        sound[0],
        boxes=np.concatenate([part.boxes for part in sound]),
        regions=np.concatenate([part.regions for part in sound]),
        products=np.concatenate([part.products for part in sound if part.products is not None], axis=1),
    )
