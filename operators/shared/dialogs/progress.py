"""The dialog during a run: how far it has come, and buttons that hide it and cancel the run."""

from __future__ import annotations

from ....lgca_plugin.progress import Progress
from .dialog import CLOSE_DIALOG, Dialog, operator_uri

GOES_ON = "The run goes on if you hide this or close the page: the menu “Wrong labels” shows it while it does."


def progress_dialog(step: Progress) -> Dialog:
    """Returns the dialog of a run at a step."""
    dialog = Dialog()
    dialog.progress(step.share, step.label)
    if step.run_key is not None:
        cancel = ("Cancel the run", operator_uri("lgca_cancel_run"), {"run_key": step.run_key})
        dialog.actions([("Hide", CLOSE_DIALOG, {}), cancel])
        dialog.text(GOES_ON, muted=True)
    return dialog
