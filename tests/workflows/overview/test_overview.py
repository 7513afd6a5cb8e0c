"""The figures of a run on a view, against plain loops over the samples."""

import random
from dataclasses import replace

import fiftyone as fo
import pytest
from fiftyone import ViewField as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lgca_plugin.method.comparison.agreement import PATTERNS
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.overview.overview import OVERVIEWS, overview, stages_key
from lgca_plugin.workflows.overview.sample_rows import read_sample_rows
from lgca_plugin.workflows.overview.table_cache import TABLES, current_table
from tests.helpers.worlds.overview import CASES, CLASSES, METHODS, add, new_run, random_rows, random_triage, triaged


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
    TABLES.clear()
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
    assert of is not None
    assert of.samples == evaluated.samples
    for mine, its in zip(of.methods.values(), evaluated.methods.values(), strict=True):
        assert replace(mine, macro_recall=0) == replace(its, macro_recall=0)
        assert mine.macro_recall == pytest.approx(its.macro_recall)  # classes are summed in another order
    assert [(pair.difference, pair.interval, pair.p_holm) for pair in of.pairs] == [
        (pair.difference, pair.interval, pair.p_holm) for pair in evaluated.pairs
    ]
    assert run.summary()["status"] == "done"


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
    assert of.evaluation is not None and len(of.evaluation.methods) == len(methods)
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


def test_overview__of_a_cached_view_reads_no_samples(run):
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
    TABLES.clear()
    OVERVIEWS.clear()
    assert overview(run).points("clip", "wca", most=20).tolist() == chosen.tolist()
    differs = of.answers("clip") != of.answers("wca")
    most = int((differs & of.predicted).sum())
    assert most > 20
    assert differs[chosen].all()
    everything = of.points("clip", "wca")
    assert len(everything) == int(of.predicted.sum())


def test_rows__say_what_is_on_the_samples(run, photographs):
    photo = {"answers": ["tern", "swan", "tern"], "truth": "gull", "filepath": str(photographs[0])}
    add(run, [photo, {"answers": ["swan", "swan", "swan"], "truth": None}])
    columns = {"case": [CASES[1], None], "misleading": [2.0, None], "quality": [0.1, 0.2], "suggested": ["tern", None]}
    triaged(run, columns)
    Triage.of(run).decide(run.dataset.limit(1), "skipped", by="me")
    first, second = read_sample_rows(overview(run, ground_truth="labels"), [0, 1])
    assert first.answers == {"clip": "tern", "wca": "swan", "lgca": "tern"}
    assert (first.given, first.suggested, first.confidence) == ("gull", "tern", 0.75)
    assert (first.crops, first.case, str(first.decision)) == (2, CASES[1], "skipped")
    assert first.quality == pytest.approx(0.1)
    assert first.thumbnail is not None and first.thumbnail.startswith("data:image/jpeg;base64,")
    assert (second.given, second.suggested, second.decision, second.crops, second.thumbnail) == (None,) * 5
