"""Image towers whose last block computes the class token alone, against open_clip's own."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from open_clip.transformer import ResidualAttentionBlock
from torch import nn
from torch.nn.functional import cosine_similarity
from torch.utils.flop_counter import FlopCounterMode

from lgca_plugin.encoder.half_precision import with_rounded_tower
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.encoder.shortcuts import attend_once, with_class_token_block

TEXT = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
TRANSFORMER = {"layers": 3, "width": 64, "image_size": 32, "patch_size": 8, "head_width": 16}
ATOL = 2e-6


def make_model(quick_gelu: bool = False, **changes: Any) -> Any:
    """Makes a model whose parameters are random everywhere, as training leaves them."""
    torch.manual_seed(3)
    model = CLIP(16, {**TRANSFORMER, **changes}, TEXT, quick_gelu=quick_gelu).eval().requires_grad_(False)
    for layer in model.visual.modules():
        if isinstance(layer, nn.LayerNorm | nn.Linear) and layer.bias is not None:
            layer.bias.uniform_(-0.1, 0.1)
        elif isinstance(layer, nn.MultiheadAttention):
            layer.in_proj_bias.uniform_(-0.1, 0.1)
    return model


def pixels(n: int) -> torch.Tensor:
    noise = torch.randn((n, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    return noise + torch.linspace(-3, 3, n).view(n, 1, 1, 1)


def embed(model: Any, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return nn.functional.normalize(model.encode_image(images).float(), dim=-1)


def flops(model: Any) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.encode_image(pixels(5))
    return int(counter.get_total_flops())


def encoder_of(model: Any, precision: str = "fp32") -> OpenClipEncoder:
    def tokens(texts: list[str]) -> torch.Tensor:
        return torch.ones((len(texts), 8), dtype=torch.long)

    model.visual.preprocess_cfg = {"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    return OpenClipEncoder(model, tokens, name="tiny", device="cpu", precision=precision)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"quick_gelu": True},
        {"layers": 1},
        {"ls_init_value": 0.7},
        {"no_ln_pre": True},
        {"final_ln_after_pool": True},
        {"patch_dropout": 0.5},
    ],
    ids=lambda changes: next(iter(changes), "plain"),
)
def test_tower__embeds_the_same_with_less_work(changes: dict[str, Any]) -> None:
    model, images = make_model(**changes), pixels(5)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    expected = embed(model, images)
    assert (expected[0] - expected[-1]).abs().max() > 1000 * ATOL, "images that look the same would prove nothing"

    shorter, warning = with_class_token_block(model)
    assert shorter is not model
    assert warning is None
    assert shorter.transformer is model.transformer, "the text tower is shared"
    torch.testing.assert_close(embed(shorter, images), expected, atol=ATOL, rtol=0)
    torch.testing.assert_close(embed(shorter, images[:1]), expected[:1], atol=ATOL, rtol=0)
    assert flops(shorter) < 0.97 * flops(model)

    assert model.state_dict().keys() == before.keys(), "the model that was given stays as it was"
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    torch.testing.assert_close(embed(model, images), expected, atol=0, rtol=0)


def test_tower__is_as_good_in_half_precision() -> None:
    model, images = make_model(), pixels(32)
    shorter, expected = with_class_token_block(model)[0], embed(model, images)
    apart = [
        1 - cosine_similarity(embed(with_rounded_tower(one, torch.bfloat16), images.bfloat16()), expected).mean()
        for one in (model, shorter)
    ]
    assert 0 < apart[1] < 2 * apart[0]


RESNET = {"layers": [1, 1, 1, 1], "width": 8, "image_size": 64}


@pytest.mark.parametrize(
    "changes",
    [{"pool_type": "avg"}, {"attentional_pool": True}, {"output_tokens": True}, {"qk_norm": True}, RESNET],
    ids=lambda changes: next(iter(changes)),
)
def test_tower__of_another_kind_is_computed_in_full_which_is_logged(
    changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    model = make_model(**changes)
    with caplog.at_level(logging.INFO, logger="lgca_plugin"):
        assert with_class_token_block(model) == (model, None)
    (record,) = caplog.records
    assert "computed in full" in record.getMessage()
    assert type(model.visual).__name__ in record.getMessage()


def test_tower__that_another_open_clip_computes_otherwise_is_computed_in_full_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = ResidualAttentionBlock.forward
    model = make_model()
    monkeypatch.setattr(ResidualAttentionBlock, "forward", lambda *given, **named: 1.01 * own(*given, **named))
    encoder = encoder_of(model)
    np.testing.assert_allclose(encoder.encode_images(pixels(5)), embed(model, pixels(5)), atol=ATOL)
    (warning,) = encoder.warnings
    assert "computed in full" in warning

    monkeypatch.setattr(ResidualAttentionBlock, "forward", own)
    assert not encoder_of(model).warnings
    monkeypatch.delattr(model.visual.transformer.resblocks[-1], "ls_2")
    monkeypatch.setattr(ResidualAttentionBlock, "forward", lambda _, tokens, attn_mask: tokens)  # noqa: ARG005
    assert len(encoder_of(model).warnings) == 1


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


def test_encoder__takes_the_shortcut_and_keeps_the_fingerprint_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    expected = embed(model, pixels(5)).numpy()
    full, half = encoder_of(model), encoder_of(model, "bf16")
    assert half.fingerprint == full.fingerprint
    own, tokens = nn.GELU.forward, []

    def counting(layer: nn.GELU, values: torch.Tensor) -> torch.Tensor:
        tokens.append(values.shape[1])
        return own(layer, values)

    monkeypatch.setattr(nn.GELU, "forward", counting)
    for encoder, atol in ((full, ATOL), (half, 0.03)):
        tokens.clear()
        np.testing.assert_allclose(encoder.encode_images(pixels(5)), expected, atol=atol)
        assert tokens == [17, 17, 1], "the last perceptron is given the class token alone"
