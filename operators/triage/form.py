"""The form of ``lgca_triage``, and how it shows a finished triage."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import RunConfig
from ...lgca_plugin.errors import LgcaError
from ...lgca_plugin.fiftyone_io.fields import CASE, SUGGESTION, method_field, triage_field
from ...lgca_plugin.fiftyone_io.samples import image_samples
from ...lgca_plugin.runs.record import stored_triage
from ...lgca_plugin.workflows.decisions.corrected_field import default_corrected_field
from ...lgca_plugin.workflows.triage.plan import TriageRequest, check_triage
from ..shared.classes import label_fields
from ..shared.form import Params, add_dropdown, checked, mark_invalid
from ..shared.prompt_cache import cached_while_open
from ..shared.run_choice import add_run, initial_value, read_param, read_run, run_param


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    prop = add_run(inputs, ctx)
    run = checked(prop, read_run, ctx)
    if run is None:
        return
    key, config = run
    _add_labels(inputs, ctx, key, config)
    line, problem = _preview(ctx, key, _arguments(ctx.params, key))
    if problem:
        mark_invalid(prop, problem)
    else:
        inputs.view("preview", types.Notice(label=line))


def read_request(ctx: Any) -> TriageRequest:
    """Reads the triage.

    Raises:
        ConfigError: if a setting is not valid
    """
    key, _ = read_run(ctx)
    return check_triage(load_run(ctx.dataset, key), **_arguments(ctx.params, key))


def outcome_lines(triage: Any) -> tuple[str, dict[str, str]]:
    """Returns a finished triage in words: a heading, and lines of label and value."""
    report = triage.report
    counts = report["counts"]
    lines = {case: f"{count:,}" for case, count in report["cases"].items() if count}
    if "suspects" in report:
        lines["Suspected label errors"] = f"{report['suspects']:,} of {report['judged']:,} labels judged"
    left = {name: count for name, count in counts.items() if name not in ("triaged", "total") and count}
    lines |= {f"Left out, {name}": f"{count:,}" for name, count in left.items()}
    misleading = sum(report["misleading"].values())
    lines["Misleading-crop cases"] = f"{misleading:,}"
    return f"{counts['triaged']:,} samples triaged in {report['seconds']:.1f} s", lines


def shown_fields(triage: Any) -> list[str]:
    """Returns the fields to show on each sample: its label, its suggestion and its case."""
    label_field = triage.report["ground_truth"]
    names = [SUGGESTION, CASE] if triage.report.get("suspects") else [CASE]
    return [*([label_field] if label_field else []), *(triage_field(triage.run.key, name) for name in names)]


def _add_labels(inputs: Any, ctx: Any, key: str, config: RunConfig) -> None:
    """Adds the field of the labels to check, and the field for corrected labels."""
    own = config.ground_truth
    choices = label_fields(ctx.dataset, include=own)
    own = own if own in choices and ctx.dataset.has_field(own) else None
    if not choices:
        inputs.view("no_labels", types.Notice(label="No label field: samples are sorted by disagreement alone"))
        return
    add_dropdown(
        inputs,
        run_param("ground_truth", key),
        choices,
        default=initial_value(ctx.params, "ground_truth", own),
        required=False,
        label="Labels to check",
        description="Leave empty to sort by disagreement alone" if own is None else "They stay as they are",
    )
    chosen = read_param(ctx.params, "ground_truth", key) or own
    if chosen:
        checked_before, corrected_field = _previous_fields(ctx, key)
        previous = corrected_field if checked_before == chosen else None
        name = previous or default_corrected_field(key, chosen)
        inputs.str(
            run_param("corrected_field", key),
            required=False,
            default=initial_value(ctx.params, "corrected_field", previous),
            label="Field for corrected labels",
            description=f"Empty: {name}, made at the first decision as a copy of {chosen}",
        )


def _arguments(params: Params, key: str) -> Params:
    """Returns the arguments of ``check_triage``."""
    return {
        "ground_truth": read_param(params, "ground_truth", key) or None,
        "methods": params.get("methods") or None,
        "corrected_field": (read_param(params, "corrected_field", key) or "").strip() or None,
    }


@cached_while_open
def _preview(ctx: Any, key: str, arguments: Params) -> tuple[str, str]:
    """Returns what would be done, and why it can't be; one of them is empty."""
    try:
        request = check_triage(load_run(ctx.dataset, key), **arguments)
    except LgcaError as error:
        return "", str(error)
    whole, crops, chains = (method.name for method in request.compared)
    first = method_field(key, request.run.config.methods[0].name)
    predicted = image_samples(ctx.dataset).count(first) if ctx.dataset.has_field(first) else 0
    return (
        f"{predicted:,} predicted samples; {whole}, {crops} and {chains} are compared; "
        "no image is encoded, and earlier decisions stay"
    ), ""


@cached_while_open
def _previous_fields(ctx: Any, key: str) -> tuple[str | None, str | None]:
    """Returns the label field and the field for corrected labels of the run's previous triage."""
    previous = stored_triage(load_run(ctx.dataset, key).results)
    return previous.get("ground_truth"), previous.get("corrected_field")
