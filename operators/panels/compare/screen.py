"""What the panel that compares methods shows at one moment: read from the run and the view, before it is laid out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from ....lgca_plugin.cache import ResultCache
from ....lgca_plugin.figures.compare import agreement_picture, flow_picture, margin_picture
from ....lgca_plugin.method.core.methods import method_title
from ....lgca_plugin.method.labels.triage_cases import Case
from ....lgca_plugin.workflows.overview.overview import Overview, overview
from ....lgca_plugin.workflows.overview.parts import pattern_words
from ....lgca_plugin.workflows.overview.rows import SampleRow, sample_rows
from ....lgca_plugin.workflows.overview.table import NONE
from ...shared import form as forms
from .view import Narrowing, Situation, situation

NO_LABELS = "-"  # no field can be called that
ROWS = 5  # of a ranked list, a page
AGREE = (Case.ALL_AGREE.value, Case.ALL_RIGHT.value)
MOST_DRAWINGS = 8  # of a few hundred kilobytes each

Drawn = tuple[dict[str, dict[str, Any]], int]

_DRAWINGS: ResultCache[Drawn] = ResultCache(MOST_DRAWINGS)


@dataclass(frozen=True)
class Choices:
    """What the user has chosen in the panel, as it travels with every event.

    Attributes:
        run: key of a run; None takes the latest
        labels: label field to compare with, :data:`NO_LABELS` for none; None takes the run's own
        a: method whose answers turn into
        b: those of this method
        misleading: first row of the list of misleading-crop cases
        suspects: first row of the list of suspected label errors
    """

    run: str | None = None
    labels: str | None = None
    a: str | None = None
    b: str | None = None
    misleading: int = 0
    suspects: int = 0


@dataclass(frozen=True)
class Screen:
    """What is shown.

    Attributes:
        situation: run, view and what may be in the way
        overview: the figures; None where something is in the way
        label_fields: the fields to choose from
        labels: the one that is chosen, or :data:`NO_LABELS`
        a: the method whose answers turn into
        b: those of this method; both empty where there are not two
        pictures: name to the parts of a Plotly figure
        misleading: rows of the list of misleading-crop cases
        suspects: rows of the list of suspected label errors
        points: how many samples the scatter plot shows
        key: identifies the contents of pictures and lists
        choices: what was chosen, with what it has come to
    """

    situation: Situation
    overview: Overview | None
    label_fields: list[str]
    labels: str
    a: str
    b: str
    pictures: dict[str, dict[str, Any]]
    misleading: list[SampleRow]
    suspects: list[SampleRow]
    points: int
    key: str
    choices: Choices

    @property
    def run(self) -> Any:
        """The run."""
        return self.situation.run

    def narrowed(self, narrowing: Narrowing | None) -> Screen:
        """Gives the screen as it is once the App shows this part of the view, so that the answer comes before."""
        base = replace(self.situation.base, narrowed=narrowing)
        return replace(self, situation=replace(self.situation, base=base))


def read_screen(ctx: Any, choices: Choices, *, changed: tuple[str, ...] = (), again: bool = False) -> Screen:
    """Reads what is to be shown.

    Args:
        ctx: the panel's context
        choices: what the user has chosen; what is not there any more is replaced
        changed: ids of samples that are known to have changed
        again: read all samples again, whatever is in memory
    """
    found = situation(ctx, choices.run)
    run, base, dataset = found.run, found.base, ctx.dataset
    if found.obstacle or run is None:
        return Screen(found, None, [], NO_LABELS, "", "", {}, [], [], 0, "", choices)
    fields = forms.label_fields(dataset, keep=run.config.ground_truth)
    fields = [name for name in fields if dataset.has_field(name)]
    labels = _labels(run, fields, choices.labels if choices.run in (None, run.key) else None)
    of = overview(
        run,
        None if base.is_whole else lambda: base.view(dataset),
        view_key=base.key,
        ground_truth=None if labels == NO_LABELS else labels,
        changed=changed,
        again=again,
    )
    a, b = _pair(of, choices)
    first_misleading, misleading = _page(of.misleading.tolist(), choices.misleading)
    first_suspect, suspects = _page(of.suspects.tolist(), choices.suspects)
    key = repr((of.table.version, base.key, labels, a, b, misleading, suspects, run.key))
    pictures, points = _drawn(of, base.key, a, b)
    return Screen(
        situation=found,
        overview=of,
        label_fields=fields,
        labels=labels,
        a=a,
        b=b,
        pictures=pictures,
        misleading=sample_rows(of, misleading),
        suspects=sample_rows(of, suspects),
        points=points,
        key=hashlib.sha256(key.encode()).hexdigest()[:16],
        choices=Choices(run.key, labels, a or None, b or None, first_misleading, first_suspect),
    )


def _page(places: list[int], wanted: int) -> tuple[int, list[int]]:
    """Gives a page of a list that may have become shorter, and its first row."""
    first = max(0, min(wanted, (len(places) - 1) // ROWS * ROWS))
    return first, places[first : first + ROWS]


def _labels(run: Any, fields: list[str], wanted: str | None) -> str:
    """Chooses the label field: the one that is wanted, else what the triage or the run itself was compared with."""
    report = run.results.get("triage") or {}
    for name in (wanted, report.get("ground_truth"), run.config.ground_truth):
        if name == NO_LABELS or name in fields:
            return str(name)
    return NO_LABELS


def _pair(of: Overview, choices: Choices) -> tuple[str, str]:
    """Chooses two different methods: those that are wanted, else the first and the last of the compared ones."""
    methods = list(of.table.answers)
    if len(methods) < 2:
        return "", ""
    a = choices.a if choices.a in methods else (of.compared or methods)[0]
    others = [name for name in (choices.b, *reversed(of.compared), *methods) if name in methods and name != a]
    return str(a), str(others[0])


def _drawn(of: Overview, view_key: str, a: str, b: str) -> Drawn:
    """Gives the pictures, from memory where they are the same as before."""
    key = (of.table.version, view_key, of.compared, of.triaged, a, b)
    return _DRAWINGS.get(key, lambda: _pictures(of, a, b))


def _pictures(of: Overview, a: str, b: str) -> Drawn:
    """Draws the pictures that there is something for; also gives the number of points."""
    if not a or not of.predicted.any():
        return {}, 0
    shown = (method_title(a), method_title(b))
    found = {}
    if len(of.compared) > 1:
        rows = [(pattern_words(of.compared, at), count) for at, count in enumerate(of.pattern_counts)]
        found["agreement"] = agreement_picture(rows)
    flow = of.flow(a, b)
    names = [of.table.labels[label] for label in flow.classes]
    if flow.folded:
        names.append(f"{flow.folded:,} other classes")
    found["flow"] = flow_picture(names, flow.counts, methods=shown, folded=flow.folded > 0)
    places = of.points(a, b)
    groups = _groups(of, places, a, b)
    table, rows_at = of.table, of.rows[places]
    labels = [[table.labels[label] for label in table.answers[name][rows_at].tolist()] for name in (a, b)]
    margins = of.margins(places, (a, b))
    says = [
        [f"{name}: {label} (margin {margin:.4f})" for label, margin in zip(*columns, strict=True)]
        for name, *columns in zip(shown, labels, margins, strict=True)
    ]
    hover = ["\n".join(lines) for lines in zip(*says, strict=True)]
    ids = table.sample_ids(rows_at)
    found["margins"] = margin_picture(*margins, groups, ids=ids, hover=hover, methods=shown)
    return found, len(places)


def _groups(of: Overview, places: Any, a: str, b: str) -> list[tuple[str, Any]]:
    """Groups the points by triage case, those that need no look first; without a triage, by agreement."""
    import numpy as np

    cases = of.table.case[of.rows[places]]
    if of.triaged and (cases != NONE).any():
        order = [case.value for case in Case]
        known = sorted({*cases.tolist()} - {NONE}, key=lambda at: _rank(order, of.table.cases[at]))
        plain = [at for at in known if of.table.cases[at] in AGREE]
        quiet = np.isin(cases, [*plain, NONE])
        name = " or ".join(of.table.cases[at] for at in plain) or "no case"
        others = [(of.table.cases[at], np.flatnonzero(cases == at)) for at in known if at not in plain]
        return [(name, np.flatnonzero(quiet)), *others]
    alike = of.answers(a)[places] == of.answers(b)[places]
    return [("same answer", np.flatnonzero(alike)), ("different answers", np.flatnonzero(~alike))]


def _rank(order: list[str], name: str) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)
