"""Best answers: the likeliest class of all methods together, or that a picture shows none of the classes."""

from typing import Any

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.fiftyone_io.fields import NONE_OF_THESE
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.review.why import NONE_LIKELY
from tests.helpers.app.operators import TRIAGE, AppOperator

BELOW = 0.9


def column(run, part):
    return np.array(run.dataset.values(f"zs_best_answer.{part}"))


def test_best_answers__are_none_of_the_classes_where_the_likeliest_is_not_likely_enough(run):
    assert "zs_best_answer" not in run.dataset.get_field_schema()
    plain = run.triage(progress=False)
    assert "none_of_these" not in plain.report and "zs_best_answer" not in run.dataset.get_field_schema()
    with pytest.raises(lgca.ConfigError, match="without such answers: triage it with none_below"):
        run.none_of_these()

    report = run.triage(none_below=BELOW, progress=False).report
    labels, p, likeliest = (column(run, part) for part in ("label", "confidence", "likeliest"))
    assert set(likeliest) <= set(run.config.classes) and NONE_OF_THESE not in run.config.classes
    assert (labels == np.where(p < BELOW, NONE_OF_THESE, likeliest)).all()
    assert report["none_of_these"] == {"below": BELOW, "samples": int((p < BELOW).sum())}
    assert 3 <= (p < BELOW).sum() <= len(p) - 10
    suggested = run.dataset.values("zs_suggestion.label")
    assert [name for name in suggested if name] == likeliest[[name is not None for name in suggested]].tolist()
    ids, none = np.array(run.dataset.values("id")), run.none_of_these()
    assert none.values("id") == ids[p < BELOW][np.argsort(p[p < BELOW], kind="stable")].tolist()
    suspects = run.last_triage().suspects().values("id")
    said = [id_ in none.values("id") for id_ in suspects]
    assert 0 < sum(said) < len(said)
    assert [NONE_LIKELY in review_card(run, id_).reason for id_ in suspects] == said

    again = run.triage(progress=False).report
    assert again["none_of_these"] == report["none_of_these"] and (column(run, "label") == labels).all()
    off = run.triage(none_below=0, progress=False).report
    assert "none_of_these" not in off and run.dataset.count("zs_best_answer") == 0
    run.delete()
    assert not [name for name in run.dataset.get_field_schema() if name.startswith("zs")]


def test_none_below__is_a_probability_in_code_and_in_the_form(make_run, demo_encoder):
    run = make_run(12)
    values: list[Any] = [1, -0.1, "half", True, float("nan")]
    for value in values:
        with pytest.raises(lgca.ConfigError, match="none_below is a probability from 0 to below 1"):
            run.triage(none_below=value)
        with pytest.raises(lgca.ConfigError, match="none_below is a probability from 0 to below 1"):
            lgca.find_wrong_labels(run.dataset, none_below=value)
    for passed, words in ((0.5, {}), (1.5, {"none_below"})):
        properties, found = AppOperator("lgca_find_wrong_labels").form(run.dataset, more=True, none_below=passed)
        assert properties["none_below"].view.label.startswith("None of these below") and set(found) == set(words)
    properties, found = TRIAGE.form(run.dataset, run="zs")
    assert found == {} and properties["none_below_of_zs"].view.label.startswith("None of these below")
    _, found = TRIAGE.form(run.dataset, run="zs", none_below_of_zs=1.5)
    assert "takes a probability from 0 to below 1" in str(found)
    run = run.rescore(["grey heron", NONE_OF_THESE], encoder=demo_encoder, progress=False)
    with pytest.raises(lgca.ConfigError, match="a class of run 'zs' is called 'none of these'"):
        run.triage(none_below=0.5)
