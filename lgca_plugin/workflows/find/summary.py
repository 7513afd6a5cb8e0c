"""What a search has found, in the few numbers and pictures that answer the user's question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...fiftyone_io.boxes.companion import around, around_columns
from ...fiftyone_io.fields import method_field
from ...fiftyone_io.samples import image_samples, read_projections
from ...method.core.methods import learned_method
from ..decisions.summary_text import checked_labels

if TYPE_CHECKING:
    from ...fiftyone_io.thumbnails import Box
    from ..decisions.queue import Triage


@dataclass(frozen=True, kw_only=True)
class FoundLabel:
    """A suspected label: the sample, its image's path, the given and the suggested label."""

    sample_id: str
    filepath: str
    around: Box | None
    given: str
    suggested: str


@dataclass(frozen=True, kw_only=True)
class FoundSummary:
    """The outcome of a search.

    Attributes:
        checked: number of labels that were checked
        suspects: number of those that look wrong
        outside: number of suspects whose label is no class of the run
        reviewed: number of suspects that have a decision, from an earlier review
        unread: number of images that could not be read
        agreement: share of the images on which all these methods give the same label; None without images, or where it
            is one method
        methods: names of the methods that have judged the labels, of a fused run those that are compared
        judge: the method that alone has judged the labels of a fused run; None where all methods did
        first: the labels without a decision that are most likely wrong, the likeliest first
    """

    checked: int
    suspects: int
    outside: int
    reviewed: int
    unread: int
    agreement: float | None
    methods: tuple[str, ...]
    judge: str | None
    first: tuple[FoundLabel, ...]


def found_summary(triage: Triage, *, count: int) -> FoundSummary:
    """Returns the outcome of a triage, with at most ``count`` suspected labels."""
    report = triage.report
    judging = tuple(report.get("judging") or ())
    learned = learned_method(triage.run.config.methods)
    judge = None if learned is None or judging != (learned.name,) else learned.name
    methods = (judging if judge is None else ()) or tuple(report.get("methods") or ())
    columns = image_samples(triage.run.dataset).values(
        [f"{method_field(triage.run.key, name)}.label" for name in methods]
    )
    rows = [row for row in zip(*columns, strict=True) if None not in row]
    left, suspects = triage.left(), triage.suspect_samples().limit(count)
    suggestion = triage.places.suggestion
    values = suspects.values(["id", f"{suggestion}.given", f"{suggestion}.label"])
    shown = read_projections(triage.run.dataset, values[0], {"filepath": 1, **around_columns(triage.run.dataset)})
    return FoundSummary(
        checked=checked_labels(report) or 0,
        suspects=int(report.get("suspects") or 0),
        outside=int(report.get("outside_suspects") or 0),
        reviewed=left["suspects"] - left["undecided"],
        unread=int((report.get("counts") or {}).get("failed") or 0),
        agreement=sum(len(set(row)) == 1 for row in rows) / len(rows) if rows and len(methods) > 1 else None,
        methods=methods,
        judge=judge,
        first=tuple(
            FoundLabel(
                sample_id=id_,
                filepath=shown[id_]["filepath"],
                around=around(triage.run.dataset, shown[id_]),
                given=given,
                suggested=suggested,
            )
            for id_, given, suggested in zip(*values, strict=True)
            if id_ in shown
        ),
    )
