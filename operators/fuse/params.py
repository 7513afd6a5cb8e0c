"""The parameters of ``lgca_fuse``, read as the arguments of ``lgca.fuse``.

What depends on the first run has its key in the parameter's name; code can use the plain name. A reader raises
``ConfigError`` if its parameter is not valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...lgca_plugin.config import RunConfig, check_run_key
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.method.core.methods import METHOD_TABLE, Method
from ...lgca_plugin.runs.proposals import free_run_key, given_label_fields
from ...lgca_plugin.workflows.fuse.partners import Partner, mismatch, partners
from ..shared.classes import label_fields
from ..shared.form import Params
from ..shared.prompt_cache import cached_while_open
from ..shared.run_choice import known_runs, newest_run, read_param, read_run

DEFAULT_KEY = "fused"
NO_LABELS, LABELS, WEIGHTS = "none", "labels", "weights"
ANCHORED, PUBLISHED = "anchored", "published"
MORE = ("kind", "folds", "seed")
"""Parameters of the part of the form that "More" shows."""


@cached_while_open
def partners_of(ctx: Any, key: str) -> list[Partner]:
    """Returns the other runs, each with whether it can be fused with a run."""
    return partners(ctx.dataset, key)


def proposed_run(ctx: Any) -> str | None:
    """Returns the newest run that can be fused with another one, else the newest run; None if there is none."""
    configs = {run.key: run.config for run in known_runs(ctx) if run.config is not None and run.config.has_one_encoder}
    for key, own in configs.items():
        if any(mismatch(own, other) is None for name, other in configs.items() if name != key):
            return key
    return next(iter(configs), newest_run(ctx))


def read_first(ctx: Any) -> tuple[str, RunConfig]:
    """Reads the first run, which must exist and be readable and not be fused itself."""
    key, config = read_run(ctx, ctx.params.get("run") or proposed_run(ctx))
    if config.fusion is not None:
        raise ConfigError(f"run {key!r} is fused itself: choose one of the runs that it was fused from")
    return key, config


def proposed_others(ctx: Any, key: str) -> list[str]:
    """Returns the runs that the form proposes to fuse with a run: the newest of each other model."""
    found: dict[str, str] = {}
    for partner in partners_of(ctx, key):
        if partner.fits:
            found.setdefault(partner.fingerprint, partner.key)
    return list(found.values())


def read_others(ctx: Any, key: str) -> list[Partner]:
    """Reads the runs that are fused with the first one: at least one, of different models."""
    names = read_param(ctx.params, "others", key, proposed_others(ctx, key))
    found = {partner.key: partner for partner in partners_of(ctx, key)}
    if not isinstance(names, list) or not names:
        raise ConfigError("choose at least one run to fuse with")
    for name in names:
        if not isinstance(name, str) or name not in found:
            raise ConfigError(f"{name!r} is no other run of this dataset; choose from {', '.join(found)}")
        if found[name].problem:
            raise ConfigError(f"run {name!r} can't be fused with {key!r}: it {found[name].problem}")
    chosen = [found[name] for name in dict.fromkeys(names)]
    models: dict[str, str] = {}
    for one in chosen:
        if one.fingerprint in models:
            raise ConfigError(
                f"runs {models[one.fingerprint]!r} and {one.key!r} have the same model: choose one of them"
            )
        models[one.fingerprint] = one.key
    return chosen


@cached_while_open
def label_choices(ctx: Any) -> list[str]:
    """Returns the fields of labels, the likeliest of the given ones first; those of corrected labels come last."""
    given = given_label_fields(ctx.dataset)
    return [*given, *(field for field in label_fields(ctx.dataset) if field not in given)]


def learns(params: Params, choices: list[str]) -> bool:
    """Returns whether labels are learnt from; without the choice, whether code has named a field."""
    chosen = params.get("learn")
    return (bool(params.get("ground_truth")) if chosen is None else chosen == LABELS) and bool(choices)


def default_field(config: RunConfig, choices: list[str]) -> str | None:
    """Returns the label field that the form proposes: the run's own, else the likeliest."""
    return config.ground_truth if config.ground_truth in choices else next(iter(choices), None)


def read_field(params: Params, key: str, config: RunConfig, choices: list[str]) -> str | None:
    """Reads the field whose labels are learnt from; None for no labels."""
    if not learns(params, choices):
        return None
    name = read_param(params, "ground_truth", key, default_field(config, choices))
    if name not in choices:
        raise ConfigError(f"{name!r} is no field of labels of this dataset; choose from {', '.join(choices)}")
    return str(name)


def weights_choices(ctx: Any, config: RunConfig, others: Sequence[Partner]) -> list[str]:
    """Returns the fused runs whose weights are those of the same models, in the same order; the newest first."""
    models = [config.encoder_fingerprint, *(other.fingerprint for other in others)]
    found = []
    for run in known_runs(ctx):
        fusion = None if run.config is None else run.config.fusion
        if run.config is not None and fusion is not None:
            had = [one.encoder_fingerprint for one in (run.config, *(other.config for other in fusion.others))]
            found += [run.key] if had == models else []
    return found


def read_weights(ctx: Any, key: str, config: RunConfig, others: Sequence[Partner]) -> str | None:
    """Reads the fused run whose weights are taken instead of learning; None for none."""
    if ctx.params.get("learn") != WEIGHTS:
        return None
    choices = weights_choices(ctx, config, others)
    name = read_param(ctx.params, "weights", key, next(iter(choices), None))
    if name not in choices:
        known = ", ".join(choices) or "none"
        raise ConfigError(f"{name!r} is no fused run of these models, in this order; such runs: {known}")
    return str(name)


def fused_methods(config: RunConfig) -> tuple[Method, ...]:
    """Returns the methods of the fused run, by which its fields are named."""
    return (*config.methods, METHOD_TABLE["hada"].preset)


def free_key(ctx: Any, config: RunConfig) -> str:
    """Returns a key without a run and without fields for the fused run."""
    return free_run_key(ctx.dataset, fused_methods(config), DEFAULT_KEY)


def read_run_key(ctx: Any, key: str, config: RunConfig) -> str:
    """Reads the key of the fused run, which is none of the runs that are fused."""
    chosen = check_run_key(str(read_param(ctx.params, "run_key", key, free_key(ctx, config))).strip())
    if chosen == key or chosen in {other.key for other in read_others(ctx, key)}:
        raise ConfigError(f"{chosen!r} is one of the runs that are fused: choose another key")
    if ctx.params.get("learn") == WEIGHTS and chosen == read_param(ctx.params, "weights", key):
        raise ConfigError(f"{chosen!r} is the run whose weights are taken: choose another key")
    return chosen


def more(params: Params) -> bool:
    """Returns whether the rest of the form is shown; without the switch, whether code has passed any of it."""
    return bool(params.get("more", any(params.get(name) is not None for name in MORE)))


def is_anchored(params: Params) -> bool:
    """Returns whether each model's vectors stay in their own space; HADA as published does without."""
    return not more(params) or params.get("kind") != PUBLISHED


def read_whole(params: Params, name: str, default: int, *, least: int, most: int) -> int:
    """Reads a whole number within limits, from "More"."""
    value = params.get(name) if more(params) else None
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{name} must be a whole number from {least:,} to {most:,}, got {value!r}")
    return value


def has_wrong_number(params: Params) -> bool:
    """Returns whether the folds or the seed are wrong: then they are shown, even where nothing is learnt by them."""
    try:
        read_folds(params), read_seed(params)
    except ConfigError:
        return True
    return False


def read_folds(params: Params) -> int:
    """Reads the number of folds."""
    return read_whole(params, "folds", 5, least=2, most=20)


def read_seed(params: Params) -> int:
    """Reads the seed."""
    return read_whole(params, "seed", 0, least=0, most=2**31 - 1)
