"""The table that ``print(triage)`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def triage_text(run_key: str, report: Mapping[str, Any], left: Mapping[str, int]) -> str:
    """Returns a triage as tables in plain text: its stored report, and the counts of ``Triage.left``."""
    given = report.get("ground_truth")
    lines = [f"Triage of run {run_key!r}; {'labels in ' + repr(given) if given else 'no given labels'}"]
    cases = {name: count for name, count in (report.get("cases") or {}).items() if count}
    if cases:
        lines += ["", *_aligned([("case", "samples"), *((name, f"{count:,}") for name, count in cases.items())])]
    calibration = report.get("calibration") or {}
    if calibration:
        header = ("method", "temperature", "calibration error", "after")
        rows = [(name, *_calibrated(found)) for name, found in calibration.items()]
        lines += ["", *_aligned([header, *rows])]
    if given:
        decided = [("suspected label errors", f"{left['suspects']:,}")]
        decided += [(f"  {name}", f"{count:,}") for name, count in left.items() if name != "suspects" and count]
        lines += ["", *_aligned(decided)]
    elif left["other samples decided"]:
        lines += ["", f"samples decided: {left['other samples decided']:,}"]
    return "\n".join(lines)


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
