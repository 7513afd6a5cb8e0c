"""``lgca_decide``, ``lgca_undo_decision`` and ``lgca_export_decisions``: the queue of a triage, in the App."""

from __future__ import annotations

import base64
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.workflows.decisions.rows import csv_text
from ..shared.execution import call
from . import form
from . import queue as source

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
        return source.placement(ctx, DECIDE, "fact_check", in_modal=True)

    def resolve_input(self, ctx: Any) -> Any:
        """Builds the form. Runs on every keystroke, so what asks the database is remembered."""
        inputs = types.Object()
        if form.refused(inputs, ctx, "decide about its samples") is None:
            form.add_decision(inputs, ctx)
        return types.Property(inputs, view=types.PromptView(label=DECIDE, submit_button_label="Decide"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Writes the decision.

        Raises:
            ConfigError: if something is not valid, before anything is written
        """
        triage = source.read_triage(ctx)
        params = ctx.params
        done = triage.decide(
            source.read_samples(ctx),
            form.read_decision(params),
            label=form.read_label(params),
            note=source.text(params, "note"),
            by=source.read_curator(ctx),
            allow_new_class=bool(params.get("allow_new_class")),
            wait=False,
        )
        left = triage.left()
        if source.which(ctx) == source.SELECTED:
            ctx.ops.clear_selected_samples()  # decided samples leave the queue: they must not stay selected unseen
        source.show(ctx, then=source.next_open(ctx, triage))
        ctx.ops.notify(source.told(done, left), variant="success")
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
            note: anything worth knowing later
            run: key of a run that was triaged; None takes the one that was triaged last
            by: who decides; None takes the login name
            allow_new_class: accept a label that is no class of the run

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook
        """
        ids = [sample_ids] if isinstance(sample_ids, str) else list(sample_ids)
        params = {"run": run, "sample_ids": ids, "decision": str(getattr(decision, "value", decision)), "label": label}
        params |= {"note": note, "by": by, "allow_new_class": allow_new_class}
        return call(self, sample_collection, params)


class UndoDecision(foo.Operator):
    """Takes decisions back."""

    @property
    def config(self) -> Any:
        """What the operator browser shows, and how it is executed."""
        return foo.OperatorConfig(
            name="lgca_undo_decision",
            label=UNDO,
            description="Take a decision back: the former decision, corrected label and tag of each sample come back",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button above the grid, and into the sample's own view while one is open."""
        return source.placement(ctx, UNDO, "undo", in_modal=True)

    def resolve_input(self, ctx: Any) -> Any:
        """Says what would be taken back."""
        inputs = types.Object()
        if form.refused(inputs, ctx, "undo decisions") is None:
            form.add_undo(inputs, ctx)
        return types.Property(inputs, view=types.PromptView(label=UNDO, submit_button_label="Undo"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Takes back.

        Raises:
            ConfigError: if there is nothing to take back, before anything is written
        """
        triage = source.read_triage(ctx)
        params = ctx.params
        what: dict[str, Any] = {"action": source.text(params, "action"), "of": source.text(params, "of")}
        if form.undoes_samples(ctx):
            what = {"sample_ids": source.read_samples(ctx), **what, "action": None}
        done = triage.undo(**what, by=source.read_curator(ctx), note=source.text(params, "note"))
        left = triage.left()
        source.show(ctx)
        ctx.ops.notify(source.told(done, left), variant="success")
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
        """Takes back from the SDK; ``run.triage`` returns the queue, whose ``undo`` does the same.

        Args:
            sample_collection: a FiftyOne dataset or view
            action: the action to take back; None takes the latest
            sample_ids: take back what stands on these samples, instead
            of: take back what this curator has decided only
            note: anything worth knowing later
            run: key of a run that was triaged; None takes the one that was triaged last
            by: who takes back; None takes the login name

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
        return source.placement(ctx, EXPORT, "file_download", in_modal=False)

    def resolve_input(self, ctx: Any) -> Any:
        """Asks where to, and says what there is."""
        inputs = types.Object()
        if form.refused(inputs, ctx, "export its decisions") is None:
            form.add_export(inputs, ctx)
        return types.Property(inputs, view=types.PromptView(label=EXPORT, submit_button_label="Export"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Writes the file, or hands it to the browser.

        Raises:
            ConfigError: if it can't be written there
        """
        triage = source.read_triage(ctx)
        params = ctx.params
        history = bool(params.get("history"))
        rows = triage.decisions(history=history)
        if params.get("destination") == form.SERVER:
            path = source.text(params, "path")
            if path is None:
                raise ConfigError("path must name the CSV file to write")
            place = str(triage.export(path, history=history, overwrite=bool(params.get("overwrite"))))
        else:
            place = form.file_name(triage)
            _download(ctx, csv_text(rows, history=history), place)
        left = triage.left()
        decided = ", ".join(f"{left[name]:,} {name}" for name in form.DECIDED if left[name])
        return {
            "rows": len(rows),
            "path": place,
            "decided": decided or "none",
            "outlook": source.left_line(left),
            "left": left,
        }

    def resolve_output(self, ctx: Any) -> Any:
        """Says where the file is, and what is left to decide."""
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
            history: write every event ever, with those that were replaced or taken back
            overwrite: replace a file that is there
            run: key of a run that was triaged; None takes the one that was triaged last

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook
        """
        params = {"run": run, "destination": form.SERVER, "path": str(path), "history": history, "overwrite": overwrite}
        return call(self, sample_collection, params)


def _download(ctx: Any, text: str, name: str) -> None:
    """Hands a file to the browser, inside the message itself: the App's server has no address for files of ours."""
    content = text.encode("utf-8")
    if len(content) > MAX_DOWNLOAD_BYTES:
        raise ConfigError(
            f"the file would have {len(content):,} bytes, too many for a download; write it to a file on the server"
        )
    ctx.ops.browser_download(f"data:text/csv;base64,{base64.b64encode(content).decode('ascii')}", filename=name)
