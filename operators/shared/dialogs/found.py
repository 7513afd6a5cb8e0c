"""The dialog after labels were checked: the answer, the first suspects as pictures, and what comes next."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ....lgca_plugin.fiftyone_io.thumbnails import thumbnail_uri
from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.method.number_text import labels_text
from ....lgca_plugin.workflows.find.summary import FoundSummary, found_summary
from .dialog import Dialog, Step, steps_after

SHOWN_SUSPECTS = 6
SIDE = 132
"""Side of a picture in the dialog, in pixels: six of them in a row of two times three, or more where it is wide."""


def found_dialog(triage: Any) -> tuple[str, Dialog]:
    """Returns the answer to the user's question, and the dialog with it."""
    summary = found_summary(triage, count=SHOWN_SUSPECTS)
    answer, detail = answer_text(summary)
    dialog = Dialog()
    dialog.heading(types.Success(label=answer, description=detail))
    pictures = [
        (uri, f"{found.given} →", found.suggested)
        for found in summary.first
        if (uri := thumbnail_uri(found.filepath, side=2 * SIDE, around=found.around))
    ]
    if pictures:
        dialog.pictures(pictures, side=SIDE)
    review: list[Step] = [("Review labels", "lgca_review", {})] if summary.first else []
    dialog.buttons([*review, *steps_after(triage.run.key)])
    return answer, dialog


def answer_text(summary: FoundSummary) -> tuple[str, str]:
    """Returns the answer to the user's question, and a sentence on who has judged, or how far the methods agree."""
    names = [method_title(name) for name in (summary.methods if summary.judge is None else [summary.judge])]
    methods = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
    pictures = "1 picture" if summary.unread == 1 else f"{summary.unread:,} pictures"
    unread = f"{pictures} could not be read." if summary.unread else ""
    if not summary.checked:
        return (
            "No label could be judged",
            f"The classes of the run and the labels have nothing in common. {unread}".strip(),
        )
    if not summary.suspects:
        labels = "1 label was" if summary.checked == 1 else f"{summary.checked:,} labels were"
        checked = f"{labels} checked by {methods}."
        return "Nothing looks wrong", " ".join(filter(None, (checked, _agreement(summary, "They"), unread)))
    verb = "looks" if summary.suspects == 1 else "look"
    answer = f"{summary.suspects:,} of {labels_text(summary.checked)} {verb} wrong."
    return answer, " ".join(filter(None, (_outside(summary), _reviewed(summary), _agreement(summary, methods), unread)))


def _agreement(summary: FoundSummary, methods: str) -> str:
    if summary.judge is not None:
        return f"{method_title(summary.judge)} has judged them, all models together."
    return "" if summary.agreement is None else f"{methods} agree on {summary.agreement:.0%}."


def _outside(summary: FoundSummary) -> str:
    """Returns how many of the suspects have a label that is no class; nothing if none has."""
    if not summary.outside:
        return ""
    return f"{summary.outside:,} of them {'is' if summary.outside == 1 else 'are'} not among the classes."


def _reviewed(summary: FoundSummary) -> str:
    """Returns how many of the suspects were reviewed before; nothing if none were."""
    if not summary.reviewed:
        return ""
    if summary.reviewed == summary.suspects:
        return "All of them are reviewed." if summary.suspects > 1 else "It is reviewed."
    return f"{summary.reviewed:,} of them {'is' if summary.reviewed == 1 else 'are'} reviewed already."
