"""Pixel values of any mode as 8-bit RGB, and the memory that decoding them takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ImageError

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

DEPTHS = (8, 10, 12, 14, 16, 24, 31)
"""Bits that grey values of a type of 16 or 32 bits have: the fewest that hold the largest value, if the file does not
declare them. Cameras and microscopes store 10, 12 and 14 bits that way."""

_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
_STORED = {"1": 1, "L": 1, "P": 1, **dict.fromkeys(_SIXTEEN_BIT, 2)}
"""Bytes of a pixel in Pillow's memory, by mode; of the other modes 4."""

_DECODER = {"PNG": 1, "GIF": 4, "BMP": 4, "PPM": 8, "WEBP": 14, "AVIF": 16}
"""Bytes of a pixel that decoders of a format take beside the pixels, measured; of the formats not here 24."""

_SCALED = ("PPM", "JPEG2000")
"""Formats that declare their depth; Pillow scales their values to 16 bits."""

_TILE_WIDTH, _TILE_LENGTH, _BITS_PER_SAMPLE, _MAX_VALUE, _PHOTOMETRIC = 322, 323, 258, 281, 262
_WHITE_IS_ZERO = 0


def decoding_bytes(opened: ImageFile, size: tuple[int, int], *, turned: bool) -> int:
    """Returns an upper bound on the memory that an image takes until it is upright RGB, in bytes.

    Args:
        opened: the image, before its pixels are decoded, at the size that they will have
        size: width and height that the file has
        turned: whether the image will be turned or mirrored
    """
    turned = turned or opened.format == "TIFF"  # by Pillow
    rgb = 12 if opened.mode in ("I", "P", *_SIXTEEN_BIT) else 4  # with steps in between
    pixels = opened.width * opened.height
    return pixels * (_STORED.get(opened.mode, 4) + rgb + 4 * turned) + _decoder_bytes(opened, size)


def _decoder_bytes(opened: Image.Image, size: tuple[int, int]) -> int:
    pixels = size[0] * size[1]
    if opened.format in ("JPEG", "MPO"):
        return 2 * len(opened.getbands()) * pixels  # all coefficients, if there are several scans
    if opened.format == "TIFF":
        tile = _tag(opened, _TILE_WIDTH, 0) * _tag(opened, _TILE_LENGTH, 0)
        bits = int(sum(_tags(opened).get(_BITS_PER_SAMPLE, (1,))))
        return max(pixels, tile) * -(-bits // 8)
    return _DECODER.get(str(opened.format), 24) * pixels


def has_deep_colors(opened: ImageFile) -> bool:
    """Returns whether a file has 16 bits a color, of which Pillow keeps the upper 8; before its pixels are decoded."""
    return bool(opened.tile) and ";16" in str(opened.tile[0].args) and opened.mode not in ("I", *_SIXTEEN_BIT)


def to_rgb(image: Image.Image, *, deep_colors: bool = False) -> tuple[Image.Image, bool]:
    """Converts a decoded file's image of any mode to RGB, by Pillow except where it would clip values.

    Values of more than 8 bits are scaled by the number of bits that they have, which may be fewer than their type's:
    see :data:`DEPTHS`.

    Returns:
        the image, and whether the number of bits was concluded from the largest value alone

    Raises:
        ImageError: if black and white are not defined, or too few bits of a color are left
    """
    if image.mode in _SIXTEEN_BIT or image.mode == "I":
        return _grey(image)
    rgb = _plain_rgb(image)
    return _brighter(rgb) if deep_colors else (rgb, False)


def _plain_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ImageError(
            "the image holds floating-point values, whose black and white are not defined; save it as 8 or 16 bits"
        )
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _brighter(rgb: Image.Image) -> tuple[Image.Image, bool]:
    """Scales the upper 8 of 16 bits a color up to white, where the colors have 14 bits at most."""
    largest = max(int(band[1]) for band in rgb.getextrema())  # type: ignore[index]
    if largest > 63 or not largest:
        return rgb, False
    if largest <= 15:
        raise ImageError(
            "the image's 16-bit colors are 4095 at most, which is nearly black; save it as 8 bits, or scaled to 65535"
        )
    return rgb.point([min(255, round(level * 255 / 63)) for level in range(256)] * 3), True


def _grey(image: Image.Image) -> tuple[Image.Image, bool]:
    """Scales grey values of more than 8 bits to 8."""
    wide = image.convert("I")
    smallest, largest = (int(value) for value in wide.getextrema())  # type: ignore[arg-type]
    if smallest < 0:
        raise ImageError(
            "the image holds values below 0 or above 2147483647, whose black and white are not defined; save it as 8 "
            "or 16 bits"
        )
    declared, fewest = _declared_bits(image), next(bits for bits in DEPTHS if largest < 1 << bits)
    bits = max(declared, fewest)
    guessed = not declared and bits != 16
    if bits > 16:
        scale = 65535 / ((1 << bits) - 1)
        wide, bits = wide.point(lambda value: value * scale), 16
    values = np.arange(1 << 16, dtype=np.float64)
    levels = np.clip(np.round(values * 255 / ((1 << bits) - 1)), 0, 255).astype(np.uint8)
    if image.format == "TIFF" and _tag(image, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
        levels = 255 - levels
    return wide.point(levels.tolist(), "L").convert("RGB"), guessed


def _declared_bits(image: Image.Image) -> int:
    """Returns the number of bits that a file declares its grey values to have; 0 if it declares none."""
    if image.format in _SCALED:
        return 16
    if image.format != "TIFF":
        return 0
    bits = _tag(image, _BITS_PER_SAMPLE, 0)
    return bits if 8 < bits < 16 else _tag(image, _MAX_VALUE, 0).bit_length()


def _tags(image: Image.Image) -> Any:
    return image.tag_v2  # type: ignore[attr-defined]


def _tag(image: Image.Image, number: int, default: int) -> int:
    """Returns the first value of a tag of a TIFF file."""
    value = _tags(image).get(number, default)
    return int(value[0] if isinstance(value, tuple) else value)
