"""The forms of the queue's operators, part by part, and reading what was filled in."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.workflows.decisions.decide import default_curator
from ...lgca_plugin.workflows.decisions.decisions import Decision
from ...lgca_plugin.workflows.decisions.queue import Triage
from ..shared import form as forms
from ..shared.run_choice import remembered
from . import queue as queue_source
from .queue import OPEN, SELECTED, candidates, has_both, left_line, read_samples, text, triaged_runs, user_name, which

DECIDED = tuple(decision.value for decision in Decision)
DOWNLOAD, SERVER = "download", "server"
LATEST = "latest"
NOTES = {
    Decision.ACCEPTED: ("Accept", "the suggested class, or another that you name, is right"),
    Decision.LABEL_RIGHT: ("Label is right", "the given label stays"),
    Decision.BAD_CROP: ("Bad crop", "a region misled the method; the given label stays"),
    Decision.BAD_IMAGE: ("Bad image", "it can't be judged, or does not belong here"),
    Decision.SKIPPED: ("Skip", "for later, or for somebody else"),
}


def refused(inputs: Any, ctx: Any, purpose: str) -> str | None:
    """Says why nothing can be done on this dataset, if so."""
    sentence = None
    if ctx.dataset is None:
        sentence = f"Open a dataset first, then {purpose}."
    elif not triaged_runs(ctx):
        sentence = "No run of this dataset has been triaged yet: do that first."
    if sentence:
        forms.refusal(inputs, sentence)
    return sentence


def add_run(inputs: Any, ctx: Any) -> str | None:
    """Adds the choice of the run where there are several, and returns the key; None if it is not valid."""
    keys = triaged_runs(ctx)
    if len(keys) > 1:
        view = types.DropdownView()
        for key in keys:
            view.add_choice(key, label=key)
        inputs.enum("run", view.values(), default=keys[0], label="Run", view=view)
    key = text(ctx.params, "run") or keys[0]
    return key if key in keys else None


def add_decision(inputs: Any, ctx: Any) -> None:
    """Adds the form of ``lgca_decide``."""
    params = ctx.params
    key = add_run(inputs, ctx)
    if key is None:
        return
    add_which(inputs, ctx)
    try:
        ids = read_samples(ctx)
        count, rows, unsuggested, classes = remembered(ctx, queue_source.selection, key, ids)
    except ConfigError as error:
        forms.refusal(inputs, _sentence(error))
        return
    _add_table(inputs, f"{key}_{which(ctx)}", rows, count)

    view = types.RadioGroup(orientation="vertical")
    for decision, (label, note) in NOTES.items():
        view.add_choice(decision.value, label=label, description=note)
    default = Decision.SKIPPED if unsuggested == count else Decision.ACCEPTED
    inputs.enum("decision", view.values(), default=default.value, required=True, label="Decision", view=view)
    if (params.get("decision") or default.value) == Decision.ACCEPTED.value:
        _add_label(inputs, params, classes, unsuggested, count)
    inputs.str("note", required=False, label="Note", description="Kept with the decision", view=_half())
    _add_curator(inputs, ctx)


def add_undo(inputs: Any, ctx: Any) -> None:
    """Adds the form of ``lgca_undo_decision``."""
    key = add_run(inputs, ctx)
    if key is None:
        return
    actions = remembered(ctx, queue_source.actions, key)
    if not actions:
        forms.refusal(inputs, "Nothing is decided about this run, so there is nothing to undo.")
        return
    chosen = LATEST
    if candidates(ctx):
        ways = {LATEST: "A whole action", SELECTED: "Single samples"}
        chosen = ctx.params.get("what") or LATEST
        forms.tabs(inputs, "what", chosen, ways, label="What to undo")
    if chosen == SELECTED:
        _add_undone_samples(inputs, ctx, key)
    else:
        view = types.DropdownView()
        for id_, line, _ in actions:
            view.add_choice(id_, label=line)
        default = actions[0][0]
        inputs.enum(
            "action", view.values(), default=default, required=False, label="Action, the latest first", view=view
        )
        action = ctx.params.get("action") or default
        notes = {id_: note for id_, _, note in actions}
        if notes.get(action):
            inputs.view(f"note_of_{action}", types.Notice(label=f"Note: {notes[action]}"))
    inputs.view(
        "how", types.Notice(label="What stood before comes back; the history keeps the decision and its undoing")
    )
    _add_curator(inputs, ctx)


def add_export(inputs: Any, ctx: Any) -> None:
    """Adds the form of ``lgca_export_decisions``."""
    params = ctx.params
    key = add_run(inputs, ctx)
    if key is None:
        return
    destination = params.get("destination") or DOWNLOAD
    forms.tabs(inputs, "destination", destination, {DOWNLOAD: "Download", SERVER: "File on the server"}, label="To")
    if destination == SERVER:
        prop = inputs.str("path", required=True, label="Path of the CSV file")
        if not text(params, "path"):
            prop.invalid = True
            prop.error_message = "give the path of the file to write"
        inputs.bool("overwrite", default=False, label="Replace a file that is there")
    inputs.bool("history", default=False, label="Whole history", description="Also what was replaced or undone since")
    inputs.view("left", types.Notice(label=left_line(remembered(ctx, queue_source.left, key))))


def add_which(inputs: Any, ctx: Any) -> None:
    """Adds the choice between the open sample and the selected ones, where there are both."""
    if ctx.params.get("sample_ids") is None and has_both(ctx):
        ways = {OPEN: "The open sample", SELECTED: f"The {len(ctx.selected):,} selected"}
        forms.tabs(inputs, "samples", which(ctx), ways, label="Samples")


def undoes_samples(ctx: Any) -> bool:
    """Tells whether single samples are to be undone, rather than an action."""
    return ctx.params.get("sample_ids") is not None or ctx.params.get("what") == SELECTED


def read_decision(params: Any) -> str:
    """Reads the decision.

    Raises:
        ConfigError: if there is none
    """
    decision = text(params, "decision")
    if decision is None:
        raise ConfigError(f"decision must be one of {', '.join(map(repr, DECIDED))}")
    return decision


def read_label(params: Any) -> str | None:
    """Reads the class that is accepted; None for the suggestion, and for decisions that take no label."""
    return text(params, "label") if params.get("decision") == Decision.ACCEPTED.value else None


def file_name(triage: Triage) -> str:
    """Names the file that is downloaded."""
    return f"{triage.run.key}_decisions_{datetime.now(timezone.utc):%Y-%m-%d}.csv"


def _add_curator(inputs: Any, ctx: Any) -> None:
    if not user_name(ctx):
        default = default_curator()
        inputs.str("by", default=default, label="Your name", description="Kept with the decision", view=_half())


def _add_table(inputs: Any, name: str, rows: list[dict[str, str]], count: int) -> None:
    view = types.TableView()
    for key, label in (("file", "Sample"), ("given", "Given"), ("suggested", "Suggested"), ("decided", "Decided")):
        view.add_column(key, label=label)
    more = f", the first {len(rows)} of them" if count > len(rows) else ""
    heading = f"{count:,} {'sample' if count == 1 else 'samples'}{more}"
    inputs.list(f"rows_of_{name}", types.Object(), default=rows, label=heading, view=view)


def _add_label(inputs: Any, params: Any, classes: list[str], unsuggested: int, count: int) -> None:
    view = types.AutocompleteView(allow_user_input=True)
    for name in classes:
        view.add_choice(name, label=name)
    lacking = "There is no suggestion: name the right class"
    if unsuggested and count > 1:
        lacking = f"{unsuggested:,} of {count:,} have no suggestion: name one class for all, or select others"
    note = lacking if unsuggested else "Leave empty to accept what is suggested"
    prop = inputs.str("label", required=bool(unsuggested), label="Right class", description=note, view=view)
    label = text(params, "label")
    if label is None and unsuggested:
        prop.invalid = True
        prop.error_message = lacking
    elif label is not None and label not in classes:
        inputs.bool("allow_new_class", default=False, label=f"{label!r} is a class that the run does not know")
        if not params.get("allow_new_class"):
            prop.invalid = True
            prop.error_message = f"{label!r} is no class of the run; if it is right, tick so (allow_new_class)"


def _add_undone_samples(inputs: Any, ctx: Any, key: str) -> None:
    add_which(inputs, ctx)
    ids = read_samples(ctx)
    try:
        count, rows, _, _ = remembered(ctx, queue_source.selection, key, ids)
    except ConfigError as error:
        forms.refusal(inputs, _sentence(error))
        return
    _add_table(inputs, f"{key}_{which(ctx)}", rows, count)


def _half() -> Any:
    return types.TextFieldView(space=6)


def _sentence(error: Exception) -> str:
    line = str(error)
    return f"{line[:1].upper()}{line[1:]}."
