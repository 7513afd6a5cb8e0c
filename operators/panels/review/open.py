"""``lgca_open_review``: opens the panel on which suspected labels are reviewed."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...shared.grid.beside_grid import open_beside_grid
from .panel import LABEL, NAME


class OpenReview(foo.Operator):
    """Opens the panel beside the grid."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_open_review",
            label=LABEL,
            description="Wrong labels, mistakes: decide about one suspected label after the other, beside examples",
            risk_level=types.RiskLevel.LOW,
            view_target=False,
        )

    def execute(self, ctx: Any) -> None:
        """Opens it."""
        open_beside_grid(ctx, NAME)
