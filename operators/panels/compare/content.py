"""What the compare panel shows: the run's figures on the user's view, read once an event, or why there are none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....lgca_plugin.cache import ResultCache
from ....lgca_plugin.figures.compare import agreement_picture, flow_picture, margin_picture
from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.method.labels.triage_cases import Case
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.overview.overview import Overview, overview
from ....lgca_plugin.workflows.overview.sample_rows import SampleRow, read_sample_rows
from ....lgca_plugin.workflows.overview.selections import pattern_words
from ....lgca_plugin.workflows.overview.table import NONE
from ...shared.classes import label_fields
from ...shared.grid.user_view import GridFilter, UserView, user_view
from ...shared.run_choice import run_keys
from ..widgets import EmptyState
from .fusion import FusionOffer, fusion_offer
from .state import Choices, CompareState
from .view import run_or_problem, view_problem

NO_LABELS = "-"
"""The entry for no labels in the list of label fields; no field can have this name."""

ROWS_PER_PAGE = 5
"""Rows shown of a ranked list."""

AGREE = (Case.ALL_AGREE.value, Case.ALL_RIGHT.value)

Figures = tuple[dict[str, dict[str, Any]], int]

_FIGURES: ResultCache[Figures] = ResultCache(8)  # a few hundred kilobytes each


@dataclass(frozen=True)
class ListPage:
    """A page of a ranked list: the index of its first row, its samples, and the length of the list."""

    first: int
    rows: list[SampleRow]
    total: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A run's methods, compared on the user's view.

    Attributes:
        labels: the chosen one of the label fields, or :data:`NO_LABELS`
        a, b: the two methods of the pair; both are empty where the run has fewer than two
        figures: name to ``data`` and ``layout`` of a Plotly figure
        points: number of samples in the scatter plot
        misleading: misleading-crop cases, the fewest crops first
        suspects: suspected label errors, the lowest label quality first
        fusion: what the run can be fused with
        key: identifies the contents of figures and lists
    """

    run: Run
    overview: Overview
    label_fields: list[str]
    labels: str
    a: str
    b: str
    figures: dict[str, dict[str, Any]]
    points: int
    misleading: ListPage
    suspects: ListPage
    fusion: FusionOffer
    key: str


@dataclass(frozen=True, kw_only=True)
class CompareContent:
    """What the panel shows: a comparison, or why there is none.

    Attributes:
        state: the panel's state, with every choice replaced by what is shown
        keys: keys of the dataset's runs, the latest first
        run: the chosen run, if it can be read
    """

    state: CompareState
    view: UserView
    keys: list[str]
    run: Run | None
    shown: Comparison | EmptyState

    @property
    def comparison(self) -> Comparison | None:
        """The comparison, if there is one."""
        return self.shown if isinstance(self.shown, Comparison) else None

    def with_filter(self, grid_filter: GridFilter | None) -> CompareContent:
        """Returns the content as it will be once the App has changed its view, so that the panel need not wait."""
        return replace(self, view=replace(self.view, grid_filter=grid_filter))


def read_content(
    ctx: Any, state: CompareState, *, changed: tuple[str, ...] = (), again: bool = False
) -> CompareContent:
    """Reads what the panel shows; choices of the state that no longer exist are replaced.

    ``changed`` are the ids of samples that are known to have changed; ``again`` reads all, even if they are cached.
    """
    dataset, choices, view = ctx.dataset, state.choices, user_view(ctx)
    keys = run_keys(dataset)
    run = run_or_problem(dataset, keys, choices.run)
    if isinstance(run, EmptyState):
        return CompareContent(state=state, view=view, keys=keys, run=None, shown=run)
    problem = view_problem(dataset, view)
    if problem is not None:
        return CompareContent(state=state, view=view, keys=keys, run=run, shown=problem)
    fields = [name for name in label_fields(dataset, include=run.config.ground_truth) if dataset.has_field(name)]
    labels = _labels(run, fields, choices.labels if choices.run in (None, run.key) else None)
    of = overview(
        run,
        None if view.is_whole else lambda: view.view(dataset),
        view_key=view.key,
        ground_truth=None if labels == NO_LABELS else labels,
        changed=changed,
        again=again,
    )
    a, b = _pair(of, choices)
    misleading = _page(of, of.misleading.tolist(), choices.misleading)
    suspects = _page(of, of.suspects.tolist(), choices.suspects)
    listed = [row.sample_id for page in (misleading, suspects) for row in page.rows]
    key = repr((of.table.version, view.key, labels, a, b, misleading.first, suspects.first, listed, run.key))
    figures, points = _figures(of, view.key, a, b)
    comparison = Comparison(
        run=run,
        overview=of,
        label_fields=fields,
        labels=labels,
        a=a,
        b=b,
        figures=figures,
        points=points,
        misleading=misleading,
        suspects=suspects,
        fusion=fusion_offer(run, keys, of.table.version),
        key=hashlib.sha256(key.encode()).hexdigest()[:16],
    )
    if run.key != choices.run:
        state = replace(state, action=None, undo=None)  # the decision was about another run
    choices = Choices(
        run=run.key, labels=labels, a=a or None, b=b or None, misleading=misleading.first, suspects=suspects.first
    )
    return CompareContent(state=replace(state, choices=choices), view=view, keys=keys, run=run, shown=comparison)


def _page(of: Overview, places: list[int], first: int) -> ListPage:
    """Returns the page from a row on; the last page where the list has become shorter."""
    first = max(0, min(first, (len(places) - 1) // ROWS_PER_PAGE * ROWS_PER_PAGE))
    return ListPage(first, read_sample_rows(of, places[first : first + ROWS_PER_PAGE]), len(places))


def _labels(run: Run, fields: list[str], chosen: str | None) -> str:
    """Returns the label field to compare with: the chosen one, else the triage's, else the run's."""
    report = run.results.get("triage") or {}
    for name in (chosen, report.get("ground_truth"), run.config.ground_truth):
        if name == NO_LABELS or name in fields:
            return str(name)
    return NO_LABELS


def _pair(of: Overview, choices: Choices) -> tuple[str, str]:
    """Returns two different methods: the chosen ones, else the first and the last of the compared ones.

    Of a fused run the last of the compared ones and the learned one, for what the fusion has changed.
    """
    methods = list(of.table.answers)
    if len(methods) < 2:
        return "", ""
    single = [name for name in of.compared or methods if name != of.learned]
    first, last = (single[0], single[-1]) if of.learned is None else (single[-1], of.learned)
    a = choices.a if choices.a in methods else first
    others = [name for name in (choices.b, last, *reversed(of.compared), *methods) if name in methods and name != a]
    return str(a), str(others[0])


def _figures(of: Overview, view_key: str, a: str, b: str) -> Figures:
    """Returns the figures that there is data for, and the number of points in the scatter plot."""
    if not a or not of.predicted.any():
        return {}, 0
    key = (of.table.version, view_key, of.compared, of.triaged, a, b)
    return _FIGURES.get(key, lambda: _make_figures(of, a, b))


def _make_figures(of: Overview, a: str, b: str) -> Figures:
    methods = (method_title(a), method_title(b))
    figures = {}
    if len(of.compared) > 1:
        rows = [(pattern_words(of.compared, at), count) for at, count in enumerate(of.pattern_counts)]
        figures["agreement"] = agreement_picture(rows)
    flow = of.flow(a, b)
    names = [of.table.labels[label] for label in flow.classes]
    if flow.folded:
        names.append(f"{flow.folded:,} other classes")
    figures["flow"] = flow_picture(names, flow.counts, methods=methods, folded=flow.folded > 0)
    places = of.points(a, b)
    ids = of.table.sample_ids(of.rows[places])
    x, y = of.margins(places, (a, b))
    if np.isnan(x).all() or np.isnan(y).all():  # predictions of another origin may be labels alone
        return figures, 0
    hover = [
        f"{line_a}\n{line_b}" for line_a, line_b in zip(_hover(of, places, a, x), _hover(of, places, b, y), strict=True)
    ]
    groups = _groups(of, places, a, b)
    figures["margins"] = margin_picture(x, y, groups, ids=ids, hover=hover, methods=methods)
    return figures, len(places)


def _hover(of: Overview, places: NDArray[np.integer], method: str, margins: NDArray[np.float64]) -> list[str]:
    """Returns a method's label and margin for each point."""
    labels = [of.table.labels[label] for label in of.answers(method)[places].tolist()]
    return [
        f"{method_title(method)}: {label}, ahead by {margin:.4f}" for label, margin in zip(labels, margins, strict=True)
    ]


def _groups(of: Overview, places: NDArray[np.integer], a: str, b: str) -> list[tuple[str, NDArray[np.intp]]]:
    """Groups the points by triage case, agreements first; without a triage, by whether the two methods agree."""
    cases = of.table.case[of.rows[places]]
    if of.triaged and (cases != NONE).any():
        order = [case.value for case in Case]
        known = sorted({*cases.tolist()} - {NONE}, key=lambda at: _rank(order, of.table.cases[at]))
        agreeing = [at for at in known if of.table.cases[at] in AGREE]
        rest = np.isin(cases, [*agreeing, NONE])
        name = " or ".join(of.table.cases[at] for at in agreeing) or "no case"
        others = [(of.table.cases[at], np.flatnonzero(cases == at)) for at in known if at not in agreeing]
        return [(name, np.flatnonzero(rest)), *others]
    alike = of.answers(a)[places] == of.answers(b)[places]
    return [("same answer", np.flatnonzero(alike)), ("different answers", np.flatnonzero(~alike))]


def _rank(order: list[str], name: str) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)
