"""The forms of the decision operators, part by part, and the readers of their parameters."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.fiftyone_io.holders import user_name
from ...lgca_plugin.method.number_text import capitalized, samples_text
from ...lgca_plugin.workflows.decisions.decisions import Decision
from ..shared.caller import app_user, from_page, is_own
from ..shared.form import add_tabs, checked, mark_invalid, refuse, text_field
from ..shared.server_files import check_export
from ..shared.settings import export_folder
from .queue import (
    OPEN,
    SELECTED,
    Selection,
    candidates,
    chosen_samples,
    count_left,
    count_rows,
    has_both,
    left_line,
    read_samples,
    read_selection,
    recent_actions,
    text,
)

DOWNLOAD, SERVER = "download", "server"
LATEST = "latest"


def add_decision(inputs: Any, ctx: Any, key: str) -> None:
    """Adds the form of ``lgca_decide``."""
    params = ctx.params
    selection = _add_samples(inputs, ctx, key)
    if selection is None:
        return

    view = types.RadioGroup(orientation="vertical")
    for decision in Decision:
        view.add_choice(decision.value, label=decision.button, description=decision.explanation)
    none = 0 < selection.count == selection.unsuggested
    default = Decision.SKIPPED if none else Decision.ACCEPTED
    inputs.enum(
        "decision", view.values(), default=default.value, required=not from_page(ctx), label="Decision", view=view
    )
    if (params.get("decision") or default.value) == Decision.ACCEPTED.value:
        _add_label(inputs, params, selection)
        if not from_page(ctx) and "allow_new_class" not in inputs.properties:
            inputs.bool("allow_new_class", default=False, label="The right class may be none of the run's")
    inputs.str("note", required=False, label="Note", description="Saved with the decision", view=text_field(2))
    _add_curator(inputs, ctx)


def add_undo(inputs: Any, ctx: Any, key: str) -> None:
    """Adds the form of ``lgca_undo_decision``."""
    actions = recent_actions(ctx, key)
    if not actions:
        refuse(inputs, "Nothing is decided about this run, so there is nothing to undo.")
        return
    if not from_page(ctx):
        _add_undo_without_page(inputs, ctx)
        return
    chosen = LATEST
    if candidates(ctx):
        ways = {LATEST: "A whole action", SELECTED: "Single samples"}
        chosen = ctx.params.get("what") or LATEST
        add_tabs(inputs, "what", chosen, ways, label="What to undo")
    if chosen == SELECTED:
        _add_sample_choice(inputs, ctx)
        _add_selection(inputs, ctx, key)
    else:
        view = types.DropdownView()
        for action in actions:
            view.add_choice(action.id, label=str(action))
        default = actions[0].id
        inputs.enum(
            "action", view.values(), default=default, required=False, label="Action, the latest first", view=view
        )
        for action in actions:
            if action.note and action.id == (ctx.params.get("action") or default):
                inputs.view(f"note_of_{action.id}", types.Notice(label=f"Note: {action.note}"))
    note = "The previous decision, label and tag are restored; the history keeps the decision and its undoing"
    inputs.view("how", types.Notice(label=note))
    _add_curator(inputs, ctx)


def _add_undo_without_page(inputs: Any, ctx: Any) -> None:
    """Adds what can be undone where nothing is selected; without any of it, the latest action is."""
    inputs.str("action", required=False, label="Action", description="Empty: the latest, or that of the samples")
    ids = inputs.list(
        "sample_ids", types.String(), required=False, label="Samples", description="Ids of single samples"
    )
    if ctx.params.get("sample_ids") is not None:
        checked(ids, read_samples, ctx)
    inputs.str("of", required=False, label="Curator", description="Undo only what this curator has decided")
    inputs.str("note", required=False, label="Note", description="Saved with the undoing")
    _add_curator(inputs, ctx)


def destination(ctx: Any) -> str:
    """Returns where an export goes; where there is no page that could download it, to a file.

    Raises:
        ConfigError: if it is to be downloaded without a page
    """
    chosen = text(ctx.params, "destination") or (DOWNLOAD if from_page(ctx) else SERVER)
    if chosen == DOWNLOAD and not from_page(ctx):
        raise ConfigError("only a page of the App can download the decisions: name a file with path")
    return chosen


def add_export(inputs: Any, ctx: Any, key: str) -> None:
    """Adds the form of ``lgca_export_decisions``."""
    params = ctx.params
    chosen = text(params, "destination") or (DOWNLOAD if from_page(ctx) else SERVER)
    prop = add_tabs(inputs, "destination", chosen, {DOWNLOAD: "Download", SERVER: "File on the server"}, label="To")
    if checked(prop, destination, ctx) == SERVER:
        note = f"Written to {export_folder()}"
        prop = inputs.str("path", required=True, label="Name of the CSV file", description=note)
        if not is_own(params):
            checked(prop, _check_path, params)
        inputs.bool("overwrite", default=False, label="Replace an existing file")
    inputs.bool(
        "history", default=False, label="Whole history", description="With decisions that were replaced or undone"
    )
    inputs.view("left", types.Notice(label=_file_line(ctx, key), description=f"{left_line(count_left(ctx, key))}."))


def file_name(key: str) -> str:
    """Returns the name of the file that is downloaded."""
    return f"{key}_decisions_{datetime.now(timezone.utc):%Y-%m-%d}.csv"


def _file_line(ctx: Any, key: str) -> str:
    """Returns what is written, how many rows, and where."""
    history = bool(ctx.params.get("history"))
    rows = count_rows(ctx, key, history)
    what = "each decision, replaced and undone ones too" if history else "each picture that is decided about"
    kind = f"A CSV file, for spreadsheets: {rows:,} {'row' if rows == 1 else 'rows'}, one for {what}"
    if not rows:
        kind = "Nothing is decided yet: the CSV file will have its heading alone"
    if (text(ctx.params, "destination") or (DOWNLOAD if from_page(ctx) else SERVER)) == DOWNLOAD:
        return f"{kind}. Your browser downloads it as {file_name(key)}"
    return kind


def _add_samples(inputs: Any, ctx: Any, key: str) -> Selection | None:
    """Adds the samples: those that are open or selected, where there is no page their ids; None if they are wrong."""
    if from_page(ctx) or (ctx.params.get("sample_ids") is None and candidates(ctx)):
        _add_sample_choice(inputs, ctx)
        return _add_selection(inputs, ctx, key)
    note = "Their ids, such as the sample_id of each suspect in the result of lgca_find_wrong_labels"
    prop = inputs.list("sample_ids", types.String(), required=True, label="Samples", description=note)
    if ctx.params.get("sample_ids") is None:
        return Selection(0, [], 0, load_run(ctx.dataset, key).config.classes)
    ids = checked(prop, read_samples, ctx)
    return None if ids is None else checked(prop, read_selection, ctx, key, ids)


def _check_path(params: Any) -> None:
    check_export(text(params, "path"), ".csv", overwrite=bool(params.get("overwrite")))


def _add_sample_choice(inputs: Any, ctx: Any) -> None:
    """Adds the choice between the open sample and the selected ones, where there are both."""
    if ctx.params.get("sample_ids") is None and has_both(ctx):
        ways = {OPEN: "The open sample", SELECTED: f"The {len(ctx.selected):,} selected"}
        add_tabs(inputs, "samples", chosen_samples(ctx), ways, label="Samples")


def _add_curator(inputs: Any, ctx: Any) -> None:
    if not app_user(ctx):
        default = user_name()
        inputs.str("by", default=default, label="Your name", description="Saved with the decision", view=text_field(2))


def _add_selection(inputs: Any, ctx: Any, key: str) -> Selection | None:
    """Adds a table of the chosen samples; None, and a refusal, if there are none."""
    try:
        selection = read_selection(ctx, key, read_samples(ctx))
    except ConfigError as error:
        refuse(inputs, f"{capitalized(error.app)}.")
        return None
    count, rows = selection.count, selection.rows
    view = types.TableView()
    for column, label in (("file", "Sample"), ("given", "Given"), ("suggested", "Suggested"), ("decided", "Decided")):
        view.add_column(column, label=label)
    more = f", the first {len(rows)} of them" if count > len(rows) else ""
    heading = f"{samples_text(count)}{more}"
    inputs.list(f"rows_of_{key}_{chosen_samples(ctx)}", types.Object(), default=rows, label=heading, view=view)
    return selection


def _add_label(inputs: Any, params: Any, selection: Selection) -> None:
    unsuggested = selection.unsuggested
    view = types.AutocompleteView(allow_user_input=True)
    for name in selection.classes:
        view.add_choice(name, label=name)
    lacking = "There is no suggestion: name the right class"
    if unsuggested and selection.count > 1:
        lacking = f"{unsuggested:,} of {selection.count:,} have no suggestion: name one class for all, or select others"
    note = lacking if unsuggested else "Leave empty to take the suggestion"
    prop = inputs.str("label", required=bool(unsuggested), label="Right class", description=note, view=view)
    label = text(params, "label")
    if label is None and unsuggested:
        mark_invalid(prop, lacking)
    elif label is not None and label not in selection.classes:
        inputs.bool("allow_new_class", default=False, label=f"{label!r} is right, though it is no class of the run")
        if not params.get("allow_new_class"):
            mark_invalid(prop, f"{label!r} is no class of the run: tick to take it, or choose another")
