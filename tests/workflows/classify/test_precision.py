"""The floating-point type of a run: the one that was really used, and the same when the run goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import lgca_plugin as lgca
from lgca_plugin.config import SEVERAL_KINDS, RunConfig
from lgca_plugin.encoder import open_clip_encoder
from lgca_plugin.encoder.checkpoints import load_demo
from lgca_plugin.errors import ConfigError
from lgca_plugin.runs.stored_run import shared_fingerprint
from tests.helpers.engine import Counting
from tests.helpers.runs import add_images

FEW: dict[str, Any] = {"methods": ("clip",), "ground_truth": "truth", "run_key": "zs", "progress": False}


@pytest.fixture
def few(dataset: Any, demo_images: Any) -> Any:
    return add_images(dataset, demo_images[:3])


def test_run__whose_first_images_overflow_takes_the_next_precision_and_says_so(
    few: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on CUDA, where fp16 is the automatic choice; the weights pass what is tried when a model is loaded."""
    monkeypatch.setattr(open_clip_encoder, "auto_precisions", lambda *_: ("fp16", "bf16", "fp32"))
    monkeypatch.setattr(open_clip_encoder, "overflow_pixels", lambda size: torch.zeros(1, 3, size, size))
    model, tokenizer, _ = load_demo("demo-vit")
    with torch.no_grad():
        model.visual.conv1.weight.mul_(1e5)
    encoder = lgca.OpenClipEncoder(model, tokenizer, name="demo-vit", device="cpu", source=("demo-vit", None))
    assert (encoder.precision, encoder.wider_precisions) == ("fp16", ("bf16", "fp32"))
    run = lgca.classify(few, encoder=encoder, **FEW)
    assert run.config.precision == "bf16"
    assert run.summary()["predicted"] == 3
    said = "demo-vit overflows in fp16 on the first images, so images are embedded in bf16"
    assert said in run.summary()["warnings"]


def test_run__goes_on_in_its_own_precision_and_not_on_another_kind_of_device(few: Any) -> None:
    half = lgca.load_encoder("demo", device="cpu", precision="bf16")
    first = few.limit(1)
    run = lgca.classify(first, encoder=half, **FEW)
    assert (run.config.precision, run.config.device_kind) == ("bf16", "cpu")
    elsewhere = Counting(half, device="mps", name="demo", fingerprint=half.fingerprint)
    with pytest.raises(ConfigError, match="was made on cpu in bf16, which rounds otherwise than mps here"):
        lgca.classify(few, encoder=elsewhere, **FEW)
    run = lgca.classify(few, encoder="demo", device="cpu", **FEW)  # for which "auto" stands for fp32
    assert run.config.precision == "bf16"
    assert run.summary()["predicted"] == 3


def test_run__that_goes_on_has_its_batch_size_where_embeddings_depend_on_it(few: Any) -> None:
    encoder = lgca.load_encoder("demo", device="cpu", precision="bf16")
    of_any_size = Counting(encoder, fingerprint=encoder.fingerprint)
    lgca.classify(few.limit(1), encoder=of_any_size, batch_size=2, **FEW)
    padded = Counting(encoder, fingerprint=encoder.fingerprint, pads=True)
    lgca.classify(few, encoder=padded, **FEW)
    assert padded.batches == [2]


def test_kind_of_device__separates_what_is_stored_of_half_precision_and_is_unknown_of_earlier_runs(few: Any) -> None:
    config = lgca.classify(few, encoder=lgca.load_encoder("demo", device="cpu"), **FEW).config
    assert config.device_kind is None, "float32 is the same everywhere"
    cuda = replace(config, device_kind="cuda")
    assert RunConfig.from_json(cuda.to_json()) == cuda
    assert cuda.differences(replace(config, device_kind="cpu")) == ["device_kind"]
    assert cuda.to_json().keys() - config.to_json().keys() == {"device_kind"}, "other records stay as they are"
    assert cuda.differences(RunConfig.from_json(config.to_json())) == [], "a run of an earlier release goes on anywhere"
    with pytest.raises(ConfigError, match="kind of device"):
        RunConfig.from_json({**config.to_json(), "device_kind": 7})
    assert cuda.differences(replace(config, device_kind=SEVERAL_KINDS)) == [], "nor do workers of a job differ"
    keys = [
        shared_fingerprint(replace(config, device_kind=kind)) for kind in (None, "cpu", "cuda", "mps", SEVERAL_KINDS)
    ]
    assert keys[0] == keys[1] == f"{config.encoder_fingerprint}/fp32", "as earlier releases have stored them"
    assert len(set(keys)) == 4
