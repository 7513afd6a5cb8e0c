"""``lgca_open_compare``: opens the panel that compares methods."""

from __future__ import annotations

from ...shared.grid.open_panel import OpenPanel
from .panel import ICON, LABEL, NAME


class OpenCompare(OpenPanel):
    """Opens the comparison of methods."""

    operator_name = "lgca_open_compare"
    panel = NAME
    icon = ICON
    label = LABEL
    description = "Agreement, accuracy, misleading crops and suspected label errors of a run, beside the grid"
