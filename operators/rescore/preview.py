"""The last part of the form of ``lgca_rescore``: where the results go, what is written, and what is read for it."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import RegionPlan
from ...lgca_plugin.fiftyone_io.fields import conflicting_fields
from ...lgca_plugin.method.core.methods import Method, explained_method
from ...lgca_plugin.method.number_text import samples_text
from ...lgca_plugin.prediction.vector_keys import vector_key
from ...lgca_plugin.workflows.rescore.request import changed_regions
from ..shared.form import Params, add_tabs, checked, mark_invalid, refuse, text_field
from ..shared.run_choice import initial_value, key_problem, own_fields, run_param
from .params import free_key, read_run_key, read_shown_chains, result_place
from .source import Source


def add_result(inputs: Any, ctx: Any, source: Source, presets: tuple[Method, ...] | None) -> None:
    """Adds the choice between a new run and rescoring in place."""
    params, dataset = ctx.params, ctx.dataset
    places = {"new": "A new run", "in_place": f"In place of run {source.key!r}"}
    add_tabs(inputs, "result", result_place(params), places, label="Results")
    if result_place(params) == "in_place":
        line = f"The labels and boxes of run {source.key!r} are replaced"
        note = "Rescoring can't bring back methods, steps, and the texts of classes that are left out"
        inputs.view("replaced", types.Notice(label=line, description=note))
        conflicts = conflicting_fields(
            dataset,
            source.key,
            presets or (),
            own_fields(dataset, source.key),
            adaptive=source.config.region_plan.adaptive,
        )
        if conflicts:
            refuse(inputs, f"field {conflicts[0]!r} exists already and belongs to no run: write a new run instead")
        return
    prop = inputs.str(
        run_param("run_key", source.key),
        default=initial_value(params, "run_key", free_key(source, dataset)),
        label="Run key",
        description="Names the new run and its fields: KEY_clip, KEY_wca, KEY_lgca, KEY_regions, ...",
    )
    key = checked(prop, read_run_key, params, source, dataset)
    adaptive = source.config.region_plan.adaptive
    problem = key and key_problem(inputs, params, dataset, key, presets or (), adaptive=adaptive)
    if problem:
        mark_invalid(prop, problem)


def add_written(inputs: Any, params: Params, source: Source) -> int | None:
    """Adds what is written besides labels; returns the number of shown chains, None if not valid."""
    prop = inputs.int(
        run_param("shown_chains", source.key),
        default=initial_value(params, "shown_chains", source.config.shown_chains),
        label="Chains shown",
        description="written as boxes, the most decisive first; 0 for none",
        view=text_field(2),
    )
    inputs.bool(
        run_param("logits", source.key),
        default=bool(initial_value(params, "logits", source.config.logits)),
        label="Write the logits of all classes",
        description="One number per class on every label",
        view=types.CheckboxView(space=6),
    )
    return checked(prop, read_shown_chains, params, source)


def add_preview(
    inputs: Any, source: Source, presets: tuple[Method, ...], *, steps: int, boxes: bool, new_texts: bool
) -> None:
    """Adds what is read, or why the run can't be rescored; with ``new_texts``, the model may have to be loaded."""
    texts = "" if new_texts else source.config.descriptions_hash
    through_regions, lacking = region_readers(source, presets, steps, texts)
    boxes = boxes and explained_method(presets) is not None
    if through_regions and source.without_regions:
        refuse(
            inputs,
            f"{', '.join(lacking)} needs embeddings of crops, which {source.without_regions:,} of "
            f"{source.samples:,} samples do not have in the store: keep the settings of crops, or classify again and "
            "start over",
        )
        return
    if boxes and source.without_regions:
        why = f"{source.without_regions:,} of {source.samples:,} samples have no embeddings of crops in the store"
        inputs.view("no_boxes", types.Warning(label=f"No boxes are written: {why}"))
        boxes = False
    slow = [f"the labels of {', '.join(through_regions)}"] if through_regions else []
    slow += ["the boxes"] if boxes else []
    parts = []
    if slow:
        parts.append(f"Embeddings of all crops are read for {' and '.join(slow)}: milliseconds a sample.")
    if len(through_regions) < len(presets):
        which = "Other labels" if slow else "Labels"
        parts.append(f"{which} come from one stored vector each: seconds for 100,000 samples.")
    if new_texts:
        parts.append("The model is loaded if a text is new to it.")
    line = f"{samples_text(source.samples)}, and no image is encoded"
    inputs.view("preview", types.Notice(label=line, description=" ".join(parts)))


def region_readers(source: Source, presets: tuple[Method, ...], steps: int, texts: str) -> tuple[list[str], list[str]]:
    """Returns the names of the methods that are computed from embeddings of crops, and of those that must be.

    ``texts`` is the digest of the texts of the classes, empty for new ones.
    """
    regions = changed_regions(source.config, steps if source.steps else None)
    plan = RegionPlan.of(presets, regions, source.config.budget)
    names = {method.name: vector_key(method, plan, texts) for method in presets}
    lacking = [method for method, name in names.items() if name not in source.vector_keys]
    if any(names[method] is not None for method in lacking):
        return list(names), lacking  # then all vectors are computed and stored again
    return lacking, lacking
