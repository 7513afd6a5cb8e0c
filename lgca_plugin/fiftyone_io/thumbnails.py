"""Thumbnails of images and of boxes in them, as data URIs for tables, panels and figures."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..images.decoding import open_upright
from ..images.files import file_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PIL import Image

Box = tuple[float, float, float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
JPEG_QUALITY = 88
"""Quality of the JPEGs, at which edges in a crop of a hundred pixels stay sharp."""

FRAME = ("#1a1a1a", "#ffd60a", "#ffd60a", "#ffd60a", "#1a1a1a")
"""Colors of a frame's lines, a pixel each, from the outside in."""

THIN_FRAME = ("#1a1a1a", "#ffffff")


SURROUNDINGS = 0.35
"""How much is shown around a box that is the object of a sample, as a share of its longer side."""


def thumbnail_uri(path: str, *, box: Box = WHOLE, side: int = 96, around: Box | None = None) -> str | None:
    """Returns a thumbnail of a box in an image as a data URI; None if the file is missing or no image can be read.

    The box is relative, ``(x, y, width, height)``, in the orientation that a viewer shows, as on the samples; ``side``
    is the longer side of the thumbnail, in pixels. With ``around``, that box and its surroundings are shown.
    """
    try:
        with file_bytes(path) as data:
            image = open_upright(data, longest=enough_for([around or box], side))
    except ImageError:
        return None
    return jpeg_uri(cut(image, box if around is None else surroundings(around, image.size), side))


def marked_uri(path: str, *, box: Box | None = None, side: int = 520, around: Box | None = None) -> str | None:
    """Returns a picture of a whole image as a data URI, with a box drawn on it; None if it can't be read.

    The frame is bright with a dark line on either side, so that it stands out on any picture.

    Args:
        path: the image file
        box: relative ``(x, y, width, height)`` in the orientation that a viewer shows; None draws none
        side: the longer side of the picture, in pixels
        around: only this box and its surroundings are shown, with a thin white frame around it
    """
    try:
        with file_bytes(path) as data:
            image = open_upright(data, longest=enough_for([around or WHOLE], side))
    except ImageError:
        return None
    shown = WHOLE if around is None else surroundings(around, image.size)
    picture = cut(image, shown, side)
    if around is not None:
        _draw_frame(picture, within(around, shown), THIN_FRAME)
    if box is not None:
        _draw_frame(picture, within(box, shown), FRAME)
    return jpeg_uri(picture)


def _draw_frame(picture: Image.Image, box: Box, colors: Sequence[str]) -> None:
    """Draws the frame of a relative box on a picture, a pixel of each color from the outside in."""
    from PIL import ImageDraw

    left, right = _inside(box[0] * picture.width, (box[0] + box[2]) * picture.width, picture.width)
    top, bottom = _inside(box[1] * picture.height, (box[1] + box[3]) * picture.height, picture.height)
    draw = ImageDraw.Draw(picture)
    for inset, color in enumerate(colors):
        x, y = round(left) + inset, round(top) + inset
        draw.rectangle((x, y, max(x, round(right) - 1 - inset), max(y, round(bottom) - 1 - inset)), outline=color)


def surroundings(box: Box, size: tuple[int, int]) -> Box:
    """Returns the relative box that shows a box and what is around it, in an image of a width and a height."""
    margin = SURROUNDINGS * max(box[2] * size[0], box[3] * size[1])
    x, y = margin / size[0], margin / size[1]
    left, top = max(0.0, box[0] - x), max(0.0, box[1] - y)
    right, bottom = min(1.0, box[0] + box[2] + x), min(1.0, box[1] + box[3] + y)
    if right <= left or bottom <= top:  # a box outside its image
        return WHOLE
    return left, top, right - left, bottom - top


def within(box: Box, outer: Box) -> Box:
    """Returns a box, relative to an image, relative to a part of that image."""
    x, y = (box[0] - outer[0]) / outer[2], (box[1] - outer[1]) / outer[3]
    return x, y, box[2] / outer[2], box[3] / outer[3]


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
