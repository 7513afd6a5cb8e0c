"""Files of every format that end too early: at the borders of their parts, within them, and where a download stops."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from . import Bad, data

LEAST_LOSS = 0.1
"""Share of a file without which a picture can't be whole; files that lack less may be read."""


def drawing(width: int = 160, height: int = 120) -> Image.Image:
    """A picture with noise, so that no format stores it in a few bytes."""
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.blend(Image.fromarray(noise), Image.radial_gradient("L").resize((width, height)).convert("RGB"), 0.5)


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    (image or drawing()).save(buffer, kind, **options)
    return buffer.getvalue()


def png_parts(content: bytes) -> Iterator[int]:
    at = 8
    while at < len(content):
        yield at
        yield at + 8  # after its length and name
        at += 12 + struct.unpack_from(">I", content, at)[0]


def jpeg_parts(content: bytes) -> Iterator[int]:
    at = 2
    while at < len(content) - 4 and content[at] == 0xFF and content[at + 1] != 0xDA:
        yield at
        yield at + 4
        at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    yield at  # the first scan
    yield at + 14


def riff_parts(content: bytes) -> Iterator[int]:
    at = 12
    while at < len(content):
        yield at
        yield at + 8
        size = struct.unpack_from("<I", content, at + 4)[0]
        at += 8 + size + size % 2


def box_parts(content: bytes) -> Iterator[int]:
    at = 0
    while 0 <= at < len(content) - 8:
        yield at
        yield at + 8
        at += struct.unpack_from(">I", content, at)[0] or len(content)


def fixed_parts(*places: int) -> Callable[[bytes], Iterator[int]]:
    return lambda _: iter(places)


def formats() -> dict[str, tuple[bytes, Callable[[bytes], Iterator[int]]]]:
    """Returns a good file of each format, and where its parts begin."""
    frames = [drawing(), drawing().rotate(180)]
    animated: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    return {
        "jpg": (saved("JPEG", quality=90), jpeg_parts),
        "progressive.jpg": (saved("JPEG", quality=90, progressive=True), jpeg_parts),
        "png": (saved("PNG"), png_parts),
        "palette.png": (saved("PNG", drawing().quantize(64), transparency=3), png_parts),
        "gif": (saved("GIF"), fixed_parts(6, 13, 400, 781, 790)),
        "animated.gif": (saved("GIF", **animated), fixed_parts(13, 781)),
        "webp": (saved("WEBP", quality=80), riff_parts),
        "lossless.webp": (saved("WEBP", lossless=True), riff_parts),
        "animated.webp": (saved("WEBP", **animated), riff_parts),
        "bmp": (saved("BMP"), fixed_parts(14, 30, 54)),
        "tif": (saved("TIFF"), fixed_parts(4, 8, 10, 22, 100)),
        "lzw.tif": (saved("TIFF", compression="tiff_lzw"), fixed_parts(4, 8, 10)),
        "deflate.tif": (saved("TIFF", compression="tiff_adobe_deflate"), fixed_parts(8, 100)),
        "jp2": (saved("JPEG2000"), box_parts),
        "avif": (saved("AVIF", quality=80), box_parts),
        "ppm": (saved("PPM"), fixed_parts(2, 3, 7, 14, 15)),
    }


def cases() -> Iterator[Bad]:
    for kind, (content, parts) in formats().items():
        size = len(content)
        places = {1, 2, 4, 12, 16, *parts(content), *(round(size * share) for share in (0.1, 0.5, 0.85)), size - 1}
        for at in sorted(place for place in places if 0 < place < size):
            # An animation may be cut behind its first picture, and a format may end in what no picture needs.
            behind = at > size * (1 - LEAST_LOSS) or (kind.startswith("animated") and at > size * 0.3)
            yield data(f"cut at {at}.{kind}", content[:at], ".", or_read=behind)
