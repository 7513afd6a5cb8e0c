"""``lgca_suggest_settings``: what it finds, and what the form of ``lgca_rescore`` makes of it."""

import copy
from dataclasses import replace

import pytest
from fiftyone.operators.executor import ExecutionError

import lgca_plugin as lgca
from tests.helpers.app.operators import RESCORE, SUGGEST
from tests.helpers.worlds.rescore import TRIED, labels, suggestion

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture
def run(shared_run):
    return shared_run


@pytest.fixture
def own_run(classify):
    """Such a run on a dataset that a test may change."""
    return classify()


@pytest.fixture(scope="module")
def answer(module_run):
    """What is suggested by ``ground_truth``."""
    return suggestion(module_run.dataset)


def better(answer):
    """The answer as it would be if all gains were beyond doubt."""
    answer = copy.deepcopy(answer)
    for found in answer["data"]["methods"].values():
        found["gain"] = [0.05, 0.01, 0.09]
    return answer


def test_suggest__waits_for_the_answer_then_fills_the_fields(run, answer):
    properties, found = RESCORE.form(run.dataset, settings_source="suggest")
    assert found == {TRIED: "settings are being tried"}
    loader = properties[TRIED].view.to_json()
    assert loader["operator"] == SUGGEST.uri
    assert loader["params"] == {"run": "zs", "label_field": "ground_truth"}
    with pytest.raises(ExecutionError):
        RESCORE.execute(run.dataset, settings_source="suggest")

    properties, found = RESCORE.form(run.dataset, settings_source="suggest", **{TRIED: better(answer)})
    assert found == {}
    report = run.sweep("ground_truth", max_samples=1000, progress=False)
    for name in ("wca", "lgca"):
        for setting in ("image_scale", "text_scale", "global_weight"):
            prop = properties[f"{name}_{setting}_of_zs_by_ground_truth"]
            assert prop.default == getattr(report.chosen[name], setting)
    table = properties["suggestions"].default
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    choice = next(choice for choice in report.choices if choice.group == "lgca")
    row = next(row for row in rows if row[0] == "lgca")
    assert row[1] == f"{choice.default_accuracy.value:.1%}"
    assert row[2] == f"{choice.nested.value:.1%} ({choice.nested.low:.1%} to {choice.nested.high:.1%})"
    assert row[4] == f"{len(choice.within_noise)} of 135"
    assert next(row for row in rows if row[0] == "clip")[2:] == ["-", "-", "-", "-"]
    assert {len(row) for row in rows} == {6}


def test_suggest__is_honest_about_small_samples_and_gains(run, answer):
    properties, _ = RESCORE.form(run.dataset, settings_source="suggest", **{TRIED: answer})
    assert properties["few"].view.label == "24 labelled samples are too few to choose settings"
    assert properties["unsure"].view.label == "No better than the default settings on these samples: wca, lgca"
    assert "better" not in properties
    for name in ("wca", "lgca"):
        for setting in ("image_scale", "text_scale", "global_weight"):
            prop = properties[f"{name}_{setting}_of_zs_by_ground_truth"]
            assert prop.default == getattr(lgca.METHODS[name], setting), "what is no better fills in nothing"
    assert properties["suggestions"].view.description.startswith("Accuracy on 24 samples, with the classes")

    answer = copy.deepcopy(answer)
    answer["data"]["methods"]["lgca"]["gain"] = [0.05, 0.01, 0.09]
    answer["data"].update(samples=30, excluded={"without a label": 2})
    properties, _ = RESCORE.form(run.dataset, settings_source="suggest", **{TRIED: answer})
    assert properties["better"].view.label == "Better than the default settings on these samples: lgca"
    assert properties["unsure"].view.label.endswith("on these samples: wca")
    assert "30 samples, 2 left out without a label, with" in properties["suggestions"].view.description
    assert "few" not in properties


@pytest.mark.parametrize("data", [None, {}, {"methods": {"lgca": 3}}, {"methods": {"lgca": {"preset": {"no": 1}}}}])
def test_suggest__an_answer_that_is_none_is_not_run_on(run, data):
    params = {"settings_source": "suggest", TRIED: {"state": "loaded", "data": data}}
    with pytest.raises(Exception, match="suggested settings"):
        RESCORE.begin(RESCORE.context(run.dataset, params))


def test_suggest__rescores_with_what_was_suggested_and_edited(own_run, answer):
    chosen = own_run.sweep("ground_truth", max_samples=1000, progress=False).chosen
    params = {"settings_source": "suggest", TRIED: better(answer)}
    RESCORE.run(own_run.dataset, **RESCORE.filled(own_run.dataset, **params, run_key_of_zs="as_it_is"))
    assert lgca.load_run(own_run.dataset, "as_it_is").config.methods == tuple(chosen.values())
    RESCORE.run(own_run.dataset, **params, run="zs", run_key_of_zs="unfilled")
    assert labels(own_run.dataset, "unfilled") == labels(own_run.dataset, "as_it_is")

    RESCORE.run(own_run.dataset, **params, run="zs", run_key_of_zs="edited", wca_text_scale_of_zs_by_ground_truth=-1)
    methods = {method.name: method for method in lgca.load_run(own_run.dataset, "edited").config.methods}
    assert methods["wca"] == replace(chosen["wca"], text_scale=-1.0)
    assert methods["lgca"] == chosen["lgca"]


def test_suggest__says_why_it_cannot(own_run):
    unusual = suggestion(own_run.dataset, "other")
    assert unusual["data"] == {
        "problem": "no sample of run 'zs' has a label in 'other' that is a class of the run",
    }
    answers = {"suggestion_of_zs_by_other": unusual}
    _, found = RESCORE.form(own_run.dataset, settings_source="suggest", label_field_of_zs="other", **answers)
    assert found == {"refusal": unusual["data"]["problem"]}
    assert "nowhere" in suggestion(own_run.dataset, "nowhere")["data"]["problem"]
    assert "name one of its runs" in suggestion(own_run.dataset, None)["data"]["problem"]
    own_run.dataset.delete_sample_fields(["ground_truth", "other"])
    _, found = RESCORE.form(own_run.dataset, settings_source="suggest")
    assert "no label field" in found["refusal"]


def test_suggest__a_run_of_clip_alone_has_nothing_to_choose(classify):
    run = classify(methods=("clip",))
    properties, found = RESCORE.form(run.dataset, settings_source="suggest", **{TRIED: suggestion(run.dataset)})
    assert list(found) == ["unchanged"]
    assert "no settings to choose" in properties["nothing"].view.label
