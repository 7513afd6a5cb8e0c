"""Towers in half precision: rounded once, near to float32, and replaced by a wider type where they overflow."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lgca_plugin.encoder import open_clip_encoder
from lgca_plugin.encoder.base import device_kind, sample_pixels
from lgca_plugin.encoder.checkpoints import load_demo
from lgca_plugin.encoder.half_precision import overflow_pixels, with_rounded_products
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def demo_encoder_of(name: str, model: Any = None, **settings: Any) -> OpenClipEncoder:
    made, tokenizer, _ = load_demo(name)
    return OpenClipEncoder(model or made, tokenizer, name=name, **{"device": "cpu", **settings})


class Rounded(TorchDispatchMode):
    """Counts the conversions of each shape to half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: Counter[tuple[int, ...]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._to_copy.default and (kwargs or {}).get("dtype") in HALF.values():
            self.shapes[tuple(args[0].shape)] += 1
        return func(*args, **(kwargs or {}))


def weight_shapes(tower: Any) -> set[tuple[int, ...]]:
    """The layers' matrices; two small ones belong to none, the embedding of positions and the last projection."""
    return {tuple(weights.shape) for name, weights in tower.named_parameters() if name.endswith("weight")}


@pytest.mark.parametrize("dtype", HALF.values())
def test_weights__are_rounded_once_and_embeddings_are_as_near_as_autocasts(dtype: torch.dtype) -> None:
    model = load_demo("demo-vit")[0].eval().requires_grad_(False)
    once = with_rounded_products(model, dtype)
    pixels = overflow_pixels(64)
    with torch.no_grad():
        exact = model.encode_image(pixels)
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        with Rounded() as each_time:
            expected = model.encode_image(pixels)
        with Rounded() as rounded:
            found = once.encode_image(pixels)
    shapes = weight_shapes(model.visual)
    assert shapes & set(each_time.shapes), "the count sees what autocast rounds"
    assert not shapes & set(rounded.shapes)
    assert sum(rounded.shapes.values()) < sum(each_time.shapes.values()) / 3
    off, off_autocast = (1 - torch.cosine_similarity(half.double(), exact.double()) for half in (found, expected))
    assert off.mean() < 1.5 * off_autocast.mean(), "equal on CUDA; on the CPU torch takes another kernel of attention"
    assert {weights.dtype for weights in model.parameters()} == {torch.float32}, "the model given stays as it is"


def test_weights__that_towers_share_are_still_shared_or_not_touched() -> None:
    model, _, _ = load_demo("demo-vit")
    first, second = model.visual.transformer.resblocks[:2]
    second.mlp.c_fc.weight = first.mlp.c_fc.weight
    model.transformer.resblocks[0].mlp.c_fc.weight = first.mlp.c_fc.weight
    rounded = with_rounded_products(model, torch.float16)
    one, other = (block.mlp.c_fc.weight for block in rounded.visual.transformer.resblocks[:2])
    assert one is other
    assert one.dtype == torch.float16
    assert rounded.transformer.resblocks[0].mlp.c_fc.weight is first.mlp.c_fc.weight
    assert first.mlp.c_fc.weight.dtype == torch.float32


@pytest.mark.parametrize("name", ["demo", "demo-vit"])
def test_fp16__is_nearer_to_float32_than_bf16_and_texts_are_float32s(name: str) -> None:
    pixels = overflow_pixels(64)
    exact = demo_encoder_of(name, precision="fp32")
    away = {}
    for precision in HALF:
        encoder = demo_encoder_of(name, precision=precision)
        away[precision] = float(1 - (encoder.encode_images(pixels) * exact.encode_images(pixels)).sum(axis=1).mean())
        texts = ["a drawing of a red bird", "a bird"]
        np.testing.assert_array_equal(encoder.encode_texts(texts), exact.encode_texts(texts))
        assert encoder.fingerprint == exact.fingerprint
    assert away["fp16"] < 2e-6
    assert away["fp16"] < away["bf16"] / 10


@pytest.fixture
def auto_takes_fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, so that what follows on CUDA can be seen without a device."""
    monkeypatch.setattr(open_clip_encoder, "auto_precisions", lambda *_: ("fp16", "bf16", "fp32"))


def overflowing_model() -> Any:
    """The demo's transformer with patches that are a million times as large, which its first layer norm undoes."""
    model, _, _ = load_demo("demo-vit")
    with torch.no_grad():
        for weights in (model.visual.conv1.weight, model.visual.class_embedding, model.visual.positional_embedding):
            weights.mul_(1e6)
    return model


@pytest.mark.usefixtures("auto_takes_fp16")
def test_auto__falls_back_where_fp16_overflows_and_says_so() -> None:
    sound = demo_encoder_of("demo-vit", precision="auto")
    assert (sound.precision, sound.auto_precision, sound.warnings) == ("fp16", "fp16", ())
    encoder = demo_encoder_of("demo-vit", overflowing_model(), precision="auto")
    assert (encoder.precision, encoder.auto_precision) == ("bf16", "bf16")
    assert encoder.warnings == ("demo-vit overflows in fp16, so its images are embedded in bf16",)
    pixels = sample_pixels(64)
    exact = demo_encoder_of("demo-vit", precision="fp32").encode_images(pixels)
    assert (encoder.encode_images(pixels) * exact).sum(axis=1).min() > 0.999


@pytest.mark.usefixtures("auto_takes_fp16")
def test_fp16__that_was_named_stays_and_overflows() -> None:
    encoder = demo_encoder_of("demo-vit", overflowing_model(), precision="fp16")
    assert (encoder.precision, encoder.auto_precision) == ("fp16", "")
    assert np.isnan(encoder.encode_images(sample_pixels(64))).all()


def test_float32__does_not_change_with_another_packages_setting() -> None:
    encoder, pixels = demo_encoder_of("demo-vit", precision="fp32"), sample_pixels(64)
    expected = encoder.encode_images(pixels)
    torch.set_float32_matmul_precision("medium")  # bfloat16 on this CPU, TF32 on CUDA
    try:
        found = encoder.encode_images(pixels)
        assert torch.get_float32_matmul_precision() == "medium", "it stays as the other package has set it"
    finally:
        torch.set_float32_matmul_precision("highest")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("precision", "device", "on_device", "kind"),
    [
        ("fp32", "cuda:1", False, None),
        ("fp32", "cuda:1", True, "cuda"),
        ("fp16", "cuda", True, "cuda"),
        ("bf16", "cpu", False, "cpu"),
        ("bf16", None, False, "cpu"),
        ("fp16", torch.device("mps"), False, "mps"),
    ],
)
def test_device_kind__is_part_of_what_half_precision_and_crops_of_the_device_are_filed_under(
    precision: str, device: Any, on_device: bool, kind: str | None
) -> None:
    encoder = demo_encoder_of("demo", precision="fp32")
    encoder.precision, encoder.device, encoder.crops_on_device = precision, device, on_device
    assert device_kind(encoder) == kind
