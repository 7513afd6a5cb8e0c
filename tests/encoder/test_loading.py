"""Loading encoders by name: names, tags, devices, missing packages, no network, and the encoders kept in memory."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from open_clip import hf_model, pretrained

from lgca_plugin.encoder.architectures import display_name
from lgca_plugin.encoder.loading import load_encoder
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.errors import ConfigError, LgcaError, ModelUnavailableError
from tests.helpers.checks import all_of, assert_one_sentence
from tests.helpers.tiny_clip import CONFIG, TINY, add_architecture, random_model, save


@pytest.fixture
def weights(tmp_path: Path) -> str:
    return save(random_model(), tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    ("name", "pretrained", "words"),
    [
        ("ViT-B-33", "openai", ["ViT-B-33", "ViT-B-32"]),
        ("no-such-model-at-all", None, ["no-such-model-at-all"]),
        ("", None, ["''"]),
        ("ViT-B-32", "opnai", ["opnai", "ViT-B-32", "openai"]),
        ("ViT-B-32", None, ["ViT-B-32", "openai", "checkpoint"]),
        ("ViT-B-32", "/no/such/file.safetensors", ["/no/such/file.safetensors"]),
        ("local-dir:/no/such/folder", None, ["/no/such/folder"]),
    ],
)
def test_name__that_does_not_exist_is_named(name: str, pretrained: str | None, words: list[str]) -> None:
    started = time.perf_counter()
    with pytest.raises(LgcaError, match=all_of(words)):
        load_encoder(name, pretrained=pretrained)
    assert time.perf_counter() - started < 20


def test_load_encoder__adds_no_handler_to_the_log(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    load_encoder(TINY, pretrained=weights, device="cpu")
    assert logging.root.handlers == []


def test_path__may_be_an_object_but_not_a_folder_or_in_place_of_the_name(weights: str, tmp_path: Path) -> None:
    assert load_encoder(TINY, pretrained=Path(weights), device="cpu").dim == 24  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=all_of(["weights.safetensors", "pretrained"])):
        load_encoder(weights)
    with pytest.raises(LgcaError, match=all_of([str(tmp_path)])):
        load_encoder(TINY, pretrained=str(tmp_path))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "abacus"}, ["device", "abacus"]),
        ({"device": "cuda:99"}, ["device", "cuda:99"]),
        ({"precision": "fp12"}, ["precision", "fp12", "fp32"]),
        ({"resize": "quick"}, ["resize must be one of auto, exact, fast, got 'quick'"]),
    ],
)
def test_settings__that_do_not_exist_are_named(weights: str, options: dict[str, str], words: list[str]) -> None:
    with pytest.raises(ConfigError, match=all_of(words)):
        load_encoder(TINY, pretrained=weights, **options)


@pytest.mark.parametrize(
    ("name", "pretrained", "shown"),
    [
        ("demo", None, "demo"),
        ("demo", "openai", "demo"),
        ("ViT-B-32-quickgelu", None, "ViT-B-32-quickgelu/openai"),
        ("ViT-B-32", "/a/b.pt", "ViT-B-32/b.pt"),
        ("hf-hub:a/b", None, "hf-hub:a/b"),
    ],
)
def test_names__that_runs_record(name: str, pretrained: str | None, shown: str) -> None:
    assert display_name(name, pretrained) == shown


@pytest.mark.parametrize(
    ("name", "text_cfg"),
    [
        ("lgca-test-siglip", {**CONFIG["text_cfg"], "hf_tokenizer_name": "timm/ViT-B-16-SigLIP"}),
        ("lgca-test-hf", {"hf_model_name": "no/such", "hf_tokenizer_name": "no/such"}),
    ],
    ids=["tokenizer", "text tower"],
)
def test_package__that_a_part_of_the_model_needs_is_named(
    tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch, name: str, text_cfg: dict[str, Any]
) -> None:
    """Some come through transformers, which open_clip does not require."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr(hf_model, "transformers", None)
    add_architecture(tmp_path, name, text_cfg=text_cfg)
    with pytest.raises(ModelUnavailableError, match=r"needs the package transformers: pip install transformers$"):
        load_encoder(name, pretrained=weights, device="cpu")


def test_model__that_fails_for_another_reason_than_the_network_gives_that_reason(
    tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_architecture(tmp_path, "lgca-test-timm", vision_cfg={"timm_model_name": "no_such_tower", "image_size": 32})
    monkeypatch.setitem(pretrained._PRETRAINED, "lgca-test-timm", {"tag": {"file": weights}})
    with pytest.raises(ModelUnavailableError, match="no_such_tower") as caught:
        load_encoder("lgca-test-timm", pretrained="tag", device="cpu")
    assert "reachable" not in str(caught.value)
    assert_one_sentence(caught.value)


CALLS = ['"ViT-B-32-quickgelu", pretrained="openai"', "", '"hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"']
CLEAN_PROCESS = """
import json, sys, time
from lgca_plugin.encoder.architectures import architectures, check_architecture
before = architectures()
check_architecture("ViT-B-32")
report = {"names": sorted(before), "with torch": "torch" in sys.modules, "refusals": {}}
import open_clip
report["open_clip's"] = sorted(open_clip.list_models())
from lgca_plugin.errors import ModelUnavailableError
from lgca_plugin.encoder.loading import load_encoder
for call in json.loads(sys.argv[1]):
    started = time.perf_counter()
    try:
        eval(f"load_encoder({call})")
    except ModelUnavailableError as error:
        report["refusals"][call] = str(error), time.perf_counter() - started
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def clean_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The output of a process without the offline switch, with an empty cache and a hub that does not answer."""
    home = tmp_path_factory.mktemp("home")
    hidden = {"HF_HUB_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
    clean = {key: value for key, value in os.environ.items() if key.upper() not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", CLEAN_PROCESS, json.dumps(CALLS)],
        env={**clean, "HF_HOME": str(home), "HF_ENDPOINT": "http://127.0.0.1:9", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    (line,) = done.stdout.splitlines()
    report: dict[str, Any] = json.loads(line)
    return report


def test_names__are_known_without_torch(clean_process: dict[str, Any]) -> None:
    """The form checks them at every keystroke, in a process that may never load a model."""
    assert not clean_process["with torch"]
    assert clean_process["names"] == clean_process["open_clip's"]


@pytest.mark.parametrize("call", CALLS)
def test_weights__out_of_reach_are_refused_with_what_to_pass_instead(clean_process: dict[str, Any], call: str) -> None:
    message, seconds = clean_process["refusals"][call]
    assert "load_encoder" in message
    assert "pretrained=" in message
    assert_one_sentence(message)
    assert seconds < 15


def test_loaded__is_returned_again_however_its_settings_are_named() -> None:
    first = load_encoder("demo")
    assert load_encoder("demo", precision="fp32", resize="exact", device="cpu") is first
    other = load_encoder("demo", resize="fast")
    assert other is not first
    assert load_encoder("demo", precision="fp32", resize="fast") is other
    assert load_encoder("demo") is first


def test_loaded__are_the_two_used_last(tmp_path: Path) -> None:
    paths = [save(random_model(seed), tmp_path / f"{seed}.safetensors") for seed in range(3)]

    def load(number: int) -> OpenClipEncoder:
        return load_encoder(TINY, pretrained=paths[number], device="cpu")

    first, second = load(0), load(1)
    assert load(0) is first
    third = load(2)
    assert load(0) is first
    assert load(2) is third
    assert load(1) is not second
