"""``lgca_next_step``: what a button of the dialog after a run does: it closes it, and opens a panel or a form."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.errors import ConfigError
from ..shared.caller import from_page
from ..shared.dialogs.dialog import CLOSE_DIALOG, FORM_STEPS, PANEL_STEPS, Step, operator_uri
from ..shared.results.result import ReadableOperator, Result, as_next, result


class NextStep(ReadableOperator):
    """Opens what the user chose in the dialog after a run.

    The buttons of a dialog execute it rather than the operators themselves, since these would leave the dialog open.
    """

    @property
    def config(self) -> Any:
        """How it is executed; the operator browser does not list it."""
        return foo.OperatorConfig(
            name="lgca_next_step",
            label="Go on after a run",
            description="Close the dialog after a run, and open what comes next",
            unlisted=True,
            risk_level=types.RiskLevel.LOW,
            view_target=False,
        )

    def execute(self, ctx: Any) -> Result | None:
        """Closes the dialog and opens the next step.

        Returns:
            where there is no page with a dialog, the operator that is the step

        Raises:
            ConfigError: if there is no such step
        """
        step = ctx.params.get("open")
        if step not in (*PANEL_STEPS, *FORM_STEPS):
            raise ConfigError(f"there is no step {step!r} after a run")
        if not from_page(ctx):
            chosen: Step = (str(step), str(step), ctx.params.get("with") or {})
            return result(f"Nothing is shown; execute {as_next(chosen)['operator']}", steps=[chosen])
        ctx.trigger(CLOSE_DIALOG)
        if step in FORM_STEPS:
            ctx.prompt(operator_uri(step), params=ctx.params.get("with") or {})
        else:
            ctx.trigger(operator_uri(PANEL_STEPS[step]))
        return None
