"""Pixel values of any mode as 8-bit RGB, and the memory that decoding them takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
_STORED = {"1": 1, "L": 1, "P": 1, **dict.fromkeys(_SIXTEEN_BIT, 2)}
"""Bytes of a pixel in Pillow's memory, by mode; of the other modes 4."""

_DECODER = {"PNG": 1, "GIF": 4, "BMP": 4, "PPM": 8, "WEBP": 14, "AVIF": 16}
"""Bytes of a pixel that decoders of a format take beside the pixels, measured; of the formats not here 24."""

_TILE_WIDTH, _TILE_LENGTH, _BITS_PER_SAMPLE = 322, 323, 258


def decoding_bytes(opened: Image.Image, size: tuple[int, int], *, turned: bool) -> int:
    """Returns an upper bound on the memory that an image takes until it is upright RGB, in bytes.

    Args:
        opened: the image, before its pixels are decoded, at the size that they will have
        size: width and height that the file has
        turned: whether the image will be turned or mirrored
    """
    rgb = 12 if opened.mode in ("I", "P", *_SIXTEEN_BIT) else 4  # with steps in between
    pixels = opened.width * opened.height
    return pixels * (_STORED.get(opened.mode, 4) + rgb + 4 * turned) + _decoder_bytes(opened, size)


def _decoder_bytes(opened: Image.Image, size: tuple[int, int]) -> int:
    pixels = size[0] * size[1]
    if opened.format in ("JPEG", "MPO"):
        return 2 * len(opened.getbands()) * pixels  # all coefficients, if there are several scans
    if opened.format == "TIFF":
        tags: Any = opened.tag_v2  # type: ignore[attr-defined]
        bits = int(sum(tags.get(_BITS_PER_SAMPLE, (1,))))
        tile = int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0))
        return max(pixels, tile) * -(-bits // 8)
    return _DECODER.get(str(opened.format), 24) * pixels


def to_rgb(image: Image.Image) -> Image.Image:
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
