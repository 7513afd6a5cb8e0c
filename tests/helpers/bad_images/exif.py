"""EXIF data of all orientations and all kinds of damage, in front of a good picture."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from . import Bad, data
from .cut import drawing, saved

ORIENTATION, IMAGE_WIDTH, EXIF_IFD, MAKER_NOTE = 0x0112, 0x0100, 0x8769, 0x927C
SHORT, LONG, ASCII, BYTE, RATIONAL, UNDEFINED = 3, 4, 2, 1, 5, 7
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" %s/></x:xmpmeta>'
)


def ifd(*entries: tuple[int, int, int, int], endian: str = "<", following: int = 0, start: int = 8) -> bytes:
    """Returns EXIF data with one directory of such entries: tag, type, count, value."""
    body = struct.pack(f"{endian}H", len(entries))
    for tag, kind, count, value in entries:
        content = struct.pack(f"{endian}HH", value, 0) if kind == SHORT else struct.pack(f"{endian}I", value)
        body += struct.pack(f"{endian}HHI", tag, kind, count) + content
    header = (b"II*\0" if endian == "<" else b"MM\0*") + struct.pack(f"{endian}I", start)
    return b"Exif\0\0" + header + bytes(max(0, start - 8)) + body + struct.pack(f"{endian}I", following)


def damaged() -> dict[str, bytes]:
    turned = (ORIENTATION, SHORT, 1, 6)
    good = ifd(turned)
    return {
        "empty": b"Exif\0\0",
        "other byte order": b"Exif\0\0XX*\0" + good[10:],
        "magic of a big tiff": b"Exif\0\0II+\0" + good[10:],
        "directory before the start": ifd(turned, start=0)[:10] + b"\0\0\0\0" + good[14:],
        "directory behind the end": good[:10] + b"\xff\xff\0\0" + good[14:],
        "directory that leads to itself": ifd(turned, following=8),
        "subdirectory that leads to itself": ifd(turned, (EXIF_IFD, LONG, 1, 8)),
        "entries without number": good[:14] + b"\xff\xff" + good[16:],
        "entries that are cut": good[:-8],
        "count of four billion": ifd((MAKER_NOTE, UNDEFINED, 0xFFFFFFFF, 8), turned),
        "unknown type": ifd((ORIENTATION, 99, 1, 6)),
        "type long": ifd((ORIENTATION, LONG, 1, 6)),
        "type byte": ifd((ORIENTATION, BYTE, 1, 6)),
        "type ascii": ifd((ORIENTATION, ASCII, 2, 0x36)),
        "type rational": ifd((ORIENTATION, RATIONAL, 1, 8)),
        "count none": ifd((ORIENTATION, SHORT, 0, 6)),
        "count two": ifd((ORIENTATION, SHORT, 2, 6)),
        "many entries": ifd(*[(IMAGE_WIDTH + at % 500, SHORT, 1, at) for at in range(4000)], turned),
        "text as number": ifd((IMAGE_WIDTH, ASCII, 6, 8), turned),
    }


def layers() -> ImageFileDirectory_v2:
    """The tag in which Photoshop stores its layers, often far larger than the picture."""
    tags = ImageFileDirectory_v2()
    tags.tagtype[37724] = UNDEFINED
    tags[37724] = bytes(100 * 1024**2)
    return tags


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def cases() -> Iterator[Bad]:
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        for orientation in (*range(1, 9), 0, 9, 65535):
            exif = Image.Exif()
            exif[ORIENTATION] = orientation
            yield data(f"orientation {orientation}.{kind.lower()}", saved(kind, exif=exif))
    jpeg = saved("JPEG")
    for name, exif_data in damaged().items():
        yield data(f"exif {name}.jpg", jpeg[:2] + segment(0xE1, exif_data) + jpeg[2:])
        yield data(f"exif {name}.png", saved("PNG", exif=exif_data))
        yield data(f"exif {name}.webp", saved("WEBP", exif=exif_data))
    good = ifd((ORIENTATION, SHORT, 1, 6))
    yield data("exif twice.jpg", jpeg[:2] + 2 * segment(0xE1, good) + jpeg[2:])
    long = segment(0xE1, good + bytes(60_000))
    yield data("layers of 100 MB.tif", saved("TIFF", tiffinfo=layers()))
    yield data("exif in 20 segments.jpg", jpeg[:2] + 20 * long + jpeg[2:])
    yield data("exif in 1500 segments.jpg", jpeg[:2] + 1500 * long + jpeg[2:], "4 MiB")
    yield data("xmp orientation.jpg", saved("JPEG", xmp=XMP % b'tiff:Orientation="6"'))
    yield data("xmp orientation.webp", saved("WEBP", xmp=XMP % b'tiff:Orientation="6"'))
    yield data("xmp of nothing.jpg", saved("JPEG", xmp=b"\xff\xfe<"))
    yield data("color profile of noise.jpg", saved("JPEG", icc_profile=bytes(range(256)) * 20))
    yield data("color profile of noise.png", saved("PNG", icc_profile=bytes(range(256)) * 20))
    yield data("comment.jpg", jpeg[:2] + segment(0xFE, b"x" * 60_000) + jpeg[2:])
    yield data("embedded thumbnail.jpg", jpeg[:2] + segment(0xE1, good + saved("JPEG", drawing(32, 24))) + jpeg[2:])
