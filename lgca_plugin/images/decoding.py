"""From an image file's bytes to 8-bit RGB pixels, upright as a viewer shows them: the only place that decodes."""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ImageError
from .files import first_sentence
from .memory import PIXELS, MemoryBudget
from .pixels import decoding_bytes, has_deep_colors, to_rgb

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "HEIF", "JXL")
"""Formats that are decoded, by Pillow's names, as far as this Pillow has them; the last two come with packages that
register them. None of them starts another program, as PostScript does."""

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


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded RGB image, upright, perhaps at a fraction of its size. Compared by identity.

    Attributes:
        size_hw: height and width of the file's image in pixels
        reduction: number of the file's pixels along a side of one pixel of ``image``
        guessed_depth: whether the number of bits of its values was concluded from the largest one
    """

    image: Image.Image
    size_hw: tuple[int, int]
    reduction: int = 1
    guessed_depth: bool = False

    @property
    def nbytes(self) -> int:
        """Memory that the pixels take; Pillow pads RGB to four bytes."""
        return 4 * self.image.width * self.image.height


def open_picture(data: bytes, *, enough: float | None = None, memory: MemoryBudget = PIXELS) -> Picture:
    """Decodes the bytes of an image file to RGB, at its size or at a half, a quarter or an eighth.

    JPEGs are decoded at a fraction of their size in a fraction of the time; other formats are decoded whole and
    averaged. EXIF orientation is applied, the first frame of an animation is taken, transparency is dropped as
    open_clip drops it, and values of 16 bits are scaled to 8, see :func:`~.pixels.to_rgb`.

    Args:
        data: the file's bytes
        enough: length in pixels that the shorter side keeps at least, if the file has it; None keeps the file's size
        memory: what the threads that decode share; waits until there is enough

    Raises:
        ImageError: if there is no usable image; the message is the reason
    """
    reduction = 1
    size = (0, 0)  # width and height of the file's image

    def draft(opened: Image.Image) -> int:
        nonlocal reduction, size
        size = opened.size[::-1] if _orientation(opened) in _ON_ITS_SIDE else opened.size
        if enough is not None:
            reduction = next((one for one in REDUCTIONS if min(size) / one >= enough), 1)
            opened.draft(None, (opened.width // reduction, opened.height // reduction))
        return round(reduction * max(opened.size) / max(size))

    image, guessed = _decode(data, draft, memory)
    return Picture(image, (size[1], size[0]), reduction, guessed)


def open_upright(data: bytes, *, longest: float | None = None, memory: MemoryBudget = PIXELS) -> Image.Image:
    """Decodes the bytes of an image file of any shape to an RGB picture, in the orientation that a viewer shows.

    A JPEG is decoded at a half, a quarter or an eighth of its size, which is quick, if its longer side keeps at least
    ``longest`` pixels then; other formats keep the file's size.

    Raises:
        ImageError: if there is no usable image; the message is the reason
    """

    def draft(opened: Image.Image) -> int:
        if longest is not None:
            share = min(1.0, longest / max(opened.size))
            opened.draft(None, (math.ceil(opened.width * share), math.ceil(opened.height * share)))
        return 1

    return _decode(data, draft, memory, any_shape=True)[0]


def _decode(
    data: bytes, draft: Callable[[Image.Image], int], memory: MemoryBudget, *, any_shape: bool = False
) -> tuple[Image.Image, bool]:
    """Decodes an image file; also returns whether the number of bits of its values was concluded from the largest.

    ``draft`` may choose a fraction of its size once the file is open; it returns the divisor that the decoder can't do.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tags and sizes; real problems are raised
            with Image.open(io.BytesIO(data), formats=_formats()) as opened:
                _check_size(*opened.size, any_shape=any_shape)
                whole, turn = opened.size, _orientation(opened)
                rest = draft(opened)
                deep = has_deep_colors(opened)
                needed = decoding_bytes(opened, whole, turned=turn != 1)
                if needed > memory.nbytes:
                    raise ImageError(_too_much(whole, needed, memory.nbytes))
                with memory.reserve(needed):
                    opened.load()
                    image, guessed = to_rgb(opened, deep_colors=deep)
                    image = _upright(image, turn)
                    return image.reduce(rest) if rest > 1 else image, guessed
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(f"the file is not an image of a format that is read here: {', '.join(_formats())}") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"the image has more than {MAX_PIXELS // 1_000_000} million pixels") from error
    except MemoryError as error:
        raise ImageError("the image does not fit into memory") from error
    except Exception as error:  # each format's decoder raises kinds of its own
        raise ImageError(f"the image is damaged: {first_sentence(error)}") from error


def _formats() -> list[str]:
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _too_much(size: tuple[int, int], needed: int, most: int) -> str:
    return (
        f"the image is {size[0]} x {size[1]} pixels, and decoding it would take {needed / 1024**3:.1f} GiB of memory, "
        f"more than {most / 1024**3:.3g}"
    )


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


def _upright(image: Image.Image, orientation: int) -> Image.Image:
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
    turn = turns.get(orientation)
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Returns an image's EXIF orientation, 1 to 8; 1, upright, if it has none."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION)
    except Exception:  # noqa: BLE001 (broken EXIF data raises many kinds of errors; the picture may be good)
        return 1
    return orientation if isinstance(orientation, int) else 1
