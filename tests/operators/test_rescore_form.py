"""The form of ``lgca_rescore``, its suggestions and its refusals: all that can be seen before anything is written."""

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext, ExecutionError, Executor, ValidationContext

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.untouched import untouched
from tests.helpers.worlds.rescore import (
    RESCORE,
    SUGGEST,
    TRIED,
    add_birds,
    classified,
    context,
    form,
    labels,
    suggestion,
)

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture(scope="module")
def module_run(demo_images, demo_encoder):
    made = classified(add_birds(fo.Dataset(), demo_images), demo_encoder)
    yield made
    made.dataset.delete()


@pytest.fixture
def run(module_run):
    """The run that all tests here look at; what changes one is in test_rescore_operator.py."""
    with untouched(module_run.dataset):
        yield lgca.load_run(module_run.dataset, "zs")


def test_form__says_in_which_classes_the_list_differs(run):
    edited = "\n".join([*CLASSES[1:], "puffin"])
    properties, found = form(run.dataset, class_source="typed", classes_of_zs=edited)
    assert found == {}
    assert properties["class_changes"].view.label == f"1 new: puffin; 1 left out: {CLASSES[0]}"
    assert "class_changes" not in form(run.dataset, class_source="typed")[0]


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"run": "nowhere"}, "run", "got 'nowhere'; its runs: zs"),
        ({"class_source": "typed", "classes_of_zs": " "}, "classes_of_zs", "one a line"),
        ({"class_source": "typed", "classes_of_zs": "duck"}, "classes_of_zs", "at least two classes"),
        ({"class_source": "typed", "classes_of_zs": "duck\nduck"}, "classes_of_zs", "given twice"),
        ({"description_source": "typed", "descriptions": "{"}, "descriptions", "not JSON"),
        ({"description_source": "file"}, "description_file", "give the path"),
        ({"methods_of_zs": []}, "methods_of_zs", "methods is empty"),
        ({"methods_of_zs": ["magic"]}, "methods_of_zs", "unknown method 'magic'"),
        ({"settings_source": "change", "steps_of_zs": 3}, "steps_of_zs", "from 0 to 2, which were encoded; got 3"),
        ({"settings_source": "change", "wca_image_scale_of_zs": 99}, "wca_image_scale_of_zs", r"in [-20, 20]"),
        ({"settings_source": "change", "wca_text_scale_of_zs": "x"}, "wca_text_scale_of_zs", "must be a number"),
        ({"settings_source": "change", "lgca_global_weight_of_zs": -1}, "lgca_global_weight_of_zs", "at least 0"),
        ({"settings_source": "change", "lgca_step_weights_of_zs": "1, 2"}, "lgca_step_weights_of_zs", "3 numbers"),
        ({"settings_source": "change", "lgca_step_weights_of_zs": "1, a, 2"}, "lgca_step_weights_of_zs", "commas"),
        ({"settings_source": "change", "lgca_step_weights_of_zs": "0, 0, 0"}, "lgca_step_weights_of_zs", "not all 0"),
        ({"run_key_of_zs": "my run"}, "run_key_of_zs", "letters, digits and _"),
        ({"run_key_of_zs": "zs"}, "run_key_of_zs", "is the run that is rescored"),
        ({"shown_chains_of_zs": -1}, "shown_chains_of_zs", "at least 0"),
    ],
)
def test_form__bad_input_is_shown_under_its_field_and_nothing_is_written(run, params, field, words):
    before = (list(run.dataset.get_field_schema()), run.dataset.list_runs(), labels(run.dataset, "zs"))
    _, found = form(run.dataset, **params)
    assert list(found) == [field]
    assert words in found[field]
    with pytest.raises(ExecutionError):
        foo.execute_operator(RESCORE, dataset=run.dataset, params=params)
    run.dataset.reload()
    assert (list(run.dataset.get_field_schema()), run.dataset.list_runs(), labels(run.dataset, "zs")) == before


def test_form__tells_what_is_read(run):
    def line(**params):
        return form(run.dataset, **params)[0]["outlook"].view.description

    boxes = "Embeddings of all crops are read for the boxes: milliseconds a sample."
    assert line() == f"{boxes} Other labels come from one stored vector each: seconds for 100,000 samples."
    assert line(shown_chains_of_zs=0).startswith("Labels come from one stored vector each")
    changed = line(settings_source="change", wca_image_scale_of_zs=1.0)
    assert changed == (
        "Embeddings of all crops are read for the labels of clip, wca, lgca and the boxes: milliseconds a sample."
    )
    assert "labels of lgca_d and the boxes" in line(methods_of_zs=["clip", "lgca", "lgca_d"])
    assert "model" not in line(settings_source="change", wca_text_scale_of_zs=1.0)
    assert line(description_source="templates").endswith("The model is loaded if a text is new to it.")


def test_form__says_that_nothing_is_stored_and_what_to_do(run, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "empty"))
    properties, found = form(run.dataset)
    assert list(properties) == ["run"]
    assert "the embeddings of run 'zs' are not stored on this machine" in found["run"]
    assert "encodes the images again" in found["run"]


def test_suggest__waits_for_the_answer_then_fills_the_fields(run):
    properties, found = form(run.dataset, settings_source="suggest")
    assert found == {TRIED: "settings are being tried"}
    loader = properties[TRIED].view.to_json()
    assert loader["operator"] == SUGGEST
    assert loader["params"] == {"run": "zs", "label_field": "ground_truth"}
    with pytest.raises(ExecutionError):
        foo.execute_operator(RESCORE, dataset=run.dataset, params={"settings_source": "suggest"})

    answer = suggestion(run.dataset)
    properties, found = form(run.dataset, settings_source="suggest", **{TRIED: answer})
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


def test_suggest__is_honest_about_small_samples_and_gains(run):
    properties, _ = form(run.dataset, settings_source="suggest", **{TRIED: suggestion(run.dataset)})
    assert properties["few"].view.label == "24 labelled samples are too few to choose settings"
    assert properties["unsure"].view.label == "No better than the default settings on these samples: wca, lgca"
    assert "better" not in properties
    assert properties["suggestions"].view.description.startswith("Accuracy on 24 samples, with the classes")

    answer = suggestion(run.dataset)
    answer["data"]["methods"]["lgca"]["gain"] = [0.05, 0.01, 0.09]
    answer["data"].update(samples=30, excluded={"without a label": 2})
    properties, _ = form(run.dataset, settings_source="suggest", **{TRIED: answer})
    assert properties["better"].view.label == "Better than the default settings on these samples: lgca"
    assert properties["unsure"].view.label.endswith("on these samples: wca")
    assert "30 samples, 2 left out without a label, with" in properties["suggestions"].view.description
    assert "few" not in properties


@pytest.mark.parametrize("data", [None, {}, {"methods": {"lgca": 3}}, {"methods": {"lgca": {"preset": {"no": 1}}}}])
def test_suggest__an_answer_that_is_none_is_not_run_on(run, data):
    operator = foo.get_operator(RESCORE)
    params = {"settings_source": "suggest", TRIED: {"state": "loaded", "data": data}}
    with pytest.raises(Exception, match="suggested settings"):
        operator.execute(context(run.dataset, operator, params))


def test_suggest__writes_nothing(run):
    def state():
        run.dataset.reload()
        return list(run.dataset.get_field_schema()), run.dataset.list_runs(), lgca.load_run(run.dataset, "zs").results

    before = state()
    suggestion(run.dataset)
    assert state() == before


def test_sdk__call_refuses_what_the_library_refuses(run):
    operator = foo.get_operator(RESCORE)
    for changes in ({"decisiveness": 3.0}, {"run_key": "zs!"}, {"methods": ["magic"]}, {"steps": 5}):
        with pytest.raises(ExecutionError):
            operator(run.dataset, "zs", **changes)
    with pytest.raises(ValueError, match="given twice"):
        operator(run.dataset, "zs", classes=["a", "a"])
    run.dataset.reload()
    assert lgca.list_runs(run.dataset) == ["zs"]


def test_form__without_an_open_dataset_says_so():
    operator = foo.get_operator(RESCORE)
    ctx = ExecutionContext(request_params={"params": {}}, executor=Executor(), operator_uri=RESCORE)
    inputs = operator.resolve_type(ctx, "inputs")
    assert "Open a dataset first" in inputs.type.properties["refusal"].error_message
    assert ValidationContext(ctx, inputs, operator).invalid
    assert operator.resolve_placement(ctx) is None
