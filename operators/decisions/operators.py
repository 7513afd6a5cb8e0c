"""The operators ``lgca_decide``, ``lgca_undo_decision`` and ``lgca_export_decisions``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.fiftyone_io.fields import SUGGESTION, triage_field
from ...lgca_plugin.workflows.decisions.decisions import Decision
from ...lgca_plugin.workflows.decisions.queue import Triage
from ...lgca_plugin.workflows.decisions.rows import csv_text
from ..shared.base import FormOperator
from ..shared.caller import from_page, is_own
from ..shared.execution import call
from ..shared.form import add_dropdown
from ..shared.plain_text import PlainProperty
from ..shared.results.result import Result
from ..shared.run_choice import run_keys
from ..shared.server_files import download, write_export
from .form import (
    SERVER,
    add_decision,
    add_export,
    add_undo,
    destination,
    file_name,
)
from .queue import (
    SELECTED,
    chosen_samples,
    next_open,
    outcome_line,
    read_curator,
    read_samples,
    read_triage,
    text,
    triaged_runs,
)
from .result import decided_result, exported_result


class DecisionOperator(FormOperator):
    """An operator on the decisions about a triaged run, with which its form begins.

    Attributes:
        add_choices: adds what follows the run to the inputs, given the context and the run key
    """

    add_choices: Callable[[Any, Any, str], None]

    def refusal(self, ctx: Any) -> str | None:
        """Returns why there is no form: no dataset is open, or no run is triaged."""
        if ctx.dataset is None or triaged_runs(ctx):
            return super().refusal(ctx)
        return "No run of this dataset has been triaged yet: do that first."

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the choice of the run, if there are several, and what follows it."""
        keys = triaged_runs(ctx)
        if len(keys) > 1 or not from_page(ctx):
            add_dropdown(inputs, "run", keys, default=keys[0], label="Run")
        key = text(ctx.params, "run") or keys[0]
        if key in keys:
            self.add_choices(inputs, ctx, key)

    def show(self, ctx: Any, triage: Triage, done: Any, then: str | None = None) -> Result:
        """Makes the App show what was written, and returns it.

        The App draws an open sample only once, so it is opened again, or the sample ``then`` is.
        """
        ctx.ops.reload_dataset()
        if ctx.current_sample:
            ctx.ops.close_sample()
            ctx.ops.open_sample(id=then or ctx.current_sample)
        left = triage.left()
        ctx.ops.notify(outcome_line(done, left), variant="warning" if done.restored else "success")
        return decided_result(triage, done, left)


class Decide(DecisionOperator):
    """Records what a curator decides about the selected samples, or about the one that is open."""

    operator_name = "lgca_decide"
    icon = "fact_check"
    title = "Decide on suspected labels"
    description = "Change a suspected label, keep it, or set the image aside; given labels stay as they are"
    submit = "Decide"
    purpose = "decide about its samples"
    add_choices = staticmethod(add_decision)

    def resolve_placement(self, ctx: Any) -> Any:
        """Puts a button into the view of a single sample, once the dataset has a triaged run."""
        schema = {} if ctx.dataset is None else ctx.dataset.get_field_schema()
        if not ctx.current_sample or not any(triage_field(key, SUGGESTION) in schema for key in run_keys(ctx.dataset)):
            return None
        return types.Placement(
            types.Places.SAMPLES_VIEWER_ACTIONS, types.Button(label=self.title, icon="fact_check", prompt=True)
        )

    def act(self, ctx: Any) -> Result:
        """Writes the decision.

        Raises:
            ConfigError: if something is not valid, before anything is written
        """
        triage, params = read_triage(ctx), ctx.params
        decision = text(params, "decision") or ""
        done = triage.decide(
            read_samples(ctx),
            decision,
            label=text(params, "label") if decision == Decision.ACCEPTED.value else None,
            note=text(params, "note"),
            by=read_curator(ctx),
            allow_new_class=bool(params.get("allow_new_class")),
            wait=False,
        )
        if chosen_samples(ctx) == SELECTED:
            ctx.ops.clear_selected_samples()  # decided samples leave the queue, and would stay selected
        return self.show(ctx, triage, done, then=next_open(ctx, triage))

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

        ``run`` is the key of a triaged run, None the one triaged last. The other arguments are those of
        :meth:`lgca_plugin.Triage.decide`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it
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


class UndoDecision(DecisionOperator):
    """Undoes decisions."""

    operator_name = "lgca_undo_decision"
    icon = "undo"
    title = "Undo decisions on labels"
    description = "Take a decision back: each sample gets its previous decision, corrected label and tag again"
    submit = "Undo"
    purpose = "undo decisions"
    add_choices = staticmethod(add_undo)

    def act(self, ctx: Any) -> Result:
        """Undoes the decisions.

        Raises:
            ConfigError: if there is nothing to undo, before anything is written
        """
        triage, params = read_triage(ctx), ctx.params
        of_samples = params.get("sample_ids") is not None or params.get("what") == SELECTED
        done = triage.undo(
            None if of_samples else text(params, "action"),
            sample_ids=read_samples(ctx) if of_samples else None,
            of=text(params, "of"),
            by=read_curator(ctx),
            note=text(params, "note"),
        )
        return self.show(ctx, triage, done)

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

        ``run`` is the key of a triaged run, None the one triaged last. The other arguments are those of
        :meth:`lgca_plugin.Triage.undo`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it
        """
        ids = [sample_ids] if isinstance(sample_ids, str) else sample_ids
        params = {"run": run, "action": action, "sample_ids": ids, "of": of, "note": note, "by": by}
        return call(self, sample_collection, params)


class ExportDecisions(DecisionOperator):
    """Writes the decisions to a CSV file."""

    operator_name = "lgca_export_decisions"
    icon = "file_download"
    title = "Export decisions on labels"
    description = "Write who decided what about which sample to a CSV file, or download it"
    submit = "Export"
    purpose = "export its decisions"
    add_choices = staticmethod(add_export)

    def act(self, ctx: Any) -> Result:
        """Writes the file, or downloads it in the browser.

        Raises:
            ConfigError: if it can't be written
        """
        triage, params = read_triage(ctx), ctx.params
        history = bool(params.get("history"))
        rows = triage.decisions(history=history)
        if destination(ctx) == SERVER:
            path, overwrite = text(params, "path"), bool(params.get("overwrite"))
            if path is not None and is_own(params):
                place = str(triage.export(path, history=history, overwrite=overwrite))
            else:
                place = str(write_export(path, ".csv", csv_text(rows, history=history), overwrite=overwrite))
        else:
            place = file_name(triage.run.key)
            download(ctx, csv_text(rows, history=history), place, "text/csv")
        return exported_result(triage, len(rows), place)

    def resolve_output(self, ctx: Any) -> Any:
        """Shows where the file is, and what is left to decide."""
        if not from_page(ctx):
            return super().resolve_output(ctx)
        outputs = types.Object()
        outputs.int("rows", label="Rows", view=types.LabelValueView())
        for name, label in (("path", "File"), ("decided", "Suspects decided"), ("outlook", "To do")):
            outputs.str(name, label=label, view=types.LabelValueView())
        return PlainProperty(outputs, view=types.View(label="Decisions exported"))

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

        ``run`` is the key of a triaged run, None the one triaged last. The other arguments are those of
        :meth:`lgca_plugin.Triage.export`.

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, whose ``result`` holds counts and next steps; in a
            notebook a task of it
        """
        params = {"run": run, "destination": SERVER, "path": str(path), "history": history, "overwrite": overwrite}
        return call(self, sample_collection, params)
