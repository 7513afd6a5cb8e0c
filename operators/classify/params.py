"""The parameters of ``lgca_classify``, read as the arguments of ``lgca.classify``.

A reader takes ``ctx.params`` and raises ``ConfigError``. The form shows that message under the field, and the operator
executes with the same readers, so what the form accepts is what is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

from ...lgca_plugin.config import (
    DEFAULT_BUDGET,
    DEFAULT_RUN_KEY,
    DEFAULT_SHOWN_CHAINS,
    RegionConfig,
    check_budget,
    check_count,
    check_methods,
    check_run_key,
    default_methods,
)
from ...lgca_plugin.encoder.precision import PRECISIONS
from ...lgca_plugin.errors import ConfigError
from ..shared.classes import (
    NAMES,
    SHARES,
    default_field,
    read_classes,
    read_display_names,
    read_ground_truth,
    read_prompt,
    read_shares,
)
from ..shared.descriptions import read_descriptions, read_style
from ..shared.encoder import read_encoder
from ..shared.form import Params, read_text

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
    *NAMES,
    *SHARES,
)


def _read_methods(params: Params) -> list[str]:
    chosen = params.get("methods")
    return list(likely_methods(params)) if chosen is None else [method.name for method in check_methods(chosen)]


def likely_methods(params: Params) -> tuple[str, ...]:
    """Returns the default methods for the crops that are chosen, or for the usual ones while these are not valid."""
    with suppress(ConfigError):
        return default_methods(READERS["regions"](params))
    return default_methods(RegionConfig())


def named_methods(methods: list[str], regions: RegionConfig) -> list[str] | None:
    """Returns methods as they are named in code; None for the default ones, in whose place a run may have others."""
    return None if tuple(methods) == default_methods(regions) else methods


def _read_run_key(params: Params) -> str:
    return check_run_key(DEFAULT_RUN_KEY if params.get("run_key") is None else read_text(params, "run_key"))


def advanced(params: Params) -> Params:
    """Returns the advanced settings: none while they are switched off; without the switch, those that are given."""
    if not params.get("advanced", True):
        return {}
    return {name: params[name] for name in ADVANCED if params.get(name) is not None}


def _count(name: str, default: int | None, at_least: int) -> Callable[[Params], int | None]:
    """Returns the reader of an advanced setting that is a whole number."""

    def read(params: Params) -> int | None:
        value = advanced(params).get(name, default)
        return None if value is None else check_count(name, value, at_least=at_least)

    return read


def _read_precision(params: Params) -> str:
    precision = str(advanced(params).get("precision") or "auto")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    return precision


READERS: dict[str, Callable[[Params], Any]] = {
    "methods": _read_methods,
    "budget": lambda params: check_budget(params.get("budget") or DEFAULT_BUDGET),
    "description_style": read_style,
    "display_names": lambda params: read_display_names(advanced(params)),
    "prompt": lambda params: read_prompt(advanced(params)),
    "run_key": _read_run_key,
    "encoder": read_encoder,
    "regions": lambda params: RegionConfig(
        **{name: value for name, value in advanced(params).items() if name in REGION_SETTINGS}
    ),
    "shown_chains": _count("shown_chains", DEFAULT_SHOWN_CHAINS, 0),
    "batch_size": _count("batch_size", None, 1),
    "device": lambda params: read_text(advanced(params), "device") or None,
    "precision": _read_precision,
    "logits": lambda params: bool(advanced(params).get("logits", False)),
    "store_regions": lambda params: bool(advanced(params).get("store_regions", True)),
    "skip_failures": lambda params: bool(advanced(params).get("skip_failures", True)),
    "overwrite": lambda params: bool(params.get("overwrite", False)),
}
"""The arguments of ``lgca.classify`` that need no dataset, and the reader of each; the encoder by name and weights."""


def read_valid(params: Params, choices: list[str]) -> Params:
    """Reads the settings that the preview needs and the form does not return; without those that are not valid."""
    found: Params = {}
    with suppress(ConfigError):
        found["ground_truth"] = read_ground_truth({"ground_truth": default_field(params, choices), **params}, choices)
    for name in ("shown_chains", "logits", "precision", "budget", "store_regions", "regions", "description_style"):
        with suppress(ConfigError):
            found[name] = READERS[name](params)
    return found


def read_arguments(params: Params, choices: list[str], dataset: Any) -> Params:
    """Reads everything as keyword arguments of ``lgca.classify``; ``choices`` are the label fields.

    Raises:
        ConfigError: for the first setting that is not valid
    """
    return {
        "classes": read_classes(params),
        "ground_truth": read_ground_truth(params, choices),
        "descriptions": read_descriptions(params, dataset),
        "shares": read_shares(advanced(params), choices),
        **{name: read(params) for name, read in READERS.items()},
    }
