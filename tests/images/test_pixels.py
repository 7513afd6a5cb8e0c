"""Values of more than 8 bits: taken from black to white as they are meant, or refused with a reason."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from lgca_plugin.engine.stats import EngineStats
from lgca_plugin.errors import ImageError
from lgca_plugin.images.decoding import open_picture
from tests.helpers.engine import encode
from tests.helpers.images import grey

MAX_VALUE = 281  # a TIFF tag


def png(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def tif(values: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def big_endian(values: np.ndarray) -> bytes:
    return tif(values, byteorder=">")


def filling(bits: int) -> np.ndarray:
    """The drawing, its values stretched from 0 to the largest that has so many bits."""
    values = grey().astype(np.float64)
    values = (values - values.min()) / np.ptp(values) * ((1 << bits) - 1)
    return np.round(values).astype(np.uint16)


def levels(data: bytes) -> np.ndarray:
    pixels = np.asarray(open_picture(data).image)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0].astype(int)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("write", [png, tif, big_endian])
def test_grey__of_fewer_bits_than_its_type_goes_from_black_to_white(bits: int, write: Any) -> None:
    expected = filling(16) / 65535 * 255
    found = levels(write(filling(bits)))
    assert (found.min(), found.max()) == (0, 255)
    assert np.abs(found - expected).max() < 1
    assert open_picture(write(filling(bits))).guessed_depth == (bits != 16)


def test_grey__of_a_depth_that_the_file_declares_stays_as_dark_as_it_is() -> None:
    dark = filling(12) // 8
    for largest, expected in ((65535, 2), (4095, 32)):
        data = tif(dark, extratags=[(MAX_VALUE, "H", 1, largest, True)])
        assert levels(data).max() == expected
        assert not open_picture(data).guessed_depth
    header = b"P5 %d %d 65535\n" % dark.shape[::-1]
    assert levels(header + dark.astype(">u2").tobytes()).max() == 2
    assert levels(png(np.zeros_like(dark))).max() == 0


def test_grey__whose_white_is_zero_is_not_shown_as_a_negative() -> None:
    for values in (filling(16), filling(12), filling(16) >> 8):
        kind = np.uint8 if values.max() < 256 else np.uint16
        found = levels(tif(values.astype(kind), photometric="miniswhite"))
        assert np.abs(255 - found - levels(tif(values.astype(kind)))).max() <= 1


@pytest.mark.parametrize(
    "values", [filling(12).astype(np.int32) - 1000, filling(12).astype(np.uint32) << 20, filling(12) / 4095]
)
def test_grey__whose_black_and_white_are_not_defined_is_refused(values: np.ndarray) -> None:
    data = tif(values.astype(np.float32) if values.dtype == np.float64 else values)
    with pytest.raises(ImageError, match="black and white are not defined"):
        open_picture(data)


def test_grey__of_32_bits_is_scaled_by_the_bits_that_it_has() -> None:
    for shift in (0, 4, 12):
        assert np.abs(levels(tif(filling(12).astype(np.int32) << shift)) - filling(12) / 4095 * 255).max() < 1.1


def test_colors__of_fewer_bits_than_16_are_brightened_or_refused() -> None:
    def colors(bits: int) -> bytes:
        return tif(np.stack([filling(bits), filling(bits) // 2, filling(bits) // 4], axis=2), photometric="rgb")

    whole = np.asarray(open_picture(colors(16)).image).astype(int)
    assert whole.max(axis=(0, 1)).tolist() == [255, 127, 63]
    narrow = open_picture(colors(14))
    assert narrow.guessed_depth
    assert np.abs(np.asarray(narrow.image).astype(int) - whole).max() <= 4
    with pytest.raises(ImageError, match="colors are 4095 at most"):
        open_picture(colors(12))


def test_run__counts_the_images_whose_bits_were_concluded(demo_encoder: Any) -> None:
    stats = EngineStats()
    encode([png(filling(12)), png(filling(16)), tif(filling(10))], demo_encoder, stats=stats)
    assert (stats.images, stats.guessed_depth) == (3, 2)
