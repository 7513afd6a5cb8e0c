"""Selections of an overview's samples that a click shows, each with its description and its view stages."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ...fiftyone_io import fields as f
from ...fiftyone_io.label_fields import label_path
from ...method.comparison.agreement import PATTERNS
from ...method.core.methods import method_title
from ...method.number_text import samples_text
from .overview import MAX_CLASSES
from .table import NONE, id_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .overview import Overview
    from .table import IntArray

    Query = dict[str, Any]


@dataclass(frozen=True)
class Selection:
    """Some samples of an overview.

    Attributes:
        description: what they have in common, continuing "samples"
        positions: ``[m]`` their positions in the overview
        stages: FiftyOne's view stages that select them from the overview's view
    """

    description: str
    positions: IntArray
    stages: list[Any]

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.positions)

    @property
    def sentence(self) -> str:
        """The sentence that describes the selection to the user."""
        return f"Showing {samples_text(self.count)} {self.description}"


def failures(of: Overview) -> Selection:
    """Selects the samples that failed in the run."""
    query = {f.error_field(of.run.key): {"$ne": None}, "$or": _unanswered(of)}
    return _selection("that failed in the run", np.flatnonzero(of.failed), query)


def without_result(of: Overview) -> Selection:
    """Selects the samples that the run has not processed, such as those added since."""
    query = {f.error_field(of.run.key): None, "$or": _unanswered(of)}
    return _selection("without a result of the run", np.flatnonzero(of.without), query)


def disagreements(of: Overview) -> Selection:
    """Selects the samples for which not all compared methods predict the same label."""
    _check_compared(of)
    names = " and ".join([", ".join(map(method_title, of.compared[:-1])), method_title(of.compared[-1])])
    alike = _alike(of, PATTERNS[len(of.compared)][0])
    query = {**_answered(of), "$expr": {"$not": [alike]}}
    return _selection(f"where {names} do not agree", np.flatnonzero(of.pattern > 0), query)


def pattern(of: Overview, index: int) -> Selection:
    """Selects the samples with one pattern of agreement, an index into ``PATTERNS[len(compared)]``."""
    _check_compared(of)
    known = PATTERNS[len(of.compared)]
    if not isinstance(index, int) or not 0 <= index < len(known):
        raise ConfigError(f"pattern must be a number from 0 to {len(known) - 1}, got {index!r}")
    text = pattern_words(of.compared, index)
    if text.startswith(("All", "Only")):
        text = text[:1].lower() + text[1:]
    query = {**_answered(of), "$expr": _alike(of, known[index])}
    return _selection(f"where {text}", np.flatnonzero(of.pattern == index), query)


def pattern_words(compared: Sequence[str], index: int) -> str:
    """Returns which methods agree, as a sentence."""
    names = [method_title(name) for name in compared]
    if len(names) == 2:
        return (f"{names[0]} and {names[1]} agree", f"{names[0]} and {names[1]} differ")[index]
    return (
        "All agree",
        f"Only {names[0]} differs",
        f"Only {names[1]} differs",
        f"Only {names[2]} differs",
        "All differ",
    )[index]


def flow_cell(of: Overview, a: str, b: str, row: int, column: int, *, most: int = MAX_CLASSES) -> Selection:
    """Selects the samples of a cell of :meth:`~.overview.Overview.flow`."""
    flow = of.flow(a, b, most=most)
    size = len(flow.counts)
    for name, value in (("row", row), ("column", column)):
        if not isinstance(value, int) or not 0 <= value < size:
            raise ConfigError(f"{name} must be a number from 0 to {size - 1}, got {value!r}")
    shown = [of.table.labels[label] for label in flow.classes]
    found = of.predicted.copy()
    query = _answered(of)
    conditions = []
    for method, position in ((a, row), (b, column)):
        path, answers = _label(of, method), of.answers(method)
        if position < len(shown):
            query[path] = shown[position]
            found &= answers == flow.classes[position]
            conditions.append(f"{method_title(method)} predicts {shown[position]}")
        else:
            query[path] = {"$nin": [None, "", *shown]}
            found &= ~np.isin(answers, flow.classes)
            conditions.append(f"{method_title(method)} predicts another class")
    if row == column == len(shown):
        query["$expr"] = {"$ne": [f"${_label(of, a)}", f"${_label(of, b)}"]}
        found &= of.answers(a) != of.answers(b)
        conditions = [f"{method_title(a)} and {method_title(b)} predict other classes, and not the same one"]
    return _selection(f"where {' and '.join(conditions)}", np.flatnonzero(found), query)


def wrong(of: Overview, method: str) -> Selection:
    """Selects the samples counted in the accuracy whose given label a method does not predict."""
    if method not in of.table.answers or of.ground_truth is None:
        raise ConfigError(
            f"method must be one of {', '.join(of.table.answers)}, with labels to compare; got {method!r}"
        )
    edited = list(of.table.labels[of.table.classes :])
    truth = label_path(of.run.dataset, of.ground_truth)
    query: Query = {_label(of, name): {"$nin": [None, "", *edited]} for name in of.table.answers}
    query[truth] = {"$nin": [None, "", *edited]}
    query["$expr"] = {"$ne": [f"${_label(of, method)}", f"${truth}"]}
    found = np.flatnonzero(of.judged & (of.answers(method) != of.truth))
    return _selection(f"where {method_title(method)} differs from {of.ground_truth}", found, query)


def misleading_cases(of: Overview) -> Selection:
    """Selects all misleading-crop cases, those with the fewest crops first."""
    field = f.triage_field(of.run.key, f.MISLEADING)
    text = "with a misleading-crop case, the fewest crops first"
    return _selection(text, of.misleading, {field: {"$ne": None}}, sort_by=field)


def open_suspects(of: Overview) -> Selection:
    """Selects the suspected label errors without a decision, the lowest label quality first."""
    key = of.run.key
    query = {
        f"{f.triage_field(key, f.SUGGESTION)}.label": {"$gt": ""},
        f"{f.triage_field(key, f.DECISION)}.action": {"$not": {"$gt": ""}},
    }
    positions = of.suspects[of.decided[of.suspects] == NONE]
    text = "whose label looks wrong, the least likely label first"
    return _selection(text, positions, query, sort_by=f.triage_field(key, f.LABEL_QUALITY))


def decided(of: Overview) -> Selection:
    """Selects the samples about whose label somebody has decided."""
    query = {f"{f.triage_field(of.run.key, f.DECISION)}.action": {"$gt": ""}}
    return _selection("about whose label somebody has decided", np.flatnonzero(of.decided != NONE), query)


NAMED = {
    "failures": failures,
    "without_result": without_result,
    "disagreements": disagreements,
    "misleading_cases": misleading_cases,
    "open_suspects": open_suspects,
    "decided": decided,
}
"""The selections without arguments, by name."""


def chosen(of: Overview, ids: Sequence[str], description: str) -> Selection:
    """Selects samples by their ids; those that the overview does not contain are left out."""
    from bson import ObjectId
    from fiftyone import Select

    if not all(isinstance(id_, str) and ObjectId.is_valid(id_) for id_ in ids):
        raise ConfigError("ids must be ids of samples")
    rows = of.table.rows(id_bytes(ObjectId(id_) for id_ in ids))
    positions = np.flatnonzero(np.isin(of.rows, rows))
    return Selection(description, positions, [Select(of.table.sample_ids(of.rows[positions]))])


def _selection(description: str, positions: IntArray, query: Query, *, sort_by: str | None = None) -> Selection:
    from fiftyone import Match, SortBy

    return Selection(description, positions, [Match(query), *([SortBy(sort_by)] if sort_by else [])])


def _label(of: Overview, method: str) -> str:
    return f"{f.method_field(of.run.key, method)}.label"


def _answered(of: Overview) -> Query:
    return {_label(of, name): {"$nin": [None, ""]} for name in of.table.answers}


def _unanswered(of: Overview) -> list[Query]:
    return [{_label(of, name): {"$in": [None, ""]}} for name in of.table.answers] or [{}]


def _alike(of: Overview, numbers: Sequence[int]) -> Query:
    """Returns the condition that the methods with equal numbers, and only those, predict the same label."""
    labels = [f"${_label(of, name)}" for name in of.compared]
    return {
        "$and": [
            {"$eq" if numbers[i] == numbers[j] else "$ne": [labels[i], labels[j]]}
            for i, j in combinations(range(len(labels)), 2)
        ]
    }


def _check_compared(of: Overview) -> None:
    if len(of.compared) < 2:
        raise ConfigError(f"run {of.run.key!r} has too few methods to compare: {', '.join(of.compared) or 'none'}")
