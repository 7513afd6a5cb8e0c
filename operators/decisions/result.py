"""The results of the decision operators for code: what was written, what is left to decide, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...lgca_plugin.workflows.decisions.decide import DecideResult
from ...lgca_plugin.workflows.decisions.queue import Triage
from ...lgca_plugin.workflows.decisions.rows import count_decided
from ..shared.dialogs.dialog import Step
from ..shared.results.result import Result, in_python, result
from .queue import left_line, outcome_line


def decided_result(triage: Triage, done: Any, left: dict[str, int]) -> Result:
    """Returns the result of a decision or of its undoing."""
    undo: list[Step] = []
    if isinstance(done, DecideResult):
        undo = [("Undo it", "lgca_undo_decision", {"run": triage.run.key, "action": done.action})]
    return result(
        outcome_line(done, left),
        run=triage.run.key,
        counts={"written": done.samples, **left},
        steps=[*undo, *_steps(triage.run.key, left)],
        read=in_python(triage.run.key, "last_triage().decisions()"),
        action=done.action,
        outcome=str(done),
        samples=done.samples,
        left=left,
    )


def exported_result(triage: Triage, rows: int, place: str) -> Result:
    """Returns the result of an export: the number of rows and the file's path, or its name where it is downloaded."""
    left = triage.left()
    counts = count_decided(triage.run.dataset, triage.places)
    decided = "; ".join(f"{count:,} {word}" for word, count in counts.items()) or "none"
    return result(
        f"{rows:,} {'row' if rows == 1 else 'rows'} in {place}. {left_line(left)}",
        run=triage.run.key,
        counts={"rows": rows, **left},
        steps=_steps(triage.run.key, left, but="lgca_export_decisions"),
        read=in_python(triage.run.key, "last_triage().decisions()"),
        rows=rows,
        path=place,
        decided=decided,
        outlook=left_line(left),
        left=left,
    )


def _steps(key: str, left: dict[str, int], but: str = "") -> Iterable[Step]:
    """Returns what comes next: the next decision, as long as there is one to make, and the export."""
    decide: list[Step] = [("Decide about the next", "lgca_decide", {"run": key})] if left["undecided"] else []
    export: Step = ("Export decisions", "lgca_export_decisions", {"run": key})
    return [*decide, *([] if but == export[1] else [export])]
