"""Reading images' embeddings out of the store: one query for many of them, and nothing that is damaged."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..growing import KnownRegions
from .store_rows import checksum_of_regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .store_file import StoreFile
    from .store_rows import StoredRun

_COLUMNS = "height, width, whole, images.checksum, boxes, embeddings, regions.checksum"
_REGIONS = "LEFT JOIN regions ON regions.image = images.id AND geometry = ?"


def image_of_content(file: StoreFile, encoder: int, content_hash: str, geometry: str) -> KnownRegions | None:
    """Reads an image's embeddings.

    Args:
        file: the store's file
        encoder: row number of the encoder
        content_hash: hash of the image file's bytes
        geometry: how the wanted regions were sampled

    Returns:
        what is sound of it; None where there is no such image, or the embedding of the whole image is not sound
    """
    query = f"SELECT {_COLUMNS} FROM images {_REGIONS} WHERE encoder = ? AND content_hash = ?"  # noqa: S608
    rows = file.read(query, (geometry, encoder, bytes.fromhex(content_hash)))
    return _known(rows) if rows else None


def images_of_samples(
    file: StoreFile, run: StoredRun, sample_ids: Sequence[str]
) -> list[tuple[str, str, KnownRegions]]:
    """Reads the embeddings behind samples of a run, all with one query.

    Args:
        file: the store's file
        run: the run's entry
        sample_ids: some hundred samples

    Returns:
        sample id, content hash and what is sound of the embeddings, in the order of the ids; without samples that the
        run does not hold, and those whose embedding of the whole image is not sound
    """
    marks = ",".join("?" * len(sample_ids))
    query = f"""SELECT sample, content_hash, {_COLUMNS} FROM samples JOIN images ON images.id = samples.image {_REGIONS}
                WHERE run = ? AND sample IN ({marks})"""  # noqa: S608
    found: dict[str, list[tuple[Any, ...]]] = {}
    hashes: dict[str, str] = {}
    for sample, content_hash, *row in file.read(query, (run.geometry, run.id, *sample_ids)):
        hashes[sample] = content_hash.hex()
        found.setdefault(sample, []).append(tuple(row))
    known = ((sample, _known(found[sample])) for sample in sample_ids if sample in found)
    return [(sample, hashes[sample], one) for sample, one in known if one is not None]


def _known(rows: Sequence[tuple[Any, ...]]) -> KnownRegions | None:
    """Puts an image together from its rows, each of some regions, or of none; the arrays share memory with the rows."""
    height, width, whole, checksum = rows[0][:4]
    if zlib.crc32(whole) != checksum:
        return None
    vector = np.frombuffer(whole, np.float32)
    parts = [
        (np.frombuffer(boxes, np.int32).reshape(-1, 4), np.frombuffer(embeddings, np.float32).reshape(-1, len(vector)))
        for *_, boxes, embeddings, sealed in rows
        if boxes is not None and checksum_of_regions(boxes, embeddings) == sealed
    ]
    if len(parts) == 1:
        ((boxes, regions),) = parts
    else:
        boxes = np.concatenate([np.zeros((0, 4), np.int32), *(boxes for boxes, _ in parts)])
        regions = np.concatenate([np.zeros((0, len(vector)), np.float32), *(regions for _, regions in parts)])
    return KnownRegions(image_size_hw=(height, width), whole=vector, boxes=boxes, regions=regions)
