"""Models whose files hold Python code: it is not executed, and what can be used without it is."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from lgca_plugin.encoder.loading import load_encoder
from lgca_plugin.encoder.own_code import check_no_code, load_tokenizer
from lgca_plugin.errors import ConfigError, ModelUnavailableError
from tests.helpers.checks import all_of, assert_one_sentence
from tests.helpers.tiny_clip import CONFIG, TINY, add_architecture, random_model, save

DEMAND = {"trust_remote_code": True}


def model_folder(folder: Path, **text_cfg: Any) -> str:
    """A folder in the layout of a hub repository, with a tokenizer in Python that leaves a trace; returns its name."""
    document = {"model_cfg": {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], **text_cfg}}}
    (folder / "open_clip_config.json").write_text(json.dumps(document))
    tokenizer = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(folder / 'trace')!r}).touch()\n")
    save(random_model(), folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


@pytest.mark.parametrize(
    "text_cfg",
    [
        {"hf_tokenizer_name": "own", "tokenizer_kwargs": DEMAND},
        {"hf_tokenizer_name": "own", "tokenizer_kwargs": {"trust_remote_code": "no"}},  # a text counts as yes
        {"hf_model_name": "own", "hf_tokenizer_name": "own", "tokenizer_kwargs": DEMAND},
        {"tokenizer_kwargs": DEMAND},
        {"act_kwargs": {"inner": [1, {"deeper": DEMAND}]}},
    ],
)
def test_model__that_demands_its_own_code_is_refused(tmp_path: Path, text_cfg: dict[str, Any]) -> None:
    name = model_folder(tmp_path, **text_cfg)
    with pytest.raises(ConfigError, match=all_of([str(tmp_path), "trust_remote_code", "Python code"])) as caught:
        load_encoder(name, device="cpu")
    assert_one_sentence(caught.value)
    assert "trust_remote_code" not in caught.value.app
    assert not (tmp_path / "trace").exists()


def test_model__of_the_registry_that_demands_its_own_code_is_refused(tmp_path: Path) -> None:
    add_architecture(tmp_path, "lgca-test-code", text_cfg={**CONFIG["text_cfg"], "tokenizer_kwargs": DEMAND})
    with pytest.raises(ConfigError, match="trust_remote_code"):
        load_encoder("lgca-test-code", pretrained=save(random_model(), tmp_path / "weights.pt"), device="cpu")


def test_model__that_declines_to_execute_code_is_not_refused() -> None:
    for value in (False, None, 0):
        check_no_code("it", {"text_cfg": {"tokenizer_kwargs": {"trust_remote_code": value}}})


def test_tokenizer__of_a_folder_is_open_clips_own(tmp_path: Path) -> None:
    texts = ["a photo of a <mark> CAT", "Dogs"]
    special = {"additional_special_tokens": ["<mark>"], "clean": "whitespace"}
    for options in ({}, {"context_length": 9}, {"tokenizer_kwargs": special}):
        name = model_folder(tmp_path, **options)
        found = load_tokenizer(name, open_clip.get_model_config(name))(texts)
        assert torch.equal(found, open_clip.get_tokenizer(name)(texts))
        assert load_encoder(name, device="cpu").dim == 24


class WrongCall:
    """Unpickling this calls a function that a checkpoint may call, with too few arguments: a TypeError."""

    def __reduce__(self) -> tuple[Any, ...]:
        return torch._utils._rebuild_tensor_v2, ()


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".npz"])
def test_checkpoint__is_not_read_in_another_way_when_the_safe_one_fails(tmp_path: Path, suffix: str) -> None:
    """open_clip reads a file a second time after a TypeError, without ``weights_only``."""
    trace, path = tmp_path / "trace", tmp_path / f"evil{suffix}"
    torch.save({"a": WrongCall(), "b": Payload(trace)}, path)
    with pytest.raises(ModelUnavailableError) as caught:
        load_encoder(TINY, pretrained=str(path), device="cpu")
    assert not trace.exists()
    assert "weights_only" not in str(caught.value) and "allow_pickle" not in str(caught.value)
    with pytest.raises(TypeError):  # the file is what it should be
        torch.load(tmp_path / f"evil{suffix}", weights_only=True)


def test_checkpoint__that_is_a_program_is_refused(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "program.pt")
    with pytest.raises(ModelUnavailableError, match="can't be read"):
        load_encoder(TINY, pretrained=str(tmp_path / "program.pt"), device="cpu")


PASSWORD = "hunter2"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.safetensors", '{"hunter2": "hunter2"}'),
        ("b.safetensors", '{"hunter2": {"dtype": "hunter2", "shape": [1], "data_offsets": [0, 4]}}'),
        ("c.pt", f"c{PASSWORD}\n{PASSWORD}\n."),
        ("d.npz", pickle.dumps({PASSWORD: PASSWORD})),
        ("open_clip_config.json", json.dumps({"model_cfg": {**CONFIG, PASSWORD: 1}})),
        ("open_clip_config.json", json.dumps({"model_cfg": {**CONFIG, "vision_cfg": {PASSWORD: PASSWORD}}})),
    ],
)
def test_file__that_makes_no_model_is_not_quoted_in_the_app(tmp_path: Path, name: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    header = len(data).to_bytes(8, "little") if name.endswith(".safetensors") else b""
    (tmp_path / name).write_bytes(header + data)
    is_folder = name.endswith(".json")
    with pytest.raises(ModelUnavailableError, match="can't be read") as caught:
        load_encoder(f"local-dir:{tmp_path}" if is_folder else TINY, None if is_folder else str(tmp_path / name))
    assert PASSWORD not in caught.value.app
    assert name in caught.value.app or str(tmp_path) in caught.value.app
