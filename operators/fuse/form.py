"""The form of ``lgca_fuse``, part by part: the runs, the labels, the key, and what it costs."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import RunConfig
from ...lgca_plugin.errors import LgcaError
from ...lgca_plugin.fiftyone_io.samples import ImageSamples
from ...lgca_plugin.fusion.training import MIN_LABELS
from ...lgca_plugin.method.number_text import capitalized, first_of, labels_text
from ...lgca_plugin.workflows.fuse.label_supply import FEW_LABELS, LabelSupply
from ...lgca_plugin.workflows.fuse.partners import Partner
from ..shared.form import add_dropdown, add_tabs, checked, mark_invalid, refuse, text_field
from ..shared.prompt_cache import cached_while_open
from ..shared.run_choice import initial_value, key_problem, known_runs, run_param
from .cost import cost_lines
from .params import (
    ANCHORED,
    LABELS,
    NO_LABELS,
    PUBLISHED,
    WEIGHTS,
    default_field,
    free_key,
    fused_methods,
    has_wrong_number,
    is_anchored,
    label_choices,
    more,
    partners_of,
    proposed_others,
    proposed_run,
    read_field,
    read_first,
    read_folds,
    read_others,
    read_run_key,
    read_seed,
    read_weights,
    weights_choices,
)

MAX_NAMED = 4


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    first = _add_first(inputs, ctx)
    if first is None:
        return
    key, config = first
    others = _add_others(inputs, ctx, key)
    if others is None:
        return
    supply = _add_labels(inputs, ctx, key, config, others)
    published = ctx.params.get("learn") != WEIGHTS and not is_anchored(ctx.params)
    if supply is not None or published or has_wrong_number(ctx.params):
        _add_more(inputs, ctx, supply is not None)
    _add_run_key(inputs, ctx, key, config)
    if not any(prop.invalid for prop in inputs.properties.values()):
        line, note = cost_lines(config, others, 0 if supply is None else supply.total, read_folds(ctx.params))
        inputs.view("cost", types.Notice(label=line, description=note))


def _add_first(inputs: Any, ctx: Any) -> tuple[str, RunConfig] | None:
    """Adds the choice of the first run."""
    runs = [run for run in known_runs(ctx) if run.config is None or run.config.has_one_encoder]
    prop = add_dropdown(
        inputs,
        "run",
        {run.key: run.note for run in runs},
        labels={run.key: run_label(run.key, run.config.encoder) for run in runs if run.config is not None},
        default=proposed_run(ctx),
        label="First run",
        description="Its classes, crops, boxes and methods are those of the fused run",
    )
    return checked(prop, read_first, ctx)


def _add_others(inputs: Any, ctx: Any, key: str) -> list[Partner] | None:
    """Adds the choice of the runs that it is fused with."""
    try:
        found = partners_of(ctx, key)
    except LgcaError as error:  # the store can't be read
        refuse(inputs, f"{capitalized(error.app)}.")
        return None
    fitting = {one.key: f"{_pictures(one.samples)} in common" for one in found if one.fits}
    unfit = [f"{one.key!r} {one.problem}" for one in found if not one.fits]
    if not fitting:
        reason = f" Its other runs: {first_of(unfit, MAX_NAMED)}." if unfit else ""
        sentence = (
            f"This dataset has no run to fuse {key!r} with: classify the same pictures with another model, with the "
            f"same classes and crops.{reason}"
        )
        mark_invalid(inputs.view("no_partner", types.Notice(label=sentence)), sentence)
        return None
    prop = add_dropdown(
        inputs,
        run_param("others", key),
        fitting,
        many=True,
        labels={one.key: run_label(one.key, one.encoder) for one in found},
        default=initial_value(ctx.params, "others", proposed_others(ctx, key)),
        label="Fuse it with",
        description="Runs of other models, with the same classes and crops, on the same pictures",
    )
    if unfit:
        inputs.view("unfit", types.Notice(label=f"Not offered: {first_of(unfit, MAX_NAMED)}"))
    return checked(prop, read_others, ctx, key)


def _add_labels(inputs: Any, ctx: Any, key: str, config: RunConfig, others: list[Partner]) -> LabelSupply | None:
    """Adds what is learnt from: labels, nothing, or a fused run's weights; returns the labels that there are."""
    choices, learned = label_choices(ctx), weights_choices(ctx, config, others)
    chosen = str(ctx.params.get("learn") or (LABELS if choices else NO_LABELS))
    sources = {LABELS: "Labels of a field"} if choices else {}
    sources |= {NO_LABELS: "No labels"} | ({WEIGHTS: "As in a fused run"} if learned else {})
    tabs = add_tabs(inputs, "learn", chosen, sources, label="Learn from")
    if chosen not in sources:
        mark_invalid(tabs, "there is nothing of this kind to learn from: choose another one")
        return None
    if chosen == NO_LABELS:
        line = "The models' answers are added up, each as sure as it is: nothing is learnt"
        inputs.view("not_learned", types.Notice(label=line))
        return None
    if chosen == WEIGHTS:
        name, note = run_param("weights", key), "What it has learnt is taken, for pictures that have come since"
        prop = add_dropdown(inputs, name, learned, default=learned[0], label="Fused run", description=note)
        checked(prop, read_weights, ctx, key, config, others)
        return None
    prop = add_dropdown(
        inputs,
        run_param("ground_truth", key),
        choices,
        default=initial_value(ctx.params, "ground_truth", default_field(config, choices)),
        label="Label field",
        description="Some labels may be wrong; they stay as they are",
    )
    params = {**ctx.params, "learn": LABELS}
    field = checked(prop, read_field, params, key, config, choices)
    if field is None:
        return None
    supply = supply_of(ctx, field, list(config.classes))
    if not supply.total:
        mark_invalid(prop, f"no label in {field} is a class of run {key!r}: choose another field, or no labels")
        return None
    if not supply.is_enough:
        line = f"{capitalized(supply.sentence())}: too few to learn from, so the models' answers are added up"
        note = f"Learning takes at least {MIN_LABELS} labels, and two classes with at least {FEW_LABELS} of them"
        inputs.view("few_labels", types.Warning(label=line, description=note))
        return None
    note = "Each of these pictures is answered by weights that have not seen its label"
    if supply.outside:
        note += f"; {labels_text(supply.outside)} of no class of the run: not used"
    inputs.view("supply", types.Notice(label=f"It learns from {supply.sentence()}", description=note))
    for at, warning in enumerate(supply.warnings()):
        inputs.view(f"labels_warning{at}", types.Warning(label=warning))
    return supply


@cached_while_open
def supply_of(ctx: Any, field: str, classes: list[str]) -> LabelSupply:
    """Returns what there is to learn from in a field."""
    return LabelSupply.of(classes, ImageSamples.whole(ctx.dataset).label_counts(field))


def _add_more(inputs: Any, ctx: Any, learned: bool) -> None:
    """Adds what few people change."""
    params = ctx.params
    shown = more(params)
    inputs.bool(
        "more",
        default=shown,
        label="More",
        description="HADA as published, the folds and the seed",
        view=types.SwitchView(),
    )
    if not shown:
        return
    view = types.RadioGroup()
    view.add_choice(ANCHORED, label="Anchored: each model's vectors stay in the model's own space; needs few labels")
    view.add_choice(PUBLISHED, label="HADA as published: one new space, learnt from nothing; for comparison")
    chosen = ANCHORED if is_anchored({**params, "more": True}) else PUBLISHED
    kind = inputs.enum("kind", view.values(), default=chosen, label="Kind", view=view)
    if chosen == PUBLISHED and not learned:
        mark_invalid(kind, "HADA as published must learn from labels: choose labels, or the anchored kind")
    note = "parts of the labels"
    folds = inputs.int("folds", default=5, label="Folds", description=note, view=text_field(2))
    seed = inputs.int("seed", default=0, label="Seed", description="of the folds and the learning", view=text_field(2))
    checked(folds, read_folds, params)
    checked(seed, read_seed, params)


def _add_run_key(inputs: Any, ctx: Any, key: str, config: RunConfig) -> None:
    """Adds the key of the fused run."""
    prop = inputs.str(
        run_param("run_key", key),
        default=initial_value(ctx.params, "run_key", free_key(ctx, config)),
        label="Run key",
        description="Names the fused run and its fields: KEY_hada beside KEY_clip, KEY_wca, KEY_lgca, ...",
    )
    chosen = checked(prop, read_run_key, ctx, key, config)
    if chosen is None:
        return
    adaptive = config.region_plan.adaptive
    problem = key_problem(inputs, ctx.params, ctx.dataset, chosen, fused_methods(config), adaptive=adaptive)
    if problem:
        mark_invalid(prop, problem)


def run_label(key: str, encoder: str) -> str:
    """Returns what the form shows for a run: people think of its model."""
    return f"{key}: {encoder}"


def _pictures(count: int) -> str:
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"
