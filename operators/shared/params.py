"""The parameters of ``lgca_classify`` and the arguments they stand for.

Every reader takes ``ctx.params`` and raises the library's own ``ConfigError``. The form shows that message under its
field, and the run is made from the same readers, so what the form accepts is what is run.
"""

from __future__ import annotations

import base64
import json
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
    check_classes,
    check_methods,
    check_run_key,
)
from ...lgca_plugin.descriptions.files import check_descriptions, parse_descriptions
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

Params = dict[str, Any]

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
SAVED_KEY = "lgca_descriptions"  # of dataset.info: class name to texts


def class_source(params: Params) -> str:
    """Where the classes come from, ``"field"`` or ``"typed"``."""
    if params.get("class_source"):
        return str(params["class_source"])
    return "typed" if params.get("classes") else "field"


def read_classes(params: Params) -> tuple[str, ...] | None:
    """Reads the typed classes, one a line or as a list; None when they come from a label field."""
    if class_source(params) == "field":
        return None
    given = params.get("classes") or ""
    if not isinstance(given, str):
        return check_classes(given)
    text = given.strip()
    if not text:
        raise ConfigError("type the candidate classes, one a line")
    return check_classes(text.splitlines())


def default_field(params: Params, choices: list[str]) -> str | None:
    """Gives the label field that the form proposes: none to compare typed classes with."""
    if class_source(params) == "typed" or not choices:
        return None
    return "ground_truth" if "ground_truth" in choices else choices[0]


def read_ground_truth(params: Params, choices: list[str]) -> str | None:
    """Reads the label field, which must be one of ``choices``."""
    field = params.get("ground_truth") or None
    if field is None and class_source(params) == "field":
        raise ConfigError("choose the label field whose labels are the classes, or type the classes")
    if field is not None and field not in choices:
        known = ", ".join(choices) or "none"
        raise ConfigError(f"{field!r} is no Classification field of this dataset; it has {known}")
    return field


def saved_descriptions(dataset: Any) -> dict[str, Any]:
    """Gives the class descriptions that the dataset keeps, as they are; none if it keeps none."""
    saved = (dataset.info or {}).get(SAVED_KEY)
    return dict(saved) if isinstance(saved, dict) else {}


def description_source(params: Params, default: str = "templates") -> str:
    """Where the descriptions come from; where that is not said, a parameter that holds some says it."""
    if params.get("description_source"):
        return str(params["description_source"])
    sources = {"descriptions": "typed", "description_file": "file", "description_upload": "upload"}
    return next((source for name, source in sources.items() if params.get(name)), default)


def read_descriptions(params: Params, dataset: Any) -> dict[str, tuple[str, ...]] | str | None:
    """Reads the class descriptions: typed, uploaded, the dataset's, or the path of a file; None for the templates."""
    source = description_source(params)
    if source == "saved":
        return read_saved(dataset)
    if source == "file":
        return existing_file(params.get("description_file"), "a JSON file that maps each class to a list of texts")
    if source == "upload":
        return read_upload(params.get("description_upload"))
    typed = (params.get("descriptions") or "").strip()
    return parse_descriptions(typed, name="as typed") if source == "typed" and typed else None


def read_saved(dataset: Any) -> dict[str, tuple[str, ...]]:
    """Reads the descriptions that the dataset keeps, which anyone may have edited."""
    saved = saved_descriptions(dataset)
    if not saved:
        raise ConfigError(f"dataset.info has no {SAVED_KEY!r}; choose another source of descriptions")
    try:
        return check_descriptions(saved)
    except ConfigError as error:
        raise ConfigError(f"dataset.info[{SAVED_KEY!r}] can't be used: {error}") from error


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


def encoder_source(params: Params) -> str:
    """Which kind of encoder is meant; where that is not said, the path of a checkpoint says it."""
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


def read_budget(params: Params) -> str:
    """Reads whether every image takes all crops."""
    return check_budget(params.get("budget") or DEFAULT_BUDGET)


def read_run_key(params: Params) -> str:
    """Reads the run key."""
    key = params.get("run_key")
    return check_run_key(DEFAULT_RUN_KEY if key is None else key.strip())


def advanced(params: Params) -> Params:
    """Gives the advanced settings that count: none while they are switched off, all where nobody says which."""
    if not params.get("advanced", True):
        return {}
    return {name: params[name] for name in ADVANCED if params.get(name) is not None}


def read_regions(params: Params) -> RegionConfig:
    """Reads the region settings."""
    return RegionConfig(**{name: value for name, value in advanced(params).items() if name in REGION_SETTINGS})


def read_count(params: Params, name: str, default: int | None, at_least: int) -> int | None:
    """Reads a whole number of the advanced settings."""
    value = advanced(params).get(name)
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


def read_logits(params: Params) -> bool:
    """Reads whether the labels carry all class scores."""
    return bool(advanced(params).get("logits", False))


def read_store_regions(params: Params) -> bool:
    """Reads whether the embeddings of crops are kept on disk."""
    return bool(advanced(params).get("store_regions", True))


def read_precision(params: Params) -> str:
    """Reads the floating-point type of the encoder."""
    precision = str(advanced(params).get("precision") or "auto")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    return precision


def read_plain(params: Params, choices: list[str]) -> Params:
    """Reads the settings that a run's record holds as they are, without those that are not valid."""
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
        dataset: the dataset, for the descriptions that it keeps

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
