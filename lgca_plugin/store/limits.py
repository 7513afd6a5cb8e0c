"""Where the store lies, how large it may grow, and what goes first when it is full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ConfigError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from .file import StoreFile

FOLDER_VARIABLE = "LGCA_STORE_DIR"
LIMIT_VARIABLE = "LGCA_STORE_GB"
DEFAULT_LIMIT_GB = 20.0
GIGABYTE = 1000**3
EVICTED_AT_ONCE = 500

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
    """Gives the store's folder: ``LGCA_STORE_DIR``, else ``lgca/embeddings`` in FiftyOne's configuration folder."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    import fiftyone.constants as foc

    return Path(foc.FIFTYONE_CONFIG_DIR) / "lgca" / "embeddings"


def default_limit() -> int:
    """Gives the size in bytes up to which the store grows: ``LGCA_STORE_GB`` gigabytes, else 20.

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


class Room(NamedTuple):
    """Whether there is enough room now, and whether region embeddings were deleted for it."""

    enough: bool
    evicted: bool


def make_room(file: StoreFile, nbytes: int, *, limit_bytes: int, run: int) -> Room:
    """Deletes region embeddings, those of the runs used longest ago first, until more fits under the limit.

    Args:
        file: the store's file
        nbytes: how much is to be written
        limit_bytes: size up to which the store grows
        run: row of the run that writes; it, and runs used after it, lose nothing

    Returns:
        whether so much fits now, and what it took
    """
    if file.used_bytes + nbytes <= limit_bytes:
        return Room(enough=True, evicted=False)
    evicted = False
    older = "SELECT id FROM runs WHERE used < (SELECT used FROM runs WHERE id = ?) ORDER BY used"
    for (victim,) in file.read(older, (run,)):
        last = 0
        while file.used_bytes + nbytes > limit_bytes:
            with file.writing() as rows:
                images = rows.execute(_EVICTABLE, (victim, last, EVICTED_AT_ONCE)).fetchall()
                rows.executemany("DELETE FROM regions WHERE image = ?", [(image,) for _, image in images])
            if not images:
                break
            last, evicted = images[-1][0], True
        else:
            return Room(enough=True, evicted=evicted)
    return Room(enough=False, evicted=evicted)


def forget_unheld(rows: sqlite3.Connection, images: Sequence[int]) -> None:
    """Deletes those among some images, and of the others the regions, that no run holds."""
    rows.executemany(
        """DELETE FROM images WHERE id = ?1
           AND NOT EXISTS (SELECT 1 FROM samples WHERE samples.image = images.id)""",
        [(image,) for image in images],
    )
    rows.executemany(
        """DELETE FROM regions WHERE image = ?1 AND NOT EXISTS (
               SELECT 1 FROM samples JOIN runs ON runs.id = samples.run
               WHERE samples.image = regions.image AND runs.geometry = regions.geometry)""",
        [(image,) for image in images],
    )
