"""The repository as a source of FiftyOne's model zoo: what the zoo calls, see ``manifest.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...encoder.loading import load_encoder
from ...errors import ConfigError
from ...method.core.methods import METHODS, method_description
from .loading import load_model

if TYPE_CHECKING:
    from .zero_shot_model import ZeroShotModel

MODELS: dict[str, tuple[str, str | None]] = {
    "lgca/demo": ("demo", None),
    "lgca/ViT-B-32": ("ViT-B-32-quickgelu", "openai"),
    "lgca/ViT-B-16": ("ViT-B-16-quickgelu", "openai"),
    "lgca/ViT-L-14": ("ViT-L-14-quickgelu", "openai"),
    "lgca/SigLIP-B-16": ("ViT-B-16-SigLIP", "webli"),
}
"""Name in the zoo to the name and the pretrained tag that ``load_encoder`` takes."""


def fetch(model_name: str, model_path: str) -> None:
    """Fetches a model's weights to open_clip's cache, and writes to the zoo which ones they are.

    Raises:
        ConfigError: if there is no such model
        ModelUnavailableError: if the weights can't be fetched
    """
    name, pretrained = _source(model_name)
    load_encoder(name, pretrained, device="cpu")
    text = json.dumps({"encoder": name, "pretrained": pretrained})
    Path(model_path).write_text(text, encoding="utf-8")


def open_model(model_name: str, **settings: Any) -> ZeroShotModel:
    """Loads a model of the zoo; the settings are those of :func:`lgca_plugin.load_model`.

    Raises:
        ConfigError: if there is no such model, or a setting is wrong
        ModelUnavailableError: if the weights can't be loaded
    """
    return load_model(**{"encoder": _source(model_name), **settings})


def add_settings(inputs: Any) -> None:
    """Adds what a model takes to a form of FiftyOne's zoo operators."""
    from fiftyone.operators import types

    inputs.list(
        "classes",
        types.String(),
        required=True,
        label="Classes",
        description="The names to choose from, two or more",
    )
    view = types.DropdownView()
    for name in METHODS:
        view.add_choice(name, label=name, description=method_description(name))
    inputs.enum("method", view.values(), default="lgca", label="Method", view=view)


def _source(model_name: str) -> tuple[str, str | None]:
    base = model_name.partition("@")[0]
    if base not in MODELS:
        raise ConfigError(f"there is no model {model_name!r} here; the models are {', '.join(MODELS)}")
    return MODELS[base]
