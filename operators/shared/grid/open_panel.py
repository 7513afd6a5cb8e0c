"""``OpenPanel``: the operators that open a panel beside the grid."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from .beside_grid import open_beside_grid


class OpenPanel(foo.Operator):
    """Opens a panel beside the grid.

    Attributes:
        operator_name: name of the operator
        panel: name of the panel
        label: title of the panel
        description: what the panel shows
    """

    operator_name: str
    panel: str
    label: str
    description: str

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name=self.operator_name,
            label=self.label,
            description=self.description,
            risk_level=types.RiskLevel.LOW,
            view_target=False,
        )

    def execute(self, ctx: Any) -> None:
        """Opens it."""
        open_beside_grid(ctx, self.panel)
