"""Choosing the model: the readers of its parameters and its part of a form."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.encoder.architectures import (
    DEFAULT_MODEL,
    DEFAULT_PRETRAINED,
    DEMO_MODEL,
    DEMO_MODELS,
    FOLDER_SCHEMA,
    REMOTE_SCHEMA,
    architectures,
    check_architecture,
)
from ...lgca_plugin.errors import ConfigError
from . import settings
from .caller import is_own
from .descriptions import existing_file
from .form import Params, add_tabs, checked, read_text, text_field
from .server_files import readable_file

# Suggestions only: any architecture and tag that open_clip has can be typed. Listing all tags would import torch.
MODELS = (DEFAULT_MODEL, "ViT-B-16-quickgelu", "ViT-L-14-quickgelu", "ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-H-14")
TAGS = (
    DEFAULT_PRETRAINED,
    "dfn2b",
    "metaclip_fullcc",
    "laion2b_s34b_b79k",
    "laion2b_s34b_b88k",
    "datacomp_xl_s13b_b90k",
)

DEMO_LABELS = {DEMO_MODEL: "ResNet", "demo-vit": "ViT, weaker, to fuse with the ResNet"}
"""The demo's models, in the App's words."""

_TAG = re.compile(r"[\w.-]+")


def encoder_source(params: Params) -> str:
    """Returns the kind of encoder; without the choice, the path of a checkpoint decides."""
    return str(params.get("encoder") or ("checkpoint" if params.get("checkpoint") else "open_clip"))


def read_model(params: Params) -> str:
    """Reads the name of the architecture, which must be one that exists and that users of the App may load."""
    name = read_text(params, "model") or DEFAULT_MODEL
    if not is_own(params) and name not in (*DEMO_MODELS, *architectures(), *settings.models()):
        raise ConfigError(_not_listed(name))
    return check_architecture(name)


def _not_listed(name: str) -> str:
    """Returns that the App loads no model of a name, whatever there may be of this name."""
    if re.fullmatch(r"[\w.-]+", name):
        close = difflib.get_close_matches(name, architectures(), n=3)
        return f"open_clip has no model {name!r}" + (f"; did you mean {' or '.join(close)}?" if close else "")
    return (
        f"the App loads the models that open_clip itself has, and {name!r} is none of them: whoever runs its server "
        f"can allow it with the variable {settings.MODELS}"
    )


def read_encoder(params: Params) -> tuple[str, str | None]:
    """Reads the encoder as the name and the pretrained tag or path that ``load_encoder`` takes."""
    source = encoder_source(params)
    if source == "demo":
        model = str(params.get("demo_model") or DEMO_MODEL)
        if model not in DEMO_MODELS:
            raise ConfigError(f"the demo has no model {model!r}; its models are {', '.join(DEMO_MODELS)}")
        return model, None
    model = read_model(params)
    if source == "checkpoint":
        what = "a checkpoint: safetensors, or a torch file"
        return model, (existing_file if is_own(params) else readable_file)(params.get("checkpoint"), what)
    tag = read_text(params, "pretrained")
    if model in DEMO_MODELS or model.startswith((REMOTE_SCHEMA, FOLDER_SCHEMA)):  # these bring their own weights
        return model, None
    if not tag:
        raise ConfigError(f"give the pretrained tag of {model}, such as {DEFAULT_PRETRAINED!r}")
    if not is_own(params) and (not _TAG.fullmatch(tag) or Path(tag).exists()):  # else it would be read as a checkpoint
        raise ConfigError(f"open_clip has no pretrained tag {tag!r}; a checkpoint's path belongs to 'Checkpoint file'")
    return model, tag


def encoder_params(name: str | None, pretrained: str | None) -> Params:
    """Returns the parameters that :func:`read_encoder` reads back."""
    if name in DEMO_MODELS:
        return {"encoder": "demo", "demo_model": name}
    model = name or DEFAULT_MODEL
    if pretrained is None and model == DEFAULT_MODEL:
        pretrained = DEFAULT_PRETRAINED
    if pretrained is not None and Path(pretrained).is_file():
        return {"encoder": "checkpoint", "model": model, "checkpoint": pretrained}
    return {"encoder": "open_clip", "model": model, "pretrained": pretrained}


def add_encoder(inputs: Any, params: Params) -> tuple[str, str | None] | None:
    """Adds the choice of the model; returns its name and its weights as ``load_encoder`` takes them, if valid."""
    source = encoder_source(params)
    sources = {"open_clip": "open_clip model", "checkpoint": "Checkpoint file", "demo": "Demo model"}
    add_tabs(inputs, "encoder", source, sources, label="Encoder")
    if source == "demo":
        note = "A tiny model for the demo's drawn birds: it ships with the plugin and recognizes nothing else"
        inputs.view("demo_note", types.Notice(label=note))
        models = types.RadioGroup(orientation="horizontal")
        for name, label in DEMO_LABELS.items():
            models.add_choice(name, label=label)
        prop = inputs.enum("demo_model", models.values(), default=DEMO_MODEL, label="Model", view=models)
        return checked(prop, read_encoder, params)
    models = _suggestions((*MODELS, *settings.models()))
    prop = inputs.str("model", default=DEFAULT_MODEL, label="Architecture", view=models)
    model = checked(prop, read_model, params)
    params = {"model": DEFAULT_MODEL, "pretrained": DEFAULT_PRETRAINED, **params}
    if source == "checkpoint":
        note = f"In a folder of {settings.READ_DIRS}, a variable of the App's server"
        prop = inputs.str("checkpoint", label="Path of the checkpoint", description=note, view=text_field(2))
    else:
        prop = inputs.str("pretrained", default=DEFAULT_PRETRAINED, label="Pretrained tag", view=_suggestions(TAGS))
    return checked(prop, read_encoder, params) if model else None


def _suggestions(values: tuple[str, ...]) -> Any:
    """Returns the view of a text field, half the form wide, that suggests values and takes any other."""
    view = types.AutocompleteView(allow_user_input=True, space=6)
    for value in values:
        view.add_choice(value, label=value)
    return view
