"""``lgca_open_compare``: opens the panel that compares methods."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...shared.grid.beside_grid import open_beside_grid
from .panel import LABEL, NAME


class OpenCompare(foo.Operator):
    """Opens the panel beside the grid."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_open_compare",
            label=LABEL,
            description="Agreement, accuracy, misleading crops and suspected label errors of a run, beside the grid",
            risk_level=types.RiskLevel.LOW,
            view_target=False,
        )

    def execute(self, ctx: Any) -> None:
        """Opens it."""
        open_beside_grid(ctx, NAME)
