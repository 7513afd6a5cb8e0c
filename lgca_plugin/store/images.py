"""Reading images out of the store, many with one query: embeddings and image vectors, without damaged ones."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.embeddings import KnownRegions, products_of
from .rows import checksum_of_regions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .file import StoreFile
    from .rows import StoredRun

_COLUMNS = "height, width, whole, images.checksum, boxes, embeddings, regions.checksum"
_REGIONS = "LEFT JOIN regions ON regions.image = images.id AND geometry = ?"


def image_of_content(file: StoreFile, encoder: int, content_hash: str, geometry: str) -> KnownRegions | None:
    """Returns an image's embeddings.

    Args:
        file: the store's file
        encoder: row number of the encoder
        content_hash: hash of the image file's bytes
        geometry: how its regions were sampled

    Returns:
        the embeddings without damaged regions; None if the image, or its whole embedding undamaged, is not stored
    """
    query = f"SELECT {_COLUMNS} FROM images {_REGIONS} WHERE encoder = ? AND content_hash = ?"  # noqa: S608
    return _joined(file.read_each(query, (geometry, encoder, bytes.fromhex(content_hash)), _part))


def images_of_samples(
    file: StoreFile, run: StoredRun, sample_ids: Sequence[str]
) -> list[tuple[str, str, KnownRegions]]:
    """Returns the embeddings of some hundred samples of a run.

    Returns:
        sample id, content hash and embeddings without damaged regions, in the order of the ids; without samples that
        are not stored, or whose whole embedding is damaged
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
    joined = ((sample, _joined(parts[sample])) for sample in sample_ids if sample in parts)
    return [(sample, hashes[sample], image) for sample, image in joined if image is not None]


def image_vectors(file: StoreFile, run: StoredRun, at_once: int) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Reads all image vectors of a run, without damaged ones.

    Yields:
        at most ``at_once`` sample ids, and their ``[b, V, dim]`` vectors in the order of the run's vector keys
    """
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


def image_vectors_of(file: StoreFile, run: StoredRun, sample_id: str) -> NDArray[np.float32] | None:
    """Returns one sample's ``[V, dim]`` image vectors; None if they are not stored, or damaged."""
    query = "SELECT vectors, checksum FROM samples WHERE run = ? AND sample = ?"
    for data, checksum in file.read(query, (run.id, sample_id)):
        if data and zlib.crc32(data) == checksum:
            return np.frombuffer(data, np.float32).reshape(len(run.vector_keys), -1)
    return None


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
