"""What tests of the review panel read from its screen and from the samples, and how they press in it."""

URI = "@lgca/zero-shot/lgca_review"
EVENTS = ("on_load", "on_change_view")
"""What the App fires when the panel opens."""


def decisions(triage):
    return {row.sample_id: (row.decision.value, row.corrected) for row in triage.decisions()}


def file_of(triage, id_):
    return triage.run.dataset[id_].filename


def pictures(shown):
    """Alternative texts of the pictures that could be read."""
    return [part["alt"] for part in shown.parts("ImageView")]


def click_picture(panel, name):
    part = next(part for part in panel.shown.parts("ImageView") if part["alt"] == name)
    return panel.send(part["operator"].rpartition("#")[2], **part["params"])


def press_again(panel, button):
    """Presses a button that was drawn for an earlier state of the panel."""
    return panel.send(button["operator"].rpartition("#")[2], **button["params"])
