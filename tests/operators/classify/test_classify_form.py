"""The form of ``lgca_classify`` and all that is refused before anything is written."""

import json

import fiftyone as fo
import pytest
from fiftyone.operators.executor import ExecutionError

import lgca_plugin as lgca
from tests.helpers.app.operators import CLASSIFY, messages_of, shown
from tests.helpers.checks import untouched
from tests.helpers.worlds.classify import LIGHT, add_birds, typed, uploaded

pytestmark = pytest.mark.usefixtures("module_store")

TEXTS = '{"a": ["a bird."], "b": ["a fish."]}'
RUN = typed("a", "b", run_key="mine", ground_truth="ground_truth", descriptions=TEXTS, **LIGHT)


@pytest.fixture(scope="module")
def module_birds(demo_images):
    made = add_birds(fo.Dataset(), demo_images)
    yield made
    made.delete()


@pytest.fixture
def birds(module_birds):
    """The birds that all tests here look at; what changes them is in test_classify_operator.py."""
    with untouched(module_birds):
        yield module_birds


@pytest.fixture(scope="module")
def module_classified(demo_images):
    made = add_birds(fo.Dataset(), demo_images)
    CLASSIFY.run(made, **RUN)
    yield made
    made.delete()


@pytest.fixture
def classified(module_classified):
    """Such birds with a run of the settings in ``RUN``."""
    with untouched(module_classified):
        yield module_classified


def test_form__takes_shares_of_the_classes_among_the_advanced_settings(birds):
    given = typed("a", "b", encoder="demo", advanced=True, shares_source="typed")
    assert CLASSIFY.errors(birds, **given, shares_typed="a: 0.25\nb: 75%") == {
        "shares_typed": "the shares of the classes sum to 75.25: shares have to sum to 1, counts to be whole numbers"
    }
    assert CLASSIFY.errors(birds, **given, shares_typed="a: 25%\nb: 75%") == {}
    assert "shares_source" not in CLASSIFY.form(birds, **{**given, "advanced": False})[0]
    with pytest.raises(ValueError, match="store those of the crops, too, or choose no shares"):
        CLASSIFY.run(birds, **{**given, "store_regions": False}, shares_typed="a: 1\nb: 3")


def test_form__takes_the_decisive_method_that_fits_the_crops_and_warns_of_the_other(birds):
    small = typed("a", "b", encoder="demo", advanced=True, scale_min=0.3)
    properties, _ = CLASSIFY.form(birds, **small)
    assert properties["methods"].default == ["clip", "wca", "lgca", "lgca_d"]
    assert "methods_warning" not in properties
    warning = CLASSIFY.form(birds, **small, methods=["wca_d"])[0]["methods_warning"].view.label
    assert warning.startswith("Crops from 0.3 of the image's shorter side are too small for wca_d")
    assert "methods_warning" not in CLASSIFY.form(birds, **{**small, "scale_min": 0.5}, methods=["wca_d"])[0]


def test_form__offers_both_models_of_the_demo(birds):
    properties, found = CLASSIFY.form(birds, **typed("a", "b", encoder="demo", demo_model="demo-vit"))
    assert found == {}
    assert properties["demo_model"].type.values == ["demo", "demo-vit"] and properties["demo_model"].default == "demo"
    _, found = CLASSIFY.form(birds, **typed("a", "b", encoder="demo", demo_model="demo-rnn"))
    assert "demo-rnn" in str(found)


def test_form__starts_valid_with_the_label_field_and_the_published_defaults(birds):
    properties, found = CLASSIFY.form(birds)
    assert found == {}
    assert properties["class_source"].default == "field"
    assert properties["ground_truth"].default == "ground_truth"
    assert properties["ground_truth"].type.values == ["ground_truth", "taken"]  # Classification fields only
    assert properties["methods"].default == ["clip", "wca", "lgca", "wca_d"]
    choices = properties["methods"].view.choices
    assert {choice.value for choice in choices} == set(lgca.METHODS)
    assert all(choice.description for choice in choices)
    assert (properties["model"].default, properties["pretrained"].default) == ("ViT-B-32-quickgelu", "openai")
    assert properties["run_key"].default == "zeroshot"
    assert properties["budget"].default == "full"
    assert [choice.value for choice in properties["budget"].view.choices] == ["full", "adaptive", "economical"]
    assert properties["preview"].view.label == "8 images x 87 encodes = 696 encodes"
    properties, _ = CLASSIFY.form(birds, budget="adaptive")
    assert properties["preview"].view.label == (
        "8 images x 87 encodes = 696 encodes under a full budget, usually less than half of them now"
    )


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        (typed(""), "classes", "one a line"),
        (typed("duck", "", "heron"), "classes", "class 2 of classes is blank"),
        ({"class_source": "field", "ground_truth": "boxes"}, "ground_truth", "'boxes' is no label field"),
        (typed("a", "b", run_key="my run"), "run_key", "letters, digits and _"),
        (typed("a", "b", methods=["clip", "magic"]), "methods", "unknown method 'magic'"),
        (typed("a", "b", budget="large"), "budget", "budget must be one of full, adaptive, economical, got 'large'"),
        (typed("a", "b", encoder="open_clip", model="ViT-B-16", pretrained=""), "pretrained", "pretrained tag"),
        (typed("a", "b", encoder="open_clip", model="ViT-B-33"), "model", "no model 'ViT-B-33'; did you mean ViT-B-32"),
        (
            typed("a", "b", encoder="checkpoint", model="local-dir:/no/such"),
            "model",
            "'local-dir:/no/such' is none of them",
        ),
        (
            typed("a", "b", encoder="checkpoint", checkpoint="/no/such.pt"),
            "checkpoint",
            "no '/no/such.pt' that the",
        ),
        (typed("a", "b", description_source="typed", descriptions="{"), "descriptions", "not JSON"),
        (typed("a", "b", description_source="upload"), "description_upload", "choose a JSON file"),
        (uploaded(b"\xff\xfe"), "description_upload", "not UTF-8"),
        (typed("a", "b", description_source="file"), "description_file", "give the path"),
        (typed("a", "b", crops=0), "crops", "crops must be at least 1"),
        (typed("a", "b", scale_min=0.9, scale_max=0.5), "scale_min", "smallest crop must not exceed largest crop"),
        (typed("a", "b", steps=-1), "steps", "steps must be at least 0"),
        (typed("a", "b", keep=1.0), "keep", "keep must be between 0 and 1"),
        (typed("a", "b", growth=1.0), "growth", "growth must be greater than 1"),
        (typed("a", "b", advanced=True, precision="fp12"), "precision", "must be one of auto, fp32"),
        (typed("a", "b", advanced=True, batch_size=0), "batch_size", "at least 1"),
        (typed("a", "b", advanced=True, shown_chains=-1), "shown_chains", "at least 0"),
    ],
)
def test_form__bad_input_is_shown_under_its_field_and_nothing_is_written(birds, params, field, words):
    found = CLASSIFY.errors(birds, **params)
    assert list(found) == [field]
    assert words in found[field]
    with pytest.raises(ExecutionError):
        CLASSIFY.execute(birds, **params)


def test_form__takes_every_kind_of_model_name(birds, monkeypatch):
    monkeypatch.setenv("LGCA_MODELS", "hf-hub:someone/some-model")
    for name in ("ViT-L-14", "demo", "hf-hub:someone/some-model"):
        assert CLASSIFY.errors(birds, **typed("a", "b", encoder="open_clip", model=name)) == {}


def test_form__advanced_settings_count_unless_switched_off(birds):
    off, _ = CLASSIFY.form(birds, **typed("a", "b", advanced=False, crops=5))
    assert "8 images x 87 encodes" in off["preview"].view.label
    texts = json.dumps({"a": ["a bird"], "b": ["a fish"]})
    for switch in ({"advanced": True}, {}):  # code gives settings without the switch
        properties, _ = CLASSIFY.form(birds, **typed("a", "b", crops=5, steps=0, descriptions=texts, **switch))
        assert properties["preview"].view.label == "8 images x 6 encodes = 48 encodes"
        assert properties["advanced"].default is True
        assert properties["description_source"].default == "typed"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"shown_chains": 2}, "chains shown"),
        ({"ground_truth": "taken"}, "label field"),
        ({"precision": "bf16"}, "precision"),
        ({"precision": "fp32"}, None),
        ({"seed": 1}, "regions"),
        ({"logits": True}, "logits"),
        ({"descriptions": '{"a": ["a bird."], "b": ["a fish."]}'}, None),
        ({"descriptions": '{"a": ["a bird."], "b": ["a cat."]}'}, "descriptions"),
        ({"descriptions": '{"a": ["a bird."]}'}, "descriptions"),
        ({"descriptions": None}, "descriptions"),
    ],
)
def test_form__whatever_the_run_would_refuse_is_refused_in_the_form(classified, change, name):
    assert CLASSIFY.errors(classified, **RUN) == {}
    found = CLASSIFY.errors(classified, **{**RUN, **change})
    if name is None:
        assert found == {}
    else:
        start = f"run 'mine' exists with other settings ({name}): start over, or choose another key, such as zeroshot"
        assert found["run_key"] == start


def test_run__a_model_that_cannot_be_loaded_is_shown_and_nothing_is_written(birds):
    params = typed("a", "b", encoder="open_clip", model="ViT-B-32", pretrained="no-such")
    messages, error = messages_of(birds, CLASSIFY.begin(CLASSIFY.context(birds, params)))
    assert "no-such" in str(error)
    assert shown(messages)["views"]["heading1"]["label"] == "The run has stopped"
    assert "no-such" in shown(messages)["views"]["heading1"]["description"]
    row = next(m for m in reversed(messages) if m.operator_uri == "show_output").params["outputs"]["type"]["properties"]
    button = row["row2"]["type"]["properties"]["button0"]["view"]
    assert button["label"] == "Back to the form"
    assert button["params"] == {"open": "lgca_classify", "with": params}, "filled in as it was"


def test_run__a_field_with_one_label_is_refused_before_anything_is_loaded(birds):
    with pytest.raises(ExecutionError, match="at least two classes"):
        CLASSIFY.execute(birds, ground_truth="taken", encoder="demo")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b", " "], "class 3 of classes is blank"),  # which a form would trim
        (["duck\nheron", "owl"], "line break"),  # which would be two classes in the form
        (["duck\u2028heron", "owl"], "line break"),
    ],
)
def test_sdk__call_refuses_names_that_a_form_would_change(birds, names, words):
    with pytest.raises(ValueError, match=words):
        CLASSIFY.call(birds, classes=names, encoder="demo")
