"""What is stored of a run and of a sample, how an image is written, and checksums of vectors."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import sqlite3

    from numpy.typing import NDArray

    from ..engine.embeddings import EncodedImage
    from ..method.explain.region_findings import SampleFindings


@dataclass(frozen=True)
class StoredSample:
    """What is stored of one sample.

    Attributes:
        image: the embeddings; ``image.id`` is the sample's id
        vectors: ``[V, dim]`` float32 image vectors, in the order of the run's vector keys
        finding: the findings that a triage needs, where they were computed with the embeddings
    """

    image: EncodedImage[str]
    vectors: NDArray[np.float32]
    finding: SampleFindings | None = None


@dataclass(frozen=True)
class StoredRun:
    """A run's entry in the store.

    Attributes:
        id: row number
        encoder: row number of the encoder
        geometry: how the run's regions were sampled
        vector_keys: names of a sample's image vectors
        logit_scale: the encoder's factor on similarities
        fingerprint: hash of the encoder's weights and preprocessing
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

    Args:
        boxes: n boxes of 16 bytes, n at least 1
        embeddings: their n float32 embeddings

    Returns:
        a number of 32 bits; -1 if the sizes do not fit together
    """
    count = len(boxes) // 16
    if not count or len(boxes) % 16 or not embeddings or len(embeddings) % (4 * count):
        return -1
    total = np.frombuffer(embeddings, np.uint32).reshape(count, -1).sum(axis=0, dtype=np.uint32)
    return zlib.crc32(total.tobytes(), zlib.crc32(boxes))


def with_checksum(vectors: NDArray[np.float32]) -> tuple[bytes, int]:
    """Returns vectors as bytes, and their CRC-32."""
    data = np.ascontiguousarray(vectors, np.float32).tobytes()
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
