"""Attacks by somebody who can reach the App: which models the server loads, and from which files."""

import json
import os
import traceback

import fiftyone as fo
import pytest

from lgca_plugin.demo.classes import CLASSES
from tests.helpers.app.operators import CLASSIFY, AppOperator

pytestmark = pytest.mark.usefixtures("module_store")
FIND = AppOperator("lgca_find_wrong_labels")
PASSWORD = "hunter2"


@pytest.fixture
def files(monkeypatch, tmp_path):
    """A folder that the App may read, and another that it may not; each holds a model's folder."""
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    for folder in (allowed, secret):
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"embed_dim": 64}}))
    (secret / "weights.pt").write_bytes(PASSWORD.encode())
    monkeypatch.setenv("LGCA_READ_DIRS", str(allowed))
    monkeypatch.setenv("LGCA_EXPORT_DIR", str(tmp_path / "exports"))
    monkeypatch.delenv("LGCA_MODELS", raising=False)
    return allowed, secret


def form_of(operator, request):
    """The dataset for an operator's form, and what is chosen there already."""
    if operator is CLASSIFY:
        return request.getfixturevalue("dataset"), {"class_source": "typed", "classes": "\n".join(CLASSES[:2])}
    return request.getfixturevalue("shared_run").dataset, {"more": True, "model_choice": "other"}


@pytest.mark.parametrize(
    ("field", "params"),
    [
        ("checkpoint", {"encoder": "checkpoint", "checkpoint": "{secret}/weights.pt"}),
        ("checkpoint", {"encoder": "checkpoint", "checkpoint": "{secret}/missing.pt"}),
        ("checkpoint", {"encoder": "checkpoint", "checkpoint": "../secret/weights.pt"}),
        ("checkpoint", {"encoder": "checkpoint", "checkpoint": "link.pt"}),
        ("checkpoint", {"encoder": "checkpoint", "checkpoint": "pipe.pt"}),
        ("checkpoint", {"encoder": "checkpoint", "checkpoint": "/dev/zero"}),
        ("checkpoint", {"checkpoint": "{secret}/weights.pt"}),
        ("pretrained", {"encoder": "open_clip", "pretrained": "{secret}/weights.pt"}),
        ("pretrained", {"encoder": "open_clip", "pretrained": "../weights.pt"}),
        ("pretrained", {"encoder": "open_clip", "pretrained": "here.pt"}),
        ("model", {"encoder": "open_clip", "model": "local-dir:{secret}/model"}),
        ("model", {"encoder": "open_clip", "model": "local-dir:{allowed}/model"}),
        ("model", {"encoder": "open_clip", "model": "local-dir:model"}),
        ("model", {"encoder": "checkpoint", "model": "local-dir:model", "checkpoint": "here.pt"}),
        ("model", {"encoder": "open_clip", "model": "{secret}"}),
        ("model", {"encoder": "open_clip", "model": "{secret}/missing"}),
        ("model", {"encoder": "open_clip", "model": "model"}),
        ("model", {"encoder": "open_clip", "model": "hf-hub:../../secret"}),
        ("model", {"encoder": "open_clip", "model": "hf-hub:somebody/model"}),
        ("model", {"encoder": "open_clip", "model": "HF-HUB:somebody/model"}),
        ("model", {"encoder": "open_clip", "model": "hf-hub:somebody/model", "called_from_code": True}),
        ("model", {"encoder": "open_clip", "model": "ViT-B-32\0"}),
        ("model", {"encoder": "open_clip", "model": "ViT-B-32/../x"}),
    ],
)
@pytest.mark.parametrize("operator", [CLASSIFY, FIND], ids=lambda operator: operator.uri)
def test_model__is_of_a_list_and_read_from_allowed_folders(request, files, monkeypatch, operator, field, params):
    allowed, secret = files
    (allowed / "link.pt").symlink_to(secret / "weights.pt")
    os.mkfifo(allowed / "pipe.pt")
    (allowed / "here.pt").write_text("lies in the folder that the server was started in")
    monkeypatch.chdir(allowed)
    dataset, chosen = form_of(operator, request)
    params = {name: str(value).format(secret=secret, allowed=allowed) for name, value in params.items()}
    found = operator.errors(dataset, **chosen, **params)
    assert field in found
    assert any(words in found[field] for words in ("may read", "no plain file", "has no", "is none of them"))
    assert "is a path" not in found[field]  # whether there is one is not shown
    with pytest.raises(ValueError, match=r"may read|no plain file|has no|is none of them"):
        operator.begin(operator.context(dataset, {**chosen, **params}))


def test_model__in_an_allowed_folder_is_taken_under_its_own_name(dataset, files):
    allowed, _ = files
    (allowed / "blob").write_text("no weights")
    (allowed / "weights.safetensors").symlink_to(allowed / "blob")
    for path in ("weights.safetensors", f"{allowed}/weights.safetensors"):
        chosen = {"class_source": "typed", "classes": "a\nb", "encoder": "checkpoint", "checkpoint": path}
        assert "checkpoint" not in CLASSIFY.errors(dataset, **chosen)


def test_model__that_the_servers_operator_has_listed_is_offered_and_taken(dataset, files, monkeypatch):
    folder, hub = f"local-dir:{files[1] / 'model'}", "hf-hub:somebody/model"
    monkeypatch.setenv("LGCA_MODELS", f"{hub}, {folder},")
    chosen = {"class_source": "typed", "classes": "a\nb", "encoder": "open_clip"}
    for name in (folder, hub, "ViT-B-16"):
        fields, found = CLASSIFY.form(dataset, **chosen, model=name, pretrained="openai")
        assert not {"model", "pretrained"} & set(found)
        assert {hub, folder, "ViT-B-16"} <= {choice.value for choice in fields["model"].view.choices}
    for name in (f"{hub}2", hub.upper(), f"{folder}/", f"{folder}/../model", "hf-hub:", "local-dir:", ","):
        assert "model" in CLASSIFY.errors(dataset, **chosen, model=name)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.safetensors", '{"hunter2": "hunter2"}'), ("b.pt", f"c{PASSWORD}\n{PASSWORD}\n."), ("c.npz", PASSWORD)],
)
def test_checkpoint__errors_quote_nothing_of_a_file(dataset, demo_images, files, name, content):
    header = len(content).to_bytes(8, "little") if name.endswith(".safetensors") else b""
    (files[0] / name).write_bytes(header + content.encode())
    dataset.add_sample(fo.Sample(filepath=demo_images[0].path))
    params = {"class_source": "typed", "classes": "a\nb", "encoder": "checkpoint", "checkpoint": name}
    messages, error = CLASSIFY.run_to_error(dataset, model="RN50", **params)
    answered = "".join(traceback.format_exception(error))  # as the App's server does
    assert "can't be read" in answered
    assert PASSWORD not in f"{answered} {[message.to_json() for message in messages]}"
