"""Reading images' embeddings out of the store: one query for many of them, and nothing that is damaged."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.embeddings import KnownRegions, products_of
from .rows import checksum_of_regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .file import StoreFile
    from .rows import StoredRun

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
    parts = file.read_each(query, (geometry, encoder, bytes.fromhex(content_hash)), _part_of)
    return _known(parts)


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
    found: dict[str, list[KnownRegions | None]] = {}
    hashes: dict[str, str] = {}
    values = (run.geometry, run.id, *sample_ids)
    for sample, content_hash, part in file.read_each(query, values, lambda row: (row[0], row[1], _part_of(row[2:]))):
        hashes[sample] = content_hash.hex()
        found.setdefault(sample, []).append(part)
    known = ((sample, _known(found[sample])) for sample in sample_ids if sample in found)
    return [(sample, hashes[sample], one) for sample, one in known if one is not None]


def _part_of(row: tuple[Any, ...]) -> KnownRegions | None:
    """Makes a row into what is sound of it: an image with some of its regions, or none; None where not even the image.

    The arrays share memory with the row.
    """
    height, width, whole, checksum, boxes, embeddings, sealed = row
    if zlib.crc32(whole) != checksum:
        return None
    vector = np.frombuffer(whole, np.float32)
    if boxes is None or checksum_of_regions(boxes, embeddings) != sealed:
        boxes = embeddings = b""
    regions = np.frombuffer(embeddings, np.float32).reshape(-1, len(vector))
    return KnownRegions(
        image_size_hw=(height, width),
        whole=vector,
        boxes=np.frombuffer(boxes, np.int32).reshape(-1, 4),
        regions=regions,
        products=products_of(regions, vector),
    )


def _known(parts: Sequence[KnownRegions | None]) -> KnownRegions | None:
    """Puts an image together from its parts; None where there is nothing sound of it."""
    sound = [part for part in parts if part is not None]
    if len(sound) < 2:
        return sound[0] if sound else None
    return replace(
        sound[0],
        boxes=np.concatenate([part.boxes for part in sound]),
        regions=np.concatenate([part.regions for part in sound]),
        products=np.concatenate([part.products for part in sound if part.products is not None], axis=1),
    )
