"""Where the store lies, how large it may grow, and what is deleted first when it is full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from .file import StoreFile

FOLDER_VARIABLE = "LGCA_STORE_DIR"
LIMIT_VARIABLE = "LGCA_STORE_GB"
DEFAULT_LIMIT_GB = 20.0
GIGABYTE = 1000**3
REGIONS_SHARE = 0.875
"""Share of the limit that regions may fill; the rest is kept free for image vectors, which are small."""
EVICTED_AT_ONCE = 500
"""Number of images whose regions are evicted in one transaction."""

_EVICTABLE = """
SELECT samples.id, samples.image FROM samples
WHERE run = ? AND samples.id > ?
AND EXISTS (SELECT 1 FROM regions WHERE regions.image = samples.image)
AND NOT EXISTS (
    SELECT 1 FROM samples AS other JOIN runs ON runs.id = other.run
    WHERE other.image = samples.image AND runs.used > (SELECT used FROM runs WHERE id = samples.run)
)
ORDER BY samples.id LIMIT ?
"""


def default_folder() -> Path:
    """Returns the store's folder: ``LGCA_STORE_DIR``, else ``lgca/embeddings`` in FiftyOne's configuration folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import fiftyone.constants as foc

    return Path(foc.FIFTYONE_CONFIG_DIR) / "lgca" / "embeddings"


def default_limit() -> int:
    """Returns the maximum size of the store in bytes: ``LGCA_STORE_GB`` gigabytes, else 20.

    Raises:
        ConfigError: if the variable is no number above 0
    """
    chosen = os.environ.get(LIMIT_VARIABLE)
    try:
        gigabytes = float(chosen) if chosen else DEFAULT_LIMIT_GB
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes < 1e9:
        raise ConfigError(f"{LIMIT_VARIABLE} must be a number of gigabytes above 0, got {chosen!r}")
    return int(gigabytes * GIGABYTE)


def region_bytes(dim: int) -> int:
    """Returns the bytes that a region takes: its embedding and its box, of four numbers, in single precision."""
    return 4 * (dim + 4)


def fitting_images(images: int, bytes_each: int) -> int | None:
    """Returns how many of some images the store can hold with their regions; None if it can hold all.

    Args:
        images: number of images
        bytes_each: bytes that the embeddings of an image take

    Raises:
        ConfigError: if the limit is not valid
    """
    fitting = int(REGIONS_SHARE * default_limit() / max(1, bytes_each))
    return fitting if fitting < images else None


def evict_regions(file: StoreFile, until_bytes: int, *, run: int, evicted_at_once: int) -> bool:
    """Deletes region embeddings until the store is no larger than ``until_bytes``; True if any were deleted.

    Those of the least recently used runs go first. The run that writes, and runs used after it, lose nothing.
    """
    evicted = False
    older = "SELECT id FROM runs WHERE used < (SELECT used FROM runs WHERE id = ?) ORDER BY used"
    for (victim,) in file.read(older, (run,)):
        last = 0
        while file.used_bytes > until_bytes:
            with file.writing() as rows:
                images = rows.execute(_EVICTABLE, (victim, last, evicted_at_once)).fetchall()
                rows.executemany("DELETE FROM regions WHERE image = ?", [(image,) for _, image in images])
            if not images:
                break
            last, evicted = images[-1][0], True
    return evicted
