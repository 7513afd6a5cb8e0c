"""Thumbnails show what a viewer shows, cut at the boxes, for every kind of image file."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from lgca_plugin.fiftyone_io.thumbnails import marked_uri, thumbnail_uri
from tests.helpers import images

PREFIX = "data:image/jpeg;base64,"


def opened(uri):
    assert uri.startswith(PREFIX)
    picture = Image.open(io.BytesIO(base64.b64decode(uri[len(PREFIX) :])))
    assert picture.format == "JPEG"
    return picture


def expected(path, box, side):
    """What a person would do with an image editor: turn, cut whole pixels, scale."""
    upright = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    left, top = round(box[0] * upright.width), round(box[1] * upright.height)
    part = upright.crop((left, top, left + round(box[2] * upright.width), top + round(box[3] * upright.height)))
    scale = side / max(part.size)
    return part.resize([max(1, round(length * scale)) for length in part.size], Image.Resampling.LANCZOS)


def difference(one, other):
    assert one.size == other.size
    return np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean()


BOXES = [(0, 0, 1, 1), (0.25, 0.5, 0.5, 0.25), (0.5, 0.5, 0.5, 0.5), (0.0, 0.0, 0.3, 0.4)]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("box", BOXES)
def test_thumbnail__is_cut_in_the_orientation_that_a_viewer_shows(tmp_path, orientation, box):
    path = tmp_path / "turned.jpg"
    images.save_turned(path, images.picture(480, 320), orientation)
    found = opened(thumbnail_uri(str(path), box=box, side=80))
    assert max(found.size) == 80
    assert difference(found, expected(path, box, 80)) < 4
    others = [expected(path, other, 80) for other in BOXES if other != box]
    assert all(other.size != found.size or difference(found, other) > 12 for other in others)


@pytest.mark.parametrize("orientation", [1, 6])
def test_thumbnail__of_a_large_jpeg_that_is_decoded_at_part_of_its_size_looks_the_same(tmp_path, orientation):
    path = tmp_path / "large.jpg"
    images.save_turned(path, images.picture(4000, 3000), orientation)
    box = (0.3, 0.2, 0.15, 0.2)
    whole, part = thumbnail_uri(str(path)), thumbnail_uri(str(path), box=box)
    assert difference(opened(whole), expected(path, (0, 0, 1, 1), 96)) < 4
    assert difference(opened(part), expected(path, box, 96)) < 4


def test_thumbnail__has_no_border_and_keeps_proportions(tmp_path):
    path = tmp_path / "flat.png"
    Image.new("RGB", (300, 60), (200, 30, 40)).save(path)
    found = opened(thumbnail_uri(str(path), side=100))
    assert found.size == (100, 20)
    assert np.abs(np.asarray(found, dtype=int) - [200, 30, 40]).max() < 8
    small = tmp_path / "small.png"
    Image.new("RGB", (4, 2), (0, 90, 200)).save(small)  # too small to be classified, but there to be seen
    assert opened(thumbnail_uri(str(small), side=100)).size == (100, 50)


@pytest.mark.parametrize("box", [(-0.5, -0.5, 3, 3), (0.9, 0.9, 0.5, 0.5), (0.4, 0.4, 0, 0), (2, 2, 0.1, 0.1)])
def test_thumbnail__of_a_box_beyond_the_image_shows_what_is_inside(tmp_path, box):
    path = tmp_path / "picture.png"
    images.picture(200, 100).save(path)
    assert max(opened(thumbnail_uri(str(path), box=box, side=50)).size) == 50


@pytest.mark.parametrize("name", [*sorted(images.UNUSUAL), "wide_20000.png", "column_1x5000.png", "one_pixel.png"])
def test_thumbnail__of_any_kind_of_image_and_of_shapes_that_no_crop_fits_into(tmp_path, name):
    found = opened(thumbnail_uri(str(images.write(tmp_path, name)), side=50))
    assert (max(found.size), found.mode) == (50, "RGB")


@pytest.mark.parametrize("name", sorted(images.UNREADABLE))
def test_thumbnail__of_what_is_no_image_is_none(tmp_path, name):
    assert thumbnail_uri(str(images.write(tmp_path, name))) is None


def is_yellow(pixel):
    red, green, blue = (int(value) for value in pixel)
    return red > 180 and green > 150 and blue < 130


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_marked_uri__the_box_is_where_a_viewer_shows_it(tmp_path, orientation):
    path = tmp_path / "turned.jpg"
    images.save_turned(path, Image.new("RGB", (400, 300), "navy"), orientation)
    box = (0.25, 0.5, 0.5, 0.25)
    found = np.asarray(opened(marked_uri(str(path), box=box, side=400)))
    height, width, _ = found.shape
    assert max(height, width) == 400
    rows, columns = np.nonzero([[is_yellow(pixel) for pixel in row] for row in found])
    edges = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    assert edges == pytest.approx((0.25, 0.5, 0.75, 0.75), abs=0.012)
    inside = found[rows.min() + 8 : rows.max() - 8, columns.min() + 8 : columns.max() - 8]
    assert not any(is_yellow(pixel) for row in inside for pixel in row)


def test_marked_uri__stands_out_on_white_and_on_black(tmp_path):
    for color in ("white", "black"):
        path = tmp_path / f"{color}.png"
        Image.new("RGB", (300, 300), color).save(path)
        row = np.asarray(opened(marked_uri(str(path), box=(0.2, 0.2, 0.6, 0.6), side=300)).convert("L"), dtype=int)[150]
        assert row[55:75].max() - row[55:75].min() > 120


def test_marked_uri__without_a_box_is_the_picture(tmp_path):
    path = tmp_path / "plain.png"
    images.picture(240, 160).save(path)
    assert difference(opened(marked_uri(str(path), side=120)), expected(path, (0, 0, 1, 1), 120)) < 4


@pytest.mark.parametrize("box", [(-0.1, -0.2, 3.0, 3.0), (0.999, 0.999, 0.001, 0.001), (0.5, 0.5, 0.0, 0.0)])
def test_marked_uri__boxes_at_the_rim_are_clipped(tmp_path, box):
    path = tmp_path / "plain.png"
    images.picture(240, 160).save(path)
    assert opened(marked_uri(str(path), box=box, side=120)).size == (120, 80)


def test_marked_uri__without_an_image_is_none(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    assert marked_uri(str(tmp_path / "broken.jpg")) is None
    assert marked_uri(str(tmp_path / "missing.jpg"), box=(0, 0, 0.5, 0.5)) is None


def test_surroundings__of_a_box_are_shown_with_a_thin_frame_around_it(tmp_path):
    path = tmp_path / "white.png"
    Image.new("RGB", (200, 100), "#777777").save(path)
    around = (0.3, 0.4, 0.2, 0.2)  # 40 x 20 pixels, and 14 more on every side
    found = opened(marked_uri(str(path), around=around, side=340))
    assert found.size == (340, 240)
    bright = np.asarray(found.convert("L")).astype(int) > 180
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    assert abs(rows[[0, -1]] - (70, 170)).max() <= 3
    assert abs(columns[[0, -1]] - (70, 270)).max() <= 3
    assert opened(thumbnail_uri(str(path), around=around, side=34)).size == (34, 24)
    assert opened(thumbnail_uri(str(path), around=(1.2, 0.1, 0.1, 0.1), side=50)).size == (50, 25)
