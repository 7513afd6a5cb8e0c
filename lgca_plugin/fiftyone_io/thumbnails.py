"""Thumbnails of images and of boxes in them, as data URIs for tables, panels and figures."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..images.decoding import open_upright
from ..images.files import file_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import Image

Box = tuple[float, float, float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
JPEG_QUALITY = 88
"""Quality of the JPEGs, at which edges in a crop of a hundred pixels stay sharp."""

FRAME = ("#1a1a1a", "#ffd60a", "#ffd60a", "#ffd60a", "#1a1a1a")
"""Colors of a frame's lines, a pixel each, from the outside in."""


def thumbnail_uri(path: str, *, box: Box = WHOLE, side: int = 96) -> str | None:
    """Returns a thumbnail of a box in an image as a data URI; None if the file is missing or no image can be read.

    The box is relative, ``(x, y, width, height)``, in the orientation that a viewer shows, as on the samples; ``side``
    is the longer side of the thumbnail, in pixels.
    """
    try:
        with file_bytes(path) as data:
            image = open_upright(data, longest=enough_for([box], side))
    except ImageError:
        return None
    return jpeg_uri(cut(image, box, side))


def marked_uri(path: str, *, box: Box | None = None, side: int = 520) -> str | None:
    """Returns a picture of a whole image as a data URI, with a box drawn on it; None if it can't be read.

    The frame is bright with a dark line on either side, so that it stands out on any picture.

    Args:
        path: the image file
        box: relative ``(x, y, width, height)`` in the orientation that a viewer shows; None draws none
        side: the longer side of the picture, in pixels
    """
    from PIL import ImageDraw

    try:
        with file_bytes(path) as data:
            image = open_upright(data, longest=enough_for([WHOLE], side))
    except ImageError:
        return None
    picture = cut(image, WHOLE, side)
    if box is not None:
        left, right = _inside(box[0] * picture.width, (box[0] + box[2]) * picture.width, picture.width)
        top, bottom = _inside(box[1] * picture.height, (box[1] + box[3]) * picture.height, picture.height)
        draw = ImageDraw.Draw(picture)
        for inset, color in enumerate(FRAME):
            x, y = round(left) + inset, round(top) + inset
            draw.rectangle((x, y, max(x, round(right) - 1 - inset), max(y, round(bottom) - 1 - inset)), outline=color)
    return jpeg_uri(picture)


def enough_for(boxes: Iterable[Box], side: int) -> float:
    """Returns the longer side, in pixels, at which an image has twice the pixels that thumbnails of boxes need.

    Twice, since a JPEG that was decoded at a fraction of its size is a little blurred.
    """
    return 2 * side / max(1e-6, min(min(box[2:]) for box in boxes))


def cut(image: Image.Image, box: Box, side: int) -> Image.Image:
    """Returns a relative box of an RGB image, clipped to the image, its longer side scaled to ``side`` pixels."""
    from PIL import Image as Images

    left, right = _inside(box[0] * image.width, (box[0] + box[2]) * image.width, image.width)
    top, bottom = _inside(box[1] * image.height, (box[1] + box[3]) * image.height, image.height)
    scale = side / max(right - left, bottom - top)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    return image.resize(size, Images.Resampling.LANCZOS, box=(left, top, right, bottom), reducing_gap=3.0)


def jpeg_uri(image: Image.Image) -> str:
    """Returns an image as a JPEG in a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _inside(start: float, end: float, size: int) -> tuple[float, float]:
    """Returns an interval clipped to the image, at least a pixel wide."""
    start = min(max(start, 0.0), size - 1.0)
    return start, min(max(end, start + 1.0), float(size))
