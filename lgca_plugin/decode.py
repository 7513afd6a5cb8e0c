"""Reading one image: bytes, hash, and 8-bit RGB pixels in the orientation that a viewer shows."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

ImageSource = str | os.PathLike[str] | bytes

MIN_SIDE = 8
MAX_ASPECT = 500
MAX_PIXELS = 178_956_970  # where Pillow stops, too: beyond it an image is taken for a decompression bomb

_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True)
class DecodedImage:
    """An image in memory.

    Attributes:
        pixels: ``[H, W, 3]`` uint8, EXIF orientation applied
        content_hash: hash of the file's bytes
    """

    pixels: NDArray[np.uint8]
    content_hash: str

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


def decode(source: ImageSource) -> DecodedImage:
    """Reads an image once: hashes its bytes and decodes them to RGB.

    EXIF orientation is applied. An animation gives its first frame, transparency is dropped as open_clip drops it, and
    16-bit grey values are scaled to 8 bits.

    Args:
        source: a path, or the bytes of an image file

    Returns:
        the decoded image

    Raises:
        ImageError: if there is no usable image; the message is the reason
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise ImageError("the file is empty")
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as opened:
                _check_size(*opened.size)
                opened.load()
                upright = ImageOps.exif_transpose(opened)
                pixels = np.array(_to_rgb(upright))
    except UnidentifiedImageError as error:
        raise ImageError("the file is not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"the image has more than {MAX_PIXELS // 1_000_000} million pixels") from error
    except MemoryError as error:
        raise ImageError("the image does not fit into memory") from error
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError) as error:
        raise ImageError(f"the image is damaged: {_first_sentence(error)}") from error
    return DecodedImage(pixels, content_hash(data))


def content_hash(data: bytes) -> str:
    """Hashes a file's bytes: the crops of an image come from this and the run's seed."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ImageError("the file does not exist") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"the file can't be read: {_first_sentence(error)}") from error


def _check_size(width: int, height: int) -> None:
    shown = f"the image is {width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise ImageError(f"{shown}, more than {MAX_PIXELS // 1_000_000} million")
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{shown}; a crop needs sides of at least {MIN_SIDE}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"{shown}; one side is more than {MAX_ASPECT} times the other")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts any mode to RGB; only where Pillow's own conversion would clip is more done than asking for it."""
    if image.mode in _SIXTEEN_BIT:
        return _grey(np.asarray(image).astype(np.float64) / 257)
    if image.mode == "I":
        values = np.asarray(image)
        return _grey(values / 257 if values.max() > 255 else values)
    if image.mode == "F":
        raise ImageError(
            "the image holds floating-point values, which have no agreed brightness; save it as 8 or 16 bits"
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
