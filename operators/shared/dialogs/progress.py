"""The dialog during a run: how far it has come, and a button that cancels it."""

from __future__ import annotations

from ....lgca_plugin.progress import Progress
from .dialog import Dialog, operator_uri

GOES_ON = "You may close the page: the run goes on, and the menu “Wrong labels” shows it while it does."


def progress_dialog(step: Progress) -> Dialog:
    """Returns the dialog of a run at a step."""
    dialog = Dialog()
    dialog.progress(step.share, step.label)
    if step.run_key is not None:
        dialog.button("Cancel the run", operator_uri("lgca_cancel_run"), {"run_key": step.run_key})
        dialog.text(GOES_ON, muted=True)
    return dialog
