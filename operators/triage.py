"""``lgca_triage``: sorting a run's samples by case, and finding suspected label errors."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from fiftyone.operators import types

from ..lgca_plugin.api import load_run
from ..lgca_plugin.config import RunConfig
from ..lgca_plugin.errors import LgcaError
from ..lgca_plugin.fiftyone_io.fields import method_field
from ..lgca_plugin.fiftyone_io.samples import image_samples
from ..lgca_plugin.method.core.methods import learned_method, method_title
from ..lgca_plugin.method.number_text import capitalized, samples_text
from ..lgca_plugin.runs.record import stored_triage
from ..lgca_plugin.workflows.decisions.corrected_field import default_corrected_field
from ..lgca_plugin.workflows.triage.plan import NONE_BELOW, TriageRequest, check_triage, moved_to
from .shared.base import RunOperator
from .shared.caller import from_page
from .shared.classes import label_fields
from .shared.dialogs.dialog import Dialog, steps_after
from .shared.dialogs.found import found_dialog
from .shared.execution import call, report_run
from .shared.form import Params, add_dropdown, checked, checked_text, mark_invalid
from .shared.grid.shown_fields import show_fields
from .shared.grid.user_view import show_in_grid
from .shared.prompt_cache import cached_while_open
from .shared.results.found import found_result
from .shared.results.result import Result
from .shared.run_choice import add_run, initial_value, read_param, read_run, run_param


class Triage(RunOperator):
    """Finds disagreements, misleading crops and suspected label errors, from what a run has stored."""

    operator_name = "lgca_triage"
    icon = "rule"
    title = "Triage a zero-shot run"
    description = "Check labels against a run: wrong labels and mistakes, disagreements, misleading crops"
    submit = "Triage"
    problem = "The run was not triaged"

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the run, the labels and the compared methods."""
        prop = add_run(inputs, ctx)
        run = checked(prop, read_run, ctx)
        if run is None:
            return
        key, config = run
        if _add_labels(inputs, ctx, key, config):
            _add_none(inputs, ctx, key)
        if not from_page(ctx):
            note = "Three of the run's: one on the whole image, one on crops and one on crops that grow"
            inputs.list("methods", types.String(), required=False, label="Methods to compare", description=note)
        line, problem = _preview(ctx, key, _arguments(ctx.params, key))
        if problem:
            mark_invalid(inputs.view("preview", types.Error(label=problem)), problem)
        else:
            inputs.view("preview", types.Notice(label=line))

    def read_request(self, ctx: Any) -> TriageRequest:
        """Reads and checks the triage."""
        key, _ = read_run(ctx)
        return check_triage(load_run(ctx.dataset, key), **_arguments(ctx.params, key))

    def work(self, ctx: Any, request: TriageRequest) -> Generator[Any, None, Any]:
        """Triages, reports the progress, and returns the triage."""
        from ..lgca_plugin.workflows.triage.triage import iter_triage

        return report_run(ctx, iter_triage(request))

    def show(self, ctx: Any, triage: Any) -> Iterator[Any]:
        """Shows a finished triage: the queue on the grid where there is one, and the counts."""
        report, has_suspects = triage.report, bool(triage.report.get("suspects"))
        yield from show_fields(ctx, triage.run)
        if has_suspects:
            sentence = f"Showing {samples_text(report['suspects'])} whose label looks wrong"
            part = {"part": "open_suspects", "run": triage.run.key}
            yield show_in_grid(ctx, triage.suspect_samples(), sentence, **part)[1]
        counts = report["counts"]
        yield ctx.ops.notify(
            f"{samples_text(counts['triaged'])} triaged in {report['seconds']:.1f} s", variant="success"
        )
        yield triage_dialog(triage).show(ctx)

    def result_of(self, ctx: Any, triage: Any) -> Result:
        """Returns the answer, the counts and the likeliest suspects."""
        return found_result(triage)

    def __call__(
        self,
        sample_collection: Any,
        run: str,
        ground_truth: str | None = None,
        *,
        methods: tuple[str, ...] | list[str] | None = None,
        corrected_field: str | None = None,
        none_below: float | None = None,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK, or queues it with ``delegate``.

        ``lgca.load_run(dataset, key).triage(...)`` does the same in the calling process and returns the triage; this is
        the way to queue it for a delegated worker. In a notebook the returned task must be awaited. ``run`` is the
        run's key; the other arguments are those of :meth:`lgca_plugin.Run.triage`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it

        Raises:
            LgcaError: as the library's method raises it
            fiftyone.operators.executor.ExecutionError: if the operation can't be queued
        """
        params = {
            "run": run,
            "ground_truth": ground_truth,
            "methods": methods,
            "corrected_field": corrected_field,
            "none_below": none_below,
        }
        return call(self, sample_collection, params, delegate=delegate)


def triage_dialog(triage: Any) -> Dialog:
    """Returns the dialog of a finished triage: the answer, what comes next, and the counts."""
    report = triage.report
    counts = report["counts"]
    if report.get("suspects") is not None:
        _, dialog = found_dialog(triage)
    else:
        dialog = Dialog()
        dialog.heading(types.Success(label=f"{samples_text(counts['triaged'])} sorted by how the methods differ"))
        dialog.buttons(steps_after(triage.run.key))
    dialog.warnings(report["warnings"])
    answers = "predictions" if report.get("predictions") else "answers of the three methods"
    dialog.text(f"How the {answers} and the labels relate:", muted=True)
    lines = {case: samples_text(count) for case, count in report["cases"].items() if count}
    if not report.get("predictions"):
        lines["misled by a few crops"] = samples_text(sum(report["misleading"].values()))
    none = report.get(NONE_BELOW)
    if none:
        lines[f"none of these, below {none['below']:g}"] = samples_text(none["samples"])
    left = {name: count for name, count in counts.items() if name not in ("triaged", "total") and count}
    dialog.lines(lines | {f"left out, {name}": samples_text(count) for name, count in left.items()})
    return dialog


def _add_labels(inputs: Any, ctx: Any, key: str, config: RunConfig) -> bool:
    """Adds the field of the labels to check, and the field for corrected labels; returns whether labels are checked."""
    own = config.ground_truth
    choices = label_fields(ctx.dataset, include=own)
    own = own if own in choices and ctx.dataset.has_field(own) else None
    if not choices:
        inputs.view(
            "no_labels",
            types.Notice(label="This dataset has no field of labels: only disagreements of the methods can be found"),
        )
        return False
    add_dropdown(
        inputs,
        run_param("ground_truth", key),
        choices,
        default=initial_value(ctx.params, "ground_truth", own),
        required=False,
        label="Labels to check",
        description="Leave empty to look for disagreements alone" if own is None else "They stay as they are",
    )
    chosen = read_param(ctx.params, "ground_truth", key) or own
    if chosen and isinstance(chosen, str):
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
    return bool(chosen)


def _add_none(inputs: Any, ctx: Any, key: str) -> None:
    """Adds the probability below which a picture shows none of the classes."""
    had = (stored_triage(load_run(ctx.dataset, key).results).get(NONE_BELOW) or {}).get("below")
    note = "Such as 0.5: pictures whose likeliest class is less probable are answered so; 0: no such answers"
    name = run_param("none_below", key)
    default = initial_value(ctx.params, "none_below", had)
    inputs.float(name, required=False, default=default, label="None of these below (optional)", description=note)


def _arguments(params: Params, key: str) -> Params:
    """Returns the arguments of ``check_triage``."""
    return {
        "ground_truth": read_param(params, "ground_truth", key) or None,
        "methods": params.get("methods") or None,
        "corrected_field": checked_text(read_param(params, "corrected_field", key), "corrected_field") or None,
        "none_below": read_param(params, "none_below", key),
    }


@cached_while_open
def _preview(ctx: Any, key: str, arguments: Params) -> tuple[str, str]:
    """Returns what would be done, and why it can't be; one of them is empty."""
    try:
        request = check_triage(load_run(ctx.dataset, key), **arguments)
    except LgcaError as error:
        return "", capitalized(error.app)
    if request.run.config.voters is not None:
        fields = ", ".join(voter.field for voter in request.run.config.voters)
        return f"{fields}: read as they are now, compared, and the labels judged again. Earlier decisions stay.", ""
    whole, crops, chains = (method_title(method.name) for method in request.compared)
    first = method_field(key, request.run.config.methods[0].name)
    predicted = image_samples(ctx.dataset).count(first) if ctx.dataset.has_field(first) else 0
    learned = learned_method(request.judging) if request.ground_truth is not None else None
    judges = "" if learned is None else f" {method_title(learned.name)} judges the labels."
    return (
        f"{whole}, {crops} and {chains} are compared on {samples_text(predicted)}.{judges} No image is encoded again, "
        "and earlier decisions stay."
    ), ""


@cached_while_open
def _previous_fields(ctx: Any, key: str) -> tuple[str | None, str | None]:
    """Returns the label field and the field for corrected labels of the run's previous triage."""
    run = load_run(ctx.dataset, key)
    previous = stored_triage(run.results)
    return previous.get("ground_truth"), moved_to(run, previous) or previous.get("corrected_field")
