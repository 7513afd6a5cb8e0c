"""The folder of a job, on a shared disk or in an object store: files that appear whole or not at all."""

from __future__ import annotations

import glob
import os
import shutil
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, LgcaError, shown
from ..images.files import first_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY = ".writing-"
"""Beginning of the names of files that are being written."""


class JobFolder:
    """A folder by its path or fsspec URL, such as ``s3://bucket/job``; it holds files by relative names.

    All methods raise a :class:`LgcaError` if the folder can't be used.

    Attributes:
        location: the path or URL
        local: the folder on this machine's file system; None elsewhere
    """

    def __init__(self, location: str | os.PathLike[str]) -> None:
        path = os.fspath(location) if isinstance(location, (str, os.PathLike)) else location
        if not isinstance(path, str) or not path.strip() or "\0" in path:
            raise ConfigError(f"folder must be the path of a job's folder, or its URL, got {shown(location)}")
        self.location = path
        self.local: Path | None = None
        if "://" not in self.location:
            self.local = Path(self.location).expanduser().absolute()
            self.location = str(self.local)
            return
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        try:
            self._files, self._root = url_to_fs(self.location)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"the folder {self.location} can't be opened: {first_sentence(error)}") from error
        if isinstance(self._files, LocalFileSystem):
            self.local = Path(self._root)

    def __str__(self) -> str:
        return self.location

    def read(self, name: str) -> bytes:
        """Returns the content of a file."""
        with self._explained(f"{name} can't be read"):
            if self.local is not None:
                return (self.local / name).read_bytes()
            return bytes(self._files.cat_file(self._path(name)))

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, in place of one of this name."""
        with self._explained(f"{name} can't be written"):
            if self.local is None:
                self._files.pipe_file(self._path(name), data)
                return
            with self._appearing(self.local / name) as temporary, temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())

    def mark(self, name: str, text: str) -> None:
        """Creates a file whose name says all; what it says, for people, may be missing after a crash."""
        with self._explained(f"{name} can't be written"):
            if self.local is None:
                self._files.pipe_file(self._path(name), text.encode())
                return
            (self.local / name).parent.mkdir(parents=True, exist_ok=True)
            (self.local / name).write_text(text)

    def sweep(self, name: str) -> None:
        """Removes what killed writers of a file that is there have left; lists the folder that it is in."""
        if self.local is None:  # an object store shows no half files
            return
        path = self.local / name
        with self._explained(f"what is left of {name} can't be deleted"):
            for left in path.parent.glob(f"{TEMPORARY}{glob.escape(path.name)}.*"):
                left.unlink(missing_ok=True)

    def put(self, path: Path, name: str) -> None:
        """Copies a file of this machine, in place of one of this name."""
        with self._explained(f"{name} can't be written"):
            if self.local is None:
                self._files.put_file(str(path), self._path(name))
                return
            with self._appearing(self.local / name) as temporary:
                shutil.copyfile(path, temporary)

    def get(self, name: str, path: Path) -> None:
        """Copies a file to this machine."""
        with self._explained(f"{name} can't be read"):
            if self.local is None:
                self._files.get_file(self._path(name), str(path))
                return
            shutil.copyfile(self.local / name, path)

    def exists(self, name: str) -> bool:
        """Returns whether there is a file of this name."""
        if self.local is not None:
            return (self.local / name).is_file()
        with self._explained("it can't be read"):
            self._files.invalidate_cache()
            return bool(self._files.exists(self._path(name)))

    def size(self, name: str) -> int:
        """Returns the number of bytes of a file."""
        with self._explained(f"{name} can't be read"):
            if self.local is not None:
                return (self.local / name).stat().st_size
            return int(self._files.size(self._path(name)) or 0)

    def names(self, folder: str) -> list[str]:
        """Lists the names of what is in a folder inside this one, sorted; nothing if there is no such folder."""
        with self._explained(f"{folder} can't be listed"):
            try:
                if self.local is not None:
                    found = [entry.name for entry in os.scandir(self.local / folder)]
                else:
                    self._files.invalidate_cache()
                    found = [
                        path.rstrip("/").rsplit("/", 1)[-1] for path in self._files.ls(self._path(folder), detail=False)
                    ]
            except FileNotFoundError:
                return []
        return sorted(name for name in found if not name.startswith(TEMPORARY))

    def delete(self, name: str) -> None:
        """Deletes a file, if it is there."""
        with self._explained(f"{name} can't be deleted"), suppress(FileNotFoundError):
            if self.local is not None:
                (self.local / name).unlink()
            else:
                self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextmanager
    def _appearing(self, path: Path) -> Iterator[Path]:
        """Yields a name to write a file under, which then takes its own at once; nothing is left after an error."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f"{TEMPORARY}{path.name}.{uuid.uuid4().hex}"
        try:
            yield temporary
            try:
                temporary.replace(path)
            except FileNotFoundError:
                if not path.exists():  # else another writer of the same file was first, and has swept
                    raise
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise LgcaError(f"the job's folder {self}: {what}: there is no such file") from error
        except (OSError, ImportError, ValueError) as error:
            raise LgcaError(f"the job's folder {self}: {what}: {first_sentence(error)}") from error


def as_folder(location: str | os.PathLike[str] | JobFolder) -> JobFolder:
    """Returns a job's folder by its path or URL."""
    return location if isinstance(location, JobFolder) else JobFolder(location)


def need_arrow() -> Any:
    """Returns the package ``pyarrow``.

    Raises:
        ConfigError: if it is not installed
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as _  # noqa: F401
    except ImportError as error:
        raise ConfigError("jobs need the package pyarrow: pip install pyarrow") from error
    return pa
