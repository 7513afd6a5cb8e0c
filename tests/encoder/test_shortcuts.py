"""Image towers without the work that nobody reads, against open_clip's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from open_clip.transformer import ResidualAttentionBlock
from torch import nn
from torch.nn.functional import cosine_similarity
from torch.utils.flop_counter import FlopCounterMode

from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.encoder.precision import with_rounded_tower
from lgca_plugin.encoder.shortcuts import FirstTokenBlock, OneQueryPool, attend_once, with_shortcuts

TEXT = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
TRANSFORMER = {"layers": 3, "width": 64, "image_size": 32, "patch_size": 8, "head_width": 16}
RESNET = {"layers": [1, 1, 1, 1], "width": 8, "image_size": 64, "head_width": 32}
ATOL = 2e-6


def make_model(vision: dict[str, Any], *, quick_gelu: bool = False) -> Any:
    """Makes a model whose parameters and statistics are random everywhere, as training leaves them."""
    torch.manual_seed(3)
    model = CLIP(16, vision, TEXT, quick_gelu=quick_gelu).eval().requires_grad_(False)
    for layer in model.visual.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values, low, high in (
                (layer.running_mean, -1, 1),
                (layer.running_var, 0.3, 2),
                (layer.bias, -0.5, 0.5),
            ):
                values.uniform_(low, high)
            layer.weight.uniform_(0.5, 2)
        elif isinstance(layer, nn.LayerNorm | nn.Linear) and layer.bias is not None:
            layer.bias.uniform_(-0.1, 0.1)
        elif isinstance(layer, nn.MultiheadAttention):
            layer.in_proj_bias.uniform_(-0.1, 0.1)
    return model


def pixels(n: int, size: int) -> torch.Tensor:
    noise = torch.randn((n, 3, size, size), generator=torch.Generator().manual_seed(0))
    return noise + torch.linspace(-3, 3, n).view(n, 1, 1, 1)


def embed(model: Any, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return nn.functional.normalize(model.encode_image(images).float(), dim=-1)


def flops(model: Any, images: torch.Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.encode_image(images)
    return int(counter.get_total_flops())


SHORTENED = {
    "transformer": TRANSFORMER,
    "one layer": {**TRANSFORMER, "layers": 1},
    "layer scale": {**TRANSFORMER, "ls_init_value": 0.7},
    "no first norm": {**TRANSFORMER, "no_ln_pre": True},
    "norm after pooling": {**TRANSFORMER, "final_ln_after_pool": True},
    "patch dropout": {**TRANSFORMER, "patch_dropout": 0.5},
    "resnet": RESNET,
    "large resnet": {**RESNET, "image_size": 96, "layers": [1, 2, 1, 2]},
}


@pytest.mark.parametrize("quick_gelu", [False, True])
@pytest.mark.parametrize("kind", SHORTENED)
def test_towers__embed_the_same_with_less_work(kind: str, quick_gelu: bool) -> None:
    vision = SHORTENED[kind]
    model, images = make_model(vision, quick_gelu=quick_gelu), pixels(5, vision["image_size"])
    before = {name: values.clone() for name, values in model.state_dict().items()}
    expected = embed(model, images)
    assert (expected[0] - expected[-1]).abs().max() > 1000 * ATOL, "images that look the same would prove nothing"

    shorter = with_shortcuts(model)
    assert shorter is not model
    torch.testing.assert_close(embed(shorter, images), expected, atol=ATOL, rtol=0)
    torch.testing.assert_close(embed(shorter, images[:1]), expected[:1], atol=ATOL, rtol=0)
    assert flops(shorter, images) < 0.97 * flops(model, images)

    assert model.state_dict().keys() == before.keys(), "the model that was given stays as it was"
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    torch.testing.assert_close(embed(model, images), expected, atol=0, rtol=0)


@pytest.mark.parametrize("vision", [TRANSFORMER, RESNET], ids=["transformer", "resnet"])
def test_towers__are_as_good_in_half_precision_and_share_the_rest(vision: dict[str, Any]) -> None:
    model, images = make_model(vision), pixels(32, vision["image_size"])
    shorter, expected = with_shortcuts(model), embed(model, images)
    assert shorter.transformer is model.transformer
    apart = [
        1 - cosine_similarity(embed(with_rounded_tower(one, torch.bfloat16), images.bfloat16()), expected).mean()
        for one in (model, shorter)
    ]
    assert 0 < apart[1] < 2 * apart[0]


@pytest.mark.parametrize(
    "changes",
    [{"pool_type": "avg"}, {"attentional_pool": True}, {"output_tokens": True}, {"qk_norm": True}],
    ids=lambda changes: next(iter(changes)),
)
def test_towers__of_other_kinds_stay_as_they_are(changes: dict[str, Any]) -> None:
    model = make_model({**TRANSFORMER, **changes})
    assert with_shortcuts(model) is model


def test_towers__stay_where_another_open_clip_computes_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ResidualAttentionBlock.forward
    model = make_model(TRANSFORMER)
    monkeypatch.setattr(ResidualAttentionBlock, "forward", lambda *given, **named: 1.01 * own(*given, **named))
    assert with_shortcuts(model) is model
    monkeypatch.setattr(ResidualAttentionBlock, "forward", own)
    assert with_shortcuts(model) is not model
    monkeypatch.delattr(model.visual.transformer.resblocks[-1], "ls_2")
    monkeypatch.setattr(ResidualAttentionBlock, "forward", lambda _, tokens, attn_mask: tokens)  # noqa: ARG005
    assert with_shortcuts(model) is model


def test_shortcuts__taken_twice_are_those_taken_once() -> None:
    for vision in (TRANSFORMER, RESNET):
        shorter = with_shortcuts(make_model(vision))
        again = with_shortcuts(shorter)
        images = pixels(2, vision["image_size"])
        torch.testing.assert_close(embed(again, images), embed(shorter, images), atol=0, rtol=0)


@pytest.mark.parametrize(("heads", "each", "tokens"), [(1, 8, 1), (2, 4, 2), (3, 16, 50), (8, 64, 5)])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_attention__of_one_token_is_torchs(heads: int, each: int, tokens: int, scale: float) -> None:
    """Also of scores so large that one token takes all."""
    width = heads * each
    generator = torch.Generator().manual_seed(tokens)
    given = scale * torch.randn((4, tokens, width), generator=generator, dtype=torch.float64)
    attention = nn.MultiheadAttention(width, heads, batch_first=True, dtype=torch.float64)
    attention.in_proj_bias.data.normal_(generator=generator)
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    with torch.no_grad():
        found = attend_once(given, (weights[0], biases[0]), weights[1], (weights[2], biases[2]), heads=heads)
        expected = attention(given, given, given, need_weights=False)[0][:, 0]
        torch.testing.assert_close(attention.out_proj(found), expected)


def test_demo__takes_the_shorter_ways(demo_encoder: OpenClipEncoder) -> None:
    tower = demo_encoder._model.visual
    assert isinstance(tower.attnpool, OneQueryPool)
    assert not [layer for layer in tower.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_encoders__take_the_shorter_ways_and_keep_the_fingerprint_of_the_weights() -> None:
    def tokens(texts: list[str]) -> torch.Tensor:
        return torch.ones((len(texts), 8), dtype=torch.long)

    for vision, shorter in ((TRANSFORMER, FirstTokenBlock), (RESNET, OneQueryPool)):
        model, size = make_model(vision), vision["image_size"]
        model.visual.preprocess_cfg = {"size": size, "mean": (0.5,) * 3, "std": (0.5,) * 3}
        full, half = (
            OpenClipEncoder(model, tokens, name="tiny", device="cpu", precision=precision)
            for precision in ("fp32", "bf16")
        )
        expected = embed(model, pixels(5, size)).numpy()
        for encoder, atol in ((full, ATOL), (half, 0.03)):
            assert any(isinstance(layer, shorter) for layer in encoder._model.visual.modules())
            np.testing.assert_allclose(encoder.encode_images(pixels(5, size)), expected, atol=atol)
        assert half.fingerprint == full.fingerprint
