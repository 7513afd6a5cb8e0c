"""The file behind the store: one SQLite database, written in short transactions.

SQLite, and not a key-value library, because deleting a run must find what no other run uses. For blobs of this size it
reads and writes as fast as LMDB does, gives freed space back, survives being killed at any moment, and can be open in
several processes, or in two copies of this library in one process, at the same time.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
import uuid
import zlib
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

Taken = TypeVar("Taken")

FILE_NAME = "embeddings-2.sqlite"  # the number is the schema's version
PAGE_BYTES = 32 * 1024
MAPPED_BYTES = 64 * 1024**3  # address space only: pages are read straight from the system's cache
BUSY_SECONDS = 60.0
VACUUM_PAGES = 1000
VACUUM_SECONDS = 10.0

# Numbers are not given twice: whoever still holds that of a deleted row must not meet another one under it.
_SCHEMA = """
CREATE TABLE encoders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    logit_scale REAL NOT NULL
);
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    encoder INTEGER NOT NULL REFERENCES encoders,
    content_hash BLOB NOT NULL,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    whole BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (encoder, content_hash)
);
CREATE TABLE regions (
    id INTEGER PRIMARY KEY,
    image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    geometry TEXT NOT NULL,
    boxes BLOB NOT NULL,
    embeddings BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE INDEX regions_of_image ON regions (image, geometry);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,
    encoder INTEGER NOT NULL REFERENCES encoders,
    geometry TEXT NOT NULL,
    signatures TEXT NOT NULL,
    database TEXT NOT NULL,
    dataset TEXT NOT NULL,
    run_key TEXT NOT NULL,
    used REAL NOT NULL,
    replaced_by TEXT
);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    sample TEXT NOT NULL,
    image INTEGER NOT NULL REFERENCES images,
    regions INTEGER NOT NULL,
    vectors BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (run, sample)
);
CREATE INDEX samples_of_image ON samples (image);
CREATE TABLE texts (
    encoder INTEGER NOT NULL REFERENCES encoders ON DELETE CASCADE,
    digest BLOB NOT NULL,
    embedding BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    used REAL NOT NULL,
    PRIMARY KEY (encoder, digest)
) WITHOUT ROWID;
"""

# What later releases keep beside that. Earlier ones pass it over, and it goes with the samples that it is about.
_ADDED = {
    "findings": """
CREATE TABLE findings (
    sample INTEGER PRIMARY KEY REFERENCES samples ON DELETE CASCADE,
    question TEXT NOT NULL,
    found BLOB NOT NULL,
    checksum INTEGER NOT NULL
)
""",
    "rungs": """
CREATE TABLE rungs (
    sample INTEGER PRIMARY KEY REFERENCES samples ON DELETE CASCADE,
    rung INTEGER NOT NULL
)
""",
}


class StoreFile:
    """An open database file; its methods may be called from any thread.

    Args:
        folder: where the file lies; made if it is missing

    Raises:
        StoreError: if the file can't be opened or made
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = self._open()
            self._inode = self.path.stat().st_ino
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"the store of embeddings at {self.path} can't be opened: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self.path.exists() and self._marker(self.path.stat().st_ino).exists():
            self._set_aside("so it was noticed when it was used last")
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._set_aside(str(error))
            return self._connect()

    def _marker(self, inode: int) -> Path:
        """A file that says that the store is damaged: whoever notices can't move it away from under others.

        It names the very file that it means, since others may have begun a new one in the meantime.
        """
        return self.path.with_name(f"{FILE_NAME}-{inode}-is-damaged")

    def _set_aside(self, why: str) -> None:
        aside = self.path.with_name(f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}.sqlite")
        logger.warning(
            "The store of embeddings at %s is damaged (%s); it is kept as %s, and a new one begins: images will be "
            "encoded again",
            self.path,
            why,
            aside.name,
        )
        try:
            self.path.rename(aside)
        except FileNotFoundError:  # another process was quicker
            return
        self.path.with_name(f"{FILE_NAME}-journal").unlink(missing_ok=True)
        for marker in self.path.parent.glob(f"{FILE_NAME}-*-is-damaged"):
            marker.unlink(missing_ok=True)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.create_function("checksum_of", 1, zlib.crc32, deterministic=True)
            # A rollback journal and not a write-ahead log: that one needs memory shared by all who open the file, which
            # home folders on a network do not have, and would write every embedding twice.
            new = (f"page_size = {PAGE_BYTES}", "auto_vacuum = INCREMENTAL")  # these write, and so may have to wait
            for pragma in (
                *(new if _is_new(connection) else ()),
                "journal_mode = TRUNCATE",
                "synchronous = FULL",
                "foreign_keys = ON",
                f"mmap_size = {MAPPED_BYTES}",
            ):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            lacks = _is_new(connection) or bool(_missing(connection))
            connection.execute("BEGIN IMMEDIATE" if lacks else "BEGIN")
            if _is_new(connection):  # asked again: another process may have been quicker
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute("PRAGMA user_version = 2")
            for table in _missing(connection) if lacks else ():
                connection.execute(_ADDED[table])
            connection.execute("COMMIT")
            connection.execute("SELECT count(*) FROM encoders").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Closes the file; what has been written stays."""
        with self._lock:
            self._connection.close()

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs a query and gives all its rows.

        Raises:
            StoreError: if the file can't be read
        """
        with self._lock, self._explained():
            return self._connection.execute(query, values).fetchall()

    def read_each(self, query: str, values: Sequence[Any], take: Callable[[tuple[Any, ...]], Taken]) -> list[Taken]:
        """Runs a query and gives what is made of its rows, each as soon as it is there: it is in the cache then.

        Raises:
            StoreError: if the file can't be read
        """
        with self._lock, self._explained():
            return [take(row) for row in self._connection.execute(query, values)]

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Opens a transaction: all that is written inside counts, or, after an error or a kill, none of it.

        Raises:
            StoreError: if the file can't be written
        """
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # SQLite itself rolls back after some errors, a full disk for one
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _is_damage(error):
                with contextlib.suppress(OSError):
                    self._marker(self._inode).touch()
            raise StoreError(f"the store of embeddings at {self.path} can't be used: {error}") from error

    @property
    def used_bytes(self) -> int:
        """Size of what the file holds, without the space that has been freed inside it."""
        ((pages,),) = self.read("SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count")
        return int(pages) * PAGE_BYTES

    def give_back(self, seconds: float = VACUUM_SECONDS) -> None:
        """Gives freed space back to the disk, for some seconds at most; the rest is used again by later writes."""
        started = time.monotonic()
        while self.read("PRAGMA freelist_count") != [(0,)] and time.monotonic() - started < seconds:
            self.read(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")


def _missing(connection: sqlite3.Connection) -> list[str]:
    """Names the tables that a file of an earlier release lacks."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return [table for table in _ADDED if table not in there]


def _is_new(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA user_version").fetchone() == (0,))


def _is_damage(error: sqlite3.Error) -> bool:
    """Tells a file that is no sound database from one that is locked, full, read-only or asked the wrong thing."""
    return type(error) is sqlite3.DatabaseError
