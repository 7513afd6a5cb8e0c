"""The choice of a budget in the form of ``lgca_classify``, and what a run of it says when it is through."""

import fiftyone as fo
import fiftyone.operators as foo
import pytest

import lgca_plugin as lgca
from tests.helpers.worlds.classify import CLASSIFY, add_birds, errors, form, run_it, typed

REGIONS = {"advanced": True, "crops": 12, "steps": 1}
CLASSES = ("goldfinch", "redpoll", "blue tit")


@pytest.fixture(autouse=True)
def fresh_store(monkeypatch, module_store):
    monkeypatch.setenv("LGCA_STORE_DIR", str(module_store))
    return module_store


@pytest.fixture(scope="module")
def birds(demo_images):
    made = add_birds(fo.Dataset(), demo_images)
    yield made
    made.delete()


def test_form__the_budget_is_full_unless_one_asks_otherwise(birds):
    properties, verdict = form(birds, **typed(*CLASSES))
    assert not verdict.invalid
    assert properties["budget"].default == "full"
    assert [choice.value for choice in properties["budget"].view.choices] == ["full", "adaptive"]
    assert properties["outlook"].view.label == "8 images x 87 encodes = 696 encodes"


def test_form__an_adaptive_budget_takes_at_most_as_much(birds):
    properties, verdict = form(birds, **typed(*CLASSES, budget="adaptive"))
    assert not verdict.invalid
    assert properties["outlook"].view.label == (
        "8 images x 87 encodes = 696 encodes under a full budget, usually less than half of them now"
    )


def test_form__an_unknown_budget_is_said_under_its_field(birds):
    assert errors(birds, **typed(*CLASSES, budget="large")) == {
        "budget": "budget must be one of full, adaptive, got 'large'"
    }


def test_run__says_how_many_crops_the_images_took_and_is_gone_on_with_as_it_was(birds):
    messages = run_it(birds, **typed(*CLASSES, run_key="zs", budget="adaptive", **REGIONS))
    run = lgca.load_run(birds, "zs")
    assert run.config.budget == "adaptive"
    assert sum(run.summary()["stopped_after"].values()) == 8
    took = [f"{images} took {crops}" for crops, images in run.summary()["stopped_after"].items()]
    assert messages[-1].params["results"]["Images by crops"] == ", ".join(took)
    assert "budget" in errors(birds, **typed(*CLASSES, run_key="zs", **REGIONS))["run_key"]
    assert not errors(birds, **typed(*CLASSES, run_key="zs", budget="adaptive", **REGIONS))


def test_operator__takes_the_budget_from_code(birds):
    operator = foo.get_operator(CLASSIFY)
    operator(birds, list(CLASSES), encoder="demo", run_key="code", regions={"crops": 12}, budget="adaptive")
    assert lgca.load_run(birds, "code").config.budget == "adaptive"
