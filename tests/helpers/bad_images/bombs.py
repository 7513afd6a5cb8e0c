"""Small files that promise, or become, far more: in memory or in time."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from . import TOO_LARGE, Bad, data
from .cut import drawing, saved
from .exif import segment
from .values import chunk, png

SIDE = 13_000
"""169 million pixels, nearly as many as an image may have."""

MANY = 60_000


def zipped_zeros(size: int) -> bytes:
    """So many zeros, compressed without ever being there."""
    packer, part = zlib.compressobj(9), bytes(1 << 20)
    return b"".join(
        [packer.compress(part) for _ in range(size >> 20)] + [packer.compress(bytes(size % (1 << 20))), packer.flush()]
    )


def zeros_png(width: int, height: int, depth: int, color: int, **options: int) -> bytes:
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, options.get("interlaced", 0)))
    palette = chunk(b"PLTE", bytes(range(240))) + chunk(b"tRNS", b"\0") if color == 3 else b""
    pixels = chunk(b"IDAT", zipped_zeros(height * (1 + (width * bits + 7) // 8)))
    return b"\x89PNG\r\n\x1a\n" + header + palette + pixels + chunk(b"IEND", b"")


def resized_jpeg(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A JPEG of a few pixels whose header says it has many."""
    content = bytearray(saved("JPEG", drawing(64, 64), progressive=progressive))
    at = content.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def scans_jpeg(width: int, height: int, count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated: each goes through the whole picture."""
    content = resized_jpeg(width, height, progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * count + content[-2:]


def tiff(*entries: tuple[int, int, int, int], behind: bytes = b"") -> bytes:
    """A TIFF with one directory of such entries: tag, type, count, value."""
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0\x08\0\0\0" + body + b"\0\0\0\0" + behind


def tiff_of(width: int, height: int, packed: bytes, *more: tuple[int, int, int, int], bits: int = 8) -> bytes:
    """A TIFF of deflated grey pixels in one strip, or in the tiles that ``more`` describes."""
    tiled = any(tag == 322 for tag, *_ in more)
    count = 10 + len(more)
    start = 8 + 2 + 12 * count + 4
    offsets, counts = (324, 325) if tiled else (273, 279)
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 8), (262, 3, 1, 1)]
    entries += [(offsets, 4, 1, start), (counts, 4, 1, len(packed)), (277, 3, 1, 1), (284, 3, 1, 1), (339, 3, 1, 1)]
    return tiff(*entries, *more, behind=packed)


def many_frames() -> bytes:
    content = saved("GIF", drawing(16, 16))
    frame = content[content.rindex(b"\x2c") :]
    return content[:-1] + frame[:-1] * 20_000 + b";"


def of_headers() -> Iterator[Bad]:
    yield data("header 60000x60000.png", png(MANY, MANY, 8, 2, bytes(1000)), "million")
    yield data("header 4 billion.png", png(2**31 - 1, 2**31 - 1, 16, 6, bytes(10)), "million")
    yield data("header 0x0.png", png(0, 0, 8, 2, b""), ".")
    yield data("header 65500x65500.jpg", resized_jpeg(65_500, 65_500), "million")
    yield data("header 65500x65500 progressive.jpg", resized_jpeg(65_500, 65_500, progressive=True), "million")
    yield data("header 12000x12000.jpg", resized_jpeg(12_000, 12_000), ".", or_read=True)
    gif = saved("GIF", drawing(16, 16))
    yield data("header 65535x65535.gif", gif[:6] + b"\xff\xff\xff\xff" + gif[10:], "million")
    at = gif.rindex(b"\x2c")
    yield data("frame 65535x65535.gif", gif[: at + 5] + b"\xff\xff\xff\xff" + gif[at + 9 :], ".")
    yield data("20000 frames.gif", many_frames())
    bmp = saved("BMP", drawing(16, 16))
    for name, size in (
        ("many", (2**31 - 1, 2**31 - 1)),
        ("negative", (-5, 16)),
        ("none", (0, 0)),
        ("wide", (10**8, 1)),
    ):
        yield data(f"header {name}.bmp", bmp[:18] + struct.pack("<ii", *size) + bmp[26:], ".")
    frames = [drawing(16, 16).rotate(90), drawing(16, 16)]
    webp = bytearray(saved("WEBP", drawing(16, 16), save_all=True, append_images=frames))
    at = webp.index(b"VP8X") + 12
    webp[at : at + 6] = b"\xfe\x3f\0\xfe\x3f\0"
    yield data("header 16383x16383.webp", bytes(webp), ".")
    yield data("header.ppm", b"P6 99999999 99999999 255\n", ".")
    yield data("header.pgm", b"P5 12000 12000 255\n", ".")
    yield data("token.ppm", b"P6 " + b"9" * 100_000 + b" 9 255\n", ".")
    yield data("comment.ppm", b"P6\n#" + b"x" * 10_000_000, ".")
    jp2 = bytearray(saved("JPEG2000", drawing(16, 16)))
    at = jp2.index(b"ihdr") + 4
    jp2[at : at + 8] = struct.pack(">II", MANY, MANY)
    yield data("header 60000x60000.jp2", bytes(jp2), ".")
    j2k = bytearray(saved("JPEG2000", drawing(16, 16), no_jp2=True))
    j2k[8:16] = struct.pack(">II", 10_000, 10_000)
    yield data("header 10000x10000.j2k", bytes(j2k), ".", or_read=True)


def of_pixels() -> Iterator[Bad]:
    """Zeros that are really there once they are unpacked."""
    yield data("grey 169 million.png", zeros_png(SIDE, SIDE, 8, 0))
    yield data("grey 16 bits 169 million.png", zeros_png(SIDE, SIDE, 16, 0))
    yield data("palette 169 million.png", zeros_png(SIDE, SIDE, 1, 3), TOO_LARGE, or_read=True)
    yield data("alpha 169 million.png", zeros_png(SIDE, SIDE, 8, 6))
    yield data("too many.png", zeros_png(13_400, 13_400, 1, 0), "million")
    buffer = io.BytesIO()
    Image.new("L", (SIDE, SIDE)).save(buffer, "JPEG", quality=1)
    yield data("grey 169 million.jpg", buffer.getvalue())
    yield data("rows 100 million.tif", tiff_of(10_000, 10_000, zipped_zeros(10**8), (278, 4, 1, 10_000)))
    wide = (322, 4, 1, MANY), (323, 4, 1, MANY)
    yield data("tile 60000x60000.tif", tiff_of(64, 64, zipped_zeros(10**7), *wide), ".")
    yield data(
        "tile 30000x60000.tif",
        tiff_of(64, 64, zipped_zeros(30_000 * 60_000), (322, 4, 1, 30_000), wide[1]),
        ".",
        or_read=True,
    )
    yield data("strip 4 billion rows.tif", tiff_of(64, 64, zlib.compress(bytes(4096)), (278, 4, 1, 2**32 - 1)))
    rle = struct.pack("<2sIHHIIIIHHIIIIII", b"BM", 99, 0, 0, 54 + 1024, 40, 12_000, 12_000, 1, 8, 1, 0, 0, 0, 0, 0)
    yield data("runs.bmp", rle + bytes(1024) + b"\0\x02\xff\xff" * 1000 + b"\0\1", ".", or_read=True)
    yield data("200 scans.jpg", scans_jpeg(8000, 8000, 200), "100 scans")
    yield data("50 scans.jpg", scans_jpeg(1000, 1000, 50))
    yield data("20000 scans.jpg", scans_jpeg(2000, 2000, 20_000), "100 scans")


def of_texts() -> Iterator[Bad]:
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(drawing(16, 16)))
    for kind, head in ((b"zTXt", b"Comment\0\0"), (b"iCCP", b"profile\0\0"), (b"iTXt", b"Comment\0\1\0\0\0")):
        text = chunk(kind, head + zipped_zeros(300 * 1024**2))
        yield data(f"text {kind.decode()}.png", png(16, 16, 8, 2, rows, before=text), ".", or_read=True)
    texts = chunk(b"zTXt", b"Comment\0\0" + zipped_zeros(10**6)) * 200
    yield data("200 texts.png", png(16, 16, 8, 2, rows, before=texts), ".", or_read=True)
    for count, reason in ((1000, None), (100_000, "100,000 parts")):
        parts = png(16, 16, 8, 2, rows, before=chunk(b"prVt", b"") * count)
        yield data(f"{count} parts.png", parts, reason)
    yield data("length 4 billion.png", png(16, 16, 8, 2, rows, before=b"\xff\xff\xff\xffzTXt"), ".")
    entries = [(40_000 + at % 20_000, 4, 1, at) for at in range(65_535)]
    yield data("65535 tags.tif", tiff(*entries), ".")
    yield data("tag of 4 billion.tif", tiff((256, 4, 2**32 - 1, 8), (257, 3, 1, 9)), ".")
    long = tiff_of(16, 16, zlib.compress(bytes(256)), (60_000, 4, 1_000_000, 8)) + bytes(4_000_008)
    yield data("tag of a million.tif", long, ".", or_read=True)
    loop = bytearray(tiff_of(16, 16, zlib.compress(bytes(256)), (34_665, 4, 1, 8)))
    yield data("directory in itself.tif", bytes(loop), ".", or_read=True)
    jpeg = saved("JPEG", drawing(16, 16))
    yield data("comments 20 MB.jpg", jpeg[:2] + segment(0xFE, bytes(65_000)) * 300 + jpeg[2:])
    yield data(
        "profile in 255 parts.jpg", jpeg[:2] + segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(60_000)) * 255 + jpeg[2:]
    )
    yield data("filled.jpg", jpeg[:2] + b"\xff" * 5_000_000 + jpeg[2:], ".", or_read=True)
    yield data("restarts.jpg", jpeg[:-2] + b"\xff\xd0" * 1_000_000 + jpeg[-2:], ".", or_read=True)


def cases() -> Iterator[Bad]:
    yield from of_headers()
    yield from of_pixels()
    yield from of_texts()
