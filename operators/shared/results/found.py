"""The result after labels were checked: the answer, the counts, the likeliest suspects, and what comes next."""

from __future__ import annotations

from typing import Any

from ....lgca_plugin.method.number_text import samples_text
from ....lgca_plugin.workflows.find.summary import found_summary
from ..dialogs.dialog import Step, steps_after
from ..dialogs.found import answer_text
from .result import Result, in_python, result

MAX_SUSPECTS = 20
"""Maximum number of suspects in a result; the field of suggestions has all of them."""


def found_result(triage: Any) -> Result:
    """Returns the result of a triage."""
    report, key = triage.report, triage.run.key
    counts = {**report["counts"], **report["cases"], "misled by a few crops": sum(report["misleading"].values())}
    steps = steps_after(key)
    read = in_python(key, "last_triage()")
    warnings = dict.fromkeys((*triage.run.results.get("warnings", ()), *report["warnings"]))
    if report.get("suspects") is None:
        line = f"{samples_text(report['counts']['triaged'])} sorted by how the methods differ"
        return result(line, run=key, counts=counts, warnings=warnings, steps=steps, read=read, suspects=[])
    summary = found_summary(triage, count=MAX_SUSPECTS)
    answer, detail = answer_text(summary)
    review: list[Step] = [
        ("Review labels", "lgca_review", {}),
        ("Decide about a suspect", "lgca_decide", {"run": key}),
    ]
    found = {"labels checked": summary.checked, "labels that look wrong": summary.suspects}
    return result(
        f"{answer} {detail}".strip(),
        run=key,
        counts={**found, **triage.left(), **counts},
        warnings=warnings,
        steps=[*(review if summary.first else ()), *steps],
        read=read,
        suspects=[
            {"sample_id": one.sample_id, "given": one.given, "suggested": one.suggested} for one in summary.first
        ],
    )
