"""The orientation of an image file as a browser shows it, and so FiftyOne's App, which draws boxes on that picture.

Browsers turn a JPEG or a PNG by its EXIF data and an AVIF by its own properties, and nothing by XMP or text. They leave
a WebP as it is stored. An orientation counts if it is the one number of 16 bits that the standard has.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

UPRIGHT, ON_ITS_SIDE = 1, (5, 6, 7, 8)
_TAG, _SHORT = 0x0112, 3
_HEADER = b"Exif\0\0"


def orientation(opened: ImageFile) -> int:
    """Returns by which EXIF orientation a file's pixels have to be turned, 1 to 8; 1 is upright.

    Args:
        opened: the image, before its pixels are decoded; a TIFF is turned by Pillow when they are
    """
    if opened.format in ("WEBP", "TIFF"):
        return UPRIGHT
    data = opened.info.get("exif") or b""
    try:
        found = _of_avif(data) if opened.format == "AVIF" else _of_exif(data.removeprefix(_HEADER))
    except Exception:  # noqa: BLE001 (broken EXIF data raises many kinds of errors; the picture may be good)
        return UPRIGHT
    return found if found in range(1, 9) else UPRIGHT


def turned_upright(image: Image.Image, found: int) -> Image.Image:
    """Applies an EXIF orientation; ``ImageOps.exif_transpose`` fails on tags that it can't rewrite."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image if found == UPRIGHT else image.transpose(turns[found])


def _of_exif(data: bytes) -> int:
    endian = {b"II": "<", b"MM": ">"}[data[:2]]
    (start,) = struct.unpack_from(f"{endian}I", data, 4)
    (count,) = struct.unpack_from(f"{endian}H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length, value = struct.unpack_from(f"{endian}HHIH", data, at)
        if (tag, kind, length) == (_TAG, _SHORT, 1):
            return int(value)
    return UPRIGHT


def _of_avif(data: bytes) -> int:
    """Returns the orientation that Pillow has written into the EXIF data: that of the image's properties."""
    from PIL import Image

    exif = Image.Exif()
    exif.load(data)
    return int(exif.get(_TAG, UPRIGHT))
