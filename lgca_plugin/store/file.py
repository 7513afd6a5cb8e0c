"""The file behind the store: one SQLite database, written in short transactions.

SQLite, and not a key-value library, because deleting a run must find what no other run uses. For blobs of this size it
reads and writes as fast as LMDB does, returns freed space to the disk, survives being killed at any moment, and can be
open in several processes, or in two copies of this library in one process, at the same time.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import StoreError
from .migrations import migrate
from .seals import crc, seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

logger = logging.getLogger(__name__)

Part = TypeVar("Part")

FILE_NAME = "embeddings-2.sqlite"
FILE_MODE = 0o600
PAGE_BYTES = 32 * 1024
BUSY_SECONDS = 60.0
ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's calls raise; the second where the message of an error quotes a damaged file."""
VACUUM_PAGES = 1000
VACUUM_SECONDS = 10.0


class StoreFile:
    """An open database file, made if it is missing; its methods may be called from any thread.

    A call waits ``busy_seconds`` for other processes that have the file locked. All methods raise a
    :class:`StoreError` if the file can't be used, and opening one also if a newer release has written it.
    """

    def __init__(self, folder: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = folder / FILE_NAME
        self._busy_seconds = busy_seconds
        self._lock = threading.RLock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = self._open()
        except (OSError, *ERRORS) as error:
            raise StoreError(f"the store of embeddings at {self.path} can't be opened: {error}") from error

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except ERRORS as error:
            if not _is_damage(error):
                raise
            self._set_aside_if_damaged()
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            connection.create_function("checksum_of", 1, crc, deterministic=True)
            connection.create_function("seal", -1, seal, deterministic=True)
            connection.text_factory = _text
            # A rollback journal and not a write-ahead log: that one needs memory shared by all who open the file, which
            # home folders on a network do not have, and would write every embedding twice.
            is_new = connection.execute("PRAGMA user_version").fetchone() == (0,)
            if is_new:
                self.path.chmod(FILE_MODE)  # its journal has the same; whoever has opened an older file meant it
            new = (f"page_size = {PAGE_BYTES}", "auto_vacuum = INCREMENTAL")  # these write, and so may have to wait
            for pragma in (
                *(new if is_new else ()),
                "journal_mode = TRUNCATE",
                "synchronous = FULL",
                "foreign_keys = ON",
                "mmap_size = 0",  # of a mapped file that another process cuts short, a read ends the process
                "cell_size_check = ON",
            ):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside_if_damaged(self) -> None:
        """Renames the file if it is damaged: another process may have begun a sound one already.

        Where its indexes alone are, they are made anew. The check reads the whole file, so it is made only after a read
        has failed. The file of a process that was killed needs none: SQLite's journal restores it.
        """
        damage = _damage(self.path)
        if damage is None:
            damage = _damage_of_indexes(self.path)
            if damage is None:
                return
            logger.warning("The store of embeddings at %s had damaged indexes, which are made anew", self.path)
            if _made_anew(self.path):
                return
        aside = self.path.with_name(f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}.sqlite")
        try:
            self.path.rename(aside)
        except FileNotFoundError:  # another process was quicker
            return
        self.path.with_name(f"{FILE_NAME}-journal").unlink(missing_ok=True)
        logger.warning(
            "The store of embeddings at %s is damaged (%s); it is renamed to %s, and a new one begins: images will be "
            "encoded again",
            self.path,
            damage,
            aside.name,
        )

    def close(self) -> None:
        """Closes the file; what has been written stays."""
        with self._lock:
            self._connection.close()

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs a query and returns all its rows."""
        with self._lock, self._explained():
            return self._connection.execute(query, values).fetchall()

    def read_each(self, query: str, values: Sequence[Any], parse: Callable[[tuple[Any, ...]], Part]) -> list[Part]:
        """Runs a query and returns its rows, each parsed right after it was read, while its bytes are in the cache."""
        with self._lock, self._explained():
            return [parse(row) for row in self._connection.execute(query, values)]

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Makes several queries read the file as it is at the first, whatever is written meanwhile."""
        with self._transaction("BEGIN"):
            yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Opens a transaction: after an error or a kill, nothing that was written inside remains."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield self._connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._lock, self._explained():
            self._connection.execute(begin)
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite itself rolls back after some errors, a full disk for one; a damaged file is closed already.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ERRORS as error:
            if _is_damage(error):
                self._connection.close()  # an open file can't be renamed on every system
                with contextlib.suppress(OSError, *ERRORS):
                    self._set_aside_if_damaged()
            raise StoreError(f"the store of embeddings at {self.path} can't be used: {error}") from error

    @property
    def used_bytes(self) -> int:
        """Size of the file's contents, without the space that has been freed inside it."""
        ((pages,),) = self.read("SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count")
        return int(pages) * PAGE_BYTES

    def shrink(self, seconds: float = VACUUM_SECONDS) -> None:
        """Returns freed space to the disk, for some seconds at most; later writes use the rest."""
        started = time.monotonic()
        while self.read("PRAGMA freelist_count") != [(0,)] and time.monotonic() - started < seconds:
            self.read(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")


def _damage(path: Path) -> str | None:
    """Returns the first damage that ``PRAGMA quick_check`` finds, None for a sound file or one that can't be read now.

    It takes about 0.03 s for 100 MB in the system's cache; on a disk, it takes as long as reading the file.
    """
    return _found_by(path, "PRAGMA quick_check(1)")


def _damage_of_indexes(path: Path) -> str | None:
    """Returns the first damage that ``PRAGMA integrity_check`` finds, which compares indexes with their tables."""
    return _found_by(path, "PRAGMA integrity_check(1)")


def _made_anew(path: Path) -> bool:
    """Makes the indexes anew; returns whether the file is sound then."""
    try:
        with _existing(path) as connection:
            connection.execute("REINDEX")
    except ERRORS:
        return False
    return _damage_of_indexes(path) is None


def _found_by(path: Path, check: str) -> str | None:
    try:
        with _existing(path) as connection:
            ((found,),) = connection.execute(check).fetchall()
    except ERRORS as error:
        found = str(error) if _is_damage(error) else "ok"
    return None if found == "ok" else " ".join(str(found).split())[:200]


@contextlib.contextmanager
def _existing(path: Path) -> Iterator[sqlite3.Connection]:
    """Opens a file that is there, for a check."""
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True)) as connection:
        connection.text_factory = _text
        yield connection


def _text(data: bytes) -> str:
    """Returns a text of the file, be it damaged."""
    return data.decode(errors="replace")


def _is_damage(error: Exception) -> bool:
    """True for a file that is no sound database; False for one that is locked, full or read-only, or a wrong query.

    All that is written replaces what has its key, so that no key is double unless an index is damaged.
    """
    of_damage = (sqlite3.DatabaseError, UnicodeDecodeError)
    return type(error) in of_damage or str(error).startswith("UNIQUE constraint failed")
