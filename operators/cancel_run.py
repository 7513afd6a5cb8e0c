"""``lgca_cancel_run``: cancelling a run that is at work, wherever it was started."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ..lgca_plugin.errors import ConfigError
from ..lgca_plugin.fiftyone_io.holders import time_text
from ..lgca_plugin.method.number_text import capitalized
from ..lgca_plugin.runs.state import RunState, cancel_run, runs_at_work
from .shared.base import FormOperator
from .shared.caller import app_user, from_page
from .shared.dialogs.dialog import Dialog
from .shared.execution import call
from .shared.form import add_dropdown
from .shared.results.result import Result, in_python, result

NOTHING = "Nothing is at work on this dataset, so there is nothing to cancel."
FORMS = {
    "find": ("lgca_find_wrong_labels", None),
    "classify": ("lgca_classify", "run_key"),
    "rescore": ("lgca_rescore", "run"),
    "triage": ("lgca_triage", "run"),
    "fuse": ("lgca_fuse", "run"),
}
"""Task to the operator whose form goes on with it, and to the parameter there that names the run, if one does."""

KEPT = "It stops after the images that are being encoded. What is done is kept: the same settings go on with it later."


class CancelRun(FormOperator):
    """Stops a run that is at work; what it has done is kept."""

    operator_name = "lgca_cancel_run"
    icon = "cancel"
    title = "Cancel a run at work"
    description = "Stop a CLIP, WCA and LGCA run that is at work, wherever it was started; what it has done is kept"
    submit = "Stop the run"

    def refusal(self, ctx: Any) -> str | None:
        """Returns why there is no form: nothing is at work."""
        return None if ctx.dataset is not None and runs_at_work(ctx.dataset) else NOTHING

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the run, and how far it has come."""
        working = runs_at_work(ctx.dataset)
        notes = {key: work_text(state) for key, state in working.items()}
        add_dropdown(inputs, "run_key", notes, default=next(iter(working), None), label="Run at work")
        state = working.get(ctx.params.get("run_key") or next(iter(working), ""))
        if state is not None:
            title = capitalized(state.progress or "it has just begun")
            inputs.view("kept", types.Notice(label=title, description=f"{capitalized(work_text(state))}. {KEPT}"))

    def act(self, ctx: Any) -> Result:
        """Cancels the run.

        Raises:
            ConfigError: if no run is named, or nothing is at work on it
        """
        key = ctx.params.get("run_key")
        if ctx.dataset is None or not isinstance(key, str) or not key:
            raise ConfigError("run_key must name the run to cancel, in the dataset that is open")
        state = runs_at_work(ctx.dataset).get(key)
        task = None if state is None else state.task
        cancel_run(ctx.dataset, key, by=app_user(ctx) or "somebody in the App")
        ctx.ops.notify(f"Run {key!r} stops; what is done is kept", variant="info")
        if from_page(ctx):
            _show_next_step(ctx, key, task)
        return result(
            f"Run {key!r} stops; what is done is kept",
            run=key,
            counts={"at work": len(runs_at_work(ctx.dataset))},
            read=in_python(key, "summary()['state']"),
            run_key=key,
        )

    def __call__(self, sample_collection: Any, run_key: str) -> Any:
        """Cancels a run from the SDK; ``lgca.cancel_run(dataset, run_key)`` does the same.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it
        """
        return call(self, sample_collection, {"run_key": run_key})


def _show_next_step(ctx: Any, key: str, task: str | None) -> None:
    """Shows that a run stops, and the form that goes on with it; where it was started, its end takes the place."""
    dialog = Dialog()
    dialog.heading(types.Notice(label=f"Run {key!r} is being cancelled", description=KEPT))
    if task in FORMS:
        operator, named = FORMS[task]
        dialog.buttons([("Go on later …", operator, {} if named is None else {named: key})])
    dialog.show(ctx)


def work_text(state: RunState) -> str:
    """Returns what is at work, who has started it and since when, in a few words."""
    since = "" if state.started is None else f" since {time_text(state.started)}"
    return f"{state.doing}{since}, by {state.holder}"
