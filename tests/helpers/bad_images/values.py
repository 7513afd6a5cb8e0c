"""Odd but honest files: all modes and depths, odd sizes, odd ways to store the same picture."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from . import Bad, data
from .cut import drawing, saved

UNDEFINED = "black and white are not defined"
GREY = np.asarray(drawing().convert("L")).astype(np.float64) / 255
COLORS = np.asarray(drawing()).astype(np.float64) / 255


def tif(values: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def scaled(bits: int, kind: Any, values: np.ndarray = GREY) -> np.ndarray:
    return np.round(values * ((1 << bits) - 1)).astype(kind)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    width: int, height: int, depth: int, color: int, rows: bytes, *, before: bytes = b"", interlaced: int = 0
) -> bytes:
    """Puts a PNG together by hand; ``rows`` begin with their filter's number."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    pixels = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + header + before + pixels + chunk(b"IEND", b"")


def png_rows(values: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in values)


def of_modes() -> Iterator[Bad]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = Image.fromarray(scaled(16, np.uint16)) if mode == "I;16" else drawing().convert(mode)
        yield data(f"mode {mode}.png".replace(";", " "), saved("PNG", image))
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"):
        yield data(f"mode {mode}.tif", saved("TIFF", drawing().convert(mode)))
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            name = f"mode {mode}{' progressive' * progressive}.jpg"
            yield data(name, saved("JPEG", drawing().convert(mode), progressive=progressive))
    for mode in ("L", "LA", "RGB", "RGBA"):
        yield data(f"mode {mode}.jp2", saved("JPEG2000", drawing().convert(mode)))
    for mode in ("1", "L", "P", "RGB"):
        yield data(f"mode {mode}.bmp", saved("BMP", drawing().convert(mode)))
    for mode in ("1", "L", "RGB"):
        yield data(f"mode {mode}.pnm", saved("PPM", drawing().convert(mode)))
    for subsampling in ("4:4:4", "4:2:2", "4:2:0", "4:0:0"):
        yield data(f"sampled {subsampling.replace(':', '')}.avif", saved("AVIF", subsampling=subsampling))
    yield data("alpha alone.png", saved("PNG", Image.merge("LA", [drawing().convert("L"), Image.new("L", (160, 120))])))
    yield data("interlaced.png", png(9, 9, 8, 2, bytes(400), interlaced=1))
    yield data("lab.tif", saved("TIFF", drawing().convert("LAB")), "LAB", or_read=True)


def of_depths() -> Iterator[Bad]:
    for bits in (8, 10, 12, 14, 16):
        yield data(f"grey {bits} of 16 bits.png", saved("PNG", Image.fromarray(scaled(bits, np.uint16))))
        yield data(f"grey {bits} of 16 bits.tif", tif(scaled(bits, np.uint16)))
        yield data(f"grey {bits} of 16 bits big endian.tif", tif(scaled(bits, np.uint16), byteorder=">"))
        pixels = scaled(bits, np.uint16).astype(">u2" if bits > 8 else np.uint8).tobytes()
        yield data(f"grey {bits} bits.pgm", b"P5 160 120 %d\n" % ((1 << bits) - 1) + pixels)
    for bits in (14, 16):
        yield data(f"color {bits} of 16 bits.tif", tif(scaled(bits, np.uint16, COLORS), photometric="rgb"))
        rows = png_rows(scaled(bits, np.uint16, COLORS).astype(">u2"))
        yield data(f"color {bits} of 16 bits.png", png(160, 120, 16, 2, rows))
    yield data("color 12 of 16 bits.tif", tif(scaled(12, np.uint16, COLORS), photometric="rgb"), "4095 at most")
    rows = png_rows(scaled(12, np.uint16, COLORS).astype(">u2"))
    yield data("color 12 of 16 bits.png", png(160, 120, 16, 2, rows), "4095 at most")
    for bits in (1, 2, 4):
        packed = np.packbits(
            np.unpackbits(scaled(bits, np.uint8)[..., None], axis=2)[..., -bits:].reshape(120, -1), axis=1
        )
        yield data(f"grey {bits} bits.png", png(160, 120, bits, 0, png_rows(packed)))
    yield data("white is zero.tif", tif(scaled(16, np.uint16), photometric="miniswhite"))
    yield data("grey 32 bits.tif", tif(scaled(31, np.int32)))
    yield data("grey float.tif", tif(GREY.astype(np.float32)), UNDEFINED)
    yield data("grey double.tif", tif(GREY), UNDEFINED + "|not an image|damaged")
    yield data("grey half.tif", tif(GREY.astype(np.float16)), UNDEFINED + "|not an image|damaged")
    yield data("grey not a number.tif", tif(np.full((120, 160), np.nan, np.float32)), UNDEFINED)
    yield data("grey signed.tif", tif(scaled(12, np.int16) - 2000), UNDEFINED)
    yield data("grey unsigned 32 bits.tif", tif(scaled(32, np.uint32)), UNDEFINED)
    yield data("grey 64 bits.tif", tif(scaled(12, np.uint64)), ".")
    yield data("complex.tif", tif(GREY.astype(np.complex64)), ".")
    yield data("color float.tif", tif(COLORS.astype(np.float32), photometric="rgb"), ".")
    yield data("float.pfm", b"Pf\n160 120\n-1.0\n" + GREY.astype("<f4").tobytes(), UNDEFINED)
    yield data("black.png", saved("PNG", Image.fromarray(np.zeros((120, 160), np.uint16))))


def of_sizes() -> Iterator[Bad]:
    for width, height, reason in (
        (1, 1, "sides of at least"),
        (7, 7, "sides of at least"),
        (8, 8, None),
        (5000, 1, "sides of at least"),
        (1, 5000, "sides of at least"),
        (8, 4000, None),
        (8, 4001, "times the other"),
        (4008, 8, "times the other"),
        (30_000, 70, None),
    ):
        yield data(f"size {width}x{height}.png", saved("PNG", Image.new("RGB", (width, height), "teal")), reason)
    for kind in ("JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM"):
        image = Image.new("RGB", (2, 3), "teal")
        yield data(f"size 2x3.{kind.lower()}", saved(kind, image), "sides of at least")


def of_layouts() -> Iterator[Bad]:
    yield data(
        "planes.tif", tif(scaled(8, np.uint8, COLORS).transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    )
    yield data("tiles.tif", tif(scaled(8, np.uint8, COLORS), photometric="rgb", tile=(32, 48)))
    yield data("big.tif", tif(scaled(8, np.uint8, COLORS), photometric="rgb", bigtiff=True))
    yield data("pages.tif", tif(np.stack([scaled(8, np.uint8, COLORS)] * 3), photometric="rgb"))
    yield data(
        "five bands.tif", tif(scaled(8, np.uint8, np.stack([GREY] * 5, 2)), photometric="minisblack"), ".", or_read=True
    )
    yield data(
        "two bands.tif", tif(scaled(8, np.uint8, np.stack([GREY] * 2, 2)), photometric="minisblack"), ".", or_read=True
    )
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield data(f"packed {compression}.tif", saved("TIFF", compression=compression))
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield data(f"fax {compression}.tif", saved("TIFF", drawing().convert("1"), compression=compression))
    yield data("plain.ppm", b"P3 16 9 255\n" + b"1 2 3 " * 144)
    yield data("comments.ppm", b"P6\n# a comment\n16 9\n# another\n255\n" + bytes(432))
    yield data("upside down.bmp", saved("BMP", drawing(), bits=24)[:22] + struct.pack("<i", -120) + saved("BMP")[26:])
    yield data("codestream.j2k", saved("JPEG2000", no_jp2=True))


def cases() -> Iterator[Bad]:
    yield from of_modes()
    yield from of_depths()
    yield from of_sizes()
    yield from of_layouts()
