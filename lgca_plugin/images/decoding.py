"""From an image file's bytes to 8-bit RGB pixels, upright as a viewer shows them: the only place that decodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ImageError
from .effort import HeaderReader, check_scans
from .files import first_sentence
from .memory import PIXELS, MemoryBudget
from .orientation import ON_ITS_SIDE, UPRIGHT, orientation, turned_upright
from .pixels import decoding_bytes, has_deep_colors, to_rgb
from .quiet import quiet_pillow

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
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


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded RGB image, upright, perhaps at a fraction of its size. Compared by identity.

    Attributes:
        size_hw: height and width of the file's image in pixels
        reduction: number of the file's pixels along a side of one pixel of ``image``
        guessed_depth: whether the number of bits of its values was concluded from the largest one
        origin: left and top edge of ``image`` in the file's pixels, where it is a part of the file's image
        whole: ``(left, top, width, height)`` of what counts as the whole image; None for all of ``image``
    """

    image: Image.Image
    size_hw: tuple[int, int]
    reduction: int = 1
    guessed_depth: bool = False
    origin: tuple[int, int] = (0, 0)
    whole: tuple[int, int, int, int] | None = None

    @property
    def whole_image(self) -> Image.Image:
        """What counts as the whole image, at its own size."""
        if self.whole is None:
            return self.image
        left, top, right, bottom = self.edges(np.array([self.whole]))[0].tolist()
        return self.image.crop((left, top, right, bottom))

    def edges(self, boxes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns ``[n, 4]`` edges, ``(left, top, right, bottom)`` in ``image``, of boxes in the file's pixels."""
        near = boxes[:, :2] - np.array(self.origin)
        edges: NDArray[np.int64] = np.rint(np.hstack([near, near + boxes[:, 2:]]) / self.reduction).astype(np.int64)
        return edges

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

    def reduction_of(width: int, height: int) -> int:
        if enough is None:
            return 1
        return next((one for one in REDUCTIONS if min(width, height) / one >= enough), 1)

    return _decode(data, reduction_of, memory)


def open_upright(data: bytes, *, longest: float | None = None, memory: MemoryBudget = PIXELS) -> Image.Image:
    """Decodes the bytes of an image file of any shape to an RGB picture, in the orientation that a viewer shows.

    It is decoded at a half, a quarter or an eighth of its size, which is quick for a JPEG, if its longer side keeps at
    least ``longest`` pixels then.

    Raises:
        ImageError: if there is no usable image; the message is the reason
    """

    def reduction_of(width: int, height: int) -> int:
        if longest is None:
            return 1
        return next((one for one in REDUCTIONS if max(width, height) / one >= longest), 1)

    return _decode(data, reduction_of, memory, any_shape=True).image


def _decode(
    data: bytes, reduction_of: Callable[[int, int], int], memory: MemoryBudget, *, any_shape: bool = False
) -> Picture:
    """Decodes an image file; ``reduction_of`` returns the divisor of an image with such sides."""
    from PIL import Image, UnidentifiedImageError

    try:
        with quiet_pillow():  # its warnings are about tags and sizes; real problems are raised
            file = HeaderReader(data)
            with Image.open(file, formats=_formats()) as opened:
                file.end_header()
                _check_size(*opened.size, any_shape=any_shape)
                check_scans(opened, data)
                size, turn, deep = opened.size, orientation(opened), has_deep_colors(opened)
                reduction = reduction_of(*size)
                if reduction > 1:
                    opened.draft(None, (size[0] // reduction, size[1] // reduction))
                needed = decoding_bytes(opened, size, turned=turn != UPRIGHT)
                if needed > memory.nbytes:
                    raise ImageError(_too_much(size, needed, memory.nbytes))
                with memory.reserve(needed):
                    rest = round(reduction * max(opened.size) / max(size))  # what the decoder can't do
                    opened.load()
                    rgb, guessed = to_rgb(opened, deep_colors=deep)
                    image = turned_upright(rgb, turn)
                    if opened.format == "TIFF":  # Pillow turns it
                        size = opened.size
                    width, height = size[::-1] if turn in ON_ITS_SIDE else size
                    return Picture(image.reduce(rest) if rest > 1 else image, (height, width), reduction, guessed)
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
