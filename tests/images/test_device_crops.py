"""Crops cut and resized as matrix products, on any device, against Pillow and open_clip's own transform."""

from __future__ import annotations

import io
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lgca_plugin.config import RegionConfig
from lgca_plugin.images import device_crops
from lgca_plugin.images.crops import Preprocessing, crop_and_resize, resize_whole
from lgca_plugin.images.decoding import Picture, open_picture
from lgca_plugin.images.device_crops import DeviceCutter
from lgca_plugin.images.filters import filter_weights, halves_of
from lgca_plugin.method.core.boxes import sample_boxes
from tests.helpers.engine import Counting, assert_same, encode, plan_of

CPU = torch.device("cpu")


def preprocessing(**options: Any) -> Preprocessing:
    return Preprocessing(**{"size": 64, "mean": (0.5,) * 3, "std": (0.5,) * 3, **options})


def picture_of(image: Image.Image) -> Picture:
    return Picture(image, (image.height, image.width))


def cut(pictures: list[Picture], boxes: list[list[Any]], config: Preprocessing, **options: Any) -> np.ndarray:
    """Cuts boxes out of each picture, all together."""
    pairs = [(picture, box) for picture, own in zip(pictures, boxes, strict=True) for box in own]
    return DeviceCutter(config, CPU, **options).cut(pairs).numpy().astype(int)


def assert_near(found: np.ndarray, expected: Any, *, most: int, share: float) -> None:
    """Values differ by at most so many levels, and at most this share of them at all."""
    apart = np.abs(found - np.asarray(expected).astype(int))
    assert apart.max() <= most
    assert (apart > 0).mean() < share


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def slow_weights(length: int, to_length: int, first: int, size: int, kernel: Any, support: float) -> np.ndarray:
    """The filter as Pillow describes it, pixel by pixel, in double precision."""
    scale = length / to_length
    wider = max(scale, 1.0)
    weights = np.zeros((size, length))
    for row in range(size):
        center = (first + row + 0.5) * scale
        start = max(0, int(center - support * wider + 0.5))
        end = min(length, int(center + support * wider + 0.5))
        for pixel in range(start, end):
            weights[row, pixel] = kernel(abs((pixel + 0.5 - center) / wider))
        weights[row] /= weights[row].sum()
    return weights


def cubic(away: float) -> float:
    if away < 1:
        return 1.5 * away**3 - 2.5 * away**2 + 1
    return -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2 if away < 2 else 0.0


@pytest.mark.parametrize(
    ("name", "kernel", "support"), [("bicubic", cubic, 2.0), ("bilinear", lambda away: max(0.0, 1 - away), 1.0)]
)
def test_weights__are_pillows(name: str, kernel: Any, support: float) -> None:
    sides = [(64, 64, 0), (500, 64, 0), (31, 64, 0), (1, 64, 0), (333, 85, 10), (4000, 64, 0), (65, 64, 0)]
    found = filter_weights(sides, 64, name).numpy()
    assert found.shape == (len(sides), 64, 4000)
    for weights, (length, to_length, first) in zip(found, sides, strict=True):
        expected = slow_weights(length, to_length, first, 64, kernel, support)
        np.testing.assert_allclose(weights[:, :length], expected, atol=1e-6)
        assert not weights[:, length:].any()


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [64, 224])
def test_crops__of_photographs_are_pillows_but_for_a_level_here_and_there(
    photographs: list[Path], interpolation: str, size: int
) -> None:
    images = [Image.open(path).convert("RGB") for path in photographs[:4]]
    config = preprocessing(size=size, interpolation=interpolation)
    boxes = [
        sample_boxes(12, (image.height, image.width), scale_min=0.05, scale_max=1.0, seed=3, content_hash="ab" * 16)
        for image in images
    ]
    found = cut([picture_of(image) for image in images], [own.tolist() for own in boxes], config)
    exact = [crop_and_resize(image, own, config).numpy() for image, own in zip(images, boxes, strict=True)]
    cubic = interpolation == "bicubic"  # the sums of the other are often halves
    assert_near(found, np.concatenate(exact), most=1 if cubic else 2, share=2e-4 if cubic else 5e-3)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("shape", [(300, 451), (451, 300), (64, 64), (200, 200), (20, 900), (63, 65), (640, 64)])
def test_whole__is_open_clips_own_transform(mode: str, shape: tuple[int, int]) -> None:
    config = preprocessing(resize_mode=mode, fill_color=3)
    image = noise(*shape)
    found = cut([picture_of(image)], [[None]], config)[0]
    assert_near(found, resize_whole(image, config), most=1, share=1e-3)


def test_crops__of_odd_sizes_and_at_the_edges() -> None:
    image, config = noise(100, 130, seed=2), preprocessing()
    boxes = [[0, 0, 100, 100], [29, 0, 100, 100], [129, 99, 1, 1], [5, 6, 1, 1], [7, 8, 2, 2], [40, 20, 64, 64]]
    found = cut([picture_of(image)], [boxes], config)
    exact = crop_and_resize(image, np.array(boxes), config).numpy().astype(int)
    assert np.abs(found - exact).max() <= 1
    np.testing.assert_array_equal(found[-1], exact[-1])  # the encoder's own size: nothing to resize
    for one in (2, 3):
        np.testing.assert_array_equal(found[one], exact[one])  # a single pixel


def test_crops__do_not_bleed_into_each_other_or_past_their_edges() -> None:
    black = np.zeros((100, 200, 3), dtype=np.uint8)
    black[20:60, 50:90] = 255
    white = Image.new("RGB", (90, 90), "white")
    boxes = [[[50, 20, 40, 40], [100, 20, 40, 40]], [[0, 0, 90, 90], [10, 20, 39, 39]]]
    found = cut([picture_of(Image.fromarray(black)), picture_of(white)], boxes, preprocessing())
    assert [set(np.unique(crop).tolist()) for crop in found] == [{255}, {0}, {255}, {255}]
    assert cut([], [], preprocessing()).shape == (0, 3, 64, 64)


@pytest.mark.parametrize("setting", ["highest", "medium"])
def test_crops__are_the_same_whatever_they_are_cut_with_and_another_package_has_set(setting: str) -> None:
    """Together with others, or alone for want of memory; where a product of float32 numbers may be one of bfloat16."""
    pictures = [picture_of(noise(height, width, seed=height)) for height, width in ((80, 300), (400, 90), (150, 150))]
    boxes: list[list[Any]] = [
        [[3, 5, 70, 70], None, [0, 0, 10, 10]],
        [None, [1, 300, 88, 88]],
        [[0, 0, 150, 150], [20, 30, 101, 101]],
    ]
    together = cut(pictures, boxes, preprocessing())
    torch.set_float32_matmul_precision(setting)
    try:
        alone = cut(pictures, boxes, preprocessing(), max_bytes=1)
    finally:
        torch.set_float32_matmul_precision("highest")
    np.testing.assert_array_equal(together, alone)
    fewer = DeviceCutter(preprocessing(), CPU).cut([(pictures[1], boxes[1][1]), (pictures[0], None)], rows=4)
    np.testing.assert_array_equal(fewer.numpy(), together[[4, 1, 4, 4]])  # filled up with the first


def test_sums__of_the_halves_of_weights_are_exact_in_eleven_bits_of_tf32() -> None:
    """What TF32 keeps of pixels and weights is all of them, so that its units give the same crops."""
    for name in ("bicubic", "bilinear"):
        weights = filter_weights([(500, 64, 0), (31, 64, 0), (65, 64, 0), (1, 64, 0)], 64, name)
        halves = halves_of(weights)
        np.testing.assert_array_equal(halves[:, :64].double() + halves[:, 64:].double(), weights.double())
        mantissa, _ = np.frexp(halves.numpy())
        np.testing.assert_array_equal(mantissa * 2**11, np.rint(mantissa * 2**11))


def test_crops__of_a_reduced_picture_are_cut_at_its_nearest_pixels() -> None:
    buffer = io.BytesIO()
    noise(403, 611).resize((1222, 806)).save(buffer, "JPEG", quality=95)
    picture, config = open_picture(buffer.getvalue(), enough=300), preprocessing(exact=False)
    assert picture.reduction == 2
    boxes = np.array([[0, 0, 806, 806], [13, 7, 401, 401], [417, 1, 805, 805]])
    found = cut([picture], [boxes.tolist()], config)
    assert_near(found, crop_and_resize(picture.image, boxes, config, reduction=2), most=2, share=1e-2)


def test_picture__is_copied_to_the_device_once_and_the_copy_is_deleted_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cutter = DeviceCutter(preprocessing(), CPU)
    picture = picture_of(noise(50, 60))
    copy = weakref.ref(cutter.load(picture))
    monkeypatch.setattr(device_crops, "to_device", lambda *_: pytest.fail("copied again"))
    cutter.cut([(picture, None)])
    assert copy() is not None
    del picture
    assert copy() is None


def on_device(encoder: Any, **options: Any) -> Counting:
    """The demo's real model, whose crops are cut as those of a model on a GPU are."""
    return Counting(encoder, crops_on_device=True, **options)


@pytest.fixture(scope="module")
def birds(demo_images: list[Any]) -> list[Path]:
    return [Path(image.path) for image in demo_images[:6]]


def test_engine__embeds_the_same_as_with_pillows_crops(birds: list[Path], demo_encoder: Any) -> None:
    plan = plan_of(regions=RegionConfig(crops=8))
    exact, found = encode(birds, demo_encoder, plan), encode(birds, on_device(demo_encoder), plan)
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        assert (one.regions * other.regions).sum(axis=-1).min() > 0.9999
        assert float(one.whole @ other.whole) > 0.9999
        assert one.encodes == other.encodes


@pytest.mark.parametrize("memory", [1, 5])
def test_engine__running_out_of_memory_changes_the_batches_and_nothing_else(
    birds: list[Path], demo_encoder: Any, memory: int
) -> None:
    small = on_device(demo_encoder, memory=memory)
    expected = encode(birds[:3], on_device(demo_encoder))
    assert_same(encode(birds[:3], small, batch_size=16), expected)
    assert max(small.batches) <= memory


def test_engine__memory_that_runs_out_while_cutting_counts_too(
    birds: list[Path], demo_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encode(birds[:2], on_device(demo_encoder))
    resize_windows = device_crops.resize_windows
    failed = []

    def tight(images: Any, owners: Any, windows: Any, *others: Any, **options: Any) -> Any:
        if len(windows) > 4:
            failed.append(len(windows))
            raise torch.OutOfMemoryError("no room")
        return resize_windows(images, owners, windows, *others, **options)

    monkeypatch.setattr(device_crops, "resize_windows", tight)
    assert_same(encode(birds[:2], on_device(demo_encoder), batch_size=16), expected)
    assert failed
