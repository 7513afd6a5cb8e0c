"""The form of ``lgca_classify`` and all that is refused before anything is written."""

import json

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionContext, ExecutionError, Executor, ValidationContext

import lgca_plugin as lgca
from tests.helpers.untouched import untouched
from tests.helpers.worlds.classify import (
    CLASSIFY,
    DELETE,
    LIGHT,
    add_birds,
    context,
    errors,
    form,
    run_it,
    typed,
    uploaded,
)

pytestmark = pytest.mark.usefixtures("module_store")

TEXTS = '{"a": ["a bird."], "b": ["a fish."]}'
RUN = typed("a", "b", advanced=True, ground_truth="ground_truth", descriptions=TEXTS, **LIGHT)


@pytest.fixture(scope="module")
def module_birds(demo_images):
    made = add_birds(fo.Dataset(), demo_images)
    yield made
    made.delete()


@pytest.fixture
def birds(module_birds):
    """The birds that all tests here look at; what changes them is in test_operators.py."""
    with untouched(module_birds):
        yield module_birds


@pytest.fixture(scope="module")
def module_classified(demo_images):
    made = add_birds(fo.Dataset(), demo_images)
    run_it(made, **RUN)
    yield made
    made.delete()


@pytest.fixture
def classified(module_classified):
    """Such birds with a run of the settings in ``RUN``."""
    with untouched(module_classified):
        yield module_classified


def test_form__starts_valid_with_the_label_field_and_the_published_defaults(birds):
    properties, verdict = form(birds)
    assert not verdict.invalid
    assert properties["class_source"].default == "field"
    assert properties["ground_truth"].default == "ground_truth"
    assert properties["methods"].default == ["clip", "wca", "lgca"]
    assert (properties["model"].default, properties["pretrained"].default) == ("ViT-B-32-quickgelu", "openai")
    assert properties["run_key"].default == "zeroshot"
    assert properties["outlook"].view.label == "8 images x 87 encodes = 696 encodes"


def test_form__offers_classification_fields_only(birds):
    properties, _ = form(birds)
    assert properties["ground_truth"].type.values == ["ground_truth", "taken"]


def test_form__explains_every_method(birds):
    properties, _ = form(birds)
    choices = properties["methods"].view.choices
    assert {choice.value for choice in choices} == set(lgca.METHODS)
    assert all(choice.description for choice in choices)


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        (typed("duck", "", "heron"), "classes", "class 2 of classes is blank"),
        (typed("duck", "heron", " duck "), "classes", "'duck' is given twice"),
        (typed("duck"), "classes", "at least two classes"),
        (typed(""), "classes", "one a line"),
        ({"class_source": "field", "ground_truth": "nowhere"}, "ground_truth", "'nowhere' is no Classification"),
        ({"class_source": "field", "ground_truth": "boxes"}, "ground_truth", "'boxes' is no Classification"),
        (typed("a", "b", run_key="my run"), "run_key", "letters, digits and _"),
        (typed("a", "b", run_key="1st"), "run_key", "start with a letter"),
        (typed("a", "b", methods=[]), "methods", "methods is empty"),
        (typed("a", "b", methods=["clip", "magic"]), "methods", "unknown method 'magic'"),
        (typed("a", "b", encoder="open_clip", model="ViT-B-16", pretrained=""), "pretrained", "pretrained tag"),
        (typed("a", "b", encoder="open_clip", model="ViT-B-33"), "model", "no model 'ViT-B-33'; did you mean ViT-B-32"),
        (typed("a", "b", encoder="checkpoint", model="ViT-B-33"), "model", "did you mean ViT-B-32"),
        (typed("a", "b", encoder="open_clip", model="local-dir:/no/such"), "model", "no model in '/no/such'"),
        (typed("a", "b", encoder="checkpoint", checkpoint="/no/such.pt"), "checkpoint", "no file '/no/such.pt'"),
        (typed("a", "b", description_source="typed", descriptions="{"), "descriptions", "not JSON"),
        (typed("a", "b", description_source="typed", descriptions="[1]"), "descriptions", "must map each class"),
        (typed("a", "b", description_source="upload"), "description_upload", "choose a JSON file"),
        (uploaded(b"\xff\xfe"), "description_upload", "not UTF-8"),
        (uploaded(b'{"a": 3}'), "description_upload", "must be a list of texts"),
        (typed("a", "b", description_source="file"), "description_file", "give the path"),
        (typed("a", "b", advanced=True, crops=0), "crops", "crops must be at least 1"),
        (typed("a", "b", advanced=True, crops=2.5), "crops", "whole number"),
        (typed("a", "b", advanced=True, scale_min=0.9, scale_max=0.5), "scale_min", "must not exceed scale_max"),
        (typed("a", "b", advanced=True, scale_max=1.5), "scale_min", "at most 1"),
        (typed("a", "b", advanced=True, steps=-1), "steps", "steps must be at least 0"),
        (typed("a", "b", advanced=True, keep=1.0), "keep", "keep must be between 0 and 1"),
        (typed("a", "b", advanced=True, growth=1.0), "growth", "growth must be greater than 1"),
        (typed("a", "b", crops=0), "crops", "crops must be at least 1"),
        (typed("a", "b", advanced=True, precision="fp12"), "precision", "must be one of auto, fp32"),
        (typed("a", "b", advanced=True, batch_size=0), "batch_size", "at least 1"),
        (typed("a", "b", advanced=True, shown_chains=-1), "shown_chains", "at least 0"),
    ],
)
def test_form__bad_input_is_shown_under_its_field_and_nothing_is_written(birds, params, field, words):
    before = (list(birds.get_field_schema()), birds.list_runs())
    found = errors(birds, **params)
    assert list(found) == [field]
    assert words in found[field]
    with pytest.raises(ExecutionError):
        foo.execute_operator(CLASSIFY, dataset=birds, params=params)
    birds.reload()
    assert (list(birds.get_field_schema()), birds.list_runs()) == before


def test_form__takes_every_kind_of_model_name(birds):
    names = ("ViT-L-14", "demo", "hf-hub:someone/some-model")
    assert [errors(birds, **typed("a", "b", encoder="open_clip", model=name)) for name in names] == [{}, {}, {}]


def test_form__advanced_settings_count_only_while_switched_on(birds):
    properties, _ = form(birds, **typed("a", "b", advanced=False, crops=5))
    assert "8 images x 87 encodes" in properties["outlook"].view.label
    properties, _ = form(birds, **typed("a", "b", advanced=True, crops=5, steps=0))
    assert properties["outlook"].view.label == "8 images x 6 encodes = 48 encodes"


def test_form__settings_given_without_their_switch_count(birds):
    texts = json.dumps({"a": ["a bird"], "b": ["a fish"]})
    properties, _ = form(birds, **typed("a", "b", crops=5, steps=0, descriptions=texts))
    assert properties["outlook"].view.label == "8 images x 6 encodes = 48 encodes"
    assert properties["advanced"].default is True
    assert properties["description_source"].default == "typed"
    assert "descriptions" in errors(birds, **typed("a", "b", descriptions="{"))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"shown_chains": 2}, "shown_chains"),
        ({"ground_truth": "taken"}, "ground_truth"),
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
    assert errors(classified, **RUN) == {}
    found = errors(classified, **{**RUN, **change})
    assert found == {} if name is None else f"other settings ({name})" in found["run_key"]


def test_run__model_that_is_not_there_is_told_and_nothing_is_written(birds):
    operator = foo.get_operator(CLASSIFY)
    ctx = context(birds, operator, **typed("a", "b", encoder="open_clip", model="ViT-B-32", pretrained="no-such"))
    messages = []
    with pytest.raises(Exception, match="no-such"):
        messages.extend(operator.execute(ctx))
    shown = messages[-1].body
    assert shown.operator_uri == "show_output"
    assert "no-such" in shown.params["outputs"]["type"]["properties"]["heading"]["view"]["description"]
    birds.reload()
    assert birds.list_runs() == []


def test_run__a_field_with_one_label_is_refused_before_anything_is_loaded(birds):
    with pytest.raises(ExecutionError, match="at least two classes"):
        foo.execute_operator(CLASSIFY, dataset=birds, params={"ground_truth": "taken", "encoder": "demo"})
    birds.reload()
    assert birds.list_runs() == []


def test_sdk__call_refuses_blank_names_that_a_form_would_trim(birds):
    with pytest.raises(ValueError, match="class 3 of classes is blank"):
        foo.get_operator(CLASSIFY)(birds, classes=["a", "b", " "], encoder="demo")


@pytest.mark.parametrize("separator", ["\n", "\x85", "\u2028"])
def test_sdk__call_makes_no_two_classes_of_one(birds, separator):
    with pytest.raises(ValueError, match="line break"):
        foo.get_operator(CLASSIFY)(birds, classes=[f"duck{separator}heron", "owl"], encoder="demo")


def test_delete__without_runs_says_so(birds):
    assert errors(birds, DELETE) == {"refusal": "There is no zero-shot run to delete on this dataset."}


@pytest.mark.parametrize("uri", [CLASSIFY, DELETE])
def test_form__without_an_open_dataset_says_so(uri):
    operator = foo.get_operator(uri)
    ctx = ExecutionContext(request_params={"params": {}}, executor=Executor(), operator_uri=uri)
    inputs = operator.resolve_type(ctx, "inputs")
    assert "dataset" in inputs.type.properties["refusal"].error_message
    assert ValidationContext(ctx, inputs, operator).invalid
    operator.resolve_placement(ctx)


@pytest.mark.parametrize(
    ("model", "size"),
    [("ViT-B-32-quickgelu", "1.5 MB"), ("ViT-L-14", "2.2 MB"), ("hf-hub:someone/some-model", "an unknown size")],
)
def test_form__size_on_disk_follows_the_model(birds, model, size):
    params = typed("a", "b", encoder="open_clip", model=model, pretrained="openai")
    assert size in form(birds, **params)[0]["outlook"].view.description
