"""``lgca_rescore`` as FiftyOne executes it: what it writes and shows, and its call from code."""

import json
from dataclasses import replace

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.config import ClassShares
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from tests.helpers.app.operators import RESCORE, messages_of, notice, progress, shown
from tests.helpers.worlds.rescore import FEWER, assert_same, labels, suggestion

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture
def run(classify):
    return classify()


@pytest.mark.parametrize(
    "params",
    [
        {"settings_source": "change", "wca_image_scale_of_zs": None, "lgca_step_weights_of_zs": ""},
        {"settings_source": "keep", "wca_image_scale_of_zs": 1.0, "steps_of_zs": 0},
    ],
)
def test_form__emptied_or_kept_settings_stay_as_they_are(run, params):
    RESCORE.run(run.dataset, **params, logits_of_zs=True)
    assert lgca.load_run(run.dataset, "zs_2").config == replace(run.config, logits=True)


def test_operator__follows_shares_of_the_classes_and_drops_them_again(run):
    RESCORE.run(run.dataset, shares_source="balanced")
    shared = lgca.load_run(run.dataset, "zs_2")
    assert shared.config == replace(run.config, shares=ClassShares())
    properties, found = RESCORE.form(run.dataset, run="zs_2")
    assert list(found) == ["unchanged"]
    choices = [(choice.value, choice.label) for choice in properties["shares_source"].view.choices]
    assert choices[:2] == [("unknown", "Keep: all alike"), ("none", "Not known")]
    RESCORE.run(run.dataset, run="zs_2", result="in_place", shares_source="none")
    assert lgca.load_run(run.dataset, "zs_2").config == run.config


def test_form__without_embeddings_of_crops_says_what_is_left(classify, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "vectors"))
    run = classify(store_regions=False)
    properties, found = RESCORE.form(run.dataset)
    assert list(found) == ["unchanged"]
    assert "24 of 24 samples have no embeddings of crops" in properties["no_boxes"].view.label
    _, found = RESCORE.form(run.dataset, settings_source="change", wca_image_scale_of_zs=1.0)
    assert "24 of 24 samples do not have in the store" in found["refusal"]
    assert "no sample of run 'zs' has its region embeddings" in suggestion(run.dataset)["data"]["problem"]


def test_form__runs_that_another_release_wrote_do_not_break_it(run, classify):
    classify("broken", ("clip",))
    record = run.dataset.get_run_info("broken")
    for unreadable in ('{"version": 99}', "?", None):
        record.config.run = unreadable
        run.dataset.update_run_config("broken", record.config)
        properties, found = RESCORE.form(run.dataset)
        assert list(found) == ["unchanged"]
        assert properties["run"].default == "zs"
        assert properties["run"].view.choices[0].description == "can't be read"
        _, found = RESCORE.form(run.dataset, run="broken")
        assert "version 99" in found["run"] if unreadable == '{"version": 99}' else "can't be read" in found["run"]
    run.delete()
    assert list(RESCORE.form(run.dataset)[1]) == ["run"]


def test_form__asks_database_and_store_once_while_it_is_open(run, monkeypatch, tmp_path):
    lines = []
    for key in ("a", "ab", "abc"):
        properties, _ = RESCORE.form(run.dataset, {"prompt_id": f"open in {tmp_path}"}, run_key_of_zs=key)
        lines.append(properties["preview"].view.label)
        monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / key))
        run.dataset.delete_samples(run.dataset.take(1))
    assert set(lines) == {"24 samples, and no image is encoded"}


def test_form__names_keys_and_fields_that_are_taken(run):
    run.dataset.register_run("mine", run.dataset.init_run(anything=1))
    run.dataset.add_sample_field("zs_2_wca", fo.FloatField)
    run.dataset.add_sample_field("zs_lgca_d", fo.FloatField)
    assert "another kind" in RESCORE.form(run.dataset, run_key_of_zs="mine")[1]["run_key_of_zs"]
    assert RESCORE.form(run.dataset)[0]["run_key_of_zs"].default == "zs_3"
    assert "'zs_2_wca' exists already" in RESCORE.form(run.dataset, run_key_of_zs="zs_2")[1]["run_key_of_zs"]
    more = {"methods_of_zs": ["clip", "lgca_d"], "result": "in_place"}
    assert "'zs_lgca_d' exists already" in RESCORE.form(run.dataset, **more)[1]["refusal"]
    assert list(RESCORE.form(run.dataset, result="in_place")[1]) == ["unchanged"]


def test_rescore__edited_classes_are_what_a_full_run_gives(run, classify):
    full = classify("full", classes=FEWER, descriptions={name: DESCRIPTIONS[name] for name in FEWER})
    params = RESCORE.filled(run.dataset, run="zs", class_source="typed", classes_of_zs="\n".join(FEWER))
    before = labels(run.dataset, "zs")
    messages = RESCORE.run(run.dataset, **params)
    rescored = lgca.load_run(run.dataset, "zs_2")
    assert rescored.config.classes == FEWER
    assert rescored.summary()["encodes"] == 0
    assert_same(run.dataset, "zs_2", full.key)
    assert labels(run.dataset, "zs") == before

    assert progress(messages) == sorted(progress(messages))
    assert progress(messages)[-1] == 1.0
    assert shown(messages)["values"]["Scored from stored embeddings"] == "24 images, none encoded"
    assert notice(messages) == "24 predicted of 24 images"
    fields = next(m.params["fields"] for m in messages if m.operator_uri == "set_active_fields")
    assert fields == ["zs_2_lgca"]


@pytest.mark.parametrize("texts", [None, {name: [f"a small {name} on a branch."] for name in CLASSES}])
def test_rescore__templates_and_pasted_descriptions(run, classify, texts):
    full = classify("full", descriptions=texts)
    source = {"description_source": "typed", "descriptions": json.dumps(texts)} if texts else {}
    RESCORE.run(run.dataset, run="zs", **{"description_source": "templates", **source})
    assert lgca.load_run(run.dataset, "zs_2").descriptions == full.descriptions
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
    RESCORE.run(run.dataset, **RESCORE.filled(run.dataset, run="zs", settings_source="change", **changed))
    assert lgca.load_run(run.dataset, "zs_2").config.methods == (lgca.METHODS["clip"], wca, own)
    assert_same(run.dataset, "zs_2", "full")


def test_rescore__fewer_steps_need_fewer_weights(run):
    changed = {"steps_of_zs": 1, "lgca_step_weights_of_zs": "1, 3"}
    RESCORE.run(run.dataset, settings_source="change", **changed)
    rescored = lgca.load_run(run.dataset, "zs_2")
    assert rescored.config.regions.steps == 1
    assert rescored.config.methods[2].step_weights == (1.0, 3.0)


def test_rescore__methods_chains_and_logits(run):
    RESCORE.run(run.dataset, methods_of_zs=["lgca_d", "clip"], shown_chains_of_zs=0, logits_of_zs=True)
    rescored = lgca.load_run(run.dataset, "zs_2")
    assert [method.name for method in rescored.config.methods] == ["lgca_d", "clip"]
    assert run.dataset.count("zs_2_lgca_d.logits") == len(run.dataset)
    assert run.dataset.count("zs_2_regions.detections") == 0


def test_rescore__replaces_another_run(run, classify):
    classify("other", ("clip",))
    RESCORE.run(run.dataset, run="zs", run_key_of_zs="other", overwrite_of_other=True, shown_chains_of_zs=1)
    assert labels(run.dataset, "other") == labels(run.dataset, "zs")


def test_rescore__an_error_on_the_way_is_shown(run, monkeypatch, tmp_path):
    ctx = RESCORE.context(run.dataset, {"class_source": "typed", "classes": list(FEWER)})
    steps = RESCORE.begin(ctx)
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "gone"))
    messages, error = messages_of(run.dataset, steps)
    assert "not stored on this machine" in str(error)
    heading = shown(messages)["views"]["heading1"]
    assert heading["label"] == "The run was not rescored"
    assert "not stored on this machine" in heading["description"]


def test_sdk__call_agrees_with_the_library(run):
    changes = {"classes": FEWER, "image_scale": 2.0, "step_weights": (1, 2, 4), "steps": 2, "shown_chains": 1}
    run.rescore(**changes, run_key="lib", progress=False)
    RESCORE.call(run.dataset, "zs", run_key="app", **{**changes, "classes": list(FEWER)})
    ours, theirs = (lgca.load_run(run.dataset, key) for key in ("app", "lib"))
    assert ours.config == theirs.config
    assert_same(run.dataset, "app", "lib")


def test_sdk__call_rescores_in_place_and_keeps_what_it_is_not_told(run, tmp_path):
    texts = {name: [f"a drawing of a {name}."] for name in CLASSES}
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(texts))
    RESCORE.call(run.dataset, "zs", descriptions=str(path))
    assert lgca.list_runs(run.dataset) == ["zs"]
    rescored = lgca.load_run(run.dataset, "zs")
    assert rescored.descriptions == texts
    assert rescored.config == replace(run.config, descriptions_hash=rescored.config.descriptions_hash)
