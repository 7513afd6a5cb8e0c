"""From decoded pixels to the tower's input, against Pillow and open_clip's own transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from open_clip.transform import image_transform
from PIL import Image
from torchvision.transforms import functional

from lgca_plugin.images.crops import Preprocessing, crop_and_resize, normalize_pixels, resize_whole
from lgca_plugin.method.core.boxes import sample_boxes

MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


def preprocessing(**options: object) -> Preprocessing:
    return Preprocessing(**{"size": 64, "mean": MEAN, "std": STD, **options})  # type: ignore[arg-type]


def transform(config: Preprocessing) -> Any:
    names = ("mean", "std", "resize_mode", "interpolation", "fill_color")
    return image_transform(config.size, is_train=False, **{name: getattr(config, name) for name in names})


def assert_whole_is_open_clips(pixels: np.ndarray, config: Preprocessing) -> None:
    image = Image.fromarray(pixels)
    found = normalize_pixels(resize_whole(image, config)[None], config)[0].numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, transform(config)(image).numpy(), atol=1e-5)


@pytest.fixture(scope="module")
def photograph(photographs) -> np.ndarray:
    """A real photograph, 300 x 451 pixels."""
    return np.array(Image.open(next(p for p in photographs if p.name == "chelsea.png")).convert("RGB"))


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [64, 224])
def test_whole__is_open_clips_own_transform(photograph: np.ndarray, mode: str, interpolation: str, size: int) -> None:
    config = preprocessing(size=size, resize_mode=mode, interpolation=interpolation, fill_color=3)
    assert_whole_is_open_clips(photograph, config)


@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (2, 1), (63, 65), (65, 64), (5, 200), (200, 5), (64, 4000)])
def test_whole__is_open_clips_own_transform_for_odd_sizes(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert_whole_is_open_clips(pixels, preprocessing())


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [64, 224])
def test_crops__are_prepared_as_open_clip_prepares_a_square_image(
    photograph: np.ndarray, interpolation: str, size: int
) -> None:
    config = preprocessing(size=size, interpolation=interpolation)
    height, width = photograph.shape[:2]
    boxes = np.array(
        [
            [0, 0, 300, 300],
            [width - 150, height - 150, 150, 150],
            [100, 50, 64, 64],
            [200, 100, 31, 31],  # enlarged
            [17, 29, 271, 271],
            [5, 6, 1, 1],
            [width - 1, height - 1, 1, 1],
            [7, 8, 2, 2],
        ]
    )
    whole = Image.fromarray(photograph)
    found = crop_and_resize(whole, boxes, config)
    assert tuple(found.shape) == (len(boxes), 3, size, size)
    own = transform(preprocessing(size=size, interpolation=interpolation, mean=(0, 0, 0), std=(1, 1, 1)))
    for crop, (left, top, side, _) in zip(found, boxes.tolist(), strict=True):
        expected = own(whole.crop((left, top, left + side, top + side)))
        np.testing.assert_array_equal(crop.numpy(), np.round(expected.numpy() * 255))


def test_crops__do_not_bleed_into_each_other_or_past_their_edges() -> None:
    """A crop is cut first and resized then: pixels outside the box have no part in it."""
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    image[20:60, 50:90] = 255
    found = crop_and_resize(Image.fromarray(image), np.array([[50, 20, 40, 40], [100, 20, 40, 40]]), preprocessing())
    assert (found[0] == 255).all()
    assert (found[1] == 0).all()


def test_crops__leave_the_image_alone_and_none_give_none() -> None:
    before = np.random.default_rng(2).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    image = Image.fromarray(before)
    crop_and_resize(image, np.array([[0, 0, 80, 80]]), preprocessing())
    resize_whole(image, preprocessing())
    np.testing.assert_array_equal(np.asarray(image), before)
    none = np.zeros((0, 4), dtype=np.int64)
    assert tuple(crop_and_resize(image, none, preprocessing()).shape) == (0, 3, 64, 64)


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("channels_last", [True, False])
def test_normalize__is_torchvisions_in_either_layout(channels_last: bool, count: int) -> None:
    config = preprocessing(size=7, mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
    pixels = torch.randint(0, 256, (count, 3, 7, 7), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    if channels_last:
        pixels = pixels.to(memory_format=torch.channels_last)
    before = pixels.clone()
    found = normalize_pixels(pixels, config)
    assert torch.equal(found, functional.normalize(pixels.float() / 255, config.mean, config.std))
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [64, 224])
def test_fast__differs_by_a_level_in_at_most_one_value_of_a_hundred(
    photographs: list, interpolation: str, size: int
) -> None:
    """On every photograph there is; the boxes are those of a run."""
    exact = preprocessing(size=size, interpolation=interpolation)
    fast = preprocessing(size=size, interpolation=interpolation, exact=False)
    for path in photographs:
        image = Image.open(path).convert("RGB")
        image.thumbnail((600, 600))
        boxes = sample_boxes(
            8, (image.height, image.width), scale_min=0.2, scale_max=0.9, seed=0, content_hash=path.name
        )
        found, expected = (crop_and_resize(image, boxes, config).long() for config in (fast, exact))
        difference = (found - expected).abs()
        assert found.shape == expected.shape
        assert difference.max() <= 2, path.name
        assert (difference > 1).float().mean() < 1e-4, path.name
        assert (difference > 0).float().mean() < 0.012, path.name


@pytest.mark.parametrize("reduction", [2, 4])
def test_reduced__crops_show_what_those_of_the_whole_image_show(photograph: np.ndarray, reduction: int) -> None:
    small = Image.fromarray(photograph)
    large = small.resize((small.width * reduction, small.height * reduction), Image.Resampling.BICUBIC)
    config = preprocessing(exact=False)
    boxes = np.array([[0, 0, 900, 900], [301, 83, 402, 402], [450, 299, 300, 300]]) * reduction // 3
    found = crop_and_resize(large.reduce(reduction), boxes, config, reduction=reduction).float()
    expected = crop_and_resize(large, boxes, preprocessing()).float()
    assert (found - expected).abs().mean() < 2.5
    elsewhere = crop_and_resize(large, boxes[::-1], config).float()
    assert (found - elsewhere).abs().mean() > 10
