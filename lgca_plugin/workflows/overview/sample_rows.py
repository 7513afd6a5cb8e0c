"""The rows of a ranked list of samples: labels, numbers and a thumbnail."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...fiftyone_io.boxes.companion import around, around_columns
from ...fiftyone_io.fields import SUGGESTION, triage_field
from ...fiftyone_io.samples import read_projections
from ...fiftyone_io.thumbnails import thumbnail_uri
from ..decisions.decisions import Decision
from .table import DECISIONS, NONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...fiftyone_io.thumbnails import Box
    from .overview import Overview

SIDE = 96
"""Width and height of a thumbnail, in pixels."""
MAX_THUMBNAILS = 512
"""Maximum number of thumbnails in memory, of a few kilobytes each."""


@dataclass(frozen=True, kw_only=True)
class SampleRow:
    """A sample of a list.

    Attributes:
        around: the box that the sample is about; None for the whole picture
        answers: compared method, and a learned one, to predicted label
        confidence: confidence of the suggestion, in [0, 1]
        quality: quality of the given label, in [0, 1]; low is suspicious
        crops: size of the misleading-crop case
    """

    sample_id: str
    filepath: str
    around: Box | None
    answers: dict[str, str]
    given: str | None
    suggested: str | None
    confidence: float | None
    quality: float | None
    crops: int | None
    case: str | None
    decision: Decision | None

    @property
    def name(self) -> str:
        """Name of the file."""
        return Path(self.filepath).name

    @property
    def thumbnail(self) -> str | None:
        """The thumbnail as a data URI; None if the file can't be read."""
        try:
            modified = Path(self.filepath).stat().st_mtime_ns
        except OSError:
            return None
        return _thumbnail(self.filepath, modified, self.around)


def read_sample_rows(of: Overview, positions: Sequence[int]) -> list[SampleRow]:
    """Returns the rows of samples at a few positions, in their order; deleted samples are left out."""
    table = of.table
    ids = table.sample_ids(of.rows[np.asarray(positions, dtype=np.int64)])
    suggestion = triage_field(of.run.key, SUGGESTION)
    project = {"filepath": 1, "given": f"${suggestion}.given", "confidence": f"${suggestion}.confidence"}
    project |= around_columns(of.run.dataset)
    documents = read_projections(of.run.dataset, ids, project)
    shown = dict.fromkeys(name for name in (*of.compared, of.learned) if name is not None)
    rows = []
    for id_, position in zip(ids, positions, strict=True):
        if id_ not in documents:
            continue
        document, row = documents[id_], int(of.rows[position])
        answers = {name: _name(table.labels, table.answers[name][row]) for name in shown}
        decided = int(table.decided[row])
        rows.append(
            SampleRow(
                sample_id=id_,
                filepath=document["filepath"],
                around=around(of.run.dataset, document),
                answers={name: label for name, label in answers.items() if label is not None},
                given=document.get("given") or _name(table.labels, of.truth[position]),
                suggested=_name(table.labels, table.suggested[row]),
                confidence=document.get("confidence"),
                quality=_number(table.quality[row]),
                crops=None if np.isnan(table.misleading[row]) else int(table.misleading[row]),
                case=of.case_of(position),
                decision=None if decided == NONE else Decision(DECISIONS[decided]),
            )
        )
    return rows


def _name(labels: Sequence[str], index: Any) -> str | None:
    return None if index == NONE else labels[int(index)]


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


@lru_cache(maxsize=MAX_THUMBNAILS)
def _thumbnail(path: str, _modified: int, around: Box | None) -> str | None:
    return thumbnail_uri(path, side=SIDE, around=around)
