"""The figures of a run on a view: how its methods agree, how often they are right, and what needs a look.

Computed from a :class:`~.overview_table.Table`, so that no figure asks the database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...cache import ResultCache
from ...errors import ConfigError
from ...fiftyone_io.fields import method_field
from ...method.comparison.agreement import PATTERNS, agreement, choose_points, class_flow, pair_agreements
from ...method.comparison.evaluation import Evaluation, MethodScore
from ...method.comparison.paired import compare, macro_recall, wilson_interval
from ...method.core.compared_methods import compared_methods
from ...method.core.methods import method_title
from ...runs.evaluations import eval_key
from .memory import table_of
from .read import read_ids, read_values
from .table import NONE, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ...method.comparison.agreement import Flow
    from ...runs.record import RunRecord
    from .table import BoolArray, IntArray

MOST_VIEWS = 8
"""How many overviews stay in memory, those asked for last; each is a few numbers for every sample of its view."""
MOST_CLASSES = 12
MOST_POINTS = 2000


@dataclass(frozen=True)
class Overview:
    """A run on the samples of a view. Arrays ``[n]`` are about these samples, in the order of their ids.

    Attributes:
        run: the run
        table: all samples of the dataset
        rows: ``[n]`` the view's samples, as rows of the table
        compared: the methods that are compared, three where the run has them: on the whole image, on crops, and on
            crops that grow
        triaged: whether the run's triage has been made, so that there are cases
        ground_truth: field of the labels that answers are compared with, None without
    """

    run: RunRecord
    table: Table
    rows: IntArray
    compared: tuple[str, ...]
    triaged: bool
    ground_truth: str | None

    @property
    def total(self) -> int:
        """How many samples the view has."""
        return len(self.rows)

    @cached_property
    def predicted(self) -> BoolArray:
        """``[n]`` which samples have a prediction of every method of the run."""
        return self.table.predicted[self.rows]

    @cached_property
    def failed(self) -> BoolArray:
        """``[n]`` which have none, for a reason that the run has recorded."""
        return self.table.failed[self.rows] & ~self.predicted

    @cached_property
    def without(self) -> BoolArray:
        """``[n]`` which have none without a reason: the run has not come to them, or they are newer."""
        return ~self.predicted & ~self.failed

    def answers(self, method: str) -> IntArray:
        """``[n]`` a method's answers, as indices into the table's labels."""
        return self.table.answers[method][self.rows]

    @cached_property
    def pattern(self) -> IntArray:
        """``[n]`` who agrees with whom, an index into ``PATTERNS[len(compared)]``; -1 where not all have answered."""
        found = np.full(self.total, NONE)
        if self.compared:
            found[self.predicted] = agreement([self.answers(name)[self.predicted] for name in self.compared])
        return found

    @cached_property
    def pattern_counts(self) -> tuple[int, ...]:
        """How many samples each of ``PATTERNS[len(compared)]`` has."""
        size = len(PATTERNS[len(self.compared)]) if self.compared else 0
        return tuple(np.bincount(self.pattern[self.pattern != NONE], minlength=size).tolist()) if size else ()

    @property
    def pairs_agree(self) -> dict[tuple[str, str], int]:
        """On how many samples each two of the compared methods agree."""
        found = pair_agreements(self.pattern_counts, len(self.compared)) if self.compared else {}
        return {(self.compared[i], self.compared[j]): count for (i, j), count in found.items()}

    def flow(self, a: str, b: str, *, most: int = MOST_CLASSES) -> Flow:
        """Counts what the answers of one method become under another; classes are indices into the table's labels."""
        return class_flow(self.answers(a)[self.predicted], self.answers(b)[self.predicted], most=most)

    def points(self, a: str, b: str, *, most: int = MOST_POINTS) -> IntArray:
        """Chooses samples for a scatter plot of two methods' margins, disagreements first, as places in the view."""
        there = np.flatnonzero(self.predicted)
        differs = (self.answers(a) != self.answers(b))[there]
        return there[choose_points(_scrambled(self.table.ids[self.rows[there]]), differs, most)]

    def margins(self, places: IntArray, methods: Sequence[str]) -> list[NDArray[np.float64]]:
        """Reads the margins of some samples, a column a method; nan where there is none."""
        ids = self.table.sample_ids(self.rows[places])
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
        """``[n]`` which samples accuracies rest on: those with a label and predictions that are classes of the run."""
        known: BoolArray = self.predicted & (self.truth != NONE) & (self.truth < self.table.classes)
        for name in self.table.answers:
            known &= self.answers(name) < self.table.classes
        return known

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """Accuracies of all methods of the run on the view, and their differences; None where no label can be used."""
        if self.ground_truth is None or not self.judged.any():
            return None
        truth, n = self.truth[self.judged], int(self.judged.sum())
        correct = {name: self.answers(name)[self.judged] == truth for name in self.table.answers}
        scores = {}
        for name, right in correct.items():
            count = int(right.sum())
            scores[method_title(name)] = MethodScore(
                eval_key=eval_key(self.run.key, name),
                correct=count,
                accuracy=count / n,
                interval=wilson_interval(count, n),
                macro_recall=macro_recall(truth, right),
            )
        return Evaluation(
            run_key=self.run.key,
            ground_truth=self.ground_truth,
            samples=n,
            excluded=self._excluded(),
            confidence=0.95,
            methods=scores,
            pairs=compare({method_title(name): right for name, right in correct.items()}),
        )

    def _excluded(self) -> dict[str, int]:
        """Says why samples are not judged: the first reason that holds, as in an evaluation."""
        classes = self.table.classes
        edited = np.zeros(self.total, dtype=bool)
        for name in self.table.answers:
            edited |= self.answers(name) >= classes
        edited &= self.predicted
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
        """Places of the misleading-crop cases: those that take the fewest crops first, then LGCA's surest answers."""
        sizes = self.table.misleading[self.rows]
        places = np.flatnonzero(~np.isnan(sizes)) if self.triaged else np.zeros(0, dtype=np.int64)
        margins = self.table.margins[self.compared[-1]][self.rows[places]] if self.compared else sizes[places]
        return places[np.lexsort((-margins, sizes[places]))]

    @cached_property
    def suspects(self) -> IntArray:
        """Places of the suspected label errors, the lowest label quality first."""
        places = np.flatnonzero(self.table.suggested[self.rows] != NONE)
        return places[np.argsort(self.table.quality[self.rows[places]], kind="stable")]

    @cached_property
    def decided(self) -> IntArray:
        """``[n]`` index into ``DECISIONS`` of the decision that stands, -1 without one."""
        return self.table.decided[self.rows]

    def case_of(self, place: int) -> str | None:
        """Gives a sample's triage case."""
        case = int(self.table.case[self.rows[place]])
        return None if case == NONE else self.table.cases[case]


_OVERVIEWS: ResultCache[Overview] = ResultCache(MOST_VIEWS)


def overview(
    run: RunRecord,
    view: Any = None,
    *,
    view_key: str | None = None,
    ground_truth: str | None = None,
    changed: Sequence[str] = (),
    again: bool = False,
) -> Overview:
    """Looks at a run's samples in a view.

    Args:
        run: the run
        view: a view of whole images of its dataset; None takes the dataset; or a function that makes the view, which
            is called only where this view is not in memory
        view_key: identifies the view, so that it is asked for its samples once; without, it is asked each time
        ground_truth: a label field to compare with
        changed: ids of samples that are known to have changed
        again: read all samples again

    Returns:
        the overview of the samples as they are now

    Raises:
        ConfigError: if ``ground_truth`` is no field of the dataset
    """
    if ground_truth is not None and not run.dataset.has_field(ground_truth):
        raise ConfigError(f"field {ground_truth!r} is no longer on dataset {run.dataset.name!r}")
    table = table_of(run, ground_truth, changed=changed, again=again)
    compared, triaged = _roles(run, table)
    key = (table.version, view_key, ground_truth, compared, triaged)

    def look() -> Overview:
        rows = np.arange(len(table.ids)) if view is None else _rows(table, view)
        return Overview(run, table, rows, compared, triaged, ground_truth)

    return look() if view_key is None else _OVERVIEWS.get(key, look)


def forget_overviews() -> None:
    """Lets go of all overviews."""
    _OVERVIEWS.clear()


def stages_key(*parts: Any) -> str:
    """Identifies a view by what it is made of: stages as JSON, without the ids that the App gives them."""
    return json.dumps(parts, sort_keys=True, default=str)


def _rows(table: Table, view: Any | Callable[[], Any]) -> IntArray:
    import fiftyone as fo

    samples = view if isinstance(view, (fo.Dataset, fo.DatasetView)) else view()
    return np.sort(table.rows(read_ids(samples)))


def _roles(run: RunRecord, table: Table) -> tuple[tuple[str, ...], bool]:
    """Finds the methods to compare: those of the triage, else those that it would take, else the first three."""
    report = run.results.get("triage") or {}
    names = tuple(report.get("methods") or ())
    if len(names) == 3 and set(names) <= set(table.answers):
        return names, True
    try:
        names = tuple(method.name for method in compared_methods(run.config.methods, run_key=run.key))
    except ConfigError:
        names = ()
    if len(names) != 3 or not set(names) <= set(table.answers):
        names = tuple(table.answers)[:3]
    return names, bool(report)


def _scrambled(ids: Any) -> IntArray:
    """Hashes sample ids, so that those that follow each other in time are spread."""
    parts = np.frombuffer(ids.tobytes(), dtype=">u4").reshape(-1, 3).astype(np.uint64)
    mixed = (parts[:, 0] << np.uint64(32) | parts[:, 1]) ^ (parts[:, 2] * np.uint64(0x9E3779B97F4A7C15))
    mixed ^= mixed >> np.uint64(29)
    hashed: IntArray = mixed * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(11)
    return hashed
