"""``lgca_delete_run``: deletes a zero-shot run and its fields."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ..lgca_plugin.dataset.runs import list_runs, load_run
from ..lgca_plugin.errors import LgcaError
from .forms import refusal


class DeleteRun(foo.Operator):
    """Deletes a run: its record and its fields, and nothing else."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_delete_run",
            label="Delete a zero-shot run",
            description="Delete the fields and the record of a CLIP, WCA and LGCA run",
            dynamic=True,
            risk_level=types.RiskLevel.HIGH,
            view_target=False,
        )

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button above the grid once there is a run to delete."""
        if ctx.dataset is None or not list_runs(ctx.dataset):
            return None
        return types.Placement(
            types.Places.SAMPLES_GRID_SECONDARY_ACTIONS,
            types.Button(label="Delete a zero-shot run", icon="delete_sweep", prompt=True),
        )

    def resolve_input(self, ctx: Any) -> Any:
        """Asks which run, says what goes with it, and has it confirmed."""
        inputs = types.Object()
        prompt = types.PromptView(label="Delete a zero-shot run", submit_button_label="Delete")
        keys = list_runs(ctx.dataset) if ctx.dataset is not None else []
        if not keys:
            refusal(inputs, "There is no zero-shot run to delete on this dataset.")
            return types.Property(inputs, view=prompt)

        view = types.DropdownView()
        for key in reversed(keys):
            view.add_choice(key, label=key)
        inputs.enum("run_key", view.values(), required=True, label="Run", view=view)
        key = ctx.params.get("run_key")
        if key in keys:
            inputs.view("loss", types.Warning(label="This cannot be undone", description=loss(ctx.dataset, key)))
            prop = inputs.bool("confirm", default=False, required=True, label=f"Delete run {key!r} for good")
            if not ctx.params.get("confirm"):
                prop.invalid = True
                prop.error_message = "tick to confirm"
        return types.Property(inputs, view=prompt)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Deletes the run."""
        key = ctx.params["run_key"]
        run = load_run(ctx.dataset, key)
        fields = run.fields
        run.delete()
        ctx.ops.notify(f"Run {key!r} and its fields are deleted", variant="success")
        ctx.ops.reload_dataset()
        return {"run_key": key, "fields": fields}

    def resolve_output(self, ctx: Any) -> Any:
        """Says what was deleted."""
        outputs = types.Object()
        outputs.str("run_key", label="Deleted run")
        outputs.list("fields", types.String(), label="Deleted fields")
        return types.Property(outputs, view=types.View(label="Deleted"))

    def __call__(self, sample_collection: Any, run_key: str) -> Any:
        """Deletes a run from the SDK; ``run.delete()`` of the library does the same.

        Args:
            sample_collection: a FiftyOne dataset or view
            run_key: the run's key

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``
        """
        return foo.execute_operator(
            self.uri,
            {"view": sample_collection.view()},
            params={"run_key": run_key, "confirm": True},
        )


def loss(dataset: Any, run_key: str) -> str:
    """Says what deleting a run takes away."""
    try:
        run = load_run(dataset, run_key)
    except LgcaError as error:
        return str(error)
    fields = ", ".join(run.fields)
    predicted = run.results.get("predicted", 0)
    return f"The fields {fields} of {predicted:,} predicted samples, and the run's record. Nothing else is touched."
