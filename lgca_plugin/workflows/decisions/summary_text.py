"""The table that ``print(triage)`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...method.labels.left_out import visible
from ...method.number_text import labels_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def triage_text(run_key: str, report: Mapping[str, Any], left: Mapping[str, int], decided: Mapping[str, int]) -> str:
    """Returns a triage in plain text: what was found, and tables of its report and of what is left and decided."""
    given = report.get("ground_truth")
    lines = [answer_text(report, left), ""] if given else []
    lines += [f"Triage of run {run_key!r}; {'labels in ' + repr(given) if given else 'no given labels'}"]
    cases = {name: count for name, count in (report.get("cases") or {}).items() if count}
    if cases:
        lines += ["", *_aligned([("case", "samples"), *((name, f"{count:,}") for name, count in cases.items())])]
    near = dict(report.get("near") or ())
    if report.get("outside"):
        rows = [("label outside the classes", "nearest class", "samples")]
        rows += [(visible(label), near.get(label, "-"), f"{count:,}") for label, count in report["outside"]]
        lines += ["", *_aligned(rows)]
    calibration = report.get("calibration") or {}
    if calibration:
        header = ("method", "temperature", "calibration error", "after")
        rows = [(name, *_calibrated(found)) for name, found in calibration.items()]
        lines += ["", *_aligned([header, *rows])]
    if given:
        others = left["other samples decided"]
        counts = {"not reviewed": left["undecided"], **decided, "other samples decided": others}
        table = [("suspected label errors", f"{left['suspects']:,}")]
        table += [(f"  {name}", f"{count:,}") for name, count in counts.items() if count]
        lines += ["", *_aligned(table)]
    elif left["other samples decided"]:
        lines += ["", f"samples decided: {left['other samples decided']:,}"]
    return "\n".join(lines)


def answer_text(report: Mapping[str, Any], left: Mapping[str, int]) -> str:
    """Returns how many labels look wrong, in a sentence."""
    judged, suspects, undecided = checked_labels(report), left["suspects"], left["undecided"]
    outside = min(report.get("outside_suspects") or 0, suspects)
    labels = f"in {report['ground_truth']!r}"
    if not suspects:
        checked = "" if judged is None else f" ({labels_text(judged)} {'was' if judged == 1 else 'were'} checked)"
        return f"Nothing looks wrong {labels}{checked}"
    of = labels_text(suspects) if judged is None else f"{suspects:,} of {labels_text(judged)}"
    todo = f"{undecided:,} {'is' if undecided == 1 else 'are'} not reviewed yet" if undecided else "all are reviewed"
    kind = f", {outside:,} of which {'is' if outside == 1 else 'are'} no class of the run" if outside else ""
    return f"{of} {labels} {'looks' if suspects == 1 else 'look'} wrong{kind}; {todo}"


def checked_labels(report: Mapping[str, Any]) -> int | None:
    """Returns how many labels a triage has checked, those outside the classes too; None if the report lacks it."""
    judged = report.get("judged")
    return None if judged is None else int(judged) + int(report.get("outside_suspects") or 0)


def _calibrated(found: Mapping[str, Any]) -> tuple[str, ...]:
    formats = {"temperature": ".3g", "error_before": ".1%", "error_after": ".1%"}
    return tuple("-" if found.get(name) is None else format(found[name], form) for name, form in formats.items())


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
