"""The figures of a run on a view, against plain loops over the samples; parts of it against FiftyOne's own views."""

import random
import threading
from dataclasses import replace

import fiftyone as fo
import numpy as np
import pytest
from bson import ObjectId
from fiftyone import ViewField as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lgca_plugin as lgca
from lgca_plugin.errors import ConfigError
from lgca_plugin.method.comparison.agreement import PATTERNS
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.overview import selections, table_cache
from lgca_plugin.workflows.overview import table as overview_table
from lgca_plugin.workflows.overview.overview import MAX_VIEWS, clear_overviews, overview, stages_key
from lgca_plugin.workflows.overview.sample_rows import read_sample_rows
from lgca_plugin.workflows.overview.table_cache import clear_tables, current_table
from tests.helpers.worlds.overview import METHODS, add, new_run, triaged

CLASSES = ["tern", "swan", "gull", "a class with a long name, $x^2$ <b>"]
CASES = ["all right", "LGCA repairs WCA", "nobody right"]


@pytest.fixture(autouse=True)
def nothing_in_memory():
    clear_tables()
    clear_overviews()


@pytest.fixture
def run():
    made = new_run(CLASSES)
    yield made
    fo.delete_dataset(made.dataset.name)


def random_rows(count, seed=0):
    """Samples of every kind: predicted, failed, not come to, half predicted, edited, with all kinds of labels."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        kind = rng.random()
        row = {"answers": [rng.choice(CLASSES) for _ in METHODS], "margins": [rng.random() for _ in METHODS]}
        row["truth"] = rng.choice([*CLASSES, *CLASSES, None, "puffin", ""])
        if kind < 0.1:
            row |= {"answers": [None] * 3, "error": "no image"}
        elif kind < 0.2:
            row["answers"] = [None] * 3
        elif kind < 0.25:
            row["answers"][rng.randrange(3)] = rng.choice([None, ""])
        elif kind < 0.3:
            row["answers"][rng.randrange(3)] = "edited"
        elif kind < 0.35:
            row["error"] = "an error, and yet predicted"
        rows.append(row)
    return rows


def random_triage(count, seed=0):
    rng = random.Random(seed)
    return {
        "case": [rng.choice([*CASES, None]) for _ in range(count)],
        "misleading": [rng.choice([None, None, 1.0, 2.0, 3.0]) for _ in range(count)],
        "quality": [rng.random() for _ in range(count)],
        "suggested": [rng.choice([None, None, *CLASSES]) for _ in range(count)],
    }


def slow_counts(rows):
    """The figures, one sample at a time."""
    predicted = [row for row in rows if all(row["answers"])]
    missing = [row for row in rows if not all(row["answers"])]
    judged = [row for row in predicted if row["truth"] in CLASSES and all(label in CLASSES for label in row["answers"])]
    return {
        "predicted": len(predicted),
        "failed": sum(row.get("error") is not None for row in missing),
        "without": sum(row.get("error") is None for row in missing),
        "alike": {
            (METHODS[i], METHODS[j]): sum(row["answers"][i] == row["answers"][j] for row in predicted)
            for i, j in ((0, 1), (0, 2), (1, 2))
        },
        "all_alike": sum(len(set(row["answers"])) == 1 for row in predicted),
        "judged": len(judged),
        "right": [sum(row["answers"][at] == row["truth"] for row in judged) for at in range(3)],
    }


def check(of, rows):
    expected = slow_counts(rows)
    assert of.total == len(rows)
    assert int(of.predicted.sum()) == expected["predicted"]
    assert int(of.failed.sum()) == expected["failed"]
    assert int(of.without.sum()) == expected["without"]
    assert of.pairs_agree == expected["alike"]
    assert sum(of.pattern_counts) == expected["predicted"]
    assert of.pattern_counts[0] == expected["all_alike"]
    if not expected["judged"]:
        assert of.evaluation is None
        return
    assert of.evaluation.samples == expected["judged"]
    assert [score.correct for score in of.evaluation.methods.values()] == expected["right"]
    assert of.evaluation.samples + sum(of.evaluation.excluded.values()) == len(rows)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(0, 40), seed=st.integers(0, 10**6))
def test_overview__is_what_a_loop_over_the_samples_finds(run, count, seed):
    run.dataset.clear()
    rows = random_rows(count, seed)
    if rows:
        add(run, rows)
    clear_tables()
    check(overview(run, ground_truth="labels"), rows)


def test_overview__of_a_view_is_about_its_samples_alone(run):
    rows = random_rows(60)
    add(run, rows)
    view = run.dataset.match(F("number") % 3 == 0).sort_by("number", reverse=True)
    check(overview(run, view, ground_truth="labels"), rows[::3])
    hidden = run.dataset.select_fields("number").match(F("number") < 10)
    check(overview(run, hidden, ground_truth="labels"), rows[:10])
    check(overview(run, run.dataset.match(F("number") < 0), ground_truth="labels"), [])


def test_overview__accuracies_are_those_of_an_evaluation(run):
    add(run, [row for row in random_rows(80) if "" not in row["answers"]])  # it takes a blank text for an answer
    of = overview(run, ground_truth="labels").evaluation
    evaluated = run.evaluate(progress=False)
    assert of.samples == evaluated.samples
    for mine, its in zip(of.methods.values(), evaluated.methods.values(), strict=True):
        assert replace(mine, macro_recall=0) == replace(its, macro_recall=0)
        assert mine.macro_recall == pytest.approx(its.macro_recall)  # classes are summed in another order
    assert [(pair.difference, pair.interval, pair.p_holm) for pair in of.pairs] == [
        (pair.difference, pair.interval, pair.p_holm) for pair in evaluated.pairs
    ]
    assert run.summary()["status"] == "done"


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
def test_parts__show_the_samples_that_they_count(run, numbers):
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


def test_parts__flow_cells_are_the_numbers_of_the_flow(run):
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


def test_parts__sorted_lists_come_sorted(run):
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


def test_parts__that_can_not_be_are_refused(run):
    add(run, random_rows(20))
    of = overview(run)
    for call in (
        lambda: selections.pattern(of, 5),
        lambda: selections.pattern(of, None),
        lambda: selections.flow_cell(of, "clip", "wca", 99, 0),
        lambda: selections.wrong(of, "clip"),
        lambda: selections.chosen(of, ["nonsense"], ""),
    ):
        with pytest.raises(ConfigError):
            call()
    with pytest.raises(ConfigError, match="no longer on dataset"):
        overview(run, ground_truth="gone")


@pytest.mark.parametrize("methods", [("clip",), ("clip", "lgca"), ("clip", "wca", "lgca", "lgca_d", "crops_mean")])
def test_overview__of_other_numbers_of_methods(methods):
    run = new_run(CLASSES, methods=methods)
    rng = random.Random(1)
    rows = [{"answers": [rng.choice(CLASSES[:2]) for _ in methods], "truth": rng.choice(CLASSES)} for _ in range(30)]
    add(run, rows)
    of = overview(run, ground_truth="labels")
    three = methods[:3]
    assert of.compared == three
    assert len(of.pattern_counts) == len(PATTERNS[len(three)])
    alike = sum(len(set(row["answers"][: len(three)])) == 1 for row in rows)
    assert of.pattern_counts[0] == alike
    assert len(of.evaluation.methods) == len(methods)
    fo.delete_dataset(run.dataset.name)


def test_overview__compares_what_a_triage_has_compared(run):
    add(run, random_rows(20))
    triaged(run, random_triage(20))
    run.results["triage"]["methods"] = ["lgca", "clip", "wca"]
    run.save()
    assert overview(run).compared == ("lgca", "clip", "wca")
    assert overview(run).triaged


def test_table__follows_edits_additions_and_deletions(run):
    rows = random_rows(30)
    add(run, rows)
    first = current_table(run, "labels")
    assert current_table(run, "labels") is first
    sample = run.dataset.match(F("number") == 4).first()
    sample["zs_clip"] = fo.Classification(label="a new word", margin=0.5)
    sample["labels"] = fo.Classification(label="swan")
    sample.save()
    rows[4] |= {"answers": ["a new word", *rows[4]["answers"][1:]], "truth": "swan"}
    more = random_rows(7, seed=8)
    add(run, more)
    check(overview(run, ground_truth="labels"), rows + more)
    run.dataset.delete_samples(run.dataset.match(F("number") == 2))
    left = [row for at, row in enumerate(rows) if at != 2] + [row for at, row in enumerate(more) if at != 2]
    check(overview(run, ground_truth="labels"), left)
    assert len(first.ids) == 30  # a table that somebody holds does not change


def test_table__that_follows_is_that_which_is_read_anew(run):
    add(run, random_rows(40))
    triaged(run, random_triage(40))
    current_table(run, "labels")
    Triage.of(run).decide(run.dataset.skip(5).limit(9), "bad image", by="me")
    sample = run.dataset.skip(20).first()  # with words that were not there before, in an order of their own
    sample["zs_case"] = "a new case"
    sample["zs_clip"] = fo.Classification(label="emu", margin=0.5)
    sample["labels"] = fo.Classification(label="rhea")
    sample["zs_suggestion"] = fo.Classification(label="ibis", confidence=0.9)
    sample.save()
    add(run, [*random_rows(5, seed=2), {"answers": ["owl", "emu", "tern"], "truth": "ibis"}])
    followed = current_table(run, "labels")
    clear_tables()
    anew = current_table(run, "labels")

    def names(table, column):
        return [None if at < 0 else table.labels[at] for at in column.tolist()]

    assert followed.ids.tolist() == anew.ids.tolist()
    for name in METHODS:
        assert names(followed, followed.answers[name]) == names(anew, anew.answers[name])
        assert np.array_equal(followed.margins[name], anew.margins[name], equal_nan=True)
    assert names(followed, followed.given["labels"]) == names(anew, anew.given["labels"])
    assert names(followed, followed.suggested) == names(anew, anew.suggested)
    assert [followed.cases[at] for at in followed.case if at >= 0] == [anew.cases[at] for at in anew.case if at >= 0]
    assert followed.decided.tolist() == anew.decided.tolist()
    assert (followed.decided >= 0).sum() == 9


def test_table__reads_only_what_has_changed(run, monkeypatch):
    add(run, random_rows(30))
    old = run.dataset.values("last_modified_at")[0]
    current_table(run)
    asked = []
    fetch = overview_table.read_columns

    def watched(run, paths, match=None):
        asked.append(match)
        return fetch(run, paths, match)

    monkeypatch.setattr(overview_table, "read_columns", watched)
    current_table(run)
    assert asked == []
    run.dataset.limit(1).set_values("zs_error", ["later"])
    current_table(run)
    assert len(asked) == 1
    assert asked[0]["last_modified_at"]["$gte"] <= old


def test_table__knows_what_it_is_told_has_changed(run):
    add(run, random_rows(10))
    current_table(run)
    id_ = run.dataset.first().id
    # A write that comes late with an early stamp, as of another process whose clock is behind.
    run.dataset._sample_collection.update_one({"_id": ObjectId(id_)}, {"$set": {"zs_clip.label": "late"}})
    assert "late" not in current_table(run).labels
    assert "late" in current_table(run, changed=[id_]).labels


def test_table__a_rescored_run_is_another(run):
    add(run, random_rows(10))
    before = current_table(run)
    again = lgca.load_run(run.dataset, run.key)
    assert current_table(again) is before
    run.dataset.delete_sample_field("zs_wca")
    of = overview(lgca.load_run(run.dataset, run.key))
    assert of.compared == ("clip", "lgca")


def test_table__is_read_once_however_many_ask(run, monkeypatch):
    add(run, random_rows(10))
    read, times = table_cache.read_table, []

    def watched(*args):
        times.append(1)
        return read(*args)

    monkeypatch.setattr(table_cache, "read_table", watched)
    threads = [threading.Thread(target=current_table, args=(run,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 1


def test_caches__hold_the_most_recent_views_and_tables(run):
    add(run, random_rows(5))
    made = []
    for at in (*range(MAX_VIEWS + 1), MAX_VIEWS, 0):  # the last two: one that is cached, and one that is not any more
        overview(run, lambda at=at: made.append(at) or run.dataset.limit(at), view_key=str(at))
    assert made == [*range(MAX_VIEWS + 1), 0]
    first = current_table(run)
    assert current_table(run) is first
    others = [new_run(CLASSES) for _ in range(table_cache.MAX_TABLES)]
    for other in others:
        current_table(other)
        fo.delete_dataset(other.dataset.name)
    assert current_table(run) is not first


def test_overview__of_a_known_view_asks_for_no_samples(run):
    add(run, random_rows(12))
    asked = []

    def view():
        asked.append(1)
        return run.dataset.match(F("number") < 6)

    first = overview(run, view, view_key=stages_key([1]))
    assert overview(run, view, view_key=stages_key([1])) is first
    assert len(asked) == 1
    run.dataset.limit(1).set_values("zs_error", ["later"])
    overview(run, view, view_key=stages_key([1]))
    assert len(asked) == 2


def test_points__are_the_same_in_any_process_and_prefer_disagreements(run):
    rows = random_rows(80, seed=4)
    add(run, rows)
    of = overview(run)
    chosen = of.points("clip", "wca", most=20)
    clear_tables()
    clear_overviews()
    assert overview(run).points("clip", "wca", most=20).tolist() == chosen.tolist()
    differs = of.answers("clip") != of.answers("wca")
    most = int((differs & of.predicted).sum())
    assert most > 20
    assert differs[chosen].all()
    everything = of.points("clip", "wca")
    assert len(everything) == int(of.predicted.sum())


def test_rows__say_what_is_on_the_samples(run, photographs):
    rows = [{"answers": ["tern", "swan", "tern"], "truth": "gull", "filepath": str(photographs[0])}]
    rows.append({"answers": ["swan", "swan", "swan"], "truth": None})
    add(run, rows)
    columns = {"case": [CASES[1], None], "misleading": [2.0, None], "quality": [0.1, 0.2], "suggested": ["tern", None]}
    triaged(run, columns)
    Triage.of(run).decide(run.dataset.limit(1), "skipped", by="me")
    first, second = read_sample_rows(overview(run, ground_truth="labels"), [0, 1])
    assert first.answers == {"clip": "tern", "wca": "swan", "lgca": "tern"}
    assert (first.given, first.suggested, first.confidence) == ("gull", "tern", 0.75)
    assert (first.crops, first.case, str(first.decision)) == (2, CASES[1], "skipped")
    assert first.quality == pytest.approx(0.1)
    assert first.thumbnail.startswith("data:image/jpeg;base64,")
    assert (second.given, second.suggested, second.decision, second.crops, second.thumbnail) == (None,) * 5
