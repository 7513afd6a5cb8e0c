"""The demo's report: how often each method is right, and where the wrong labels are in the order of the review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..fiftyone_io.fields import LABEL_QUALITY, method_field, triage_field
from ..method.comparison.paired import wilson_interval
from ..method.core.methods import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..workflows.decisions.queue import Triage

GIVEN: Final = "ground_truth"
TRUTH: Final = "truth"
REVIEWED_PER_WRONG: Final = 2
"""The report says how many wrong labels stand among the first so many times their number."""

_REFERENCE: Final = "lgca"
_NOTE: Final = """\
ground_truth has the labels as given, {wrong} of {n} wrong on purpose. truth has what was drawn, and is known only
because the pictures are drawn. They and the model are made for trying things out, and say nothing about photographs."""


def report_text(triage: Triage) -> str:
    """Returns the table of a triage of the demo's dataset, and what was found, as text of several lines."""
    labels = _labels(triage)
    given, truth = labels.pop(GIVEN), labels.pop(TRUTH)
    n = len(truth)
    heads = ("method", f"right by {GIVEN}", f"right by {TRUTH}", "95% interval", "same as LGCA")
    rows = []
    for name, predicted in labels.items():
        low, high = wilson_interval(round(_share(predicted, truth) * n), n)
        rows.append(
            (
                f"{name} *" if name in CONTROLS else name,
                f"{_share(predicted, given):.1%}",
                f"{_share(predicted, truth):.1%}",
                f"{low:.1%} to {high:.1%}",
                f"{_share(predicted, labels[_REFERENCE]):.1%}",
            )
        )
    wrong = places_of_wrong_labels(triage)
    first = REVIEWED_PER_WRONG * len(wrong)
    found, suspects = sum(place <= first for place in wrong), triage.left()["suspects"]
    lines = [
        *_aligned([heads, *rows]),
        "* control: uses only what the other methods have encoded",
        "",
        *_NOTE.format(wrong=len(wrong), n=n).splitlines(),
        "",
        f"{suspects} of {n} labels look wrong. Of the {len(wrong)} wrong ones, {found} are in the worst {first}.",
    ]
    return "\n".join(lines)


def places_of_wrong_labels(triage: Triage) -> list[int]:
    """Returns where the wrong labels of the demo stand, from 1, if all labels are ordered by their quality."""
    quality = triage_field(triage.run.key, LABEL_QUALITY)
    flags = triage.run.dataset.exists(quality).sort_by(quality).values("label_is_wrong")
    return [place for place, is_wrong in enumerate(flags, 1) if is_wrong]


def _labels(triage: Triage) -> dict[str, list[str]]:
    """Returns the given, the true and each method's labels of all samples that have a prediction."""
    run = triage.run
    methods = [method.name for method in run.config.methods]
    paths = {GIVEN: GIVEN, TRUTH: TRUTH, **{name: method_field(run.key, name) for name in methods}}
    predicted = run.dataset.exists(f"{paths[_REFERENCE]}.label")
    columns = predicted.values([f"{path}.label" for path in paths.values()])
    return dict(zip(paths, columns, strict=True))


def _share(first: Sequence[str], second: Sequence[str]) -> float:
    return sum(a == b for a, b in zip(first, second, strict=True)) / len(first)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(size) for cell, size in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
