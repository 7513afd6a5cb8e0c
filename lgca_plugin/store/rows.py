"""The rows of the store: what stands in them, and how an image is written to them."""

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
    """What the store keeps of one sample.

    Attributes:
        image: the embeddings; ``image.id`` is the sample's id
        vectors: ``[V, dim]`` float32 image vectors, in the order of the run's signatures
        finding: what a triage will want to know of the regions, if anybody has looked
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
        vector_keys: what each of a sample's image vectors is
        logit_scale: the encoder's factor on similarities
        fingerprint: tells the encoder from all others
    """

    id: int
    encoder: int
    geometry: str
    vector_keys: tuple[str, ...]
    logit_scale: float
    fingerprint: str


def write_image(rows: sqlite3.Connection, run: StoredRun, one: StoredSample, *, with_regions: bool) -> int:
    """Writes a sample's image, its regions, where wanted, and its image vectors, inside a transaction.

    Returns:
        the row number of the sample, of which nothing is left that was known before
    """
    image = one.image
    key = (run.encoder, bytes.fromhex(image.content_hash))
    found = rows.execute(
        "SELECT id, checksum_of(whole) != checksum FROM images WHERE encoder = ? AND content_hash = ?", key
    ).fetchall()
    values = (*key, *image.image_size_hw, *sealed(image.whole))
    if not found:
        rows.execute("INSERT INTO images VALUES (NULL, ?, ?, ?, ?, ?, ?)", values)
    elif found[0][1]:  # damaged: so nothing of it was recalled, and its regions come anew with it
        rows.execute("UPDATE images SET whole = ?, checksum = ? WHERE id = ?", (*values[-2:], found[0][0]))
        if with_regions:
            rows.execute("DELETE FROM regions WHERE image = ? AND geometry = ?", (found[0][0], run.geometry))
    ((row,),) = rows.execute("SELECT id FROM images WHERE encoder = ? AND content_hash = ?", key).fetchall()
    there = 0
    if with_regions:
        known = _sound_boxes(rows, row, run.geometry)
        # Not only what was encoded now: what was recalled may have been deleted since, with the run that held it.
        new = _new_regions(image, known)
        there = len(known) + len(new)
        if new:
            boxes = np.array(list(new), np.int32).tobytes()
            embeddings = np.ascontiguousarray(list(new.values()), np.float32).tobytes()
            checksum = checksum_of_regions(boxes, embeddings)
            rows.execute(
                "INSERT INTO regions VALUES (NULL, ?, ?, ?, ?, ?)", (row, run.geometry, boxes, embeddings, checksum)
            )
    written = rows.execute(
        "INSERT OR REPLACE INTO samples VALUES (NULL, ?, ?, ?, ?, ?, ?)",
        (run.id, image.id, row, there, *sealed(one.vectors)),
    )
    return int(written.lastrowid or 0)


def _new_regions(image: EncodedImage[str], known: set[tuple[int, ...]]) -> dict[tuple[int, ...], NDArray[np.float32]]:
    """Gives the embeddings of an image's regions that are not known, by box: also of those that only a rung below grew.

    A later run of the same budget comes by these rungs again, and is to find all that it needs.
    """
    own = image.distinct()
    there = {**dict(zip(map(tuple, image.boxes[own].tolist()), image.regions[own], strict=True)), **image.former}
    return {box: vector for box, vector in there.items() if box not in known}


def _sound_boxes(rows: sqlite3.Connection, image: int, geometry: str) -> set[tuple[int, ...]]:
    """Finds the boxes of an image that are there; rows that do not match their checksum are deleted."""
    found: set[tuple[int, ...]] = set()
    query = "SELECT id, boxes, embeddings, checksum FROM regions WHERE image = ? AND geometry = ?"
    for row, boxes, embeddings, checksum in rows.execute(query, (image, geometry)).fetchall():
        if checksum_of_regions(boxes, embeddings) == checksum:
            found.update(map(tuple, np.frombuffer(boxes, np.int32).reshape(-1, 4).tolist()))
        else:
            rows.execute("DELETE FROM regions WHERE id = ?", (row,))
    return found


def checksum_of_regions(boxes: bytes, embeddings: bytes) -> int:
    """Computes what tells damaged regions from sound ones.

    The CRC-32 of the boxes and of the sum of all embeddings, taken as integers that wrap around. A sum reads memory
    several times as fast as a CRC does, and whoever reads 200 kilobytes an image waits for it. Any damage to one
    embedding changes the sum; so does a page of the file in the place of another, since pages and embeddings do not
    begin together.

    Args:
        boxes: n boxes of 16 bytes, n at least 1
        embeddings: their n float32 embeddings

    Returns:
        a number of 32 bits; -1 where there are no embeddings of so many boxes
    """
    count = len(boxes) // 16
    if not count or len(boxes) % 16 or not embeddings or len(embeddings) % (4 * count):
        return -1
    total = np.frombuffer(embeddings, np.uint32).reshape(count, -1).sum(axis=0, dtype=np.uint32)
    return zlib.crc32(total.tobytes(), zlib.crc32(boxes))


def sealed(vectors: NDArray[np.float32]) -> tuple[bytes, int]:
    """Gives vectors as bytes, and their checksum."""
    data = np.ascontiguousarray(vectors, np.float32).tobytes()
    return data, zlib.crc32(data)
