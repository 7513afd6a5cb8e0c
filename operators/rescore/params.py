"""The parameters of ``lgca_rescore`` and the changes they stand for.

What depends on the chosen run has the run's key in its parameter's name, such as ``classes_of_zeroshot``: the App gives
a field that nobody has edited the default of the moment, and one that somebody has edited must not go over to another
run. Under the plain name, such as ``classes``, code gives the same.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ...lgca_plugin.config import check_methods, check_run_key
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.method.core.methods import Method
from ...lgca_plugin.workflows.classify.request import check_shown_chains
from ...lgca_plugin.workflows.rescore.plan import Changes, changed_methods, changed_regions
from ..shared import params as settings
from ..shared.params import Params
from ..shared.run_choice import given, of_run
from .source import Source

SETTINGS = ("image_scale", "decisiveness", "text_scale", "global_weight", "step_weights")  # of a method
KEEP = "keep"


def class_source(params: Params) -> str:
    """Where the classes come from, ``"keep"`` or ``"typed"``."""
    return str(params.get("class_source") or ("typed" if params.get("classes") else KEEP))


def read_classes(params: Params, source: Source) -> tuple[str, ...] | None:
    """Reads the edited list of classes; None where it is the run's own."""
    if class_source(params) == KEEP:
        return None
    names = given(params, "classes", source.key, list(source.config.classes))
    classes = settings.read_classes({"class_source": "typed", "classes": names})
    return None if classes == source.config.classes else classes


def read_methods(params: Params, source: Source) -> tuple[Method, ...]:
    """Reads the methods: presets of the run's own where it has them, published ones otherwise."""
    own = {method.name: method for method in source.config.methods}
    names = given(params, "methods", source.key, list(own))
    chosen = check_methods([own.get(name, name) if isinstance(name, str) else name for name in names])
    for method in chosen:
        if method.name not in source.possible:
            raise ConfigError(
                f"{method.name} needs regions that run {source.key!r} has not encoded: classify with it under another "
                "run key, which encodes only what is missing"
            )
    return chosen


def settings_source(params: Params) -> str:
    """Where the settings come from: ``"keep"``, ``"change"`` or ``"suggest"``."""
    if params.get("settings_source"):
        return str(params["settings_source"])
    return "change" if any(params.get(name) is not None for name in (*SETTINGS, "steps")) else KEEP


def settings_of(method: Method) -> tuple[str, ...]:
    """Lists the settings that matter to a method."""
    matters = {
        "image_scale": method.regions != "none" and method.weighting == "salience",
        "decisiveness": method.weighting == "decisive",
        "text_scale": method.class_vectors == "weighted",
        "global_weight": method.regions != "none",
        "step_weights": method.regions == "chains" and method.weighting != "decisive",
    }
    return tuple(name for name in SETTINGS if matters[name])


def setting_value(method: Method, name: str, steps: int) -> Any:
    """Gives a setting as the form shows it; step weights as text, one for each step there is."""
    if name != "step_weights":
        return float(getattr(method, name))
    weights = method.step_weights or (1.0,) * (steps + 1)
    return ", ".join(f"{weight:g}" for weight in weights)


def with_setting(method: Method, name: str, value: Any, steps: int) -> Method:
    """Gives a preset with one setting as the form has it; nothing, as in an emptied field, leaves it as it is.

    Raises:
        ConfigError: if the value is not valid
    """
    if value is None or value == "":
        return method
    if name == "step_weights":
        value = read_step_weights(value, method, steps)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{name} of {method.name} must be a number, got {value!r}")
    try:
        return method if value == getattr(method, name) else replace(method, **{name: value})
    except (TypeError, ValueError) as error:
        raise ConfigError(str(error)) from error


def read_step_weights(value: Any, method: Method, steps: int) -> tuple[float, ...] | None:
    """Reads the weights of the steps, separated by commas; None where all are equal, as in the published settings."""
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else list(value)
    try:
        weights = tuple(float(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"step_weights of {method.name} must be numbers with commas between, got {value!r}"
        ) from error
    if len(weights) <= steps:
        raise ConfigError(f"step_weights of {method.name} must be {steps + 1} numbers, one a step, got {value!r}")
    equal = weights[0] > 0 and len(set(weights)) == 1
    return None if equal and not method.step_weights else weights


def read_steps(params: Params, source: Source) -> int | None:
    """Reads the number of expansion steps; None where it is the run's own."""
    if settings_source(params) == KEEP:
        return None
    steps = given(params, "steps", source.key, source.config.regions.steps)
    return None if changed_regions(source.config, steps) == source.config.regions else steps


def setting_name(method: Method, name: str, source: Source, field: str | None) -> str:
    """Names the parameter of a method's setting; suggestions have their own for each label field they came by."""
    name = of_run(f"{method.name}_{name}", source.key)
    return f"{name}_by_{field}" if field else name


def label_field(params: Params, source: Source, choices: list[str]) -> str | None:
    """Gives the label field that settings are suggested by: the chosen one, else the likeliest; None without any."""
    field = given(params, "label_field", source.key, source.config.ground_truth)
    if field in choices:
        return str(field)
    return "ground_truth" if "ground_truth" in choices else next(iter(choices), None)


def suggestion_name(source: Source, field: str) -> str:
    """Names the parameter that holds what ``lgca_suggest_settings`` has answered."""
    return f"{of_run('suggestion', source.key)}_by_{field}"


def read_suggestion(params: Params, source: Source, field: str | None) -> dict[str, Method]:
    """Reads the suggested presets, by method's name.

    Raises:
        ConfigError: if there are none
    """
    answer = params.get(suggestion_name(source, field)) if field else None
    methods = ((answer or {}).get("data") or {}).get("methods")
    if not methods:
        raise ConfigError("there are no suggested settings: wait for them, or choose to keep or change the run's own")
    try:
        return {name: Method.from_json(found["preset"]) for name, found in methods.items()}
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"the suggested settings can't be read: {error}") from error


def proposed(
    params: Params, source: Source, methods: tuple[Method, ...], suggestion: dict[str, Method]
) -> tuple[Method, ...]:
    """Gives the presets that the settings' fields start from: suggested ones, with what code gave under plain names.

    Raises:
        ConfigError: if code gave something that is not valid
    """
    base = [suggestion.get(method.name, method) for method in methods]
    plain = {name: params[name] for name in SETTINGS if params.get(name) is not None}
    return changed_methods(source.config.methods, Changes(methods=base, **plain))


def read_presets(params: Params, source: Source, choices: list[str]) -> tuple[Method, ...]:
    """Reads the methods with their settings; ``choices`` are the dataset's Classification fields."""
    methods = read_methods(params, source)
    origin = settings_source(params)
    if origin == KEEP:
        return methods
    field = label_field(params, source, choices) if origin == "suggest" else None
    suggestion = read_suggestion(params, source, field) if origin == "suggest" else {}
    steps = read_steps(params, source)
    presets = []
    for method in proposed(params, source, methods, suggestion):
        edited = method
        for name in settings_of(method):
            value = params.get(setting_name(method, name, source, field))
            edited = with_setting(edited, name, value, source.steps if steps is None else steps)
        presets.append(edited)
    return tuple(presets)


def read_shown_chains(params: Params, source: Source) -> int | None:
    """Reads how many chains of each image are written as boxes; None where it is as in the run."""
    count = given(params, "shown_chains", source.key, source.config.shown_chains)
    check_shown_chains(count)
    return None if count == source.config.shown_chains else count


def read_logits(params: Params, source: Source) -> bool | None:
    """Reads whether the labels carry all class scores; None where it is as in the run."""
    logits = bool(given(params, "logits", source.key, source.config.logits))
    return None if logits == source.config.logits else logits


def result(params: Params) -> str:
    """Where the results go: ``"new"`` or ``"in_place"``."""
    return str(params.get("result") or "new")


def free_key(key: str, taken: list[str]) -> str:
    """Proposes a key for a new run: the run's own, counted on."""
    stem = re.sub(r"_\d+$", "", key)
    return next(name for name in (f"{stem}_{number}" for number in range(2, len(taken) + 3)) if name not in taken)


def read_run_key(params: Params, source: Source, taken: list[str]) -> str | None:
    """Reads the key of the new run; None where the run is rescored in place.

    Args:
        params: ``ctx.params``
        source: the run
        taken: the keys of all runs on the dataset, of whatever kind
    """
    if result(params) == "in_place":
        return None
    key = check_run_key(str(given(params, "run_key", source.key, free_key(source.key, taken))).strip())
    if key == source.key:
        raise ConfigError(f"{key!r} is the run that is rescored: choose another key, or to rescore it in place")
    return key


def read_changes(params: Params, source: Source, dataset: Any, choices: list[str]) -> Changes:
    """Reads all that is to be other than in the run.

    Args:
        params: ``ctx.params``
        source: the run
        dataset: the dataset, for the descriptions that it keeps
        choices: its Classification fields

    Raises:
        ConfigError: for the first setting that is not valid
    """
    presets = read_presets(params, source, choices)
    described = settings.description_source(params, KEEP)
    descriptions: Any = None if described == KEEP else settings.read_descriptions(params, dataset)
    classes = read_classes(params, source)
    if described == "templates":
        descriptions = {}
    return Changes(
        classes=classes,
        descriptions=descriptions,
        methods=None if presets == source.config.methods else presets,
        steps=read_steps(params, source),
        logits=read_logits(params, source),
        shown_chains=read_shown_chains(params, source),
    )
