"""``lgca_delete_run``: deleting a zero-shot run with all that belongs to it."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ..lgca_plugin.errors import ConfigError, LgcaError
from ..lgca_plugin.fiftyone_io.fields import DECISION, triage_field
from ..lgca_plugin.fiftyone_io.samples import image_samples
from ..lgca_plugin.method.number_text import capitalized
from ..lgca_plugin.runs.delete import check_deletable, delete_run
from ..lgca_plugin.runs.registry import owned_fields
from .shared.base import FormOperator
from .shared.caller import from_page
from .shared.execution import call
from .shared.form import add_dropdown, add_missing, refuse
from .shared.grid.shown_fields import arrange_app
from .shared.plain_text import PlainProperty
from .shared.prompt_cache import cached_while_open
from .shared.results.result import Result, result
from .shared.run_choice import run_keys


class DeleteRun(FormOperator):
    """Deletes a run and all that belongs to it, and nothing else."""

    operator_name = "lgca_delete_run"
    icon = "delete"
    title = "Delete a zero-shot run"
    description = "Delete the fields, the record and the stored embeddings of a CLIP, WCA and LGCA run"
    submit = "Delete"
    risk = types.RiskLevel.HIGH

    def refusal(self, ctx: Any) -> str | None:
        """Returns why there is no form: there is no run."""
        return None if run_keys(ctx.dataset) else "There is no zero-shot run to delete on this dataset."

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the run, what is deleted with it, and the confirmation."""
        keys = run_keys(ctx.dataset)
        page = from_page(ctx)  # which shows a required field in red until its default is there
        add_dropdown(inputs, "run_key", keys, default=keys[0], required=not page, label="Run")
        key = ctx.params.get("run_key") or keys[0]
        if key in keys:
            problem = obstacle(ctx, key)
            if problem is not None:
                refuse(inputs, f"{capitalized(problem)}.")
                return
            inputs.view("loss", types.Warning(label="This cannot be undone", description=loss(ctx, key)))
            # With the number that the form names: decisions that are made while it is open do not go unseen.
            inputs.int(f"decisions_of_{key}", default=count_decisions(ctx, key), view=types.HiddenView())
            label = f"Delete run {key!r} for good"
            inputs.bool("confirm", default=False, required=not page, label=label)
            if not ctx.params.get("confirm"):
                add_missing(inputs, "confirm", f"tick “{label}”")

    def act(self, ctx: Any) -> Result:
        """Deletes the run.

        Raises:
            ConfigError: if no run is named, or the deletion is not confirmed
            RunNotFoundError: if the dataset has no such run
            RunHeldError: if a call is at work on it
        """
        if ctx.dataset is None:
            raise ConfigError("open a dataset first, then delete one of its runs")
        key = ctx.params.get("run_key")
        if not isinstance(key, str) or not key:
            existing = ", ".join(run_keys(ctx.dataset)) or "none"
            raise ConfigError(f"run_key must name the run to delete; this dataset's runs: {existing}")
        fields = owned_fields(ctx.dataset, key)
        if ctx.params.get("confirm") is not True:
            raise ConfigError(f"deleting run {key!r} can't be undone; confirm it with confirm=True")
        named = ctx.params.get(f"decisions_of_{key}")
        now = _count_decisions(ctx.dataset, key)
        if named is not None and now > named:
            more = f"{now - named:,} {'decision was' if now - named == 1 else 'decisions were'}"
            raise ConfigError(f"{more} made about run {key!r} while this form was open: open it again")
        delete_run(ctx.dataset, key)
        ctx.ops.notify(f"Run {key!r} and its fields are deleted", variant="success")
        arrange_app(ctx)
        ctx.ops.reload_dataset()
        return result(
            f"Run {key!r} and its fields are deleted",
            counts={"fields": len(fields)},
            steps=[("Classify", "lgca_classify", {})],
            run_key=key,
            fields=fields,
        )

    def resolve_output(self, ctx: Any) -> Any:
        """Shows what was deleted."""
        if not from_page(ctx):
            return super().resolve_output(ctx)
        outputs = types.Object()
        outputs.str("run_key", label="Deleted run")
        outputs.list("fields", types.String(), label="Deleted fields")
        return PlainProperty(outputs, view=types.View(label="Deleted"))

    def __call__(self, sample_collection: Any, run_key: str) -> Any:
        """Deletes a run from the SDK; ``run.delete()`` of the library does the same.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it
        """
        return call(self, sample_collection, {"run_key": run_key, "confirm": True})


@cached_while_open
def loss(ctx: Any, run_key: str) -> str:
    """Returns in words what is deleted with a run, counted in the dataset as it is now."""
    dataset = ctx.dataset
    try:
        fields = owned_fields(dataset, run_key)
    except LgcaError as error:
        return error.app
    predictions = next((field for field in fields if dataset.has_field(field)), None)  # a method's field comes first
    predicted = image_samples(dataset).count(predictions) if predictions else 0
    sentence = (
        f"The fields {', '.join(fields)} of {predicted:,} predicted samples, the run's record, saved views, "
        "evaluations, searches and maps, and its stored embeddings that no other run uses; nothing else."
    )
    decisions = count_decisions(ctx, run_key)
    if decisions:
        what = "decision about a label and its tag go" if decisions == 1 else "decisions about labels and their tags go"
        sentence += (
            f" {decisions:,} {what} with it: export them first. Corrected labels stay in their field, but a new search "
            "lists these pictures again. To go on with new pictures or classes, find wrong labels again instead: "
            "that keeps what was decided."
        )
    return sentence


@cached_while_open
def obstacle(ctx: Any, run_key: str) -> str | None:
    """Returns why a run can't be deleted; None if it can be."""
    try:
        check_deletable(ctx.dataset, run_key)
    except LgcaError as error:
        return error.app
    return None


@cached_while_open
def count_decisions(ctx: Any, run_key: str) -> int:
    """Returns the number of samples that are decided about in a run, as the form names it."""
    return _count_decisions(ctx.dataset, run_key)


def _count_decisions(dataset: Any, run_key: str) -> int:
    decided = triage_field(run_key, DECISION)
    return int(image_samples(dataset).count(f"{decided}.action")) if dataset.has_field(decided) else 0
