"""Reading image files: bytes, hash, and 8-bit RGB pixels in the orientation that a viewer shows."""

from __future__ import annotations

import hashlib
import io
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

ImageSource = str | os.PathLike[str] | bytes

REDUCTIONS = (8, 4, 2)
"""Fractions of their size at which images are decoded, as divisors."""

MIN_SIDE = 8
"""Minimum side of an image in pixels."""

MAX_ASPECT = 500
"""Maximum ratio of an image's sides."""

MAX_PIXELS = 178_956_970
"""Maximum number of pixels of an image, Pillow's own limit: a larger one counts as a decompression bomb."""

_EXIF_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded RGB image, upright, perhaps at a fraction of its size. Compared by identity.

    Attributes:
        size_hw: height and width of the file's image in pixels
        reduction: number of the file's pixels along a side of one pixel of ``image``
    """

    image: Image.Image
    size_hw: tuple[int, int]
    reduction: int = 1

    @property
    def nbytes(self) -> int:
        """Memory that the pixels take; Pillow pads RGB to four bytes."""
        return 4 * self.image.width * self.image.height


def open_picture(data: bytes, *, enough: float | None = None) -> Picture:
    """Decodes the bytes of an image file to RGB, at its size or at a half, a quarter or an eighth.

    JPEGs are decoded at a fraction of their size in a fraction of the time; other formats are decoded whole and
    averaged. EXIF orientation is applied, the first frame of an animation is taken, transparency is dropped as
    open_clip drops it, and 16-bit grey values are scaled to 8 bits.

    Args:
        data: the file's bytes
        enough: length in pixels that the shorter side keeps at least, if the file has it; None keeps the file's size

    Raises:
        ImageError: if there is no usable image; the message is the reason
    """
    reduction = 1
    size = (0, 0)  # width and height of the file's image

    def draft(opened: Image.Image) -> None:
        nonlocal reduction, size
        size = opened.size[::-1] if _orientation(opened) in _ON_ITS_SIDE else opened.size
        if enough is not None:
            reduction = next((one for one in REDUCTIONS if min(size) / one >= enough), 1)
            opened.draft(None, (opened.width // reduction, opened.height // reduction))

    image = _decode(data, draft)
    rest = round(reduction * max(image.size) / max(size))  # the part of the reduction that the decoder can't do
    if rest > 1:
        image = image.reduce(rest)
    return Picture(image, (size[1], size[0]), reduction)


def open_upright(data: bytes, *, longest: float | None = None) -> Image.Image:
    """Decodes the bytes of an image file of any shape to an RGB picture, in the orientation that a viewer shows.

    A JPEG is decoded at a half, a quarter or an eighth of its size, which is quick, if its longer side keeps at least
    ``longest`` pixels then; other formats keep the file's size.

    Raises:
        ImageError: if there is no usable image; the message is the reason
    """

    def draft(opened: Image.Image) -> None:
        if longest is not None:
            share = min(1.0, longest / max(opened.size))
            opened.draft(None, (math.ceil(opened.width * share), math.ceil(opened.height * share)))

    return _decode(data, draft, any_shape=True)


def _decode(data: bytes, draft: Callable[[Image.Image], None], *, any_shape: bool = False) -> Image.Image:
    """Decodes an image file; ``draft`` may choose a fraction of its size once the file is open."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tags and sizes; real problems are raised
            with Image.open(io.BytesIO(data)) as opened:
                _check_size(*opened.size, any_shape=any_shape)
                draft(opened)
                opened.load()
                return _to_rgb(_upright(opened))
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("the file is not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"the image has more than {MAX_PIXELS // 1_000_000} million pixels") from error
    except MemoryError as error:
        raise ImageError("the image does not fit into memory") from error
    except Exception as error:  # each format's decoder raises kinds of its own
        raise ImageError(f"the image is damaged: {_first_sentence(error)}") from error


def content_hash(data: bytes) -> str:
    """Hashes a file's bytes; an image's crops are drawn from this and the run's seed."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_bytes(source: ImageSource) -> bytes:
    """Reads an image file, if it is not in memory already.

    Raises:
        ImageError: if it can't be read, or is empty
    """
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except FileNotFoundError as error:
        raise ImageError("the file does not exist") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"the file can't be read: {_first_sentence(error)}") from error
    if not data:
        raise ImageError("the file is empty")
    return data


def _check_size(width: int, height: int, *, any_shape: bool) -> None:
    shown = f"the image is {width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise ImageError(f"{shown}, more than {MAX_PIXELS // 1_000_000} million")
    if any_shape:
        return
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{shown}; a crop needs sides of at least {MIN_SIDE}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"{shown}; one side is more than {MAX_ASPECT} times the other")


def _upright(image: Image.Image) -> Image.Image:
    """Applies the EXIF orientation; ``ImageOps.exif_transpose`` fails on tags that it can't rewrite."""
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
    turn = turns.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Returns an image's EXIF orientation, 1 to 8; 1, upright, if it has none."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION)
    except Exception:  # noqa: BLE001 (broken EXIF data raises many kinds of errors; the picture may be good)
        return 1
    return orientation if isinstance(orientation, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts any mode to RGB, by Pillow except where it would clip values."""
    if image.mode in _SIXTEEN_BIT:
        return _grey(np.asarray(image).astype(np.float64) / 257)
    if image.mode == "I":
        values = np.asarray(image)
        return _grey(values / 257 if values.max() > 255 else values)
    if image.mode == "F":
        raise ImageError(
            "the image holds floating-point values, whose black and white are not defined; save it as 8 or 16 bits"
        )
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _grey(values: NDArray[np.floating]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8)).convert("RGB")


def _first_sentence(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200]
