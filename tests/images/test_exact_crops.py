"""Crops resized by sums of rows, against Pillow: not one value may differ."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

import lgca_plugin as lgca
from lgca_plugin.engine import engine
from lgca_plugin.images import crops
from lgca_plugin.images.crops import Preprocessing, crop_and_resize, resize_whole
from lgca_plugin.images.files import Picture
from lgca_plugin.method.core.boxes import sample_boxes
from lgca_plugin.model import exact_crops
from lgca_plugin.model.exact_crops import (
    pillow_weights,
    resize_exactly,
    resize_middle_exactly,
    sums_are_fast,
    taps_of,
    turned_planes,
)
from tests.helpers.engine import assert_same, plan_of

INTERPOLATIONS = ("bicubic", "bilinear")


def pillow(image: Image.Image, boxes: np.ndarray, size: int, interpolation: str) -> np.ndarray:
    how = Image.Resampling[interpolation.upper()]
    corners = [(left, top, left + width, top + height) for left, top, width, height in boxes.tolist()]
    return np.stack([np.asarray(image.crop(corner).resize((size, size), how)) for corner in corners])


def ours(image: Image.Image, boxes: np.ndarray, size: int, interpolation: str) -> np.ndarray:
    found = resize_exactly(turned_planes(image), boxes, size, interpolation)
    assert found is not None
    assert found.dtype == torch.uint8
    return found.numpy()


def random_picture(rng: np.random.Generator, kind: str) -> Image.Image:
    """Noise; black and white, whose sums are the largest; smooth, whose values lie close together; or one colour."""
    height, width = rng.integers(1, 500, 2)
    values = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "extreme":
        values = np.where(values > 127, 255, 0).astype(np.uint8)
    elif kind == "flat":
        values[:] = values[0, 0]
    image = Image.fromarray(values)
    return image.filter(ImageFilter.GaussianBlur(4)) if kind == "smooth" else image


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("kind", ["noise", "extreme", "smooth", "flat"])
def test_crops__of_any_size_and_place_are_pillows(kind: str, interpolation: str) -> None:
    rng = np.random.default_rng([INTERPOLATIONS.index(interpolation), len(kind)])
    for _ in range(40):
        image, size = random_picture(rng, kind), int(rng.choice([1, 3, 32, 64, 65, 224]))
        side = rng.integers(1, min(image.size) + 1, 3)
        left, top = rng.integers(image.width - side + 1), rng.integers(image.height - side + 1)
        boxes = np.stack([left, top, side, side], axis=1)
        found, expected = ours(image, boxes, size, interpolation), pillow(image, boxes, size, interpolation)
        np.testing.assert_array_equal(found, expected, f"{image.size}, {boxes.tolist()} to {size}")


@pytest.mark.parametrize("size", [64, 224])
def test_crops__of_photographs_are_pillows(photographs: list[Path], size: int) -> None:
    for path in photographs:
        image = Image.open(path).convert("RGB")
        boxes = sample_boxes(
            6, (image.height, image.width), scale_min=0.05, scale_max=1.0, seed=1, content_hash=path.name
        )
        np.testing.assert_array_equal(
            ours(image, boxes, size, "bicubic"), pillow(image, boxes, size, "bicubic"), path.name
        )


def test_crops__that_are_summed_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = random_picture(np.random.default_rng(5), "noise").resize((333, 301))
    boxes = np.array([[0, 0, 301, 301], [33, 1, 300, 300], [7, 9, 1, 1]])
    for most in (1, 5_000, 100_000):
        monkeypatch.setattr(exact_crops, "_MOST_VALUES", most)
        np.testing.assert_array_equal(ours(image, boxes, 64, "bicubic"), pillow(image, boxes, 64, "bicubic"))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("length", [1, 2, 63, 64, 100, 777, 5_000, 12_000])
def test_taps__have_parts_whose_sums_float32_holds_and_which_are_the_weights(length: int, interpolation: str) -> None:
    pixels, counts, weights = pillow_weights(length, 64, interpolation)
    taps = taps_of(length, 64, interpolation)
    assert taps is not None
    ends = [*taps.starts.tolist()[1:], len(taps.pixels)]
    for row, (start, end) in enumerate(zip(taps.starts.tolist(), ends, strict=True)):
        unit = 2.0**-15 if row % 2 == 0 else 2.0**-7
        whole = taps.weights[start:end].double() / unit
        assert torch.equal(whole, whole.round())
        assert 255 * whole.abs().sum() < 2**24
        own = slice(0, counts[row // 2])
        np.testing.assert_array_equal(taps.pixels[start:end].numpy(), pixels[row // 2, own])
        if row % 2:
            high = taps.weights[start - len(whole) : start].double() * 2**15
            np.testing.assert_array_equal((high * 2**7 + whole).numpy(), weights[row // 2, own])


def test_crops__too_large_for_exact_sums_are_pillows_own() -> None:
    image = random_picture(np.random.default_rng(1), "noise").resize((2_700, 2_650))
    boxes = np.array([[5, 6, 2_640, 2_640], [0, 0, 64, 64]])
    assert taps_of(2_640, 1, "bicubic") is None
    assert resize_exactly(turned_planes(image), boxes, 1, "bicubic") is None
    found = crop_and_resize(image, boxes, preprocessing(size=1), planes=turned_planes(image))
    np.testing.assert_array_equal(found.permute(0, 2, 3, 1).numpy(), pillow(image, boxes, 1, "bicubic"))


def test_crops__by_another_filter_are_pillows_own() -> None:
    image, boxes = random_picture(np.random.default_rng(2), "noise").resize((300, 200)), np.array([[3, 4, 190, 190]])
    found = crop_and_resize(image, boxes, preprocessing(interpolation="lanczos"), planes=turned_planes(image))
    np.testing.assert_array_equal(found.permute(0, 2, 3, 1).numpy(), pillow(image, boxes, 64, "lanczos"))


def preprocessing(**options: Any) -> Preprocessing:
    return Preprocessing(**{"size": 64, "mean": (0.5,) * 3, "std": (0.5,) * 3, **options})


def test_crops__are_pillows_own_where_torch_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise NotImplementedError("there is no TorchScript any more")

    image, boxes = random_picture(np.random.default_rng(8), "noise").resize((200, 100)), np.array([[3, 4, 90, 90]])
    with monkeypatch.context() as patch:
        patch.setattr(torch.jit, "script", gone)
        _forget()
        assert not sums_are_fast()
        found = crop_and_resize(image, boxes, preprocessing(), planes=turned_planes(image))
    _forget()
    np.testing.assert_array_equal(found.permute(0, 2, 3, 1).numpy(), pillow(image, boxes, 64, "bicubic"))


def _forget() -> None:
    sums_are_fast.cache_clear()
    exact_crops._compiled.cache_clear()


@pytest.mark.parametrize("changed", ["crops", "whole"])
def test_crops__are_pillows_own_where_a_later_pillow_sums_in_another_way(
    monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    own = Image.Image.resize

    def other(image: Image.Image, size: tuple[int, int], *rest: Any) -> Image.Image:
        resized = own(image, size, *rest)
        if (size[0] == size[1]) == (changed == "crops"):
            red, green, blue = resized.getpixel((3, 3))
            resized.putpixel((3, 3), (red, green, blue ^ 1))
        return resized

    if sums_are_fast():
        with monkeypatch.context() as patch:
            patch.setattr(Image.Image, "resize", other)
            sums_are_fast.cache_clear()
            assert not sums_are_fast()
        sums_are_fast.cache_clear()
        assert sums_are_fast()


def test_crops__are_summed_on_this_processor() -> None:
    """Else the tests of the engine would say nothing of it."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        pytest.skip("no AVX2")
    assert sums_are_fast()


def test_engine__gives_the_same_embeddings_by_either_way(
    photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, plan, cut = lgca.load_encoder("demo", resize="exact"), plan_of(("clip", "wca", "lgca")), []
    resize, resize_middle, wholes = resize_exactly, resize_middle_exactly, []

    def counted_whole(*given: Any) -> Any:
        wholes.append(given)
        return resize_middle(*given)

    def counted(planes: torch.Tensor, boxes: np.ndarray, *rest: Any) -> Any:
        cut.append(len(boxes))
        return resize(planes, boxes, *rest)

    monkeypatch.setattr(crops, "resize_exactly", counted)
    monkeypatch.setattr(crops, "resize_middle_exactly", counted_whole)
    files = list(enumerate(photographs[:3]))
    summed = list(engine.encode_images(files, encoder=encoder, plan=plan))
    assert sum(cut) == sum(one.encodes - 1 for one in summed) or not sums_are_fast()
    wide = [one for one in summed if one.image_size_hw[0] <= one.image_size_hw[1]]
    assert 0 < len(wholes) == len(wide) or not sums_are_fast()
    monkeypatch.setattr(engine, "sums_are_fast", lambda: False)
    cut.clear()
    wholes.clear()
    resized = list(engine.encode_images(files, encoder=encoder, plan=plan))
    assert not cut
    assert not wholes
    assert_same(summed, resized)


def test_picture__says_what_its_planes_take() -> None:
    image = Image.new("RGB", (30, 20))
    assert Picture(image, (20, 30)).nbytes == 4 * 600
    assert Picture(image, (20, 30), planes=turned_planes(image)).nbytes == 7 * 600


def test_planes__are_a_copy_of_the_pixels() -> None:
    """Also of an image so narrow that nothing is turned; the image stays as it is."""
    for shape in ((7, 5), (7, 1), (1, 5), (1, 1)):
        values = np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(values).save(buffer, "PNG")
        image = Image.open(buffer)
        planes = turned_planes(image)
        np.testing.assert_array_equal(planes.numpy(), values.transpose(1, 2, 0))
        planes.zero_()
        np.testing.assert_array_equal(np.asarray(image), values)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
def test_whole__image_of_any_shape_is_what_open_clip_makes_of_it(mode: str, interpolation: str) -> None:
    """Where the rest is cut away, too; what is padded, and what is tall, is left to Pillow."""
    rng = np.random.default_rng([len(mode), len(interpolation)])
    for kind in ("noise", "extreme", "smooth", "flat") * 8:
        image, size = random_picture(rng, kind), int(rng.choice([32, 64, 65, 224]))
        if 50 * min(image.size) < max(image.size):  # open_clip can't pad what is narrower than half a pixel
            continue
        wanted = preprocessing(size=size, resize_mode=mode, interpolation=interpolation)
        found = resize_whole(image, wanted, planes=turned_planes(image))
        np.testing.assert_array_equal(found, resize_whole(image, wanted), f"{image.size} to {size}")


def test_whole__photographs_are_summed_and_the_same(photographs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Image.open(path).convert("RGB") for path in photographs]
    pictures = [picture for picture in pictures if picture.height <= picture.width]
    assert len(pictures) >= 5
    wanted = [preprocessing(size=size, resize_mode=mode) for size in (64, 224) for mode in ("shortest", "squash")]
    expected = [resize_whole(picture, one) for picture in pictures for one in wanted]
    monkeypatch.setattr(crops, "_whole_transform", None)  # it must not be asked
    found = [resize_whole(picture, one, planes=turned_planes(picture)) for picture in pictures for one in wanted]
    assert sums_are_fast()
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert {one.shape for one in found} == {(3, 64, 64), (3, 224, 224)}


def test_whole__image_too_large_for_exact_sums_is_pillows_own() -> None:
    image, wanted = random_picture(np.random.default_rng(4), "noise").resize((2_700, 2_650)), preprocessing(size=1)
    assert resize_middle_exactly(turned_planes(image), (1, 1), 1, "bicubic") is None
    assert resize_middle_exactly(turned_planes(image), (90, 80), 80, "lanczos") is None
    assert torch.equal(resize_whole(image, wanted, planes=turned_planes(image)), resize_whole(image, wanted))
