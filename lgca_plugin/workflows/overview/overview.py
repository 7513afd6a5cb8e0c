"""The figures of a run on a view: agreement of its methods, their accuracies, and the samples to review.

They are computed from a :class:`~.table.Table`, without the database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...cache import ResultCache
from ...errors import ConfigError
from ...fiftyone_io.fields import eval_key, method_field
from ...method.comparison.agreement import PATTERNS, agreement, choose_points, class_flow, pair_agreements
from ...method.comparison.evaluation import Evaluation, evaluation_of
from ...method.core.methods import compared_methods, learned_method, method_title
from .columns import read_ids, read_values
from .table import NONE, Table
from .table_cache import current_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ...method.comparison.agreement import Flow
    from ...runs.record import RunRecord
    from .table import BoolArray, IntArray

MAX_VIEWS = 8
"""Maximum number of overviews in memory; each holds a few numbers for every sample of its view."""
MAX_CLASSES = 12
"""Maximum number of classes in a flow, before the others are added up."""
MAX_POINTS = 2000
"""Maximum number of points in a scatter plot."""


@dataclass(frozen=True)
class Overview:
    """A run on the samples of a view. Arrays ``[n]`` hold a value a sample, in the order of their ids.

    Attributes:
        table: all samples of the dataset
        rows: ``[n]`` rows of the view's samples in the table
        compared: the compared methods, three where the run has them: on the whole image, on crops, and on crops that
            grow
        triaged: whether the run has been triaged
        ground_truth: field of the given labels, None without
    """

    run: RunRecord
    table: Table
    rows: IntArray
    compared: tuple[str, ...]
    triaged: bool
    ground_truth: str | None

    @property
    def learned(self) -> str | None:
        """The method that is learned over several encoders; None where the run has none, or its field is gone."""
        method = learned_method(self.run.config.methods)
        return method.name if method is not None and method.name in self.table.answers else None

    @property
    def total(self) -> int:
        """Number of samples in the view."""
        return len(self.rows)

    @cached_property
    def predicted(self) -> BoolArray:
        """``[n]`` whether a sample has a prediction of every method of the run."""
        return self.table.predicted[self.rows]

    @cached_property
    def failed(self) -> BoolArray:
        """``[n]`` whether a sample lacks a prediction because of an error that the run has recorded."""
        return self.table.failed[self.rows] & ~self.predicted

    @cached_property
    def without(self) -> BoolArray:
        """``[n]`` whether a sample lacks a prediction without an error, because the run has not processed it."""
        return ~self.predicted & ~self.failed

    def answers(self, method: str) -> IntArray:
        """``[n]`` a method's labels, as indices into the table's labels."""
        return self.table.answers[method][self.rows]

    @cached_property
    def pattern(self) -> IntArray:
        """``[n]`` pattern of agreement, an index into ``PATTERNS[len(compared)]``; -1 without all predictions."""
        found = np.full(self.total, NONE)
        if self.compared:
            found[self.predicted] = agreement([self.answers(name)[self.predicted] for name in self.compared])
        return found

    @cached_property
    def pattern_counts(self) -> tuple[int, ...]:
        """Number of samples of each pattern in ``PATTERNS[len(compared)]``."""
        size = len(PATTERNS[len(self.compared)]) if self.compared else 0
        return tuple(np.bincount(self.pattern[self.pattern != NONE], minlength=size).tolist()) if size else ()

    @property
    def pairs_agree(self) -> dict[tuple[str, str], int]:
        """Number of samples on which each two of the compared methods agree."""
        found = pair_agreements(self.pattern_counts, len(self.compared)) if self.compared else {}
        return {(self.compared[i], self.compared[j]): count for (i, j), count in found.items()}

    def flow(self, a: str, b: str, *, most: int = MAX_CLASSES) -> Flow:
        """Returns the counts of one method's labels by another's; classes are indices into the table's labels."""
        return class_flow(self.answers(a)[self.predicted], self.answers(b)[self.predicted], most=most)

    def points(self, a: str, b: str, *, most: int = MAX_POINTS) -> IntArray:
        """Returns positions of samples for a scatter plot of two methods' margins, disagreements first."""
        there = np.flatnonzero(self.predicted)
        differs = (self.answers(a) != self.answers(b))[there]
        return there[choose_points(_scrambled(self.table.ids[self.rows[there]]), differs, most)]

    def margins(self, positions: IntArray, methods: Sequence[str]) -> list[NDArray[np.float64]]:
        """Returns the margins of some samples, an array a method; nan where there is none."""
        ids = self.table.sample_ids(self.rows[positions])
        found = read_values(self.run, ids, [f"{method_field(self.run.key, name)}.margin" for name in methods])
        rows = [found.get(id_) or [None] * len(methods) for id_ in ids]
        return [np.array([row[at] for row in rows], dtype=np.float64) for at in range(len(methods))]

    @cached_property
    def truth(self) -> IntArray:
        """``[n]`` the given labels as indices into the table's labels, -1 without one."""
        if self.ground_truth is None:
            return np.full(self.total, NONE)
        return self.table.given[self.ground_truth][self.rows]

    @cached_property
    def judged(self) -> BoolArray:
        """``[n]`` whether a sample counts in the accuracies: its label and predictions are classes of the run."""
        known: BoolArray = self.predicted & (self.truth != NONE) & (self.truth < self.table.classes)
        return known & ~self._edited

    @cached_property
    def _edited(self) -> BoolArray:
        """``[n]`` whether a prediction is no class of the run; where predictions were there already, that is wrong."""
        edited = np.zeros(self.total, dtype=bool)
        if self.run.config.voters is None:
            for name in self.table.answers:
                edited |= self.answers(name) >= self.table.classes
        return edited & self.predicted

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """Accuracies of all methods on the view, and their differences; None where no label can be used."""
        if self.ground_truth is None or not self.judged.any():
            return None
        truth, titles = self.truth[self.judged], {name: method_title(name) for name in self.table.answers}
        return evaluation_of(
            truth,
            {title: self.answers(name)[self.judged] == truth for name, title in titles.items()},
            {title: eval_key(self.run.key, name) for name, title in titles.items()},
            run_key=self.run.key,
            ground_truth=self.ground_truth,
            excluded=self._excluded(),
        )

    def _excluded(self) -> dict[str, int]:
        """Returns the number of samples that are not counted, by the first reason that holds, as in an evaluation."""
        classes = self.table.classes
        edited = self._edited
        valid = self.predicted & ~edited
        reasons = {
            "that failed in the run": self.failed,
            "that have no result": self.without,
            "with a prediction, edited since, that is no class of the run": edited,
            "without a label": valid & (self.truth == NONE),
            "with a label that is no class of the run": valid & (self.truth >= classes),
        }
        return {why: int(which.sum()) for why, which in reasons.items() if which.any()}

    @cached_property
    def misleading(self) -> IntArray:
        """Positions of the misleading-crop cases: fewest crops first, then largest margin of LGCA."""
        sizes = self.table.misleading[self.rows]
        positions = np.flatnonzero(~np.isnan(sizes)) if self.triaged else np.zeros(0, dtype=np.int64)
        margins = self.table.margins[self.compared[-1]][self.rows[positions]] if self.compared else sizes[positions]
        return positions[np.lexsort((-margins, sizes[positions]))]

    @cached_property
    def suspects(self) -> IntArray:
        """Positions of the suspected label errors, the lowest label quality first."""
        positions = np.flatnonzero(self.table.suggested[self.rows] != NONE)
        return positions[np.argsort(self.table.quality[self.rows[positions]], kind="stable")]

    @cached_property
    def decided(self) -> IntArray:
        """``[n]`` index into ``DECISIONS`` of the current decision, -1 without one."""
        return self.table.decided[self.rows]

    def case_of(self, position: int) -> str | None:
        """Returns a sample's triage case."""
        case = int(self.table.case[self.rows[position]])
        return None if case == NONE else self.table.cases[case]


OVERVIEWS: ResultCache[Overview] = ResultCache(MAX_VIEWS)


def overview(
    run: RunRecord,
    view: Any = None,
    *,
    view_key: str | None = None,
    ground_truth: str | None = None,
    changed: Sequence[str] = (),
    again: bool = False,
) -> Overview:
    """Returns the overview of a run on the samples of a view as they are now.

    Args:
        run: the run
        view: a view of whole images, or a function that makes it, called only if it is not cached; None: the dataset
        view_key: identifies the view, so that its samples are read once; without, they are read each time
        ground_truth: a label field to compare with
        changed: ids of samples that are known to have changed
        again: read all samples again

    Raises:
        ConfigError: if ``ground_truth`` is no field of the dataset
    """
    if ground_truth is not None and not run.dataset.has_field(ground_truth):
        raise ConfigError(f"field {ground_truth!r} is no longer on dataset {run.dataset.name!r}")
    table = current_table(run, ground_truth, changed=changed, again=again)
    compared, triaged = _compared(run, table)
    key = (table.version, view_key, ground_truth, compared, triaged)

    def make() -> Overview:
        rows = np.arange(len(table.ids)) if view is None else _rows(table, view)
        return Overview(run, table, rows, compared, triaged, ground_truth)

    return make() if view_key is None else OVERVIEWS.get(key, make)


def stages_key(*parts: Any) -> str:
    """Returns a key that identifies a view by its stages and filters."""
    return json.dumps(parts, sort_keys=True, default=str)


def _rows(table: Table, view: Any | Callable[[], Any]) -> IntArray:
    import fiftyone as fo

    samples = view if isinstance(view, (fo.Dataset, fo.DatasetView)) else view()
    return np.sort(table.rows(read_ids(samples)))


def _compared(run: RunRecord, table: Table) -> tuple[tuple[str, ...], bool]:
    """Returns the methods to compare (the triage's, else its defaults, else the first three), and if there is one."""
    report = run.results.get("triage") or {}
    names = tuple(report.get("methods") or ())
    if (len(names) == 3 or run.config.voters is not None) and names and set(names) <= set(table.answers):
        return names, True
    try:
        names = tuple(method.name for method in compared_methods(run.config.methods, run_key=run.key))
    except ConfigError:
        names = ()
    if len(names) != 3 or not set(names) <= set(table.answers):
        names = tuple(table.answers)[:3]
    return names, bool(report)


def _scrambled(ids: Any) -> IntArray:
    """Hashes sample ids, so that consecutive samples get unrelated numbers."""
    parts = np.frombuffer(ids.tobytes(), dtype=">u4").reshape(-1, 3).astype(np.uint64)
    mixed = (parts[:, 0] << np.uint64(32) | parts[:, 1]) ^ (parts[:, 2] * np.uint64(0x9E3779B97F4A7C15))
    mixed ^= mixed >> np.uint64(29)
    hashed: IntArray = mixed * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(11)
    return hashed
