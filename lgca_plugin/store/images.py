"""The rows of images and their regions: written with checksums, and read back without damaged ones.

An index has the numbers of rows; the rows themselves are read by number, and must name what was looked for.
"""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..engine.embeddings import KnownRegions, products_of
from .rows import as_bytes, samples_of_run
from .seals import crc, is_early, is_sound, seal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..engine.embeddings import EncodedImage
    from .file import StoreFile
    from .rows import StoredRun, StoredSample


def write_image(rows: sqlite3.Connection, run: StoredRun, sample: StoredSample, *, with_regions: bool) -> None:
    """Writes a sample's image, its regions, if ``with_regions``, and its image vectors, inside a transaction.

    They replace all that is stored of the sample, its finding and budget level included.

    Raises:
        sqlite3.DatabaseError: if an index has the number of another row
    """
    image = sample.image
    row = _write_whole(rows, run, image, drop_regions=with_regions)
    n_regions = 0
    if with_regions:
        content_hash = bytes.fromhex(image.content_hash)
        stored = _sound_boxes(rows, run, row, content_hash)
        # Recalled regions too: they may have been deleted since, with the run that referenced them.
        new = _new_regions(image, stored)
        n_regions = len(stored) + len(new)
        if new:
            boxes = np.array(list(new), np.int32).tobytes()
            embeddings = np.ascontiguousarray(list(new.values()), np.float32).tobytes()
            of_data = checksum_of_regions(boxes, embeddings)
            checksum = seal(run.fingerprint, content_hash, run.geometry, of_data)
            rows.execute(
                "INSERT INTO regions VALUES (NULL, ?, ?, ?, ?, ?)", (row, run.geometry, boxes, embeddings, checksum)
            )
    at = "SELECT id FROM samples WHERE run = ? AND sample = ?"
    replaced = rows.execute(f"SELECT run, sample FROM samples NOT INDEXED WHERE id = ({at})", (run.id, image.id))  # noqa: S608
    if (found := replaced.fetchone()) is not None and found != (run.id, image.id):
        raise sqlite3.DatabaseError("the index of samples has the number of another row")
    vectors = as_bytes(sample.vectors)
    checksum = seal(run.token, image.id, row, n_regions, image.level, crc(vectors))
    rows.execute(
        "INSERT OR REPLACE INTO samples VALUES (NULL, ?, ?, ?, ?, ?, ?)",
        (run.id, image.id, row, n_regions, vectors, checksum),
    )


def _write_whole(rows: sqlite3.Connection, run: StoredRun, image: EncodedImage[str], *, drop_regions: bool) -> int:
    """Writes an image's whole embedding where none is stored, or a damaged one; returns the number of its row.

    Of a damaged image no region was recalled, so with ``drop_regions`` those of the run's geometry are deleted.
    """
    key = (run.encoder, bytes.fromhex(image.content_hash))
    whole = as_bytes(image.whole)
    values = (*image.image_size_hw, whole)
    found = rows.execute("SELECT id FROM images WHERE encoder = ? AND content_hash = ?", key).fetchone()
    if found is None:
        row = rows.execute("INSERT INTO images VALUES (NULL, ?, ?, ?, ?, ?, 0)", (*key, *values)).lastrowid
        assert row is not None  # noqa: S101 (after an INSERT there is one)
    else:
        (row,) = found
        columns = "encoder, content_hash, height, width, whole, checksum"
        stored = rows.execute(f"SELECT {columns} FROM images NOT INDEXED WHERE id = ?", (row,)).fetchone()  # noqa: S608
        if stored is None or stored[:2] != key:
            raise sqlite3.DatabaseError("the index of images has the number of another row")
        if stored[2:4] == image.image_size_hw and is_sound(
            stored[5], crc(stored[4]), row, run.fingerprint, key[1], *stored[2:4]
        ):
            if not is_early(stored[5]):
                return int(row)
            whole = stored[4]
        elif drop_regions:
            rows.execute("DELETE FROM regions WHERE image = ? AND geometry = ?", (row, run.geometry))
    checksum = seal(row, run.fingerprint, key[1], *image.image_size_hw, crc(whole))
    rows.execute(
        "UPDATE images SET height = ?, width = ?, whole = ?, checksum = ? WHERE id = ?",
        (*image.image_size_hw, whole, checksum, row),
    )
    return int(row)


def checksum_of_regions(boxes: object, embeddings: object) -> int:
    """Returns the checksum of an image's regions.

    It is the CRC-32 of the boxes and of the sum of all embeddings, taken as integers that wrap around: a sum reads
    memory several times as fast as a CRC, and every read of an image checks 200 kilobytes. Any damage to one embedding
    changes the sum; so does a page of the file in the place of another, since pages and embeddings do not begin
    together.

    Boxes take 16 bytes each. It has 32 bits, and is -1 if the sizes do not fit together, there is no box, or a damaged
    row holds something else.
    """
    if not isinstance(boxes, bytes) or not isinstance(embeddings, bytes):
        return -1
    count = len(boxes) // 16
    if not count or len(boxes) % 16 or not embeddings or len(embeddings) % (4 * count):
        return -1
    total = np.frombuffer(embeddings, np.uint32).reshape(count, -1).sum(axis=0, dtype=np.uint32)
    return zlib.crc32(total.tobytes(), zlib.crc32(boxes))


def _new_regions(image: EncodedImage[str], stored: set[tuple[int, ...]]) -> dict[tuple[int, ...], NDArray[np.float32]]:
    """Returns the embeddings of an image's regions that are not stored, by box.

    Those of the lower budget levels are among them: a later run of the same budget passes these levels again.
    """
    own = image.distinct()
    regions = {**dict(zip(map(tuple, image.boxes[own].tolist()), image.regions[own], strict=True)), **image.previous}
    return {box: vector for box, vector in regions.items() if box not in stored}


def _sound_boxes(rows: sqlite3.Connection, run: StoredRun, image: int, content_hash: bytes) -> set[tuple[int, ...]]:
    """Returns the boxes of an image's stored regions; damaged rows are deleted."""
    found: set[tuple[int, ...]] = set()
    for row, of_image, geometry, boxes, embeddings, checksum in rows.execute(
        f"{_REGIONS} = ? AND geometry = ?)", (image, run.geometry)
    ).fetchall():
        if (of_image, geometry) != (image, run.geometry):
            raise sqlite3.DatabaseError("the index of regions has the number of another row")
        if is_sound(checksum, checksum_of_regions(boxes, embeddings), run.fingerprint, content_hash, geometry):
            found.update(map(tuple, np.frombuffer(boxes, np.int32).reshape(-1, 4).tolist()))
        else:
            rows.execute("DELETE FROM regions WHERE id = ?", (row,))
    return found


# NOT INDEXED: else columns that an index holds are read from it, and not from the row.
_IMAGES = "SELECT id, encoder, content_hash, height, width, whole, checksum FROM images NOT INDEXED WHERE id IN "
_REGIONS = """SELECT id, image, geometry, boxes, embeddings, checksum FROM regions NOT INDEXED
              WHERE id IN (SELECT id FROM regions WHERE image"""


class _Whole(NamedTuple):
    """An image without its regions."""

    content_hash: bytes
    image_size_hw: tuple[int, int]
    vector: NDArray[np.float32]


def image_of_content(
    file: StoreFile, encoder: int, fingerprint: str, content_hash: str, geometry: str
) -> KnownRegions | None:
    """Returns an image's embeddings without damaged regions; None if its whole embedding is not stored, or damaged."""
    key = (encoder, bytes.fromhex(content_hash))
    query = f"{_IMAGES} (SELECT id FROM images WHERE encoder = ? AND content_hash = ?)"  # noqa: S608
    with file.reading():
        wholes = _sound_wholes(file.read(query, key), encoder, fingerprint)
        wholes = {row: whole for row, whole in wholes.items() if whole.content_hash == key[1]}
        return next(iter(_with_regions(file, wholes, fingerprint, geometry).values()), None)


def images_of_samples(
    file: StoreFile, run: StoredRun, sample_ids: Sequence[str]
) -> list[tuple[str, str, KnownRegions]]:
    """Returns sample id, content hash and embeddings of some hundred samples, in their order, without damaged regions.

    Samples that are not stored, or damaged, or whose whole embedding is damaged, are left out.
    """
    with file.reading():
        row_of = {row.sample: row.image for row in samples_of_run(file, run, sample_ids)}
        wholes = _wholes_of(file, run, set(row_of.values()))
        images = _with_regions(file, wholes, run.fingerprint, run.geometry)
    found = ((sample, row_of.get(sample)) for sample in sample_ids)
    return [(sample, wholes[row].content_hash.hex(), images[row]) for sample, row in found if row in images]


def content_hashes(file: StoreFile, run: StoredRun, sample_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Returns sample id and content hash of the images of some hundred samples, without those that are not stored."""
    row_of = {row.sample: row.image for row in samples_of_run(file, run, sample_ids)}
    wholes = _wholes_of(file, run, set(row_of.values()))
    return [(sample, wholes[row].content_hash.hex()) for sample, row in row_of.items() if row in wholes]


def _wholes_of(file: StoreFile, run: StoredRun, images: set[int]) -> dict[int, _Whole]:
    """Returns those images of a run, by row number, that are stored and sound."""
    marks = ",".join("?" * len(images))
    rows = file.read(f"{_IMAGES} ({marks})", list(images))
    wholes = _sound_wholes(rows, run.encoder, run.fingerprint)
    early = [(row[0], row[2]) for row in rows if row[0] in wholes and is_early(row[-1])]
    if early:
        marks = ",".join("?" * len(early))
        query = f"SELECT id, content_hash FROM images WHERE encoder = ? AND content_hash IN ({marks})"  # noqa: S608
        agreeing = set(file.read(query, (run.encoder, *(content_hash for _, content_hash in early))))
        for one in early:
            if one not in agreeing:
                del wholes[one[0]]
    return wholes


def _sound_wholes(rows: Sequence[tuple[Any, ...]], encoder: int, fingerprint: str) -> dict[int, _Whole]:
    """Returns, by row number, those images of some rows that are of an encoder, and whose checksums hold."""
    return {
        row: _Whole(content_hash, (height, width), np.frombuffer(whole, np.float32))
        for row, of_encoder, content_hash, height, width, whole, checksum in rows
        if of_encoder == encoder
        and is_sound(checksum, crc(whole), row, fingerprint, content_hash, height, width)
        and isinstance(height, int)
        and isinstance(width, int)
    }


def _with_regions(
    file: StoreFile, wholes: Mapping[int, _Whole], fingerprint: str, geometry: str
) -> dict[int, KnownRegions]:
    """Returns images with their stored regions, by row number; damaged regions are left out."""

    def parse(row: tuple[Any, ...]) -> tuple[int, KnownRegions | None]:
        _, image, of_geometry, boxes, embeddings, checksum = row
        whole = wholes.get(image)
        if (
            whole is None
            or of_geometry != geometry
            or not is_sound(checksum, checksum_of_regions(boxes, embeddings), fingerprint, whole.content_hash, geometry)
        ):
            return image, None
        return image, _known(whole, boxes, embeddings)

    marks = ",".join("?" * len(wholes))
    query = f"{_REGIONS} IN ({marks}) AND geometry = ?)"
    parts: dict[int, list[KnownRegions]] = {}
    for image, part in file.read_each(query, (*wholes, geometry), parse):
        if part is not None:
            parts.setdefault(image, []).append(part)
    return {row: _joined(parts.get(row) or [_known(whole, b"", b"")]) for row, whole in wholes.items()}


def _known(whole: _Whole, boxes: bytes, embeddings: bytes) -> KnownRegions:
    """Returns an image with the regions of one row; the arrays share memory with the row."""
    regions = np.frombuffer(embeddings, np.float32).reshape(-1, len(whole.vector))
    return KnownRegions(
        image_size_hw=whole.image_size_hw,
        whole=whole.vector,
        boxes=np.frombuffer(boxes, np.int32).reshape(-1, 4),
        regions=regions,
        products=products_of(regions, whole.vector),
    )


def _joined(parts: Sequence[KnownRegions]) -> KnownRegions:
    """Returns an image with the regions of all its rows."""
    if len(parts) < 2:
        return parts[0]
    return replace(
        parts[0],
        boxes=np.concatenate([part.boxes for part in parts]),
        regions=np.concatenate([part.regions for part in parts]),
        products=np.concatenate([part.products for part in parts if part.products is not None], axis=1),
    )
