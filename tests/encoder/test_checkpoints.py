"""Reading checkpoints: the embeddings they give, and the one sentence about those that can't be read."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip import pretrained

from lgca_plugin.encoder.base import Encoder
from lgca_plugin.encoder.checkpoints import needs_quick_gelu
from lgca_plugin.encoder.loading import load_encoder
from lgca_plugin.errors import ModelUnavailableError
from tests.helpers.checks import assert_one_sentence
from tests.helpers.reference_model import ReferenceModel
from tests.helpers.tiny_clip import CONFIG, TINY, expected_images, pixels, random_model, save, tokenizer


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin"])
def test_checkpoint__round_trip_gives_the_same_embeddings(tmp_path: Path, suffix: str) -> None:
    model = random_model()
    encoder = load_encoder(TINY, pretrained=save(model, tmp_path / f"weights{suffix}"), device="cpu")
    assert isinstance(encoder, Encoder)
    assert (encoder.image_size, encoder.dim) == (32, 24)
    assert encoder.logit_scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-6)
    np.testing.assert_allclose(encoder.encode_images(pixels(5)), expected_images(model, pixels(5)), atol=1e-6)

    texts = ["a photo of a cat.", "a dog"]
    plain = ReferenceModel(model, lambda image: image, tokenizer())
    np.testing.assert_allclose(encoder.encode_texts(texts), [plain.text(text) for text in texts], atol=1e-6)


def test_checkpoint__wrapped_by_a_trainer_is_read(tmp_path: Path) -> None:
    """open_clip's own trainer saves {"state_dict": ..., "epoch": ...} with keys that start with "module."."""
    model = random_model()
    path = tmp_path / "epoch_1.pt"
    torch.save({"epoch": 1, "state_dict": {f"module.{key}": one for key, one in model.state_dict().items()}}, path)
    found = load_encoder(TINY, pretrained=str(path), device="cpu").encode_images(pixels(2))
    np.testing.assert_allclose(found, expected_images(model, pixels(2)), atol=1e-6)


def test_checkpoint__folder_in_hub_layout_brings_its_own_preprocessing(tmp_path: Path) -> None:
    model = random_model(3)
    preprocess = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bilinear", "resize_mode": "squash"}
    document = {"model_cfg": CONFIG, "preprocess_cfg": preprocess}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(document), encoding="utf-8")
    save(model, tmp_path / "open_clip_model.safetensors")
    encoder = load_encoder(f"local-dir:{tmp_path}", device="cpu")
    assert encoder.mean == pytest.approx((0.1, 0.2, 0.3))
    assert encoder.std == pytest.approx((0.4, 0.5, 0.6))
    assert (encoder.interpolation, encoder.resize_mode) == ("bilinear", "squash")
    np.testing.assert_allclose(encoder.encode_images(pixels(2)), expected_images(model, pixels(2)), atol=1e-6)


def test_checkpoint__replaced_on_disk_is_read_anew(tmp_path: Path) -> None:
    """Training writes to one path again and again; yesterday's weights must not answer for today's."""
    path = tmp_path / "weights.safetensors"
    for seed in (0, 1):
        model = random_model(seed)
        encoder = load_encoder(TINY, pretrained=save(model, path), device="cpu")
        os.utime(path, (1_000_000_000 + seed, 1_000_000_000 + seed))
        np.testing.assert_allclose(encoder.encode_images(pixels(2)), expected_images(model, pixels(2)), atol=1e-6)


def test_fingerprint__differs_with_the_weights_and_nothing_else(tmp_path: Path) -> None:
    first, same, other = (
        load_encoder(TINY, pretrained=save(random_model(seed), tmp_path / name), device="cpu").fingerprint
        for seed, name in ((0, "a.safetensors"), (0, "b.pt"), (1, "c.safetensors"))
    )
    assert first == same != other


def refusal(path: str | Path) -> str:
    with pytest.raises(ModelUnavailableError) as caught:
        load_encoder(TINY, pretrained=str(path), device="cpu")
    assert_one_sentence(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_checkpoint__of_another_architecture_is_refused(tmp_path: Path, suffix: str) -> None:
    other = {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "width": 96}}
    message = refusal(save(open_clip.CLIP(**other), tmp_path / f"other{suffix}"))
    assert TINY in message
    assert "architecture" in message


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".npz"])
@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint at all", pickle.dumps({"weights": [1, 2, 3]})], ids=["empty", "text", "pickle"]
)
def test_checkpoint__that_is_none_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    assert f"broken{suffix}" in refusal(path)


@pytest.mark.parametrize(
    "content", [{}, {"weight": torch.zeros(3)}, [1, 2], 5], ids=["empty", "foreign", "list", "number"]
)
def test_checkpoint__with_foreign_content_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "foreign.pt")
    assert "foreign.pt" in refusal(tmp_path / "foreign.pt")


class Payload:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


def test_checkpoint__is_never_unpickled_freely(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    torch.save({"state_dict": Payload(trace)}, tmp_path / "evil.pt")
    refusal(tmp_path / "evil.pt")
    assert not trace.exists()


def test_quick_gelu__follows_the_tag_whatever_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's weights under a plain architecture name: open_clip alone would warn and compute something else."""
    quick, plain = random_model(0, force_quick_gelu=True), random_model(0)
    path = save(quick, tmp_path / "weights.safetensors")
    tags = {"openai": {"file": path, "quick_gelu": True}, "other": {"file": path}}
    monkeypatch.setitem(pretrained._PRETRAINED, TINY, tags)

    encoder = load_encoder(TINY, pretrained="openai", device="cpu")
    np.testing.assert_allclose(encoder.encode_images(pixels(3)), expected_images(quick, pixels(3)), atol=1e-6)
    other = load_encoder(TINY, pretrained="other", device="cpu")
    np.testing.assert_allclose(other.encode_images(pixels(3)), expected_images(plain, pixels(3)), atol=1e-6)
    assert np.abs(other.encode_images(pixels(3)) - encoder.encode_images(pixels(3))).max() > 1e-4
    assert other.fingerprint != encoder.fingerprint


@pytest.mark.parametrize(
    ("name", "tag", "expected"),
    [
        ("ViT-B-32", "openai", True),
        ("ViT-L-14", "openai", True),
        ("RN50", "openai", True),
        ("ViT-B-32", "laion2b_s34b_b79k", False),
        ("ViT-B-32", None, False),
    ],
)
def test_quick_gelu__is_that_of_open_clips_registry(name: str, tag: str | None, expected: bool) -> None:
    assert needs_quick_gelu(name, tag) is expected
