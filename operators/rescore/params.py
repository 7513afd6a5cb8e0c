"""The parameters of ``lgca_rescore``, read as the changes to a run.

What depends on the chosen run has its key in the parameter's name, such as ``classes_of_zeroshot``; code can use the
plain name, such as ``classes``. A reader raises ``ConfigError`` if its parameter is not valid.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count
from typing import Any

from ...lgca_plugin.config import NO_SHARES, RunConfig, check_methods, check_run_key, check_shares
from ...lgca_plugin.errors import ConfigError, shown
from ...lgca_plugin.method.core.methods import Method
from ...lgca_plugin.runs.proposals import free_run_key
from ...lgca_plugin.workflows.classify.request import check_shown_chains
from ...lgca_plugin.workflows.rescore.request import Changes, changed_methods, changed_regions
from ..shared.classes import parse_classes, read_display_names, read_prompt, read_shares
from ..shared.descriptions import description_source, other_descriptions, read_descriptions, read_style
from ..shared.form import Params, loaded
from ..shared.run_choice import read_param, run_param
from .source import Source

SETTINGS = ("image_scale", "decisiveness", "temperature", "text_scale", "global_weight", "step_weights")  # of a method
KEEP = "keep"


def read_methods(params: Params, source: Source) -> tuple[Method, ...]:
    """Reads the methods: the run's own presets where it has them, published ones otherwise."""
    own = {method.name: method for method in source.config.methods}
    names = read_param(params, "methods", source.key, list(own))
    if not isinstance(names, (list, tuple)):
        raise ConfigError(f"methods must be a list of names, got {shown(names)}")
    chosen = check_methods([own.get(name, name) if isinstance(name, str) else name for name in names], own=own.values())
    for method in chosen:
        if method.name not in source.available_methods:
            raise ConfigError(
                f"{method.name} needs regions that run {source.key!r} has not encoded: classify with it under another "
                "run key, which encodes only the missing ones"
            )
    return chosen


def settings_source(params: Params) -> str:
    """Returns where the settings come from: ``"keep"``, ``"change"`` or ``"suggest"``."""
    if params.get("settings_source"):
        return str(params["settings_source"])
    return "change" if any(params.get(name) is not None for name in (*SETTINGS, "steps")) else KEEP


def settings_of(method: Method) -> tuple[str, ...]:
    """Returns the names of the settings that affect a method."""
    affects = {
        "image_scale": method.regions != "none" and method.weighting == "salience",
        "decisiveness": method.by_class,
        "temperature": method.by_class,
        "text_scale": method.class_vectors == "weighted",
        "global_weight": method.regions != "none" and method.weighting not in ("sized", "learned"),
        "step_weights": method.grows and not method.by_class and method.weighting != "learned",
    }
    return tuple(name for name in SETTINGS if affects[name])


def setting_value(method: Method, name: str, steps: int) -> Any:
    """Returns a setting as the form shows it: step weights as text, one for each step."""
    if name != "step_weights":
        return float(getattr(method, name))
    weights = method.step_weights or (1.0,) * (steps + 1)
    return ", ".join(f"{weight:g}" for weight in weights)


def with_setting(method: Method, name: str, value: Any, steps: int) -> Method:
    """Returns a preset with one setting from the form; an emptied field leaves it as it is."""
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
            f"step_weights of {method.name} must be numbers, separated by commas; got {value!r}"
        ) from error
    if len(weights) <= steps:
        raise ConfigError(f"step_weights of {method.name} must be {steps + 1} numbers, one a step, got {value!r}")
    equal = weights[0] > 0 and len(set(weights)) == 1
    return None if equal and not method.step_weights else weights


def read_steps(params: Params, source: Source) -> int:
    """Reads the number of expansion steps."""
    steps = source.config.regions.steps
    if settings_source(params) != KEEP:
        steps = changed_regions(source.config, read_param(params, "steps", source.key, steps)).steps
    return steps


def setting_name(method: Method, name: str, source: Source, field: str | None) -> str:
    """Returns the name of a setting's parameter; suggested settings have one for each label field."""
    name = run_param(f"{method.name}_{name}", source.key)
    return f"{name}_by_{field}" if field else name


def label_field(params: Params, source: Source, choices: list[str]) -> str | None:
    """Returns the label field that settings are suggested by; None if the dataset has none."""
    field = read_param(params, "label_field", source.key, source.config.ground_truth)
    if field in choices:
        return str(field)
    return "ground_truth" if "ground_truth" in choices else next(iter(choices), None)


def suggestion_name(source: Source, field: str) -> str:
    """Returns the name of the parameter that holds the result of ``lgca_suggest_settings``."""
    return f"{run_param('suggestion', source.key)}_by_{field}"


def read_suggestion(params: Params, source: Source, field: str | None) -> dict[str, Method]:
    """Reads the suggested presets, method's name to preset: of those that are better than the run's.

    There must be an answer, which may suggest nothing.
    """
    methods = (loaded(params, suggestion_name(source, field)) or {}).get("methods") if field else None
    if not methods:
        raise ConfigError("there are no suggested settings: wait for them, or keep or change the run's own")
    try:
        presets = {name: Method.from_json(found["preset"]) for name, found in methods.items()}
        return {name: preset for name, preset in presets.items() if is_better(methods[name])}
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"the suggested settings can't be read: {error}") from error


def is_better(tried: Any) -> bool:
    """Returns whether the settings that were tried are better than a run's: the interval of the gain is above 0."""
    return bool(tried["settings"] > 1 and tried["gain"][1] > 0)


def proposed_presets(
    params: Params, source: Source, methods: tuple[Method, ...], suggestion: dict[str, Method]
) -> tuple[Method, ...]:
    """Returns the presets that the fields start from: suggested ones, with the plain parameters from code."""
    base = [suggestion.get(method.name, method) for method in methods]
    plain = {name: params[name] for name in SETTINGS if params.get(name) is not None}
    return changed_methods(source.config.methods, Changes(methods=base, **plain))


def read_presets(params: Params, source: Source, choices: list[str]) -> tuple[Method, ...]:
    """Reads the methods with their settings; ``choices`` are the dataset's label fields."""
    methods = read_methods(params, source)
    origin = settings_source(params)
    if origin == KEEP:
        return methods
    field = label_field(params, source, choices) if origin == "suggest" else None
    suggestion = read_suggestion(params, source, field) if origin == "suggest" else {}
    steps = read_steps(params, source)
    presets = []
    for method in proposed_presets(params, source, methods, suggestion):
        edited = method
        for name in settings_of(method):
            value = params.get(setting_name(method, name, source, field))
            edited = with_setting(edited, name, value, steps)
        presets.append(edited)
    return tuple(presets)


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


def read_shown_chains(params: Params, source: Source) -> int:
    """Reads how many chains of each image are written as boxes."""
    chains: int = read_param(params, "shown_chains", source.key, source.config.shown_chains)
    check_shown_chains(chains)
    return chains


def result_place(params: Params) -> str:
    """Returns where the results go, ``"new"`` or ``"in_place"``."""
    return str(params.get("result") or "new")


def free_key(source: Source, dataset: Any) -> str:
    """Returns a key without a run and without fields for a new run: the run's own with the next number."""
    stem = re.sub(r"_\d+$", "", source.key)
    names = (f"{stem}_{number}" for number in count(2))
    return next(name for name in names if free_run_key(dataset, source.config.methods, name) == name)


def read_run_key(params: Params, source: Source, dataset: Any) -> str | None:
    """Reads the key of the new run, None to rescore in place."""
    if result_place(params) == "in_place":
        return None
    key = check_run_key(str(read_param(params, "run_key", source.key, free_key(source, dataset))).strip())
    if key == source.key:
        raise ConfigError(f"{key!r} is the run that is rescored: choose another key, or to rescore it in place")
    return key


def read_changes(params: Params, source: Source, dataset: Any, choices: list[str]) -> Changes:
    """Reads all changes to the run; ``choices`` are the dataset's label fields."""
    described = description_source(params, KEEP)
    descriptions: Any = None
    if described != KEEP:
        descriptions = {} if described == "templates" else read_descriptions(params, dataset)
    return Changes(
        classes=read_classes(params, source),
        descriptions=descriptions,
        description_style=read_style(params),
        methods=read_presets(params, source, choices),
        steps=read_steps(params, source),
        logits=bool(read_param(params, "logits", source.key, source.config.logits)),
        shown_chains=read_shown_chains(params, source),
        shares=read_shares(params, choices),
        display_names=read_display_names(params),
        prompt=read_prompt(params),
    )


def _other_shares(changes: Changes, config: RunConfig) -> bool:
    """Returns whether a rescoring follows other shares of the classes than the run."""
    if isinstance(changes.shares, str) and changes.shares == NO_SHARES:
        return config.shares is not None
    return config.shares != check_shares(changes.shares, config.classes if changes.classes is None else changes.classes)


UNCHANGED = "Nothing is changed: change the classes, the descriptions, the methods or their settings"


def changes_nothing(changes: Changes, source: Source) -> bool:
    """Returns whether a rescoring would give the run that there is."""
    config = source.config
    given = changes.descriptions
    if given == {}:  # templates for all classes
        same_texts = set(source.texts.templates or ()) == set(config.classes)
    else:
        same_texts = given is None or not other_descriptions(config, source.texts, given, changes.description_style)
    if changes.shares is not None and _other_shares(changes, config):
        return False
    if source.names.changed(config.classes, changes.display_names, changes.prompt) != source.names:
        return False
    before = (config.methods, config.regions.steps, config.logits, config.shown_chains)
    return (
        changes.classes is None
        and same_texts
        and (changes.methods, changes.steps, changes.logits, changes.shown_chains) == before
    )
