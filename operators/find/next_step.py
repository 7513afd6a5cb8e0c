"""``lgca_next_step``: what a button of the dialog after a run does: it closes it, and opens a panel or a form."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.errors import ConfigError
from ..shared.dialogs.dialog import CLOSE_DIALOG, FORM_STEPS, PANEL_STEPS, operator_uri


class NextStep(foo.Operator):
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

    def execute(self, ctx: Any) -> None:
        """Closes the dialog and opens the next step.

        Raises:
            ConfigError: if there is no such step
        """
        step = ctx.params.get("open")
        if step not in (*PANEL_STEPS, *FORM_STEPS):
            raise ConfigError(f"there is no step {step!r} after a run")
        ctx.trigger(CLOSE_DIALOG)
        if step in FORM_STEPS:
            ctx.prompt(operator_uri(step), params=ctx.params.get("with") or {})
        else:
            ctx.trigger(operator_uri(PANEL_STEPS[step]))
