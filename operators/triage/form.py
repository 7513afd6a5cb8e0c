"""The form of ``lgca_triage``, and what it says when it is done."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.fiftyone_io.fields import CASE, SUGGESTION, method_field, triage_field
from ...lgca_plugin.fiftyone_io.samples import image_samples
from ...lgca_plugin.workflows.decisions.corrected_field import default_corrected_field
from ...lgca_plugin.workflows.triage.plan import TriageRequest, check_triage
from ..shared import form as forms
from ..shared.run_choice import UNREADABLE, given, initial, known_runs, newest, of_run, remembered


def add_form(inputs: Any, ctx: Any) -> None:
    """Adds the whole form."""
    runs = known_runs(ctx)
    view = types.DropdownView()
    for key, note, _ in runs:
        view.add_choice(key, label=key, description=note)
    prop = inputs.enum("run", view.values(), default=newest(runs), label="Run", view=view)
    state = forms.checked(prop, _run_state, ctx)
    if state is None:
        return
    _add_labels(inputs, ctx, state)
    outlook: str | None = forms.checked(prop, _read_outlook, ctx)
    if outlook is not None:
        inputs.view("outlook", types.Notice(label=f"{state['predicted']:,} predicted samples; {outlook}"))


def read_request(ctx: Any) -> TriageRequest:
    """Reads what is asked for.

    Raises:
        ConfigError: if it is not valid
    """
    arguments = _arguments(ctx)
    return check_triage(load_run(ctx.dataset, arguments.pop("run")), **arguments)


def outcome_lines(triage: Any) -> tuple[str, dict[str, str]]:
    """Puts a finished triage into words: a heading, and lines of label and value."""
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
    """Lists what a curator wants to see on a sample of the queue."""
    given = triage.report["ground_truth"]
    names = [SUGGESTION, CASE] if triage.report.get("suspects") else [CASE]
    return [*([given] if given else []), *(triage_field(triage.run.key, name) for name in names)]


def _add_labels(inputs: Any, ctx: Any, state: dict[str, Any]) -> None:
    """Adds the field with the labels in question, and the one for the corrected."""
    key, own = state["key"], state["ground_truth"]
    choices = forms.label_fields(ctx.dataset, keep=own)
    own = own if own in choices and ctx.dataset.has_field(own) else None
    if not choices:
        inputs.view("no_labels", types.Notice(label="No label field: samples are sorted by disagreement alone"))
        return
    view = types.DropdownView()
    for name in choices:
        view.add_choice(name, label=name)
    inputs.enum(
        of_run("ground_truth", key),
        view.values(),
        default=initial(ctx.params, "ground_truth", own),
        required=False,
        label="Labels in question",
        description="Leave empty to sort by disagreement alone" if own is None else "They stay as they are",
        view=view,
    )
    chosen = given(ctx.params, "ground_truth", key) or own
    if chosen:
        same = state["corrected_field"] if state["triaged_against"] == chosen else None
        name = same or default_corrected_field(key, chosen)
        inputs.str(
            of_run("corrected_field", key),
            required=False,
            default=initial(ctx.params, "corrected_field", same),
            label="Field for corrected labels",
            description=f"Empty: {name}, made at the first decision as a copy of {chosen}",
        )


def _arguments(ctx: Any) -> dict[str, Any]:
    """Gives the run's key, and the arguments of ``check_triage``."""
    params = ctx.params
    key = str(params.get("run") or newest(known_runs(ctx)))
    return {
        "run": key,
        "ground_truth": given(params, "ground_truth", key) or None,
        "methods": params.get("methods") or None,
        "corrected_field": (given(params, "corrected_field", key) or "").strip() or None,
    }


def _read_outlook(ctx: Any) -> str:
    """Says what will be done.

    Raises:
        ConfigError: if something is not valid
    """
    outlook, problem = remembered(ctx, _outlook, json.dumps(_arguments(ctx)))
    if problem:
        raise ConfigError(problem)
    return str(outlook)


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _outlook(ctx: Any, arguments: str) -> list[str]:
    given_arguments = json.loads(arguments)
    try:
        request = check_triage(load_run(ctx.dataset, given_arguments.pop("run")), **given_arguments)
    except LgcaError as error:
        return ["", str(error)]
    whole, crops, chains = (method.name for method in request.compared)
    return [f"{whole}, {crops} and {chains} are compared; no image is encoded, and decisions made before stay", ""]


def _run_state(ctx: Any) -> dict[str, Any]:
    """Looks up what the form says of the chosen run.

    Raises:
        ConfigError: if it can't be read
    """
    key = ctx.params.get("run") or newest(known_runs(ctx))
    if key is None:
        raise ConfigError("run must name a zero-shot run of this dataset")
    state: dict[str, Any] = remembered(ctx, _stored_state, key)
    if state["problem"]:
        raise ConfigError(state["problem"])
    return state


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _stored_state(ctx: Any, key: str) -> dict[str, Any]:
    try:
        run = load_run(ctx.dataset, key)
    except LgcaError as error:
        return {"problem": str(error)}
    except UNREADABLE:
        return {"problem": f"the record of run {key!r} can't be read by this release"}
    first = method_field(key, run.config.methods[0].name)
    predicted = image_samples(ctx.dataset).count(first) if ctx.dataset.has_field(first) else 0
    former = run.results.get("triage") or run.results.get("decided") or {}
    return {
        "problem": None,
        "key": key,
        "ground_truth": run.config.ground_truth,
        "predicted": predicted,
        "triaged_against": former.get("ground_truth"),
        "corrected_field": former.get("corrected_field"),
    }
