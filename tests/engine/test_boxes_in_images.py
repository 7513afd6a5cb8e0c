"""Boxes of an image as images of their own: where regions lie, what is cut, and what is read once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lgca_plugin.engine.batched_replay import replay_batch
from lgca_plugin.engine.embeddings import EncodedImage, FailedImage
from lgca_plugin.errors import ImageError
from lgca_plugin.images.boxed import BoxedImage, OpenedFiles, check_box, cut_frame
from lgca_plugin.images.decoding import open_picture
from lgca_plugin.images.device_crops import DeviceCutter
from lgca_plugin.images.files import content_hash
from lgca_plugin.method.core.boxes import sample_boxes
from lgca_plugin.method.core.frames import CONTEXT, box_of, boxed_hash, file_hash, frame_of
from tests.helpers.engine import assert_same, encode, plan_of
from tests.helpers.worlds.replay import known_of, one_by_one

WIDTH, HEIGHT = 300, 200
BOX = (0.2, 0.3, 0.25, 0.2)
INNER = (60, 60, 75, 40)
PLAN = plan_of(("clip", "wca", "lgca"))


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def png(noise: Image.Image) -> bytes:
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    return buffer.getvalue()


def test_frame__is_the_box_the_square_around_it_and_its_context_inside_the_image() -> None:
    key = boxed_hash("0" * 32, BOX)
    assert frame_of(key, (HEIGHT, WIDTH)).inner == INNER
    margin = round(CONTEXT * 75 + 0.5)
    assert frame_of(key, (HEIGHT, WIDTH)).outer == (60 - margin, 60 - margin, 75 + 2 * margin, 40 + 2 * margin)
    assert frame_of(key, (HEIGHT, WIDTH)).whole == (60, 42, 75, 75)
    corner = frame_of(boxed_hash("0" * 32, (0.8, 0.9, 0.2, 0.1)), (HEIGHT, WIDTH))
    assert (corner.inner, corner.whole) == ((240, 180, 60, 20), (240, 140, 60, 60))
    assert corner.outer == (225, 140, 75, 60)
    wide = frame_of(boxed_hash("0" * 32, (0.0, 0.4, 1.0, 0.2)), (HEIGHT, WIDTH))
    assert (wide.inner, wide.whole) == ((0, 80, 300, 40), (0, 0, 300, 200))
    assert frame_of("image 1", (HEIGHT, WIDTH)) == ((0, 0, WIDTH, HEIGHT),) * 3


def test_key__is_the_file_and_the_box() -> None:
    key = boxed_hash("5" * 32, BOX)
    assert box_of(key) == pytest.approx(BOX)
    assert file_hash(key) == "5" * 32
    assert box_of("5" * 32) is None
    assert len({boxed_hash("5" * 32, BOX), boxed_hash("5" * 32, (0.2001, *BOX[1:])), boxed_hash("6" * 32, BOX)}) == 3


def test_box__regions_are_sampled_inside_it_grow_into_its_context_and_are_cut_out_of_the_file(
    png: bytes, noise: Image.Image, demo_encoder: Any
) -> None:
    (found,) = encode([BoxedImage(png, BOX)], demo_encoder, PLAN)
    assert isinstance(found, EncodedImage)
    key = boxed_hash(content_hash(png), BOX)
    assert (found.content_hash, found.image_size_hw) == (key, (HEIGHT, WIDTH))
    sampled, regions = found.boxes[found.step == 0], PLAN.regions
    expected = sample_boxes(
        12, (40, 75), scale_min=regions.scale_min, scale_max=regions.scale_max, seed=regions.seed, content_hash=key
    )
    np.testing.assert_array_equal(sampled, expected + np.array([60, 60, 0, 0]))
    left, top, width, height = frame_of(key, (HEIGHT, WIDTH)).outer
    near, far = found.boxes[:, :2], found.boxes[:, :2] + found.boxes[:, 2:]
    assert (near >= (left, top)).all()
    assert (far <= (left + width, top + height)).all()
    grown = found.boxes[found.step > 0]
    assert ((grown[:, 1] < 60) | (grown[:, 1] + grown[:, 3] > 100)).any()
    assert found.embeddings.side is not None
    assert found.embeddings.side.max() <= 1

    def vector(box: tuple[int, ...]) -> np.ndarray:
        x, y, w, h = box
        size = demo_encoder.preprocessing.size
        crop = noise.crop((x, y, x + w, y + h)).resize((size, size), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.asarray(crop).astype(np.float32) / 255).permute(2, 0, 1)
        mean, std = (torch.tensor(one)[:, None, None] for one in (demo_encoder.mean, demo_encoder.std))
        return np.asarray(demo_encoder.encode_images(((pixels - mean) / std)[None]))[0]

    np.testing.assert_allclose(found.whole, vector((60, 42, 75, 75)), atol=2e-3)
    for row in (0, 5, len(found.boxes) - 1):
        np.testing.assert_allclose(found.regions[row], vector(tuple(found.boxes[row].tolist())), atol=2e-3)


def test_box__its_known_regions_are_replayed_alone_and_with_others(png: bytes, demo_encoder: Any) -> None:
    sources = [BoxedImage(png, BOX), png, BoxedImage(png, (0.5, 0.1, 0.4, 0.6))]
    found = encode(sources, demo_encoder, PLAN)
    known = {one.content_hash: known_of(one) for one in found}
    again = encode(sources, demo_encoder, PLAN, recall=known.get)
    assert [one.encodes for one in again] == [0, 0, 0]
    rows = [(str(one.id), one.content_hash, known[one.content_hash]) for one in found]
    batch = replay_batch(rows, PLAN)
    assert batch is not None
    for one, other, alone in zip(found, batch.images(), one_by_one(rows, PLAN), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.regions, other.regions)
        np.testing.assert_array_equal(one.boxes, alone.boxes)
        assert one.embeddings.side is not None
        assert other.embeddings.side is not None
        np.testing.assert_allclose(one.embeddings.side, other.embeddings.side)
    part = batch.part(np.array([0, 2]), np.array([[0, 3], [1, 2]]))
    assert found[2].embeddings.side is not None
    np.testing.assert_allclose(part.side[1], found[2].embeddings.side[[1, 2]])  # type: ignore[index]


def test_box__is_cut_on_a_device_as_by_pillow(png: bytes, demo_encoder: Any) -> None:
    picture = cut_frame(open_picture(png), boxed_hash(content_hash(png), BOX), None)
    boxes = [(62, 61, 30, 30), (50, 45, 60, 60), None]
    cutter = DeviceCutter(demo_encoder.preprocessing, torch.device("cpu"))
    found = cutter.cut([(picture, box) for box in boxes]).numpy().astype(int)
    size = demo_encoder.preprocessing.size
    whole = open_picture(png).image
    for crop, box in zip(found, [*boxes[:2], (60, 42, 75, 75)], strict=True):
        assert box is not None
        x, y, w, h = box
        expected = np.asarray(whole.crop((x, y, x + w, y + h)).resize((size, size), Image.Resampling.BICUBIC))
        assert np.abs(crop - expected.transpose(2, 0, 1)).max() <= 2


def test_boxes_of_a_file__are_read_from_it_once(png: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(png)
    files = OpenedFiles()
    first, second = BoxedImage(str(path), BOX), BoxedImage(str(path), (0.5, 0.1, 0.4, 0.6))
    files.picture(first, files.key(first), None)
    path.unlink()
    key = files.key(second)
    assert files.picture(second, key, None).size_hw == (HEIGHT, WIDTH)
    small = OpenedFiles(max_bytes=0)
    for number in range(2):
        other = tmp_path / f"{number}.png"
        other.write_bytes(png)
        source = BoxedImage(str(other), BOX)
        small.picture(source, small.key(source), None)
    (tmp_path / "0.png").unlink()
    with pytest.raises(ImageError, match="does not exist"):
        small.key(BoxedImage(str(tmp_path / "0.png"), BOX))


def test_boxes__that_cannot_be_used_say_why_and_leave_the_others_alone(png: bytes, demo_encoder: Any) -> None:
    bad = {
        "the box has no area": (0.2, 0.2, 0.0, 0.3),
        "the box lies outside its image": (1.2, 0.2, 0.1, 0.3),
        "the box is smaller than a pixel": (0.2, 0.2, 0.001, 0.3),
        "the box is 6 x 60 pixels; a crop needs sides of at least 8": (0.2, 0.2, 0.02, 0.3),
    }
    sources = [*(BoxedImage(png, box) for box in bad.values()), BoxedImage(png, BOX, "it is a crowd"), png]
    *failed, good = encode([*sources, BoxedImage(png, (-0.1, 0.2, 0.4, 0.3))], demo_encoder, PLAN)
    failed, whole = failed[:-1], failed[-1]
    assert [one.reason for one in failed if isinstance(one, FailedImage)] == [*bad, "it is a crowd"]
    assert frame_of(good.content_hash, good.image_size_hw).inner == (0, 40, 90, 60)
    assert_same([whole], [*encode([png], demo_encoder, PLAN)])
    with pytest.raises(ImageError, match="more than 500 times"):
        check_box((0.0, 0.0, 1.0, 0.001), (9000, 9000))
    with pytest.raises(ImageError, match="no area"):
        check_box((float("nan"), 0.0, 0.5, 0.5), (90, 90))


def test_a_large_box__is_reduced_and_regions_keep_the_pixels_of_the_file(png: bytes) -> None:
    key = boxed_hash(content_hash(png), (0.0, 0.0, 1.0, 1.0))
    picture = cut_frame(open_picture(png), key, 90.0)
    assert (picture.reduction, picture.image.size, picture.size_hw) == (2, (150, 100), (HEIGHT, WIDTH))
    assert picture.edges(np.array([[100, 50, 60, 60]])).tolist() == [[50, 25, 80, 55]]
