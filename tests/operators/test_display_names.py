"""Names that the model reads, in the forms of classifying, rescoring and finding wrong labels."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.descriptions.class_names import ENTRY
from tests.helpers.app.operators import CLASSIFY, RESCORE, AppOperator
from tests.helpers.worlds.birds import bird_dataset
from tests.helpers.worlds.classify import LIGHT

pytestmark = pytest.mark.usefixtures("module_store")

FIND = AppOperator("lgca_find_wrong_labels")
NAMES = {f"{at:03}.bird": name for at, name in enumerate(CLASSES)}
TYPED = "\n".join(f"{code}: {name}" for code, name in NAMES.items())
PROMPT = "a drawing of a {}."


@pytest.fixture
def dataset(demo_images):
    codes = {name: code for code, name in NAMES.items()}
    dataset = bird_dataset(demo_images[:3], codes=[codes[image.truth] for image in demo_images[:3]])
    yield dataset
    dataset.delete()


def test_classify_and_rescore__with_typed_names(dataset):
    params = {"class_source": "typed", "classes": "\n".join(NAMES), "model": "demo", "run_key": "zs", "advanced": True}
    typed = {"display_names": TYPED, "prompt": PROMPT}
    assert CLASSIFY.errors(dataset, **params, **LIGHT, **typed) == {}
    CLASSIFY.run(dataset, **params, **LIGHT, **typed)
    run = lgca.load_run(dataset, "zs")
    assert run.results[ENTRY] == {"display": NAMES, "prompt": PROMPT}
    assert RESCORE.errors(dataset, run="zs") == {"unchanged": "Nothing is changed: change the classes, the "
                                                 "descriptions, the methods or their settings"}  # fmt: skip
    RESCORE.run(dataset, run="zs", run_key_of_zs="zs_2", prompt="the bird {}.")
    assert lgca.load_run(dataset, "zs_2").results[ENTRY] == {"display": NAMES, "prompt": "the bird {}."}


def test_find__from_code_with_names(dataset):
    FIND.call(dataset, "codes", encoder="demo", run_key="found", display_names=NAMES)
    assert lgca.load_run(dataset, "found").results[ENTRY]["display"] == NAMES


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"display_names": "a bird"}, "'a bird' is no class with the name for the model"),
        ({"display_names": "swan: swan"}, "but for none of the classes"),
        ({"prompt": "a bird"}, "rompt must be one line of text with {}"),
    ],
)
def test_forms__say_what_is_wrong(dataset, typed, words):
    params = {"class_source": "typed", "classes": "\n".join(NAMES), "model": "demo", "advanced": True}
    (message,) = CLASSIFY.errors(dataset, **params, **typed).values()
    assert words in message and "display_names" not in message
