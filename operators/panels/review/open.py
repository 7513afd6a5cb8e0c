"""``lgca_open_review``: opens the panel on which suspected labels are reviewed."""

from __future__ import annotations

from ...shared.grid.open_panel import OpenPanel
from .panel import ICON, LABEL, NAME


class OpenReview(OpenPanel):
    """Opens the review of suspected labels."""

    operator_name = "lgca_open_review"
    panel = NAME
    icon = ICON
    label = LABEL
    description = "Wrong labels, mistakes: decide about one suspected label after the other, beside examples"
