"""The form of ``lgca_rescore``, part by part, and what it refuses before anything is written."""

import json
from dataclasses import replace
from typing import Any

import fiftyone as fo
import pytest
from fiftyone.operators.executor import ExecutionError

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.app.operators import RESCORE
from tests.helpers.checks import untouched
from tests.helpers.worlds.rescore import FEWER, add_birds, classified

UNCHANGED = "Nothing is changed: change the classes, the descriptions, the methods or their settings"

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture
def run(shared_run):
    return shared_run


@pytest.fixture(scope="module")
def two_runs(demo_images, demo_encoder):
    """A dataset with the runs ``zs``, of settings of its own, and ``later``, of fewer classes and no chains."""
    dataset = add_birds(fo.Dataset(), demo_images)
    own = replace(lgca.METHODS["lgca"], image_scale=1.5, step_weights=(1.0, 2.0, 4.0))
    classified(dataset, demo_encoder, methods=("clip", "wca", own), shown_chains=1, logits=True)
    classified(dataset, demo_encoder, "later", ("clip", "wca"), classes=FEWER)
    with untouched(dataset):
        yield dataset
    dataset.delete()


def test_form__starts_valid_with_the_newest_run_and_a_new_key(two_runs):
    properties, found = RESCORE.form(two_runs)
    assert found == {"unchanged": UNCHANGED}
    assert properties["run"].default == "later"
    notes = {choice.value: choice.description for choice in properties["run"].view.choices}
    assert list(notes) == ["later", "zs"]
    assert notes["zs"] == "12 classes; clip, wca, lgca; encoder demo"
    assert properties["class_source"].default == "keep"
    assert properties["description_source"].default == "keep"
    assert properties["settings_source"].default == "keep"
    assert properties["result"].default == "new"
    assert properties["run_key_of_later"].default == "later_2"
    assert properties["preview"].view.label == "24 samples, and no image is encoded"


def test_form__shows_what_the_run_has(two_runs):
    properties, found = RESCORE.form(two_runs, run="zs", class_source="typed", settings_source="change")
    assert found == {"unchanged": UNCHANGED}
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


def test_form__offers_the_methods_that_need_no_more_regions(two_runs):
    properties, _ = RESCORE.form(two_runs)
    offered = [choice.value for choice in properties["methods_of_later"].view.choices]
    assert offered == ["clip", "wca", "wca_d", "clip_d", "wca_global", "crops_mean"]
    found = RESCORE.errors(two_runs, methods_of_later=["clip", "lgca"])
    assert "lgca needs regions that run 'later' has not encoded" in found["methods_of_later"]


def test_form__another_run_has_fields_of_its_own(two_runs):
    edited = {"class_source": "typed", "classes_of_zs": "duck\nheron"}
    properties, found = RESCORE.form(two_runs, run="later", **edited)
    assert found == {"unchanged": UNCHANGED}
    assert properties["classes_of_later"].default.split("\n") == list(FEWER)


def test_form__another_run_is_replaced_only_once_that_is_ticked(two_runs):
    params = {"run": "later", "run_key_of_later": "zs"}
    properties, found = RESCORE.form(two_runs, **params, overwrite_of_third=True)
    assert "run 'zs' exists: tick to replace it" in found["run_key_of_later"]
    assert properties["overwrite_of_zs"].default is False
    assert RESCORE.errors(two_runs, **params, overwrite_of_zs=True, shown_chains_of_later=0) == {}


def test_form__takes_shares_of_the_classes_that_the_run_then_keeps(two_runs):
    properties, found = RESCORE.form(two_runs, run="zs", shares_source="field", shares_field="ground_truth")
    assert found == {}
    assert properties["shares_source"].view.label == "How often each class occurs"
    typed = "\n".join(f"{name}: {at}" for at, name in enumerate(CLASSES))
    assert RESCORE.errors(two_runs, run="zs", shares_source="typed", shares_typed=typed) == {}
    for text, problem in (
        ("", "type each class with its share or count, one a line, such as heron: 30"),
        ("heron 30", "'heron 30' is no class with its share or count, such as heron: 30"),
        (f"{typed}\n{CLASSES[0]}: 3", f"the share of class {CLASSES[0]!r} is given twice"),
        (f"{typed}\nunicorn: 3", "shares are given for 'unicorn', which is none of the 12 classes"),
        (f"{CLASSES[0]}: -3", f"shares lack class {CLASSES[1]!r} and 10 more"),
    ):
        found = RESCORE.errors(two_runs, run="zs", shares_source="typed", shares_typed=text)
        assert problem in found["shares_typed"]
    assert RESCORE.errors(two_runs, run="zs", shares_source="unknown") == {"unchanged": UNCHANGED}


def test_form__says_in_which_classes_the_list_differs(run):
    edited = "\n".join([*CLASSES[1:], "puffin"])
    properties, found = RESCORE.form(run.dataset, class_source="typed", classes_of_zs=edited)
    assert found == {}
    assert properties["class_changes"].view.label == f"1 new: puffin; 1 left out: {CLASSES[0]}"
    assert "class_changes" not in RESCORE.form(run.dataset, class_source="typed")[0]


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"run": "nowhere"}, "run", "got 'nowhere'; its runs: zs"),
        ({"class_source": "typed", "classes_of_zs": " "}, "classes_of_zs", "one a line"),
        ({"description_source": "typed", "descriptions": "{"}, "descriptions", "not JSON"),
        ({"methods_of_zs": []}, "methods_of_zs", "methods is empty"),
        ({"settings_source": "change", "steps_of_zs": 3}, "steps_of_zs", "from 0 to 2, which were encoded; got 3"),
        ({"settings_source": "change", "wca_image_scale_of_zs": 99}, "wca_image_scale_of_zs", r"in [-20, 20]"),
        ({"settings_source": "change", "wca_text_scale_of_zs": "x"}, "wca_text_scale_of_zs", "must be a number"),
        ({"settings_source": "change", "lgca_global_weight_of_zs": -1}, "lgca_global_weight_of_zs", "at least 0"),
        ({"settings_source": "change", "lgca_step_weights_of_zs": "1, 2"}, "lgca_step_weights_of_zs", "3 numbers"),
        ({"settings_source": "change", "lgca_step_weights_of_zs": "1, a, 2"}, "lgca_step_weights_of_zs", "commas"),
        ({"run_key_of_zs": "my run"}, "run_key_of_zs", "letters, digits and _"),
        ({"run_key_of_zs": "zs"}, "run_key_of_zs", "is the run that is rescored"),
        ({"shown_chains_of_zs": -1}, "shown_chains_of_zs", "at least 0"),
    ],
)
def test_form__bad_input_is_shown_under_its_field_and_nothing_is_written(run, params, field, words):
    found = RESCORE.errors(run.dataset, **params)
    assert list(found) == [field]
    assert words in found[field]
    with pytest.raises(ExecutionError):
        RESCORE.execute(run.dataset, **params)


def test_form__says_what_is_read(run):
    def line(**params):
        return RESCORE.form(run.dataset, **params)[0]["preview"].view.description

    boxes = "Embeddings of all crops are read for the boxes: milliseconds a sample."
    assert line() == f"{boxes} Other labels come from one stored vector each: seconds for 100,000 samples."
    assert line(shown_chains_of_zs=0).startswith("Labels come from one stored vector each")
    changed = line(settings_source="change", wca_image_scale_of_zs=1.0)
    assert changed == (
        "Embeddings of all crops are read for the labels of clip, wca, lgca and the boxes: milliseconds a sample."
    )
    assert "labels of clip, lgca, lgca_d and the boxes" in line(methods_of_zs=["clip", "lgca", "lgca_d"])
    assert "model" not in line(settings_source="change", wca_text_scale_of_zs=1.0)
    assert line(description_source="templates").endswith("The model is loaded if a text is new to it.")


def test_form__says_that_nothing_is_stored_and_what_to_do(run, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "empty"))
    properties, found = RESCORE.form(run.dataset)
    assert list(properties) == ["run"]
    assert "the embeddings of run 'zs' are not stored on this machine" in found["run"]
    assert "encodes the images again" in found["run"]


def test_sdk__call_refuses_what_the_library_refuses(run):
    for changes in ({"decisiveness": 3.0}, {"run_key": "zs!"}, {"methods": ["magic"]}, {"steps": 5}):
        with pytest.raises(lgca.ConfigError):
            RESCORE.call(run.dataset, "zs", **changes)
    with pytest.raises(ValueError, match="given twice"):
        RESCORE.call(run.dataset, "zs", classes=["a", "a"])


@pytest.mark.parametrize("place", ["new", "in_place"])
def test_nothing_changed__is_not_run_from_form_or_code(run, place):
    same: list[dict[str, Any]] = [
        {},
        {"class_source": "typed"},
        {"settings_source": "change"},
        {"description_source": "typed", "descriptions": json.dumps(run.descriptions)},
        {"logits_of_zs": False, "methods_of_zs": ["clip", "wca", "lgca"]},
    ]
    for params in same:
        assert RESCORE.errors(run.dataset, result=place, **params) == {"unchanged": UNCHANGED}
        with pytest.raises(ExecutionError, match="Nothing is changed"):
            RESCORE.execute(run.dataset, result=place, **params)
    with pytest.raises(lgca.ConfigError, match="Nothing is changed"):
        RESCORE.call(run.dataset, "zs")
    assert lgca.list_runs(run.dataset) == ["zs"]
    changes: list[dict[str, Any]] = [{"logits_of_zs": True}, {"description_source": "templates"}]
    for params in (*changes, {"methods_of_zs": ["clip", "lgca"]}):
        assert RESCORE.errors(run.dataset, result=place, **params) == {}
