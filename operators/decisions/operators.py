"""The operators ``lgca_decide``, ``lgca_undo_decision`` and ``lgca_export_decisions``."""

from __future__ import annotations

import base64
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.workflows.decisions.rows import csv_text
from ..shared.execution import call
from .form import (
    DECIDED,
    SERVER,
    add_decision,
    add_export,
    add_undo,
    file_name,
    read_decision,
    read_label,
    triage_form,
    undoes_samples,
)
from .queue import (
    SELECTED,
    chosen_samples,
    left_line,
    next_open,
    outcome_line,
    placement,
    read_curator,
    read_samples,
    read_triage,
    refresh,
    text,
)

DECIDE = "Decide on suspected labels"
UNDO = "Undo decisions on labels"
EXPORT = "Export decisions on labels"
MAX_DOWNLOAD_BYTES = 32 * 1024**2  # it travels inside a message to the App, base64-encoded


class Decide(foo.Operator):
    """Records what a curator decides about the selected samples, or about the one that is open."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_decide",
            label=DECIDE,
            description="Accept a suggestion, confirm the label, or set the image aside; given labels stay as they are",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button above the grid, and into the sample's own view while one is open."""
        return placement(ctx, DECIDE, "fact_check", in_modal=True)

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the  Runs on every keystroke, so database reads are cached."""
        return triage_form(ctx, DECIDE, "Decide", "decide about its samples", add_decision)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Writes the decision.

        Raises:
            ConfigError: if something is not valid, before anything is written
        """
        triage = read_triage(ctx)
        params = ctx.params
        done = triage.decide(
            read_samples(ctx),
            read_decision(params),
            label=read_label(params),
            note=text(params, "note"),
            by=read_curator(ctx),
            allow_new_class=bool(params.get("allow_new_class")),
            wait=False,
        )
        left = triage.left()
        if chosen_samples(ctx) == SELECTED:
            ctx.ops.clear_selected_samples()  # decided samples leave the queue, and would stay selected
        refresh(ctx, then=next_open(ctx, triage))
        ctx.ops.notify(outcome_line(done, left), variant="success")
        return {"action": done.action, "outcome": str(done), "samples": done.samples, "left": left}

    def __call__(
        self,
        sample_collection: Any,
        sample_ids: list[str] | str,
        decision: str,
        *,
        label: str | None = None,
        note: str | None = None,
        run: str | None = None,
        by: str | None = None,
        allow_new_class: bool = False,
    ) -> Any:
        """Decides from the SDK; ``run.triage`` returns the queue, whose ``decide`` does the same.

        Args:
            sample_collection: a FiftyOne dataset or view
            sample_ids: the samples
            decision: ``"accepted"``, ``"label right"``, ``"bad crop"``, ``"bad image"`` or ``"skipped"``
            label: the right class, where another than the suggested one is accepted
            note: a remark
            run: key of a run that was triaged; None takes the one that was triaged last
            by: who decides; None takes the login name
            allow_new_class: accept a label that is no class of the run

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook
        """
        ids = [sample_ids] if isinstance(sample_ids, str) else list(sample_ids)
        params = {
            "run": run,
            "sample_ids": ids,
            "decision": str(getattr(decision, "value", decision)),
            "label": label,
            "note": note,
            "by": by,
            "allow_new_class": allow_new_class,
        }
        return call(self, sample_collection, params)


class UndoDecision(foo.Operator):
    """Undoes decisions."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_undo_decision",
            label=UNDO,
            description="Take a decision back: each sample gets its previous decision, corrected label and tag again",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button above the grid, and into the sample's own view while one is open."""
        return placement(ctx, UNDO, "undo", in_modal=True)

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form: what is undone, and its note."""
        return triage_form(ctx, UNDO, "Undo", "undo decisions", add_undo)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Undoes the decisions.

        Raises:
            ConfigError: if there is nothing to undo, before anything is written
        """
        triage = read_triage(ctx)
        params = ctx.params
        what: dict[str, Any] = {"action": text(params, "action"), "of": text(params, "of")}
        if undoes_samples(ctx):
            what = {"sample_ids": read_samples(ctx), **what, "action": None}
        done = triage.undo(**what, by=read_curator(ctx), note=text(params, "note"))
        left = triage.left()
        refresh(ctx)
        ctx.ops.notify(outcome_line(done, left), variant="success")
        return {"action": done.action, "outcome": str(done), "samples": done.samples, "left": left}

    def __call__(
        self,
        sample_collection: Any,
        action: str | None = None,
        *,
        sample_ids: list[str] | str | None = None,
        of: str | None = None,
        note: str | None = None,
        run: str | None = None,
        by: str | None = None,
    ) -> Any:
        """Undoes decisions from the SDK; ``run.triage`` returns the queue, whose ``undo`` does the same.

        Args:
            sample_collection: a FiftyOne dataset or view
            action: the action to undo; None takes the latest
            sample_ids: undo the decisions on these samples instead
            of: undo decisions of this curator only
            note: a remark
            run: key of a run that was triaged; None takes the one that was triaged last
            by: who undoes them; None takes the login name

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook
        """
        ids = [sample_ids] if isinstance(sample_ids, str) else sample_ids
        params = {"run": run, "action": action, "sample_ids": ids, "of": of, "note": note, "by": by}
        return call(self, sample_collection, params)


class ExportDecisions(foo.Operator):
    """Writes the decisions to a CSV file."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_export_decisions",
            label=EXPORT,
            description="Write who decided what about which sample to a CSV file, or download it",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button above the grid."""
        return placement(ctx, EXPORT, "file_download", in_modal=False)

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form: where to export to, and what is left to decide."""
        return triage_form(ctx, EXPORT, "Export", "export its decisions", add_export)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Writes the file, or downloads it in the browser.

        Raises:
            ConfigError: if it can't be written
        """
        triage = read_triage(ctx)
        params = ctx.params
        history = bool(params.get("history"))
        rows = triage.decisions(history=history)
        if params.get("destination") == SERVER:
            path = text(params, "path")
            if path is None:
                raise ConfigError("path must name the CSV file to write")
            place = str(triage.export(path, history=history, overwrite=bool(params.get("overwrite"))))
        else:
            place = file_name(triage)
            _download(ctx, csv_text(rows, history=history), place)
        left = triage.left()
        decided = ", ".join(f"{left[name]:,} {name}" for name in DECIDED if left[name])
        return {
            "rows": len(rows),
            "path": place,
            "decided": decided or "none",
            "outlook": left_line(left),
            "left": left,
        }

    def resolve_output(self, ctx: Any) -> Any:
        """Shows where the file is, and what is left to decide."""
        outputs = types.Object()
        outputs.int("rows", label="Rows", view=types.LabelValueView())
        outputs.str("path", label="File", view=types.LabelValueView())
        outputs.str("decided", label="Suspects decided", view=types.LabelValueView())
        outputs.str("outlook", label="To do", view=types.LabelValueView())
        return types.Property(outputs, view=types.View(label="Decisions exported"))

    def __call__(
        self,
        sample_collection: Any,
        path: str,
        *,
        history: bool = False,
        overwrite: bool = False,
        run: str | None = None,
    ) -> Any:
        """Exports from the SDK; ``run.triage`` returns the queue, whose ``export`` does the same.

        Args:
            sample_collection: a FiftyOne dataset or view
            path: the CSV file
            history: write every event, with those that were replaced or undone
            overwrite: replace an existing file
            run: key of a run that was triaged; None takes the one that was triaged last

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook
        """
        params = {"run": run, "destination": SERVER, "path": str(path), "history": history, "overwrite": overwrite}
        return call(self, sample_collection, params)


def _download(ctx: Any, text: str, name: str) -> None:
    """Downloads a file in the browser, as part of the message: the App's server offers plugins no address for files."""
    content = text.encode("utf-8")
    if len(content) > MAX_DOWNLOAD_BYTES:
        raise ConfigError(
            f"the file would have {len(content):,} bytes, too many for a download; write it to a file on the server"
        )
    ctx.ops.browser_download(f"data:text/csv;base64,{base64.b64encode(content).decode('ascii')}", filename=name)
