"""``OpenPanel``: the operators that open a panel beside the grid."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ..caller import from_page
from ..results.result import ReadableOperator, Result, result
from .beside_grid import open_beside_grid


class OpenPanel(ReadableOperator):
    """Opens a panel beside the grid.

    Attributes:
        operator_name: name of the operator
        panel: name of the panel
        icon: name of its Material icon
        label: title of the panel
        description: what the panel shows
    """

    operator_name: str
    panel: str
    icon: str
    label: str
    description: str

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name=self.operator_name,
            label=self.label,
            description=self.description,
            icon=self.icon,
            risk_level=types.RiskLevel.LOW,
            view_target=False,
        )

    def execute(self, ctx: Any) -> Result | None:
        """Opens it.

        Returns:
            where there is no page that could open it, how to open it
        """
        open_beside_grid(ctx, self.panel)
        if from_page(ctx):
            return None
        dataset = "" if ctx.dataset is None else f" on dataset {ctx.dataset.name!r}"
        return result(
            f"Nothing is shown, since no page of the App has called: open the App{dataset}, then {self.label!r} in the "
            "menu “Wrong labels” above the grid"
        )
