"""Files on the server that users of the App may read and write: under the folders that its operator allows.

Through the App a path is a stranger's. What is written lies directly in one folder and is a regular file, made under
another name and renamed; what is read lies under the allowed folders, links resolved. Errors are the same whatever lies
elsewhere, and quote no file's content.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...lgca_plugin.descriptions.files import MAX_FILE_BYTES
from ...lgca_plugin.errors import ConfigError
from . import settings

MAX_NAME_BYTES = 200
MAX_DOWNLOAD_BYTES = 32 * 1024**2  # it travels inside a message to the App, base64-encoded
_FORBIDDEN = set('/\\:*?"<>|')
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def export_name(given: Any, suffix: str) -> str:
    """Returns the name of a file to write to the export folder.

    Args:
        given: its name, or its path in that folder
        suffix: what it must end in, such as ``".csv"``

    Raises:
        ConfigError: if it would lie elsewhere, or is no plain name with that ending
    """
    folder = settings.export_folder()
    name = str(given or "").strip()
    for place in {str(folder), os.path.realpath(folder)}:
        name = name.removeprefix(f"{place}{os.sep}")
    name = unicodedata.normalize("NFC", name)
    if not name:
        raise ConfigError("give the name of the file to write")
    odd = _FORBIDDEN & set(name) or any(unicodedata.category(char)[0] == "C" for char in name) or name.startswith(".")
    if odd or len(name.encode(errors="replace")) > MAX_NAME_BYTES or not name.isprintable():
        raise ConfigError(f"give the name of a file, without a folder: the App writes to {str(folder)!r} alone")
    if not name.lower().endswith(suffix):
        raise ConfigError(f"the file's name must end in {suffix}, got {name!r}")
    return name


def check_export(given: Any, suffix: str, *, overwrite: bool) -> str:
    """Returns the name of a file that can be written to the export folder, as :func:`export_name`.

    Raises:
        ConfigError: also if there is such a file that is not to be replaced, or something else of this name
    """
    name = export_name(given, suffix)
    with contextlib.suppress(FileNotFoundError), _opened(settings.export_folder()) as folder:
        _check_replaced(name, folder, overwrite)
    return name


def write_export(given: Any, suffix: str, text: str, *, overwrite: bool) -> Path:
    """Writes a text file to the export folder, whole or not at all, and returns it.

    Raises:
        ConfigError: if it can't be written; see :func:`check_export`
    """
    name = export_name(given, suffix)
    place = settings.export_folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(place) as folder:
            _write(name, folder, text.encode("utf-8"), overwrite)
    except OSError as error:
        raise ConfigError(f"{name!r} can't be written to {str(place)!r}: {error.strerror or error}") from None
    return place / name


def _write(name: str, folder: int, data: bytes, overwrite: bool) -> None:
    partial = f".{uuid.uuid4().hex}.tmp"
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not _check_replaced(name, folder, overwrite):  # holds the name, so that nobody else's file is replaced
            try:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=folder))
            except FileExistsError:
                raise ConfigError(f"{name!r} exists already: choose another name") from None
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)  # a link of this name is replaced, not followed
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial, dir_fd=folder)
        raise


def _check_replaced(name: str, folder: int, overwrite: bool) -> bool:
    """Returns whether a regular file of this name is to be replaced; false if there is nothing of this name."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{name!r} is there already and no plain file: choose another name")
    if not overwrite:
        raise ConfigError(f"{name!r} exists already: tick to replace it, or choose another name")
    return True


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """Opens a folder of the server's operator, who may have made it a link."""
    _check_system("writes no files", "download them")
    handle = os.open(os.path.realpath(folder), _FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


def _check_system(does: str, instead: str) -> None:
    if os.open not in os.supports_dir_fd:  # as on Windows, where a folder could be replaced in between
        raise ConfigError(f"the App {does} on this system: {instead} instead")


def download(ctx: Any, text: str, name: str, kind: str) -> Any:
    """Returns the message that downloads a file in the browser; the App's server offers plugins no address for files.

    Args:
        ctx: the context of the execution
        text: the file's contents
        name: the file's name
        kind: the media type, such as ``"text/csv"``

    Raises:
        ConfigError: if it is too large to travel inside a message
    """
    content = text.encode("utf-8")
    if len(content) > MAX_DOWNLOAD_BYTES:
        raise ConfigError(
            f"the file would have {len(content):,} bytes, too many for a download; write it to a file on the server"
        )
    return ctx.ops.browser_download(f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}", filename=name)


def read_text_file(given: Any, what: str) -> bytes:
    """Returns the contents of a regular file, at most 20 MB, that users of the App may read.

    Raises:
        ConfigError: if it can't be read; see :func:`readable_path`
    """
    path = readable_path(given, what)
    try:
        with os.fdopen(_open_without_links(path), "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path.name!r} can't be read: {error.strerror or error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{path.name!r} is longer than {MAX_FILE_BYTES // 1024**2} MB: is it the right file?")
    return data


def _open_without_links(path: Path) -> int:
    """Opens a regular file; its path has no links, and one that has been put there since is not followed."""
    _check_system("reads no files", "upload them")
    handle = os.open(path.anchor, _FOLDER)
    try:
        for part in path.parts[1:-1]:
            inner = os.open(part, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        opened = os.open(path.name, os.O_RDONLY | _FILE, dir_fd=handle)  # a FIFO does not block either
    finally:
        os.close(handle)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise ConfigError(f"{path.name!r} is no plain file")
    return opened


def readable_file(given: Any, what: str) -> str:
    """Returns the path of a regular file that users of the App may read, under the name that was given.

    Raises:
        ConfigError: if there is none; see :func:`readable_path`
    """
    path = readable_path(given, what)
    if not path.is_file():
        raise ConfigError(f"{path.name!r} is no plain file")
    folder = next(folder for folder in settings.read_folders() if path.is_relative_to(os.path.realpath(folder)))
    typed = folder / str(given).strip()
    return str(Path(os.path.realpath(typed.parent)) / typed.name)  # the name of a link may be what shows the format


def readable_path(given: Any, what: str) -> Path:
    """Returns the path, without links, of something under a folder that users of the App may read.

    Args:
        given: its path, absolute or in one of these folders
        what: its kind, for the error message

    Raises:
        ConfigError: if it lies elsewhere, or there is nothing
    """
    typed = str(given or "").strip()
    if not typed:
        raise ConfigError(f"give the path of {what}")
    folders = [Path(os.path.realpath(folder)) for folder in settings.read_folders()]
    for folder in folders:
        with contextlib.suppress(OSError, ValueError):
            path = Path(os.path.realpath(folder / typed, strict=True))
            if path.is_relative_to(folder):
                return path
    raise ConfigError(
        f"there is no {typed!r} that the App may read: it reads from {', '.join(map(repr, map(str, folders)))}, and "
        f"whoever runs its server can allow more with {settings.READ_DIRS}"
    )
