"""Files that are something else than their names promise."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import NOT_AN_IMAGE, Bad, data
from .cut import drawing, saved

TEXTS = {
    "page.jpg": "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>No such image</body></html>",
    "text.png": "This is not a picture.\n" * 50,
    "pointer.jpg": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n",
    "vector.png": '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"><rect width="9" height="9"/></svg>',
    "outside.svg.png": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><svg>&e;</svg>',
    "script.jpg": "#!/bin/sh\ntouch never\n",
    "postscript.jpg": "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n%%EndComments\n(x) run showpage\n%%EOF\n",
    "portable.jpg": "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
    "pixmap.jpg": '/* XPM */\nstatic char *x[] = {"9 9 1 1", "a c #ff0000", "aaaaaaaaa"};\n',
    "bitmap.jpg": "#define x_width 16\n#define x_height 16\nstatic char x_bits[] = {0x00};\n",
    "table.jpg": "filepath,label\na.jpg,bird\n",
    "words.jpg": json.dumps({"error": "access denied", "code": 403}),
    "mark.jpg": "\ufeffIn the beginning",
}
OTHER_FORMATS = ("EPS", "PDF", "TGA", "PCX", "ICO", "ICNS", "SGI", "DDS", "SPIDER", "XBM", "MSP", "BLP", "QOI")


def written(kind: str) -> bytes:
    image: Any = drawing(128, 128)
    modes = {"SPIDER": "F", "XBM": "1", "MSP": "1", "BLP": "P"}
    return saved(kind, image.convert(modes[kind]) if kind in modes else image)


def archive(kind: str) -> bytes:
    buffer, good = io.BytesIO(), saved("JPEG")
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("image.jpg", good)
    else:
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("image.jpg"))
    return buffer.getvalue()


class Touch:
    def __reduce__(self) -> Any:
        return (open, ("never", "w"))


def cases() -> Iterator[Bad]:
    for name, text in TEXTS.items():
        yield data(name, text.encode(), NOT_AN_IMAGE)
    for kind in OTHER_FORMATS:
        yield data(f"{kind.lower()} inside.jpg", written(kind), NOT_AN_IMAGE)
    good, noise = saved("JPEG"), np.random.default_rng(3).bytes(5000)
    others = {
        "packed.jpg": gzip.compress(good),
        "zipped.jpg": archive("zip"),
        "tarred.jpg": archive("tar"),
        "database.jpg": b"SQLite format 3\0" + bytes(4080),
        "pickled.jpg": pickle.dumps(Touch()),
        "array.png": b"\x93NUMPY\x01\x00v\x00" + noise,
        "program.jpg": b"\x7fELF\x02\x01\x01" + noise,
        "film.jpg": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + noise,
        "sound.jpg": b"RIFF\x24\x10\0\0WAVEfmt " + noise,
        "photoshop.jpg": b"8BPS\0\x01" + bytes(6) + b"\0\x03\0\0\0\x40\0\0\0\x40\0\x08\0\x03" + noise,
        "heic.jpg": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + noise,
        "raw.jpg": b"FUJIFILMCCD-RAW 0201" + noise,
        "noise.jpg": noise,
        "noise behind a start.jpg": b"\xff\xd8\xff\xe0" + noise,
        "noise behind a start.png": b"\x89PNG\r\n\x1a\n" + noise,
        "noise behind a start.gif": b"GIF89a" + noise,
        "noise behind a start.tif": b"II*\0" + noise,
        "noise behind a start.webp": b"RIFF\x80\x13\0\0WEBPVP8 " + noise,
        "zeros.jpg": bytes(5000),
        "ones.jpg": b"\xff" * 5000,
        "blank.jpg": b" \n" * 100,
        "moved by a byte.jpg": b"\n" + good,
        "in text mode.png": saved("PNG").replace(b"\r\n", b"\n"),
        "without its top bits.jpg": bytes(byte & 0x7F for byte in good),
        "base64.jpg": b"data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ",
        "wide text.jpg": good.decode("latin-1").encode("utf-16"),
    }
    for name, content in others.items():
        yield data(name, content, NOT_AN_IMAGE)
    # Readable, whatever their names are and whatever follows them.
    yield data("really a png.jpg", saved("PNG"))
    yield data("really a jpg.png", good)
    yield data("no suffix", good)
    yield data("text behind it.jpg", good + b"<html>" * 1000)
    yield data("twice.jpg", good + saved("JPEG", drawing(64, 64)))
