"""``lgca_rescore`` and ``lgca_suggest_settings`` as FiftyOne executes them: forms, suggestions, results, refusals."""

import asyncio
import json
from dataclasses import replace
from functools import partial

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from tests.helpers.worlds.rescore import (
    FEWER,
    RESCORE,
    TRIED,
    add_birds,
    assert_same,
    classified,
    context,
    filled,
    form,
    labels,
    run_it,
    suggestion,
)

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture
def birds(dataset, demo_images):
    return add_birds(dataset, demo_images)


@pytest.fixture
def classify(birds, demo_encoder):
    return partial(classified, birds, demo_encoder)


@pytest.fixture
def run(classify):
    return classify()


def test_form__starts_valid_with_the_newest_run_and_a_new_key(run, classify):
    classify("later", ("clip", "wca"), classes=FEWER)
    properties, found = form(run.dataset)
    assert found == {}
    assert properties["run"].default == "later"
    notes = {choice.value: choice.description for choice in properties["run"].view.choices}
    assert list(notes) == ["later", "zs"]
    assert notes["zs"] == "12 classes; clip, wca, lgca; encoder demo"
    assert properties["class_source"].default == "keep"
    assert properties["description_source"].default == "keep"
    assert properties["settings_source"].default == "keep"
    assert properties["result"].default == "new"
    assert properties["run_key_of_later"].default == "later_2"
    assert properties["outlook"].view.label == "24 samples, and no image is encoded"


def test_form__shows_what_the_run_has(classify):
    own = replace(lgca.METHODS["lgca"], image_scale=1.5, step_weights=(1.0, 2.0, 4.0))
    run = classify(methods=("clip", "wca", own), shown_chains=1, logits=True)
    properties, found = form(run.dataset, class_source="typed", settings_source="change")
    assert found == {}
    assert properties["classes_of_zs"].default.split("\n") == list(CLASSES)
    assert properties["methods_of_zs"].default == ["clip", "wca", "lgca"]
    assert properties["steps_of_zs"].default == 2
    assert properties["shown_chains_of_zs"].default == 1
    assert properties["logits_of_zs"].default is True
    settings = {
        name.removesuffix("_of_zs"): prop.default
        for name, prop in properties.items()
        if name.startswith(("clip_", "wca_", "lgca_"))
    }
    assert settings == {
        "wca_image_scale": 4.0,
        "wca_text_scale": 2.0,
        "wca_global_weight": 0.0,
        "lgca_image_scale": 1.5,
        "lgca_text_scale": 2.0,
        "lgca_global_weight": 0.0,
        "lgca_step_weights": "1, 2, 4",
    }


def test_form__offers_the_methods_that_need_no_more_regions(classify):
    run = classify(methods=("clip", "wca"))
    properties, _ = form(run.dataset)
    offered = [choice.value for choice in properties["methods_of_zs"].view.choices]
    assert offered == ["clip", "wca", "clip_d", "wca_global", "crops_mean"]
    _, found = form(run.dataset, methods_of_zs=["clip", "lgca"])
    assert "lgca needs regions that run 'zs' has not encoded" in found["methods_of_zs"]


def test_form__emptied_fields_leave_settings_as_they_are(run):
    emptied = {"wca_image_scale_of_zs": None, "lgca_step_weights_of_zs": ""}
    assert form(run.dataset, settings_source="change", **emptied)[1] == {}
    run_it(run.dataset, settings_source="change", **emptied)
    assert lgca.load_run(run.dataset, "zs_2").config.methods == run.config.methods


def test_form__settings_count_only_while_they_are_to_be_changed(run):
    run_it(run.dataset, settings_source="keep", wca_image_scale_of_zs=1.0, steps_of_zs=0)
    assert lgca.load_run(run.dataset, "zs_2").config.methods == run.config.methods
    assert lgca.load_run(run.dataset, "zs_2").config.regions == run.config.regions


def test_form__without_embeddings_of_crops_says_what_is_left(classify, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "vectors"))
    run = classify(store_regions=False)
    properties, found = form(run.dataset)
    assert found == {}
    assert "24 of 24 samples have no embeddings of crops" in properties["no_boxes"].view.label
    _, found = form(run.dataset, settings_source="change", wca_image_scale_of_zs=1.0)
    assert "24 of 24 samples do not have in the store" in found["refusal"]
    assert "no sample of run 'zs' has its region embeddings" in suggestion(run.dataset)["data"]["problem"]


def test_form__runs_that_another_release_wrote_do_not_break_it(run, classify):
    classify("broken", ("clip",))
    record = run.dataset.get_run_info("broken")
    for unreadable in ('{"version": 99}', "?", None):
        record.config.run = unreadable
        run.dataset.update_run_config("broken", record.config)
        properties, found = form(run.dataset)
        assert found == {}
        assert properties["run"].default == "zs"
        assert properties["run"].view.choices[0].description == "can't be read"
        _, found = form(run.dataset, run="broken")
        assert "version 99" in found["run"] if unreadable == '{"version": 99}' else "can't be read" in found["run"]
    run.delete()
    assert list(form(run.dataset)[1]) == ["run"]


def test_form__asks_database_and_store_once_while_it_is_open(run, monkeypatch, tmp_path):
    operator = foo.get_operator(RESCORE)
    lines = []
    for key in ("a", "ab", "abc"):
        ctx = context(run.dataset, operator, {"run_key_of_zs": key}, prompt_id=f"open in {tmp_path}")
        lines.append(operator.resolve_type(ctx, "inputs").type.properties["outlook"].view.label)
        monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / key))
        run.dataset.delete_samples(run.dataset.take(1))
    assert set(lines) == {"24 samples, and no image is encoded"}


def test_form__another_run_has_fields_of_its_own(run, classify):
    classify("other", ("clip", "wca"), classes=FEWER)
    edited = {"run": "zs", "class_source": "typed", "classes_of_zs": "duck\nheron"}
    properties, found = form(run.dataset, **{**edited, "run": "other"})
    assert found == {}
    assert properties["classes_of_other"].default.split("\n") == list(FEWER)
    assert "puffin" not in properties["classes_of_other"].default


def test_rescore__edited_classes_are_what_a_full_run_gives(run, classify):
    full = classify("full", classes=FEWER, descriptions={name: DESCRIPTIONS[name] for name in FEWER})
    params = filled(run.dataset, run="zs", class_source="typed", classes_of_zs="\n".join(FEWER))
    before = labels(run.dataset, "zs")
    messages = run_it(run.dataset, **params)
    rescored = lgca.load_run(run.dataset, "zs_2")
    assert rescored.config.classes == FEWER
    assert rescored.summary()["encodes"] == 0
    assert_same(run.dataset, "zs_2", full.key)
    assert labels(run.dataset, "zs") == before

    steps = [message.params for message in messages if message.operator_uri == "set_progress"]
    assert [step["progress"] for step in steps] == sorted(step["progress"] for step in steps)
    assert steps[-1]["progress"] == 1.0
    assert messages[-1].params["results"]["Scored from stored embeddings"] == "24 images, none encoded"
    assert "24 predicted of 24 images" in messages[-2].params["message"]
    assert "zs_2_lgca" in next(m.params["fields"] for m in messages if m.operator_uri == "set_active_fields")


def test_rescore__in_place(run):
    run_it(run.dataset, class_source="typed", classes_of_zs="\n".join(FEWER), result="in_place")
    assert lgca.list_runs(run.dataset) == ["zs"]
    assert lgca.load_run(run.dataset, "zs").config.classes == FEWER
    assert set(run.dataset.distinct("zs_lgca.label")) <= set(FEWER)


def test_rescore__templates_replace_descriptions(run, classify):
    full = classify("full", descriptions=None)
    run_it(run.dataset, run="zs", description_source="templates")
    assert lgca.load_run(run.dataset, "zs_2").descriptions == full.descriptions
    assert_same(run.dataset, "zs_2", "full")


def test_rescore__pasted_descriptions(run, classify):
    texts = {name: [f"a small {name} on a branch."] for name in CLASSES}
    classify("full", descriptions=texts)
    run_it(run.dataset, run="zs", description_source="typed", descriptions=json.dumps(texts))
    assert_same(run.dataset, "zs_2", "full")


def test_rescore__changed_settings_go_to_their_method_alone(run, classify):
    wca = replace(lgca.METHODS["wca"], image_scale=2.0, global_weight=0.5)
    own = replace(lgca.METHODS["lgca"], text_scale=3.5, step_weights=(1.0, 0.5, 0.25))
    classify("full", ("clip", wca, own))
    changed = {
        "wca_image_scale_of_zs": 2,
        "wca_global_weight_of_zs": 0.5,
        "lgca_text_scale_of_zs": 3.5,
        "lgca_step_weights_of_zs": "1, 0.5,.25",
    }
    run_it(run.dataset, **filled(run.dataset, run="zs", settings_source="change", **changed))
    assert lgca.load_run(run.dataset, "zs_2").config.methods == (lgca.METHODS["clip"], wca, own)
    assert_same(run.dataset, "zs_2", "full")


def test_rescore__fewer_steps_need_fewer_weights(run):
    changed = {"steps_of_zs": 1, "lgca_step_weights_of_zs": "1, 3"}
    run_it(run.dataset, settings_source="change", **changed)
    rescored = lgca.load_run(run.dataset, "zs_2")
    assert rescored.config.regions.steps == 1
    assert rescored.config.methods[2].step_weights == (1.0, 3.0)


def test_rescore__methods_chains_and_logits(run):
    run_it(run.dataset, methods_of_zs=["lgca_d", "clip"], shown_chains_of_zs=0, logits_of_zs=True)
    rescored = lgca.load_run(run.dataset, "zs_2")
    assert [method.name for method in rescored.config.methods] == ["lgca_d", "clip"]
    assert run.dataset.count("zs_2_lgca_d.logits") == len(run.dataset)
    assert run.dataset.count("zs_2_regions.detections") == 0


def test_rescore__asks_before_another_run_is_replaced(run, classify):
    classify("other", ("clip",))
    params = {"run": "zs", "run_key_of_zs": "other"}
    properties, found = form(run.dataset, **params)
    assert "run 'other' exists: tick to replace it" in found["run_key_of_zs"]
    assert properties["overwrite_of_other"].default is False
    ticked_elsewhere = form(run.dataset, **params, overwrite_of_third=True)
    assert "run_key_of_zs" in ticked_elsewhere[1]
    run_it(run.dataset, **params, overwrite_of_other=True)
    assert labels(run.dataset, "other") == labels(run.dataset, "zs")


def test_form__names_keys_and_fields_that_are_taken(run):
    run.dataset.register_run("mine", run.dataset.init_run(anything=1))
    run.dataset.add_sample_field("zs_2_wca", fo.FloatField)
    run.dataset.add_sample_field("zs_lgca_d", fo.FloatField)
    assert "another kind" in form(run.dataset, run_key_of_zs="mine")[1]["run_key_of_zs"]
    assert "'zs_2_wca' exists already" in form(run.dataset)[1]["run_key_of_zs"]
    more = {"methods_of_zs": ["clip", "lgca_d"], "result": "in_place"}
    assert "'zs_lgca_d' exists already" in form(run.dataset, **more)[1]["refusal"]
    assert form(run.dataset, result="in_place")[1] == {}


def test_rescore__an_error_on_the_way_is_shown(run, monkeypatch, tmp_path):
    operator = foo.get_operator(RESCORE)
    steps = operator.execute(context(run.dataset, operator, {"class_source": "typed", "classes": list(FEWER)}))
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "gone"))
    messages = []
    with pytest.raises(Exception, match="not stored on this machine"):
        messages.extend(steps)
    shown = messages[-1].body
    assert shown.operator_uri == "show_output"
    heading = shown.params["outputs"]["type"]["properties"]["heading"]["view"]
    assert heading["label"] == "The run was not rescored"
    assert "not stored on this machine" in heading["description"]


def test_suggest__rescores_with_what_was_suggested_and_edited(run):
    answer = suggestion(run.dataset)
    chosen = run.sweep("ground_truth", max_samples=1000, progress=False).chosen
    params = {"settings_source": "suggest", TRIED: answer}
    run_it(run.dataset, **filled(run.dataset, **params, run_key_of_zs="as_it_is"))
    assert lgca.load_run(run.dataset, "as_it_is").config.methods == tuple(chosen.values())
    run_it(run.dataset, **params, run="zs", run_key_of_zs="unfilled")
    assert labels(run.dataset, "unfilled") == labels(run.dataset, "as_it_is")

    run_it(run.dataset, **params, run="zs", run_key_of_zs="edited", wca_text_scale_of_zs_by_ground_truth=-1)
    methods = {method.name: method for method in lgca.load_run(run.dataset, "edited").config.methods}
    assert methods["wca"] == replace(chosen["wca"], text_scale=-1.0)
    assert methods["lgca"] == chosen["lgca"]


def test_suggest__says_why_it_cannot(run):
    unusual = suggestion(run.dataset, "other")
    assert unusual["data"] == {
        "problem": "no sample of run 'zs' has a label in 'other' that is a class of the run",
    }
    answers = {"suggestion_of_zs_by_other": unusual}
    _, found = form(run.dataset, settings_source="suggest", label_field_of_zs="other", **answers)
    assert found == {"refusal": unusual["data"]["problem"]}
    assert "nowhere" in suggestion(run.dataset, "nowhere")["data"]["problem"]
    assert "name one of its runs" in suggestion(run.dataset, None)["data"]["problem"]
    run.dataset.delete_sample_fields(["ground_truth", "other"])
    _, found = form(run.dataset, settings_source="suggest")
    assert "no Classification field" in found["refusal"]


def test_suggest__a_run_of_clip_alone_has_nothing_to_choose(classify):
    run = classify(methods=("clip",))
    properties, found = form(run.dataset, settings_source="suggest", **{TRIED: suggestion(run.dataset)})
    assert found == {}
    assert "no settings to choose" in properties["nothing"].view.label


def test_sdk__call_agrees_with_the_library(run):
    changes = {"classes": FEWER, "image_scale": 2.0, "step_weights": (1, 2, 4), "steps": 2, "shown_chains": 1}
    run.rescore(**changes, run_key="lib", progress=False)
    foo.get_operator(RESCORE)(run.dataset, "zs", run_key="app", **{**changes, "classes": list(FEWER)})
    run.dataset.reload()
    ours, theirs = (lgca.load_run(run.dataset, key) for key in ("app", "lib"))
    assert ours.config == theirs.config
    assert_same(run.dataset, "app", "lib")


def test_sdk__call_rescores_in_place_and_keeps_what_it_is_not_told(run, tmp_path):
    texts = {name: [f"a drawing of a {name}."] for name in CLASSES}
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(texts))
    foo.get_operator(RESCORE)(run.dataset, "zs", descriptions=str(path))
    run.dataset.reload()
    rescored = lgca.load_run(run.dataset, "zs")
    assert rescored.descriptions == texts
    assert rescored.config == replace(run.config, descriptions_hash=rescored.config.descriptions_hash)


def test_delegated__runs_in_a_worker_with_progress(run):
    result = foo.get_operator(RESCORE)(run.dataset, "zs", list(FEWER), run_key="later", delegate=True)
    assert result.delegated
    service = DelegatedOperationService()
    operation = service.get(result.result["id"])
    assert operation.label == "Rescore zero-shot: zs"
    outcome = asyncio.run(service._execute_operator(operation))
    assert outcome.error is None
    run.dataset.reload()
    assert lgca.load_run(run.dataset, "later").summary()["predicted"] == len(run.dataset)
    assert service.get(operation.id).status.progress == 1.0
    service.delete_operation(operation.id)


def test_placement__appears_with_the_first_run(birds, classify):
    operator = foo.get_operator(RESCORE)
    assert operator.resolve_placement(context(birds, operator, {})) is None
    _, found = form(birds)
    assert found == {"refusal": "This dataset has no zero-shot run to rescore yet: classify it first."}
    classify(methods=("clip",))
    birds.reload()
    assert operator.resolve_placement(context(birds, operator, {})).place.value == "samples-grid-secondary-actions"
