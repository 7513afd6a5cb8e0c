"""The parameters of ``lgca_classify``, read as the arguments of ``lgca.classify``.

A reader takes ``ctx.params`` and raises ``ConfigError``. The form shows that message under the field, and the operator
executes with the same readers, so what the form accepts is what is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...lgca_plugin.config import (
    DEFAULT_BUDGET,
    DEFAULT_METHODS,
    DEFAULT_RUN_KEY,
    DEFAULT_SHOWN_CHAINS,
    RegionConfig,
    check_budget,
    check_methods,
    check_run_key,
)
from ...lgca_plugin.encoder.architectures import (
    DEFAULT_MODEL,
    DEFAULT_PRETRAINED,
    DEMO_MODEL,
    FOLDER_SCHEMA,
    REMOTE_SCHEMA,
    check_architecture,
)
from ...lgca_plugin.encoder.precision import PRECISIONS
from ...lgca_plugin.errors import ConfigError
from ..shared.classes import default_field, read_classes, read_ground_truth
from ..shared.descriptions import existing_file, read_descriptions
from ..shared.form import Params

REGION_SETTINGS = tuple(field.name for field in fields(RegionConfig))
ADVANCED = (
    *REGION_SETTINGS,
    "shown_chains",
    "batch_size",
    "device",
    "precision",
    "store_regions",
    "logits",
    "skip_failures",
)


def encoder_source(params: Params) -> str:
    """Returns the kind of encoder; without the choice, the path of a checkpoint decides."""
    return str(params.get("encoder") or ("checkpoint" if params.get("checkpoint") else "open_clip"))


def read_model(params: Params) -> str:
    """Reads the name of the architecture, which must be one that exists."""
    return check_architecture((params.get("model") or "").strip() or DEFAULT_MODEL)


def read_encoder(params: Params) -> tuple[str, str | None]:
    """Reads the encoder as the name and the pretrained tag or path that ``load_encoder`` takes."""
    source = encoder_source(params)
    if source == "demo":
        return DEMO_MODEL, None
    model = read_model(params)
    if source == "checkpoint":
        return model, existing_file(params.get("checkpoint"), "a checkpoint: safetensors, or a torch file")
    tag = (params.get("pretrained") or "").strip()
    if model == DEMO_MODEL or model.startswith((REMOTE_SCHEMA, FOLDER_SCHEMA)):  # these bring their own weights
        return model, None
    if not tag:
        raise ConfigError(f"give the pretrained tag of {model}, such as {DEFAULT_PRETRAINED!r}")
    return model, tag


def encoder_params(name: str | None, pretrained: str | None) -> Params:
    """Returns the parameters that :func:`read_encoder` reads back."""
    if name == DEMO_MODEL:
        return {"encoder": "demo"}
    model = name or DEFAULT_MODEL
    if pretrained is None and model == DEFAULT_MODEL:
        pretrained = DEFAULT_PRETRAINED
    if pretrained is not None and Path(pretrained).is_file():
        return {"encoder": "checkpoint", "model": model, "checkpoint": pretrained}
    return {"encoder": "open_clip", "model": model, "pretrained": pretrained}


def read_methods(params: Params) -> list[str]:
    """Reads the names of the methods."""
    chosen = params.get("methods")
    return [method.name for method in check_methods(DEFAULT_METHODS if chosen is None else chosen)]


def read_budget(params: Params) -> str:
    """Reads the budget."""
    return check_budget(params.get("budget") or DEFAULT_BUDGET)


def read_run_key(params: Params) -> str:
    """Reads the run key."""
    key = params.get("run_key")
    return check_run_key(DEFAULT_RUN_KEY if key is None else key.strip())


def advanced(params: Params) -> Params:
    """Returns the advanced settings: none while they are switched off; without the switch, those that are given."""
    if not params.get("advanced", True):
        return {}
    return {name: params[name] for name in ADVANCED if params.get(name) is not None}


def read_regions(params: Params) -> RegionConfig:
    """Reads the region settings."""
    return RegionConfig(**{name: value for name, value in advanced(params).items() if name in REGION_SETTINGS})


def _read_count(params: Params, name: str, at_least: int) -> int | None:
    value = advanced(params).get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < at_least):
        raise ConfigError(f"{name} must be a whole number of at least {at_least}, got {value!r}")
    return value


def read_batch_size(params: Params) -> int | None:
    """Reads the batch size; None lets the library choose."""
    return _read_count(params, "batch_size", 1)


def read_shown_chains(params: Params) -> int:
    """Reads how many chains of each image are written as boxes."""
    count = _read_count(params, "shown_chains", 0)
    return DEFAULT_SHOWN_CHAINS if count is None else count


def read_logits(params: Params) -> bool:
    """Reads whether all class scores are written onto the labels."""
    return bool(advanced(params).get("logits", False))


def read_store_regions(params: Params) -> bool:
    """Reads whether the embeddings of crops are stored on disk."""
    return bool(advanced(params).get("store_regions", True))


def read_precision(params: Params) -> str:
    """Reads the floating-point type of the encoder."""
    precision = str(advanced(params).get("precision") or "auto")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    return precision


def read_valid(params: Params, choices: list[str]) -> Params:
    """Reads the settings that a run's record holds unchanged; those that are not valid are left out."""
    readers: dict[str, Callable[[], Any]] = {
        "ground_truth": lambda: read_ground_truth({"ground_truth": default_field(params, choices), **params}, choices),
        "shown_chains": lambda: read_shown_chains(params),
        "logits": lambda: read_logits(params),
        "precision": lambda: read_precision(params),
        "budget": lambda: read_budget(params),
    }
    found: Params = {}
    for name, read in readers.items():
        with suppress(ConfigError):
            found[name] = read()
    return found


def read_arguments(params: Params, choices: list[str], dataset: Any) -> Params:
    """Reads everything as keyword arguments of ``lgca.classify``, the encoder still by name.

    Args:
        params: ``ctx.params``
        choices: the dataset's Classification fields
        dataset: the dataset, for the descriptions that are saved on it

    Raises:
        ConfigError: for the first setting that is not valid
    """
    others = advanced(params)
    return {
        "classes": read_classes(params),
        "ground_truth": read_ground_truth(params, choices),
        "descriptions": read_descriptions(params, dataset),
        "methods": read_methods(params),
        "budget": read_budget(params),
        "run_key": read_run_key(params),
        "encoder": read_encoder(params),
        "regions": read_regions(params),
        "shown_chains": read_shown_chains(params),
        "batch_size": read_batch_size(params),
        "device": others.get("device", "").strip() or None,
        "precision": read_precision(params),
        "logits": read_logits(params),
        "store_regions": read_store_regions(params),
        "skip_failures": bool(others.get("skip_failures", True)),
        "overwrite": bool(params.get("overwrite", False)),
    }
