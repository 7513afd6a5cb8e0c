"""Selections of an overview's samples, against FiftyOne's own views."""

import pytest
from fiftyone import ViewField as F

from lgca_plugin.errors import ConfigError
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.overview import selections
from lgca_plugin.workflows.overview.overview import overview
from tests.helpers.worlds.overview import METHODS, add, random_rows, random_triage, triaged


def everything(of):
    """Every part that the panel can show."""
    found = [selections.failures(of), selections.without_result(of), selections.disagreements(of)]
    found += [selections.pattern(of, at) for at in range(5)]
    found += [selections.wrong(of, name) for name in METHODS]
    found += [selections.misleading_cases(of), selections.open_suspects(of)]
    for a, b in (("clip", "wca"), ("lgca", "clip")):
        for most in (3, 12):
            size = len(of.flow(a, b, most=most).counts)
            found += [selections.flow_cell(of, a, b, i, j, most=most) for i in range(size) for j in range(size)]
    found.append(selections.chosen(of, of.table.sample_ids(of.rows[::4]), "chosen"))
    return found


@pytest.mark.parametrize("numbers", [None, 30])
def test_selections__show_the_samples_that_they_count(run, numbers):
    add(run, random_rows(70, seed=3))
    triaged(run, random_triage(70, seed=3))
    Triage.of(run).decide(run.dataset.limit(12), "label right", by="me")
    base = run.dataset.view() if numbers is None else run.dataset.match(F("number") < numbers)
    of = overview(run, base, ground_truth="labels")
    found = everything(of)
    assert sum(part.count > 0 for part in found) > 20
    for part in found:
        view = base
        for stage in part.stages:
            view = view.add_stage(stage)
        assert sorted(view.values("id")) == sorted(of.table.sample_ids(of.rows[part.positions])), part.description
        assert len(view) == part.count


def test_selections__flow_cells_are_the_numbers_of_the_flow(run):
    add(run, random_rows(90, seed=5))
    of = overview(run)
    for most in (2, 3, 12):
        flow = of.flow("clip", "lgca", most=most)
        cells = [
            [selections.flow_cell(of, "clip", "lgca", i, j, most=most).count for j in range(len(flow.counts))]
            for i in range(len(flow.counts))
        ]
        assert cells == flow.counts.tolist()
    assert [selections.pattern(of, at).count for at in range(5)] == list(of.pattern_counts)


def test_selections__sorted_lists_come_sorted(run):
    add(run, random_rows(50, seed=9))
    columns = random_triage(50, seed=9)
    triaged(run, columns)
    of = overview(run, ground_truth="labels")
    for part, field in (
        (selections.misleading_cases(of), "zs_misleading"),
        (selections.open_suspects(of), "zs_label_quality"),
    ):
        view = run.dataset.view()
        for stage in part.stages:
            view = view.add_stage(stage)
        values = view.values(field)
        assert values == sorted(values)
    places = of.misleading.tolist()
    ranks = [(of.table.misleading[of.rows[at]], -of.table.margins["lgca"][of.rows[at]]) for at in places]
    assert ranks == sorted(ranks)
    quality = [float(of.table.quality[of.rows[at]]) for at in of.suspects.tolist()]
    assert quality == sorted(quality)
    assert len(quality) == sum(label is not None for label in columns["suggested"])


def test_selections__that_can_not_be_are_refused(run):
    add(run, random_rows(20))
    of = overview(run)
    for call in (
        lambda: selections.pattern(of, 5),
        lambda: selections.pattern(of, None),  # type: ignore[arg-type]  # as the App may send it
        lambda: selections.flow_cell(of, "clip", "wca", 99, 0),
        lambda: selections.wrong(of, "clip"),
        lambda: selections.chosen(of, ["nonsense"], ""),
    ):
        with pytest.raises(ConfigError):
            call()
    with pytest.raises(ConfigError, match="no longer on dataset"):
        overview(run, ground_truth="gone")
