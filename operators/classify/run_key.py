"""The key of the run in the form: the usual one, or a free one where that is taken, and what is in a key's way."""

from __future__ import annotations

from typing import Any

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import (
    DEFAULT_BUDGET,
    DEFAULT_RUN_KEY,
    RegionConfig,
    RunConfig,
    check_methods,
    check_run_key,
    run_methods,
)
from ...lgca_plugin.descriptions.style import AUTO
from ...lgca_plugin.encoder.architectures import display_name
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.fiftyone_io.fields import conflicting_fields
from ...lgca_plugin.method.core.methods import METHODS
from ...lgca_plugin.runs.proposals import free_run_key
from ...lgca_plugin.runs.registry import PACKAGE, prediction_fields
from ...lgca_plugin.workflows.classify.plan import SETTING_WORDS
from ..shared.descriptions import RunTexts, other_descriptions
from ..shared.form import Params, checked
from ..shared.prompt_cache import cached_while_open
from .class_notes import field_labels, view_target
from .params import READERS, named_methods

Chosen = dict[str, Any]

PROPOSED = "new_run_key"
"""The parameter of a free key: the App fills a field with its default only where its name is new in the form."""


def add_run_key(inputs: Any, ctx: Any, chosen: Chosen) -> None:
    """Adds the run key and, where a run has it, the field that confirms overwriting it.

    ``chosen`` are the other settings, None where not valid.
    """
    note = "Names the run and its fields: KEY_clip, KEY_wca, KEY_lgca, KEY_regions, ..."
    name, default = "run_key", DEFAULT_RUN_KEY
    taken = _why_taken(ctx, chosen)
    if taken is not None:
        name, default = PROPOSED, _free_key(ctx, chosen)
        note = f"A free one is proposed: {taken}"
    prop = inputs.str(name, default=default, label="Run key", description=note)
    value = ctx.params.get(name)
    key = checked(prop, READERS["run_key"], {"run_key": default if value is None else value})
    if key is None:
        return
    overwrite = bool(ctx.params.get("overwrite"))
    if key in ctx.dataset.list_runs(package=PACKAGE):
        inputs.bool(
            "overwrite",
            default=False,
            label=f"Run {key!r} exists: start over",
            description="Ticked, its fields are deleted first; unticked, only samples without a result are classified",
        )
    checked(prop, _check_free, ctx, key, chosen, overwrite)


def chosen_run_key(ctx: Any, chosen: Chosen) -> str:
    """Returns the key under which the form's run is written; code names it as ``run_key``."""
    proposed = ctx.params.get(PROPOSED)
    if proposed is None or _why_taken(ctx, chosen) is None:
        key: str = READERS["run_key"](ctx.params)
        return key
    return check_run_key(str(proposed).strip())


def _why_taken(ctx: Any, chosen: Chosen) -> str | None:
    """Returns why the usual key can't be used with these settings; None if it can, or another key was typed."""
    params: Params = ctx.params
    by_code = params.get("overwrite") and PROPOSED not in params
    if params.get("run_key") not in (None, DEFAULT_RUN_KEY) or by_code:
        return None
    return key_problem(ctx, DEFAULT_RUN_KEY, chosen, overwrite=False)


def _check_free(ctx: Any, key: str, chosen: Chosen, overwrite: bool) -> None:
    problem = key_problem(ctx, key, chosen, overwrite=overwrite)
    if problem:
        start_over = "start over, or " if key in ctx.dataset.list_runs(package=PACKAGE) and not overwrite else ""
        raise ConfigError(f"{problem}: {start_over}choose another key, such as {_free_key(ctx, chosen)}")


def _free_key(ctx: Any, chosen: Chosen) -> str:
    return free_run_key(ctx.dataset, check_methods(chosen["methods"] or list(METHODS)))


def key_problem(ctx: Any, run_key: str, chosen: Chosen, *, overwrite: bool) -> str | None:
    """Returns what is in the way of a run under a key, with these settings; None if nothing is."""
    dataset = ctx.dataset
    own: list[str] = []
    if run_key in dataset.list_runs(package=PACKAGE):
        try:
            own = prediction_fields(dataset, run_key)
            config, own_texts = _run_record(ctx, run_key)
            different = differences(config, chosen)
            if chosen["classes"] is None and chosen.get("ground_truth") and not keeps_classes(ctx, config, chosen):
                different.insert(0, "classes")
            style = chosen.get("description_style", AUTO)
            if not different and other_descriptions(config, own_texts, chosen["descriptions"], style):
                different = ["descriptions"]
        except LgcaError as error:
            different = [error.app]
        if different and not overwrite:
            words = ", ".join(SETTING_WORDS.get(name, name) for name in different)
            return f"run {run_key!r} exists with other settings ({words})"
    elif run_key in dataset.list_runs():
        return f"{run_key!r} is the key of a run of another kind"
    if chosen["methods"] and (overwrite or not own):
        stopping = chosen.get("budget") not in (None, DEFAULT_BUDGET)
        conflicts = conflicting_fields(dataset, run_key, check_methods(chosen["methods"]), own, adaptive=stopping)
        if conflicts:
            return f"field {conflicts[0]!r} exists already and belongs to no run"
    return None


def keeps_classes(ctx: Any, config: RunConfig, chosen: Chosen) -> bool:
    """Returns whether a run would be continued with its classes where these are the labels of a field."""
    counts, classes = field_labels(ctx, view_target(ctx), chosen["ground_truth"])
    return set(counts) <= set(config.classes) or classes in ((), config.classes)


@cached_while_open
def _run_record(ctx: Any, run_key: str) -> tuple[RunConfig, RunTexts]:
    """Returns a run's config and its texts."""
    run = load_run(ctx.dataset, run_key)
    return run.config, RunTexts.of(run)


def differences(config: RunConfig, chosen: Chosen) -> list[str]:
    """Returns the names of the settings in which a form differs from a run.

    What only the run itself can compare is left out: the labels of a field, the weights behind an encoder's name, and
    the precision that ``"auto"`` selects on the device.
    """
    methods, regions = chosen["methods"], chosen["regions"] or RegionConfig()
    if methods:
        methods = run_methods(named_methods(methods, regions), regions, config.methods)
    in_form = {
        "classes": chosen["classes"],
        "methods": methods or None,
        "regions": chosen["regions"],
        "encoder": chosen["encoder"] and display_name(*chosen["encoder"]),
        "precision": None if chosen.get("precision") == "auto" else chosen.get("precision"),
        "logits": chosen.get("logits"),
        "shown_chains": chosen.get("shown_chains"),
        "budget": chosen.get("budget"),
    }
    different = [name for name, value in in_form.items() if value is not None and value != getattr(config, name)]
    if "ground_truth" in chosen and chosen["ground_truth"] != config.ground_truth:  # None is a choice here
        different.append("ground_truth")
    return different
