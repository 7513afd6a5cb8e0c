"""Loading encoders: names, tags, checkpoints, what is said when one can't be had, and the embeddings themselves."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgca_plugin.encoder import precision as precision_module
from lgca_plugin.encoder.architectures import display_name
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder, load_encoder
from lgca_plugin.encoder.protocol import Encoder
from lgca_plugin.errors import ConfigError, LgcaError, ModelUnavailableError
from tests.helpers import reference
from tests.helpers.matching import all_of

TINY = "lgca-test-tiny"
CONFIG: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module", autouse=True)
def tiny_architecture(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Teaches open_clip an architecture of a few megabytes, by the way that it offers for that."""
    import open_clip

    path = tmp_path_factory.mktemp("configs") / f"{TINY}.json"
    path.write_text(json.dumps(CONFIG), encoding="utf-8")
    open_clip.add_model_config(path)


def random_model(seed: int = 0, **options: Any) -> Any:
    import open_clip
    import torch

    torch.manual_seed(seed)
    return open_clip.create_model(TINY, **options).eval()


def save(model: Any, path: Path) -> str:
    import torch
    from safetensors.torch import save_file

    state = {key: value.clone().contiguous() for key, value in model.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return str(path)


def pixels(n: int, size: int, seed: int = 0) -> Any:
    import torch

    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 3, size, size)).astype(np.float32))


def expected_images(model: Any, batch: Any) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return np.array([reference.unit(model.encode_image(one[None])[0].double().tolist()) for one in batch])


# ------------------------------------------------------------------------------------------------ checkpoints


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin"])
def test_checkpoint__round_trip_gives_the_same_embeddings(tmp_path: Path, suffix: str) -> None:
    import open_clip

    model = random_model()
    encoder = load_encoder(TINY, pretrained=save(model, tmp_path / f"weights{suffix}"), device="cpu")
    assert isinstance(encoder, Encoder)
    assert (encoder.image_size, encoder.dim) == (32, 24)
    assert encoder.logit_scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-6)
    batch = pixels(5, 32)
    np.testing.assert_allclose(encoder.encode_images(batch), expected_images(model, batch), atol=1e-6)

    texts = ["a photo of a cat.", "a dog"]
    plain = reference.ReferenceModel(model, lambda image: image, open_clip.get_tokenizer(TINY))
    np.testing.assert_allclose(encoder.encode_texts(texts), [plain.text(text) for text in texts], atol=1e-6)


def test_checkpoint__wrapped_by_a_trainer_is_read(tmp_path: Path) -> None:
    """open_clip's own trainer saves {"state_dict": ..., "epoch": ...} with keys that start with "module."."""
    import torch

    model = random_model()
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    path = tmp_path / "epoch_1.pt"
    torch.save({"epoch": 1, "state_dict": state}, path)
    batch = pixels(2, 32)
    found = load_encoder(TINY, pretrained=str(path), device="cpu").encode_images(batch)
    np.testing.assert_allclose(found, expected_images(model, batch), atol=1e-6)


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
    batch = pixels(2, 32)
    np.testing.assert_allclose(encoder.encode_images(batch), expected_images(model, batch), atol=1e-6)


def test_checkpoint__replaced_on_disk_is_read_anew(tmp_path: Path) -> None:
    """Training writes to one path again and again; yesterday's weights must not answer for today's."""
    path, batch = tmp_path / "weights.safetensors", pixels(2, 32)
    for seed in (0, 1):
        model = random_model(seed)
        encoder = load_encoder(TINY, pretrained=save(model, path), device="cpu")
        os.utime(path, (1_000_000_000 + seed, 1_000_000_000 + seed))
        np.testing.assert_allclose(encoder.encode_images(batch), expected_images(model, batch), atol=1e-6)


def test_checkpoint__loading_twice_gives_the_loaded_one(tmp_path: Path) -> None:
    path = save(random_model(), tmp_path / "weights.safetensors")
    assert load_encoder(TINY, pretrained=path, device="cpu") is load_encoder(TINY, pretrained=path, device="cpu")


def test_fingerprint__tells_weights_apart_and_nothing_else(tmp_path: Path) -> None:
    def fingerprint(seed: int, name: str, **options: Any) -> str:
        path = save(random_model(seed), tmp_path / name)
        return load_encoder(TINY, pretrained=path, device="cpu", **options).fingerprint

    first = fingerprint(0, "a.safetensors")
    assert fingerprint(0, "b.pt") == first
    assert fingerprint(1, "c.safetensors") != first


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_checkpoint__of_another_architecture_is_refused_in_one_sentence(tmp_path: Path, suffix: str) -> None:
    import open_clip

    other = {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "width": 96}}
    path = save(open_clip.CLIP(**other), tmp_path / f"other{suffix}")
    with pytest.raises(ModelUnavailableError, match=all_of([TINY, "architecture"])) as caught:
        load_encoder(TINY, pretrained=path, device="cpu")
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a checkpoint at all",
        pickle.dumps({"weights": [1, 2, 3]}),
    ],
    ids=["empty", "text", "pickle"],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".npz"])
def test_checkpoint__that_is_none_is_refused_in_one_sentence(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailableError, match=all_of([f"broken{suffix}"])) as caught:
        load_encoder(TINY, pretrained=str(path), device="cpu")
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("content", [{}, {"weight": 0}, [1, 2], 5], ids=["empty", "foreign", "list", "number"])
def test_checkpoint__with_foreign_content_is_refused_in_one_sentence(tmp_path: Path, content: Any) -> None:
    import torch

    path = tmp_path / "foreign.pt"
    if content == {"weight": 0}:
        content = {"weight": torch.zeros(3)}
    torch.save(content, path)
    with pytest.raises(ModelUnavailableError, match=all_of(["foreign.pt"])) as caught:
        load_encoder(TINY, pretrained=str(path), device="cpu")
    assert_one_sentence(caught.value)


class Payload:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


def test_checkpoint__is_never_unpickled_freely(tmp_path: Path) -> None:
    import torch

    path, trace = tmp_path / "evil.pt", tmp_path / "trace"
    torch.save({"state_dict": Payload(trace)}, path)
    with pytest.raises(ModelUnavailableError) as caught:
        load_encoder(TINY, pretrained=str(path), device="cpu")
    assert not trace.exists()
    assert_one_sentence(caught.value)


# -------------------------------------------------------------------------------------- names, tags and places


def assert_one_sentence(error: Exception) -> None:
    message = str(error)
    assert "\n" not in message, message
    assert "Traceback" not in message, message
    assert 20 < len(message) < 500, message


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


def test_name__path_in_place_of_the_name_says_where_it_belongs(tmp_path: Path) -> None:
    path = save(random_model(), tmp_path / "weights.safetensors")
    with pytest.raises(ConfigError, match=all_of(["weights.safetensors", "pretrained"])):
        load_encoder(path)


def test_path__that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LgcaError, match=all_of([str(tmp_path)])):
        load_encoder(TINY, pretrained=str(tmp_path))


def test_path__may_be_a_path_object(tmp_path: Path) -> None:
    path = Path(save(random_model(), tmp_path / "weights.safetensors"))
    assert load_encoder(TINY, pretrained=path, device="cpu").dim == 24  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "abacus"}, ["device", "abacus"]),
        ({"device": "cuda:99"}, ["device", "cuda:99"]),
        ({"precision": "fp12"}, ["precision", "fp12", "fp32"]),
    ],
)
def test_device_and_precision__that_do_not_exist_are_named(
    tmp_path: Path, options: dict[str, str], words: list[str]
) -> None:
    path = save(random_model(), tmp_path / "weights.safetensors")
    with pytest.raises(ConfigError, match=all_of(words)):
        load_encoder(TINY, pretrained=path, **options)


def add_architecture(folder: Path, name: str, **changes: Any) -> None:
    import open_clip

    path = folder / f"{name}.json"
    path.write_text(json.dumps({**CONFIG, **changes}), encoding="utf-8")
    open_clip.add_model_config(path)


def test_package__that_a_tokenizer_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SigLIP's tokenizers come through transformers, which open_clip does not require."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    tokenizer = {"hf_tokenizer_name": "timm/ViT-B-16-SigLIP"}
    add_architecture(tmp_path, "lgca-test-siglip", text_cfg={**CONFIG["text_cfg"], **tokenizer})
    path = save(random_model(), tmp_path / "weights.safetensors")
    with pytest.raises(ModelUnavailableError, match=r"needs the package transformers: pip install transformers$"):
        load_encoder("lgca-test-siglip", pretrained=path, device="cpu")


def test_package__that_a_text_tower_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from open_clip import hf_model

    monkeypatch.setattr(hf_model, "transformers", None)
    add_architecture(tmp_path, "lgca-test-hf", text_cfg={"hf_model_name": "no/such", "hf_tokenizer_name": "no/such"})
    path = save(random_model(), tmp_path / "weights.safetensors")
    with pytest.raises(ModelUnavailableError, match=r"needs the package transformers: pip install transformers$"):
        load_encoder("lgca-test-hf", pretrained=path, device="cpu")


def test_model__that_fails_for_another_reason_than_the_network_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from open_clip import pretrained

    add_architecture(tmp_path, "lgca-test-timm", vision_cfg={"timm_model_name": "no_such_tower", "image_size": 32})
    path = save(random_model(), tmp_path / "weights.safetensors")
    monkeypatch.setitem(pretrained._PRETRAINED, "lgca-test-timm", {"tag": {"file": path}})
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
said = {"names": sorted(before), "with torch": "torch" in sys.modules, "refusals": {}}
import open_clip
said["open_clip's"] = sorted(open_clip.list_models())
from lgca_plugin.errors import ModelUnavailableError
from lgca_plugin.encoder.open_clip_encoder import load_encoder
for call in json.loads(sys.argv[1]):
    started = time.perf_counter()
    try:
        eval(f"load_encoder({call})")
    except ModelUnavailableError as error:
        said["refusals"][call] = str(error), time.perf_counter() - started
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process says without the offline switch, with an empty cache and a hub that nobody answers for."""
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
    return json.loads(line)


def test_names__are_known_without_torch(said: dict[str, Any]) -> None:
    """The form checks them at every keystroke, in a process that may never load a model."""
    assert not said["with torch"]
    assert said["names"] == said["open_clip's"]


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


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS)
def test_weights__out_of_reach_say_what_to_pass_instead(said: dict[str, Any], call: str) -> None:
    message, seconds = said["refusals"][call]
    assert "\n" not in message
    assert "load_encoder" in message
    assert "pretrained=" in message
    assert_one_sentence(Exception(message))
    assert seconds < 15


# ------------------------------------------------------------------------------------------------- QuickGELU


def activations(encoder: OpenClipEncoder) -> set[str]:
    return {type(layer).__name__ for layer in encoder._model.modules() if "GELU" in type(layer).__name__}


def test_quick_gelu__follows_the_tag_whatever_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's weights under a plain architecture name: open_clip alone would warn and compute something else."""
    from open_clip import pretrained

    quick, plain = random_model(0, force_quick_gelu=True), random_model(0)
    path, batch = save(quick, tmp_path / "weights.safetensors"), pixels(3, 32)
    tags = {"openai": {"file": path, "quick_gelu": True}, "other": {"file": path}}
    monkeypatch.setitem(pretrained._PRETRAINED, TINY, tags)

    encoder = load_encoder(TINY, pretrained="openai", device="cpu")
    assert activations(encoder) == {"QuickGELU"}
    np.testing.assert_allclose(encoder.encode_images(batch), expected_images(quick, batch), atol=1e-6)
    other = load_encoder(TINY, pretrained="other", device="cpu")
    assert activations(other) == {"GELU"}
    np.testing.assert_allclose(other.encode_images(batch), expected_images(plain, batch), atol=1e-6)
    assert np.abs(other.encode_images(batch) - encoder.encode_images(batch)).max() > 1e-4
    assert other.fingerprint != encoder.fingerprint


def test_quick_gelu__is_what_the_real_tags_ask_for() -> None:
    """The names that people will type, against open_clip's own registry."""
    from lgca_plugin.encoder.checkpoints import _needs_quick_gelu

    assert _needs_quick_gelu("ViT-B-32", "openai")
    assert _needs_quick_gelu("ViT-L-14", "openai")
    assert _needs_quick_gelu("RN50", "openai")
    assert not _needs_quick_gelu("ViT-B-32", "laion2b_s34b_b79k")
    assert not _needs_quick_gelu("ViT-B-32", None)


# ------------------------------------------------------------------------------------------------ embeddings


@pytest.fixture(scope="module")
def encoder() -> OpenClipEncoder:
    import open_clip

    return OpenClipEncoder(random_model(), open_clip.get_tokenizer(TINY), name="tiny", device="cpu")


def test_embeddings__are_float32_of_unit_length(encoder: OpenClipEncoder) -> None:
    for vectors in (encoder.encode_images(pixels(4, 32)), encoder.encode_texts(["a cat", "a dog", "a cat"])):
        assert isinstance(vectors, np.ndarray)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_texts__repeated_and_empty_are_fine(encoder: OpenClipEncoder) -> None:
    vectors = encoder.encode_texts(["a cat", "", "a dog", "a cat"])
    np.testing.assert_array_equal(vectors[0], vectors[3])
    assert np.isfinite(vectors).all()


def test_texts__many_at_once_equal_one_by_one(encoder: OpenClipEncoder) -> None:
    texts = [f"a photo of {number} things" for number in range(300)]
    single = np.stack([encoder.encode_texts([text])[0] for text in texts[::50]])
    fresh = OpenClipEncoder(random_model(), encoder._tokenizer, name="tiny", device="cpu")
    np.testing.assert_allclose(fresh.encode_texts(texts)[::50], single, atol=1e-6)


def test_texts__longer_than_the_context_are_cut(encoder: OpenClipEncoder) -> None:
    assert np.isfinite(encoder.encode_texts(["many words " * 200])).all()


def test_texts__are_encoded_once(encoder: OpenClipEncoder) -> None:
    asked: list[str] = []

    def tokenizer(texts: list[str]) -> Any:
        asked.extend(texts)
        return encoder._tokenizer(texts)

    counted = OpenClipEncoder(random_model(), tokenizer, name="tiny", device="cpu")
    asked.clear()
    counted.encode_texts(["a cat", "a dog"])
    counted.encode_texts(["a dog", "a bird", "a dog"])
    assert asked == ["a cat", "a dog", "a bird"]


def test_texts__handed_out_can_be_changed_without_harm(encoder: OpenClipEncoder) -> None:
    first = encoder.encode_texts(["a cat"])
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(encoder.encode_texts(["a cat"]), kept)


def test_texts__none_give_an_empty_array(encoder: OpenClipEncoder) -> None:
    assert encoder.encode_texts([]).shape == (0, encoder.dim)


def test_precision__bf16_is_close_and_float32_outside(encoder: OpenClipEncoder) -> None:
    half = OpenClipEncoder(random_model(), encoder._tokenizer, name="tiny", device="cpu", precision="bf16")
    found = half.encode_images(pixels(4, 32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(found, encoder.encode_images(pixels(4, 32)), atol=0.03)


def test_precision__bf16_on_the_cpu_leaves_the_model_that_was_given_alone(encoder: OpenClipEncoder) -> None:
    before = encoder.encode_images(pixels(4, 32))
    half = OpenClipEncoder(random_model(), encoder._tokenizer, name="tiny", device="cpu", precision="bf16")
    assert not np.array_equal(half.encode_images(pixels(4, 32)), before)
    np.testing.assert_array_equal(encoder.encode_images(pixels(4, 32)), before)
    np.testing.assert_allclose(half.encode_texts(["a cat"]), encoder.encode_texts(["a cat"]), atol=1e-6)
    assert half.fingerprint == encoder.fingerprint, "the weights are the same; the precision is filed beside them"


@pytest.mark.parametrize(
    ("native", "parameters", "expected"), [(True, 10, "bf16"), (True, 10**9, "fp32"), (False, 10, "fp32")]
)
def test_precision__auto_is_bf16_for_large_towers_on_cpus_that_multiply_it(
    encoder: OpenClipEncoder, monkeypatch: pytest.MonkeyPatch, native: bool, parameters: int, expected: str
) -> None:
    monkeypatch.setattr(precision_module, "multiplies_bf16", lambda: native)
    monkeypatch.setattr(precision_module, "LARGE_TOWER", parameters)
    chosen = OpenClipEncoder(random_model(), encoder._tokenizer, name="tiny", device="cpu")
    assert chosen.precision == expected
    assert chosen.resize == ("exact" if expected == "fp32" else "fast")


@pytest.mark.parametrize(
    ("units", "native"),
    [
        ({"_is_amx_tile_supported": True, "_is_avx512_bf16_supported": False}, True),
        ({"_is_amx_tile_supported": False, "_is_avx512_bf16_supported": True}, True),
        ({"_is_amx_tile_supported": False, "_is_avx512_bf16_supported": False}, False),
        ({"_is_avx512_bf16_supported": True}, True),
        ({}, False),
    ],
)
def test_multiplies_bf16__amx_or_avx512_will_do_and_a_torch_that_does_not_say_means_no(
    monkeypatch: pytest.MonkeyPatch, units: dict[str, bool], native: bool
) -> None:
    import torch

    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
        if name in units:
            monkeypatch.setattr(torch.cpu, name, lambda name=name: units[name], raising=False)
    assert precision_module.multiplies_bf16() is native


def test_resize__is_what_was_asked_for_or_refused(encoder: OpenClipEncoder) -> None:
    for resize in ("exact", "fast"):
        chosen = OpenClipEncoder(random_model(), encoder._tokenizer, name="tiny", device="cpu", resize=resize)
        assert chosen.resize == resize
        assert chosen.fingerprint == encoder.fingerprint
    for build in (load_encoder, lambda name, **options: OpenClipEncoder(random_model(), None, name=name, **options)):
        with pytest.raises(ConfigError, match="resize must be one of auto, exact, fast, got 'quick'"):
            build("demo", resize="quick")


# ------------------------------------------------------------------------------------------------- the demo's


def test_demo__is_loaded_once_however_its_settings_are_named() -> None:
    first = load_encoder("demo")
    assert load_encoder("demo", precision="fp32", resize="exact", device="cpu") is first
    other = load_encoder("demo", resize="fast")
    assert other is not first
    assert load_encoder("demo", precision="fp32", resize="fast") is other
    assert load_encoder("demo") is first


def test_demo__embeds_and_knows_its_preprocessing(demo_encoder: OpenClipEncoder) -> None:
    assert demo_encoder.name == "demo"
    vectors = demo_encoder.encode_images(pixels(3, demo_encoder.image_size))
    assert vectors.shape == (3, demo_encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_demo__words_outside_its_vocabulary_are_named(demo_encoder: OpenClipEncoder) -> None:
    assert demo_encoder.unknown_words(["a photo of a submarine.", "Zeppelin, a submarine"]) == ["submarine", "zeppelin"]


def test_demo__its_own_classes_and_prompts_are_known(demo_encoder: OpenClipEncoder) -> None:
    from lgca_plugin.demo.classes import CLASSES
    from lgca_plugin.descriptions.class_texts import LABEL_PROMPT

    names = [getattr(entry, "name", entry) for entry in CLASSES]
    assert len(names) == 12
    assert demo_encoder.unknown_words([LABEL_PROMPT.format(name) for name in names]) == []


def test_other_models__know_every_word(encoder: OpenClipEncoder) -> None:
    assert encoder.unknown_words(["a photo of a submarine."]) == []
