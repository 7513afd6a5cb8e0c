"""What the forms say of class names and descriptions: how texts are used, and what a model may not read."""

import json

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from tests.helpers.app.operators import CLASSIFY, RESCORE, warned
from tests.helpers.checks import untouched
from tests.helpers.worlds.classify import LIGHT, add_birds, typed

pytestmark = pytest.mark.usefixtures("module_store")

GIVEN = {"Redpoll": ["a red cap", "a photo of a redpoll, on a twig"], "blue tit": ["A small bird."], "owl": ["wings"]}
RUN = typed("redpoll", "blue tit", run_key="noted", descriptions=json.dumps(GIVEN), **LIGHT)


@pytest.fixture(scope="module")
def classified(demo_images):
    made = add_birds(fo.Dataset(), demo_images)
    yield made, CLASSIFY.run(made, **RUN)
    made.delete()


@pytest.fixture
def birds(classified):
    with untouched(classified[0]):
        yield classified[0]


def label_of(properties, name):
    return properties[name].view.label


def test_form__shows_how_the_texts_are_used_and_follows_the_style(birds):
    properties, errors = CLASSIFY.form(birds, **RUN)
    assert errors == {}
    assert properties["description_style"].default == "auto"
    assert label_of(properties, "texts_use") == (
        "3 texts: 1 put into a sentence with their class, such as \u201credpoll, which has a red cap.\u201d, and 2 "
        "used as they are, such as \u201ca photo of a redpoll, on a twig\u201d"
    )
    assert label_of(properties, "texts_warning0") == "The descriptions of owl are not used: no class is called so"
    whole = CLASSIFY.form(birds, **{**RUN, "description_style": "sentences", "overwrite": True})[0]
    assert label_of(whole, "texts_use") == "3 texts, each used as it is, such as \u201ca red cap\u201d"
    attributes = CLASSIFY.form(birds, **{**RUN, "description_style": "attributes", "overwrite": True})[0]
    assert label_of(attributes, "texts_use").startswith("3 texts: 2 put into a sentence with their class")
    assert "texts_use" not in CLASSIFY.form(birds, **typed("redpoll", "blue tit"))[0]


def test_form__refuses_texts_of_no_class_and_a_style_that_does_not_exist(birds):
    other = {**RUN, "descriptions": '{"dog": ["a tail"]}', "run_key": "other"}
    assert "match none of the classes" in CLASSIFY.errors(birds, **other)["texts_problem"]
    (message,) = CLASSIFY.errors(birds, **{**RUN, "description_style": "short", "run_key": "other"}).values()
    assert message == "the style of the texts must be one of auto, sentences, attributes, got 'short'"


def test_form__another_style_is_another_setting_of_a_run(birds):
    assert CLASSIFY.errors(birds, **RUN) == {}
    changed = CLASSIFY.errors(birds, **{**RUN, "description_style": "sentences"})
    assert "exists with other settings (descriptions)" in changed["run_key"]


def test_form__warns_of_names_that_are_one_text_and_of_letters_that_models_lack(birds):
    properties, errors = CLASSIFY.form(
        birds, **typed("Blue Tit", "blue tit", "lady\u2019s slipper", "lady's slipper", "海鸥")
    )
    assert errors == {}
    assert label_of(properties, "names_warning0").startswith(
        "Most models read 'Blue Tit' and 'blue tit' (and 1 more pair) as one text, and can't tell them apart: merge"
    )
    assert "can't know 海鸥: give English names" in label_of(properties, "names_warning1")
    assert "names_warning0" not in CLASSIFY.form(birds, **typed("blue tit", "redpoll", "goéland"))[0]


def test_form__warns_of_texts_that_are_too_long(birds):
    long = {"redpoll": ["a red cap " * 30, "a red cap"], "blue tit": ["a bird " * 38]}
    properties, _ = CLASSIFY.form(birds, **{**RUN, "descriptions": json.dumps(long), "run_key": "long"})
    assert label_of(properties, "texts_warning0").startswith(
        "2 texts of redpoll, blue tit are longer than the 77 tokens, about 57 words"
    )


def test_form__warns_of_classes_with_the_same_texts_in_the_style_that_is_chosen(birds):
    same = {"redpoll": ["a red cap"], "blue tit": ["A red cap"]}
    params = {**RUN, "descriptions": json.dumps(same), "run_key": "same"}
    assert "texts_warning0" not in CLASSIFY.form(birds, **params)[0]
    whole, _ = CLASSIFY.form(birds, **{**params, "description_style": "sentences"})
    assert label_of(whole, "texts_warning0").startswith("The descriptions of redpoll, blue tit are the same")


def test_dialog__holds_the_warnings_of_the_run(classified):
    assert "The descriptions of owl are not used: no class is called so" in warned(classified[1])


def test_rescore_form__shows_the_same(birds):
    texts = {"description_source": "typed", "descriptions": json.dumps({"redpoll": ["a red cap"]})}
    properties, errors = RESCORE.form(birds, run="noted", **texts)
    assert errors == {}
    assert label_of(properties, "texts_use").startswith("One text, put into a sentence with its class: ")
    assert label_of(properties, "texts_warning0") == "No descriptions for blue tit: templates stand in"


def test_run__of_the_form_and_of_code_use_the_texts_as_the_library_does(birds):
    run = lgca.load_run(birds, "noted")
    assert run.descriptions["redpoll"] == ["redpoll, which has a red cap.", "a photo of a redpoll, on a twig"]
    assert run.summary()["texts"]["style"] == "auto"
    assert str(run).splitlines()[1] == (
        "  descriptions: 2 used as they are, 1 put into a sentence with their class, as 'a red cap' into 'redpoll, "
        "which has a red cap.'"
    )
    assert "warning: the descriptions of owl are not used" in str(run)
    assert "\n" not in repr(run)


def test_sdk__a_dict_is_used_as_it_is_unless_attributes_are_named(classified):
    dataset, _ = classified
    given = {name: GIVEN[name] for name in ("Redpoll", "blue tit")}
    options = {"regions": {"crops": 3, "steps": 1}, "encoder": "demo", "descriptions": given}
    for style, first in (("auto", "a red cap"), ("attributes", "redpoll, which has a red cap.")):
        CLASSIFY.call(dataset, ["redpoll", "blue tit"], run_key=f"sdk_{style}", description_style=style, **options)
        run = lgca.load_run(dataset, f"sdk_{style}")
        assert run.descriptions["redpoll"][0] == first
        run.delete()
