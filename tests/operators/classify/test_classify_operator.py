"""``lgca_classify`` as FiftyOne executes it: what a run writes and shows, and its call from code."""

import itertools
import json

import pytest

import lgca_plugin as lgca
from tests.helpers.app.operators import CLASSIFY, notice, progress, shown
from tests.helpers.runs import pairs_of
from tests.helpers.worlds.classify import LIGHT, add_birds, typed, uploaded


@pytest.fixture
def birds(dataset, demo_images):
    return add_birds(dataset, demo_images)


@pytest.fixture
def classes(demo_images):
    return sorted({image.truth for image in demo_images})[:3]


def test_run__classifies_and_updates_the_app(birds, classes):
    messages = CLASSIFY.run(birds, **typed(*classes, **LIGHT))
    assert set(birds.distinct("zeroshot_lgca.label")) <= set(classes)
    assert birds.count("zeroshot_clip") == birds.count("zeroshot_wca") == len(birds)
    assert birds.count("zeroshot_regions.detections") > 0
    summary = lgca.load_run(birds, "zeroshot").summary()
    assert (summary["status"], summary["predicted"], summary["total"]) == ("done", 8, 8)
    assert progress(messages) == sorted(progress(messages))
    assert progress(messages)[-1] == 1.0
    after = [m.operator_uri for m in itertools.dropwhile(lambda m: m.operator_uri != "reload_dataset", messages)]
    assert after == ["reload_dataset", "set_active_fields", "notify", "show_output"]
    arranged = next(m.params for m in messages if m.operator_uri == "@lgca/zero-shot/lgca_arrange_app")
    assert next(group["paths"] for group in arranged["groups"] if group["name"] == "zeroshot")[0] == "zeroshot_clip"
    assert {"zeroshot_clip", "zeroshot_regions"} <= {entry["path"] for entry in arranged["colors"]["fields"]}
    assert json.loads(json.dumps(arranged)) == arranged
    assert "open_dataset" not in [m.operator_uri for m in messages], "it closes the user's panels and view"
    assert notice(messages) == "8 predicted of 8 images"


def test_run__with_the_same_settings_resumes_and_with_others_is_refused(birds, classes):
    params = typed(*classes, run_key="mine", **LIGHT)
    CLASSIFY.run(birds, **params)
    assert CLASSIFY.errors(birds, **params) == {}
    assert "other settings (regions)" in CLASSIFY.errors(birds, **{**params, "crops": 5})["run_key"]
    assert "other settings (classes)" in CLASSIFY.errors(birds, **{**params, "classes": "a\nb"})["run_key"]
    assert CLASSIFY.errors(birds, **{**params, "crops": 5, "overwrite": True}) == {}
    assert notice(CLASSIFY.run(birds, **params)) == "8 predicted of 8 images"


def test_run__with_uploaded_descriptions(birds):
    texts = {"Caspian_Tern": ["an orange beak"], "blue-tit": ["a yellow breast"]}
    upload = uploaded(json.dumps(texts).encode())
    CLASSIFY.run(birds, **{**upload, "classes": "caspian tern\nblue tit", "run_key": "up"})
    assert lgca.load_run(birds, "up").descriptions == {
        "caspian tern": ["caspian tern, which has an orange beak."],
        "blue tit": ["blue tit, which has a yellow breast."],
    }


def test_run__settings_given_without_their_switch_count(birds):
    texts = {"a": ["a bird."], "b": ["a fish."]}
    CLASSIFY.run(birds, **typed("a", "b", crops=5, steps=0, descriptions=json.dumps(texts)))
    run = lgca.load_run(birds, "zeroshot")
    assert run.config.regions == lgca.RegionConfig(crops=5, steps=0)
    assert run.descriptions == texts


def test_run__only_the_selected_samples(birds, classes):
    chosen = birds.limit(3).values("id")
    CLASSIFY.execute(birds, {"selected": chosen}, **typed(*classes, view_target="SELECTED_SAMPLES", **LIGHT))
    assert birds.exists("zeroshot_clip").values("id") == chosen


def test_run__of_a_grouped_dataset_the_active_slice(dataset, demo_images, classes):
    pairs_of(dataset, demo_images[:6])
    params = typed(*classes, **LIGHT)
    properties, found = CLASSIFY.form(dataset, **params)
    assert found == {}
    assert properties["preview"].view.label.startswith("3 images")
    assert "view_target" in properties
    list(CLASSIFY.begin(CLASSIFY.context(dataset, params, group_slice="right")))
    dataset.reload()
    for name, count in (("left", 0), ("right", 3)):
        assert dataset.select_group_slices(name).count("zeroshot_lgca") == count


def test_run__an_adaptive_budget_shows_how_many_crops_the_images_took(birds, classes):
    params = typed(*classes, run_key="zs", crops=12, steps=1)
    messages = CLASSIFY.run(birds, **params, budget="adaptive")
    run = lgca.load_run(birds, "zs")
    assert run.config.budget == "adaptive"
    assert sum(run.summary()["stopped_after"].values()) == 8
    took = [f"{images} took {crops}" for crops, images in run.summary()["stopped_after"].items()]
    assert shown(messages)["values"]["Images by crops"] == ", ".join(took)
    assert "budget" in CLASSIFY.errors(birds, **params)["run_key"]
    assert CLASSIFY.errors(birds, **params, budget="adaptive") == {}


def test_sdk__call_agrees_with_the_library(birds, classes, demo_encoder):
    options = {"classes": classes, "descriptions": {name: [f"a drawing of a {name}."] for name in classes}}
    regions = lgca.RegionConfig(**LIGHT)
    CLASSIFY.call(birds, encoder="demo", run_key="app", regions=regions, **options)
    lgca.classify(birds, encoder=demo_encoder, run_key="lib", regions=regions, progress=False, **options)
    for method in ("clip", "wca", "lgca"):
        assert birds.values(f"app_{method}.label") == birds.values(f"lib_{method}.label")
        ours, theirs = birds.values(f"app_{method}.confidence"), birds.values(f"lib_{method}.confidence")
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_sdk__call_classifies_a_view_with_other_options(birds, classes):
    options = {"methods": ["clip", "wca"], "logits": True, "store_regions": False, "budget": "adaptive"}
    CLASSIFY.call(birds.limit(4), classes=classes, encoder="demo", regions={**LIGHT, "crops": 12}, **options)
    assert birds.count("zeroshot_wca") == 4
    assert "zeroshot_lgca" not in birds.get_field_schema()
    assert [len(scores) for scores in birds.limit(4).values("zeroshot_wca.logits")] == [len(classes)] * 4
    run = lgca.load_run(birds, "zeroshot")
    assert run.config.regions == lgca.RegionConfig(**{**LIGHT, "crops": 12})
    assert run.config.budget == "adaptive"
    assert run.summary()["stored"]["regions"] is False


def test_form__logits_and_stored_regions_are_as_chosen(birds, classes):
    properties, _ = CLASSIFY.form(birds, advanced=True)
    assert (properties["logits"].default, properties["store_regions"].default) == (False, True)
    CLASSIFY.run(birds, **typed(*classes, logits=True, **LIGHT))
    assert [len(scores) for scores in birds.values("zeroshot_lgca.logits")] == [len(classes)] * len(birds)
    CLASSIFY.run(birds, **typed(*classes, store_regions=False, run_key="light", seed=1, **LIGHT))
    stored = {key: lgca.load_run(birds, key).summary()["stored"]["regions"] for key in ("zeroshot", "light")}
    assert stored == {"zeroshot": True, "light": False}


def test_sdk__class_names_travel_as_a_list(birds):
    names = ["duck, wild", "heron; grey"]
    CLASSIFY.execute(birds, classes=names, encoder="demo", **LIGHT)
    assert lgca.load_run(birds, "zeroshot").config.classes == tuple(names)


def test_form__the_default_methods_go_on_with_a_run_of_an_earlier_release(birds):
    three = typed(
        "a", "b", run_key="former", ground_truth="ground_truth", encoder="demo", methods=["clip", "wca", "lgca"]
    )
    CLASSIFY.run(birds, **three, **LIGHT)
    again = {**three, **LIGHT, "methods": ["clip", "wca", "lgca", "wca_d"]}
    assert CLASSIFY.errors(birds, **again) == {}
    assert "run_key" in CLASSIFY.errors(birds, **{**again, "methods": ["clip", "wca", "wca_d"]})
    CLASSIFY.run(birds, **again)
    assert [method.name for method in lgca.load_run(birds, "former").config.methods] == ["clip", "wca", "lgca"]
