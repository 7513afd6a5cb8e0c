"""Decoding images: unusual ones are decoded correctly; broken ones fail with a reason, never with a traceback."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lgca_plugin.errors import ImageError
from lgca_plugin.images.decoding import open_picture, open_upright
from lgca_plugin.images.files import ImageSource, content_hash, file_bytes
from lgca_plugin.images.memory import MemoryBudget
from tests.helpers import images


def decode(source: ImageSource) -> SimpleNamespace:
    """Reads an image as the engine does: the hash of its bytes, and its pixels."""
    with file_bytes(source) as data:
        picture = open_picture(data)
        return SimpleNamespace(pixels=np.array(picture.image), content_hash=content_hash(data), size_hw=picture.size_hw)


def expected_pixels(name: str) -> np.ndarray:
    """What a person would see in the unusual files, all of which show the same picture."""
    picture = images.picture()
    if "grey" in name:
        picture = picture.convert("L")
    elif name == "one_bit.png":
        picture = picture.convert("1")
    elif name == "palette.png":
        picture = picture.convert("P")
    return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("name", sorted(images.UNUSUAL))
def test_decode__unusual_image_shows_the_same_picture(tmp_path: Path, name: str) -> None:
    found = decode(images.write(tmp_path, name))
    assert found.pixels.dtype == np.uint8
    assert found.size_hw == (72, 96)
    difference = np.abs(found.pixels.astype(int) - expected_pixels(name))
    lossy = name.endswith((".jpg", ".webp", ".gif")) or name == "palette_transparent.png"
    assert difference.mean() < (12 if lossy else 0.6)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "avif"])
@pytest.mark.parametrize("orientation", [*range(1, 9), 99])
def test_decode__orientation_is_applied_and_an_unknown_one_ignored(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    images.save_turned(tmp_path / f"turned.{suffix}", images.picture(), orientation)
    turned = decode(tmp_path / f"turned.{suffix}")
    difference = np.abs(turned.pixels.astype(int) - np.asarray(images.picture()))
    assert difference.mean() < (12 if suffix in {"jpg", "avif"} else 1e-9)
    assert turned.size_hw == (72, 96)


def test_decode__broken_exif_does_not_cost_a_good_picture(tmp_path: Path) -> None:
    """Cameras and editors write odd tags: here text where a number belongs, next to a plain orientation."""
    number_that_is_text = b"\x01R\x00\x02\x00\x00\x00\x06\x00\x00\x00&"
    orientation_6 = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x02" + number_that_is_text + orientation_6
    stored = images.picture().transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "odd.png", exif=exif + b"\x00\x00\x00\x00maker\x00")
    np.testing.assert_array_equal(decode(tmp_path / "odd.png").pixels, np.asarray(images.picture()))


def test_decode__bytes_and_path_are_one(tmp_path: Path) -> None:
    path = images.write(tmp_path, "rgba.png")
    data = path.read_bytes()
    for source in (path, str(path), data):
        np.testing.assert_array_equal(decode(source).pixels, decode(path).pixels)
        assert decode(source).content_hash == content_hash(data)
    assert content_hash(data).isalnum()
    assert content_hash(data) != content_hash(data + b"a")


def test_decode__sixteen_bits_keep_their_contrast(tmp_path: Path) -> None:
    """Pillow's own conversion clips 16-bit greys to white."""
    found = decode(images.write(tmp_path, "sixteen_bit_grey.png")).pixels[:, :, 0]
    assert np.abs(found.astype(int) - images.grey().astype(int)).max() <= 1


def test_reduced__none_is_the_whole_file_to_the_last_bit() -> None:
    buffer = io.BytesIO()
    images.picture(300, 200).save(buffer, "JPEG")
    np.testing.assert_array_equal(np.asarray(open_picture(buffer.getvalue()).image), decode(buffer.getvalue()).pixels)


@pytest.mark.parametrize("name", sorted(images.UNREADABLE))
def test_decode__unreadable_image_gives_a_reason(tmp_path: Path, name: str) -> None:
    """A bomb before its pixels are made; a truncated file even where half of it shows."""
    known = {"bomb.png": "million", "truncated.jpg": "damaged|truncated", "truncated.png": "damaged|truncated"}
    with pytest.raises(ImageError, match=known.get(name)) as caught:
        decode(images.write(tmp_path, name))
    assert_a_reason(str(caught.value))


@pytest.mark.parametrize("name", sorted(images.DOUBTFUL))
def test_decode__doubtful_image_is_read_or_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    try:
        found = decode(images.write(tmp_path, name))
    except ImageError as error:
        assert_a_reason(str(error))
    else:
        assert found.pixels.std() > 1, "read, but all of one colour"


@pytest.mark.parametrize("kind", ["EPS", "PDF", "TGA", "PCX", "ICO"])
def test_decode__formats_that_start_programs_or_that_nobody_listed_are_refused_whatever_the_name(
    tmp_path: Path, kind: str
) -> None:
    images.picture().save(tmp_path / "image.jpg", kind)
    with pytest.raises(ImageError, match="not an image of a format that is read here: JPEG, PNG"):
        decode(tmp_path / "image.jpg")


@pytest.mark.parametrize("name", ["plain.webp", "turned.jpg", "one_bit.png", "sixteen_bit_grey.tif"])
def test_decode__image_whose_decoding_would_take_more_than_all_memory_is_refused(tmp_path: Path, name: str) -> None:
    data = images.write(tmp_path, name).read_bytes()
    with pytest.raises(ImageError, match=r"decoding it would take .* GiB of memory"):
        open_picture(data, memory=MemoryBudget(96 * 72 * 5))
    open_picture(data, memory=MemoryBudget(96 * 72 * 30))


def assert_a_reason(reason: str) -> None:
    assert 10 < len(reason) < 300, reason
    assert "\n" not in reason, reason
    for trace in ("Traceback", "Error(", "0x", "<_io"):
        assert trace not in reason, reason


FORMATS = ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF"]


@pytest.mark.filterwarnings("ignore")  # Pillow's, about the damage
@pytest.mark.parametrize("kind", FORMATS)
def test_decode__damaged_bytes_give_pixels_or_a_reason_and_nothing_else(kind: str) -> None:
    """Random damage to files of every format: each ends in pixels or in an ImageError."""
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow can't write {kind}")
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    buffer = io.BytesIO()
    options = {"exif": exif} if kind in {"PNG", "JPEG", "WEBP", "TIFF"} else {}
    images.picture(40, 30).save(buffer, kind, **options)
    data = buffer.getvalue()
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(data)
        # Headers are where the interesting damage is, so half of it goes there.
        reach = min(len(data), 60) if rng.random() < 0.5 else len(data)
        for position in rng.integers(0, reach, rng.integers(1, 8)):
            damaged[position] = rng.integers(0, 256)
        if rng.random() < 0.3:
            del damaged[rng.integers(1, len(damaged)) :]
        try:
            found = decode(bytes(damaged))
        except ImageError as error:
            assert_a_reason(str(error))
        else:
            assert found.pixels.ndim == 3
            assert found.pixels.shape[2] == 3


@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    ("enough", "reduction"),
    [(None, 1), (601.0, 1), (600.0, 1), (300.0, 2), (299.0, 2), (150.0, 4), (75.0, 8), (1.0, 8)],
)
def test_reduced__is_the_smallest_fraction_that_is_enough(
    format_: str, orientation: int, enough: float | None, reduction: int
) -> None:
    """A half, a quarter or an eighth, in the orientation that a viewer shows; with the file's size."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    images.picture(803, 600).save(buffer, format_, exif=exif)
    picture = open_picture(buffer.getvalue(), enough=enough)
    height, width = (600, 803) if orientation == 1 else (803, 600)
    assert picture.size_hw == (height, width)
    assert picture.reduction == reduction
    assert picture.image.size == (-(-width // reduction), -(-height // reduction))
    whole = open_upright(buffer.getvalue())
    assert whole.size == (width, height)
    if format_ == "JPEG" and reduction > 1:  # so are pictures of which no more is needed
        assert open_upright(buffer.getvalue(), longest=803 // reduction - 1).size == picture.image.size
    difference = np.asarray(picture.image, float) - np.asarray(whole.reduce(reduction), float)
    assert np.abs(difference).mean() < 3
