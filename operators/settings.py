"""The parameters of ``lgca_classify`` and the arguments they stand for.

Every reader takes ``ctx.params`` and raises the library's own ``ConfigError``. The form shows that message under its
field, and the run is made from the same readers, so what the form accepts is what is run.
"""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..lgca_plugin.config import (
    DEFAULT_METHODS,
    DEFAULT_RUN_KEY,
    RegionConfig,
    check_classes,
    check_methods,
    check_run_key,
)
from ..lgca_plugin.errors import ConfigError
from ..lgca_plugin.model.descriptions import parse_descriptions
from ..lgca_plugin.model.encoder import DEFAULT_MODEL, DEFAULT_PRETRAINED, DEMO_MODEL

Params = dict[str, Any]

DEFAULT_SHOWN_CHAINS = 3


def class_source(params: Params) -> str:
    """Where the classes come from, ``"field"`` or ``"typed"``."""
    if params.get("class_source"):
        return str(params["class_source"])
    return "typed" if params.get("classes") else "field"


def read_classes(params: Params) -> tuple[str, ...] | None:
    """Reads the typed classes, one a line; None when they come from a label field."""
    if class_source(params) == "field":
        return None
    text = (params.get("classes") or "").strip()
    if not text:
        raise ConfigError("type the candidate classes, one a line")
    return check_classes(text.splitlines())


def read_ground_truth(params: Params, choices: list[str]) -> str | None:
    """Reads the label field, which must be one of ``choices``."""
    field = params.get("ground_truth") or None
    if field is None and class_source(params) == "field":
        raise ConfigError("choose the label field whose labels are the classes, or type the classes")
    if field is not None and field not in choices:
        known = ", ".join(choices) or "none"
        raise ConfigError(f"{field!r} is no Classification field of this dataset; it has {known}")
    return field


def read_descriptions(params: Params) -> dict[str, tuple[str, ...]] | str | None:
    """Reads the class descriptions: typed, uploaded, or the path of a file; None for the templates."""
    source = params.get("description_source") or "templates"
    if source == "file":
        return existing_file(params.get("description_file"), "a JSON file that maps each class to a list of texts")
    if source == "upload":
        return read_upload(params.get("description_upload"))
    typed = (params.get("descriptions") or "").strip()
    return parse_descriptions(typed, name="as typed") if source == "typed" and typed else None


def read_upload(upload: Any) -> dict[str, tuple[str, ...]]:
    """Reads the descriptions from a file that was uploaded with the form: its contents come base64-encoded."""
    content = (upload or {}).get("content")
    if not content:
        raise ConfigError("choose a JSON file that maps each class to a list of texts")
    try:
        data = base64.b64decode(content.rpartition(",")[2], validate=True)
    except ValueError as error:
        raise ConfigError("the uploaded file arrived damaged; choose it again") from error
    return parse_descriptions(data, name=f"in {upload.get('name') or 'the uploaded file'!r}")


def description_params(descriptions: dict[str, list[str]] | str | Path | None) -> Params:
    """Gives the parameters that :func:`read_descriptions` reads back."""
    if descriptions is None:
        return {}
    if isinstance(descriptions, (str, Path)):
        return {"description_source": "file", "description_file": str(descriptions)}
    return {"description_source": "typed", "descriptions": json.dumps(descriptions)}


def read_encoder(params: Params) -> tuple[str, str | None]:
    """Reads the encoder as the name and the pretrained tag or path that ``load_encoder`` takes."""
    source = params.get("encoder") or "open_clip"
    if source == "demo":
        return DEMO_MODEL, None
    model = (params.get("model") or "").strip() or DEFAULT_MODEL
    if source == "checkpoint":
        return model, existing_file(params.get("checkpoint"), "a checkpoint: safetensors, or a torch file")
    tag = (params.get("pretrained") or "").strip()
    if model.startswith(("hf-hub:", "local-dir:")):  # these bring their own weights
        return model, None
    if not tag:
        raise ConfigError(f"give the pretrained tag of {model}, such as {DEFAULT_PRETRAINED!r}")
    return model, tag


def encoder_params(name: str | None, pretrained: str | None) -> Params:
    """Gives the parameters that :func:`read_encoder` reads back."""
    if name == DEMO_MODEL:
        return {"encoder": "demo"}
    model = name or DEFAULT_MODEL
    if pretrained is None and model == DEFAULT_MODEL:
        pretrained = DEFAULT_PRETRAINED
    if pretrained is not None and Path(pretrained).is_file():
        return {"encoder": "checkpoint", "model": model, "checkpoint": pretrained}
    return {"encoder": "open_clip", "model": model, "pretrained": pretrained}


def existing_file(path: Any, what: str) -> str:
    """Returns a path if there is a file; ``what`` says of which kind it should be."""
    path = (path or "").strip()
    if not path:
        raise ConfigError(f"give the path of {what}")
    if not Path(path).is_file():
        raise ConfigError(f"there is no file {path!r} on the machine that runs the App")
    return str(path)


def read_methods(params: Params) -> list[str]:
    """Reads the names of the methods."""
    chosen = params.get("methods")
    return [method.name for method in check_methods(DEFAULT_METHODS if chosen is None else chosen)]


def read_run_key(params: Params) -> str:
    """Reads the run key."""
    key = params.get("run_key")
    return check_run_key(DEFAULT_RUN_KEY if key is None else key.strip())


def read_regions(params: Params) -> RegionConfig:
    """Reads the region settings; the defaults unless the advanced settings are switched on."""
    if not params.get("advanced"):
        return RegionConfig()
    given = {field.name: params.get(field.name) for field in fields(RegionConfig)}
    return RegionConfig(**{name: value for name, value in given.items() if value is not None})


def read_count(params: Params, name: str, default: int | None, at_least: int) -> int | None:
    """Reads a whole number of the advanced settings."""
    value = params.get(name) if params.get("advanced") else None
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise ConfigError(f"{name} must be a whole number of at least {at_least}, got {value!r}")
    return value


def read_batch_size(params: Params) -> int | None:
    """Reads the batch size; None lets the library choose."""
    return read_count(params, "batch_size", None, 1)


def read_shown_chains(params: Params) -> int | None:
    """Reads how many chains of each image are written as boxes."""
    return read_count(params, "shown_chains", DEFAULT_SHOWN_CHAINS, 0)


def read_arguments(params: Params, choices: list[str]) -> Params:
    """Reads everything as keyword arguments of ``lgca.classify``, the encoder still by name.

    Args:
        params: ``ctx.params``
        choices: the dataset's Classification fields

    Raises:
        ConfigError: for the first setting that is not valid
    """
    advanced = params if params.get("advanced") else {}
    return {
        "classes": read_classes(params),
        "ground_truth": read_ground_truth(params, choices),
        "descriptions": read_descriptions(params),
        "methods": read_methods(params),
        "run_key": read_run_key(params),
        "encoder": read_encoder(params),
        "regions": read_regions(params),
        "shown_chains": read_shown_chains(params),
        "batch_size": read_batch_size(params),
        "device": (advanced.get("device") or "").strip() or None,
        "precision": advanced.get("precision") or "auto",
        "skip_failures": bool(advanced.get("skip_failures", True)),
        "overwrite": bool(params.get("overwrite", False)),
    }
