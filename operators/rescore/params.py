"""The parameters of ``lgca_rescore``, read as the changes to a run.

What depends on the chosen run has its key in the parameter's name, such as ``classes_of_zeroshot``; code can use the
plain name, such as ``classes``.
"""

from __future__ import annotations

import re
from typing import Any

from ...lgca_plugin.config import check_run_key
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.workflows.classify.request import check_shown_chains
from ...lgca_plugin.workflows.rescore.plan import Changes
from ..shared.classes import parse_classes
from ..shared.descriptions import description_source, read_descriptions
from ..shared.form import Params
from ..shared.run_choice import read_param
from .presets import KEEP, read_presets, read_steps
from .source import Source


def class_source(params: Params) -> str:
    """Returns where the classes come from, ``"keep"`` or ``"typed"``."""
    return str(params.get("class_source") or ("typed" if params.get("classes") else KEEP))


def read_classes(params: Params, source: Source) -> tuple[str, ...] | None:
    """Reads the edited list of classes; None where it is the run's own."""
    if class_source(params) == KEEP:
        return None
    names = read_param(params, "classes", source.key, list(source.config.classes))
    classes = parse_classes(names)
    return None if classes == source.config.classes else classes


def read_shown_chains(params: Params, source: Source) -> int | None:
    """Reads how many chains of each image are written as boxes; None for as many as in the run."""
    count = read_param(params, "shown_chains", source.key, source.config.shown_chains)
    check_shown_chains(count)
    return None if count == source.config.shown_chains else count


def read_logits(params: Params, source: Source) -> bool | None:
    """Reads whether all class scores are written onto the labels; None for as in the run."""
    logits = bool(read_param(params, "logits", source.key, source.config.logits))
    return None if logits == source.config.logits else logits


def result_place(params: Params) -> str:
    """Returns where the results go, ``"new"`` or ``"in_place"``."""
    return str(params.get("result") or "new")


def free_key(key: str, run_keys: list[str]) -> str:
    """Returns a free key for a new run: the run's own with the next number."""
    stem = re.sub(r"_\d+$", "", key)
    return next(name for name in (f"{stem}_{number}" for number in range(2, len(run_keys) + 3)) if name not in run_keys)


def read_run_key(params: Params, source: Source, run_keys: list[str]) -> str | None:
    """Reads the key of the new run; None where the run is rescored in place.

    Args:
        params: ``ctx.params``
        source: the run
        run_keys: the keys of all runs on the dataset, of any kind
    """
    if result_place(params) == "in_place":
        return None
    key = check_run_key(str(read_param(params, "run_key", source.key, free_key(source.key, run_keys))).strip())
    if key == source.key:
        raise ConfigError(f"{key!r} is the run that is rescored: choose another key, or to rescore it in place")
    return key


def read_changes(params: Params, source: Source, dataset: Any, choices: list[str]) -> Changes:
    """Reads the changes to the run.

    Args:
        params: ``ctx.params``
        source: the run
        dataset: the dataset, for the descriptions that are saved on it
        choices: its Classification fields

    Raises:
        ConfigError: for the first setting that is not valid
    """
    presets = read_presets(params, source, choices)
    described = description_source(params, KEEP)
    descriptions: Any = None
    if described != KEEP:
        descriptions = {} if described == "templates" else read_descriptions(params, dataset)
    return Changes(
        classes=read_classes(params, source),
        descriptions=descriptions,
        methods=None if presets == source.config.methods else presets,
        steps=read_steps(params, source),
        logits=read_logits(params, source),
        shown_chains=read_shown_chains(params, source),
    )
