"""Names and paths: good pictures under any name, and paths that lead to no picture."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from lgca_plugin.images.memory import MAX_FILE_BYTES

from . import Bad, data
from .cut import saved

NAMES = (
    "two words.jpg",
    " begins with a space.jpg",
    "ends with a space.jpg ",
    "ends with a dot.jpg.",
    "-rf.jpg",
    "new\nline.jpg",
    "tab\t.jpg",
    'quote".jpg',
    "quote'.jpg",
    "back\\slash.jpg",
    "C:\\pictures\\bird.jpg",
    "$HOME.jpg",
    "`id`.jpg",
    "%s%n.jpg",
    "%00.jpg",
    "{0}.jpg",
    "star*.jpg",
    "question?.jpg",
    "hash#.jpg",
    "http:bird.jpg",
    "caf\u00e9.jpg",
    "cafe\u0301.jpg",
    "\u9e1f.jpg",
    "\U0001f426.jpg",
    "\u202egpj.drib.jpg",
    "\u05d0\u05d1.jpg",
    "zero\u200bwidth.jpg",
    ".hidden.jpg",
    "UPPER.JPG",
    "double.png.jpg",
    "n" * 251 + ".jpg",
)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have a hundred characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def sparse(size: int) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        path.write_bytes(saved("JPEG"))
        os.truncate(path, size)

    return write


def linked(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def chain(path: Path) -> None:
    """A link to a link to a picture."""
    (path.parent / "target.bin").write_bytes(saved("JPEG"))
    (path.parent / "link.bin").symlink_to("target.bin")
    path.symlink_to("link.bin")


def forbidden(path: Path) -> None:
    path.write_bytes(saved("JPEG"))
    path.chmod(0)


def cases() -> Iterator[Bad]:
    good = saved("JPEG")
    for name in NAMES:
        yield data(name, good)
    yield data("empty.jpg", b"", "empty")
    yield Bad("folder.jpg", Path.mkdir, "a folder")
    yield Bad("pipe.jpg", fifo, "a named pipe")
    yield Bad("socket.jpg", listening, "a socket")
    for device in ("zero", "null", "random", "tty", "full"):
        if Path("/dev", device).exists():
            yield Bad(f"device {device}.jpg", linked(f"/dev/{device}"), "a device")
    yield Bad("link to a pipe.jpg", linked("pipe.jpg"), "a named pipe")
    yield Bad("link to nothing.jpg", linked("nothing"), "does not exist")
    yield Bad("link to itself.jpg", linked("link to itself.jpg"), "can't be read")
    yield Bad("link to a folder.jpg", linked("."), "a folder")
    yield Bad("link to a link.jpg", chain)
    yield Bad("missing.jpg", lambda _: None, "does not exist")
    yield Bad("below a file.jpg/bird.jpg", lambda path: path.parent.write_bytes(good), "can't be read|does not exist")
    yield Bad("n" * 300, lambda _: None, "can't be read")
    yield Bad("sparse 2 GB.jpg", sparse(2 * MAX_FILE_BYTES), "more than 1 GiB")
    yield Bad("sparse 200 GB.jpg", sparse(200 * MAX_FILE_BYTES), "more than 1 GiB")
    yield Bad("sparse 300 MB.jpg", sparse(300 * 1024**2))
    if os.geteuid():
        yield Bad("forbidden.jpg", forbidden, "can't be read")
