"""Image files on disk: the only place where they are opened. They are regular files, and not larger than a limit."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import ImageError
from .memory import FILES, MAX_FILE_BYTES, MemoryBudget

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class RemoteFile:
    """An image file by its URL, such as ``s3://bucket/image.jpg``, as fsspec opens it. Only jobs have such files.

    A path in a dataset is never taken for a URL: whoever may write paths could make a server open addresses.
    """

    url: str

    def __str__(self) -> str:
        return self.url


ImageSource = str | os.PathLike[str] | bytes | RemoteFile

_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[tuple[IO[bytes], int]]:
    """Opens an image file and returns it with its size in bytes.

    A pipe or a device is not opened; one that takes the file's place at the same moment is not read, and does not
    block.

    Raises:
        ImageError: if there is no such file, or it is no regular file, empty, too large or can't be opened
    """
    with _reasons():
        _check_regular(Path(path).stat())
        file = os.fdopen(os.open(path, _OPEN), "rb")
    with file:
        with _reasons():
            state = os.fstat(file.fileno())
            _check_regular(state)
        yield file, state.st_size


@contextmanager
def file_bytes(source: ImageSource, *, memory: MemoryBudget = FILES) -> Iterator[bytes]:
    """Returns the bytes of an image file, if they are not in memory already.

    They count as memory that all threads share while the context lasts: it waits where others hold too much.

    Args:
        source: the file's path, its bytes, or its URL
        memory: what the threads share

    Raises:
        ImageError: if it can't be read; see :func:`open_regular`
    """
    if isinstance(source, RemoteFile):
        with _remote_bytes(source, memory) as data:
            yield data
        return
    if isinstance(source, bytes):
        if not source:
            raise ImageError("the file is empty")
        yield source
        return
    with open_regular(source) as (file, size), memory.reserve(size):
        with _reasons():
            data = file.read(size)
            if file.read(1):
                raise ImageError("the file grew while it was read")
        yield data


@contextmanager
def _remote_bytes(source: RemoteFile, memory: MemoryBudget) -> Iterator[bytes]:
    """Returns the bytes of a file by its URL."""
    from fsspec.core import url_to_fs

    with _reasons():
        try:
            files, path = url_to_fs(source.url)
        except ImportError as error:  # of the package for this kind of URL; the message names it
            raise ValueError(str(error)) from error
        size = int(files.size(path) or 0)
    _check_size(size)
    with memory.reserve(size):
        with _reasons():
            data = bytes(files.cat_file(path))
        _check_size(len(data))
        if not data:
            raise ImageError("the file is empty")
        yield data


def content_hash(data: bytes) -> str:
    """Hashes a file's bytes; an image's crops are drawn from this and the run's seed."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def first_sentence(error: BaseException) -> str:
    """Returns an error's first line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200]


def _check_regular(state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "something else")
        raise ImageError(f"the path leads to {kind}, not to an image file")
    _check_size(state.st_size)
    if not state.st_size:
        raise ImageError("the file is empty")


def _check_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ImageError(f"the file has {size:,} bytes, more than {MAX_FILE_BYTES // 1024**3} GiB")


@contextmanager
def _reasons() -> Iterator[None]:
    """Turns errors of the file system into reasons."""
    try:
        yield
    except FileNotFoundError as error:
        raise ImageError("the file does not exist") from error
    except MemoryError as error:
        raise ImageError("the file does not fit into memory") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"the file can't be read: {first_sentence(error)}") from error
