"""The form of ``lgca_fuse``: which runs it offers, what it would learn from, and what it refuses."""

import json
from typing import Any

import fiftyone as fo
import pytest

from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.store.file import FILE_NAME
from tests.helpers.app.operators import FUSE, AppOperator
from tests.helpers.app.panels import PanelSession
from tests.helpers.checks import untouched
from tests.helpers.fusion.two_encoders import REGIONS, noisy_encoder, two_runs
from tests.helpers.worlds.birds import bird_dataset, classify_birds
from tests.helpers.worlds.compared import URI

pytestmark = pytest.mark.usefixtures("module_store")

COUNT = 36


@pytest.fixture(scope="module")
def module_birds(demo_images, demo_encoder, module_store):  # noqa: ARG001 (what is made here goes to the module's store)
    """Two runs of two models, and a later one of the first model; every picture twice, so that labels are enough."""
    pictures = (demo_images * 2)[:COUNT]
    labels = [CLASSES[at % 6] for at in range(COUNT)]
    some = [*labels[:-1], "no class of the runs"]
    few = [label if at < 20 else None for at, label in enumerate(labels)]
    outside = ["no class of the runs"] * COUNT
    dataset = bird_dataset(pictures, ground_truth=labels, some=some, few=few, outside=outside)
    two_runs(dataset, demo_encoder, noisy_encoder())
    classify_birds(dataset, demo_encoder, run_key="three", regions=REGIONS, methods=("clip",))
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.fixture
def birds(module_birds):
    with untouched(module_birds):
        yield module_birds


def test_form__proposes_the_newest_two_runs_that_fit_and_says_what_it_learns_from(birds):
    properties, found = FUSE.form(birds)
    assert found == {}
    assert properties["run"].default == "two"
    assert [choice.value for choice in properties["run"].view.choices] == ["three", "two", "one"]
    assert properties["others_of_two"].default == ["one"]
    (offered,) = properties["others_of_two"].view.choices
    assert (offered.value, offered.label) == ("one", "one: demo")
    assert offered.description == f"{COUNT} pictures in common"
    assert properties["unfit"].view.label == "Not offered: 'three' looks at no crops"
    assert properties["learn"].default == "labels"
    assert properties["ground_truth_of_two"].default == "ground_truth"
    assert properties["supply"].view.label == f"It learns from {COUNT} labels of 6 classes, 6 each"
    assert properties["run_key_of_two"].default == "fused"
    assert properties["cost"].view.label.endswith(f"for {COUNT} pictures")
    assert "No picture is encoded" in properties["cost"].view.description


def test_form__without_labels_learns_nothing(birds):
    properties, found = FUSE.form(birds, learn="none")
    assert found == {}
    assert "nothing is learnt" in properties["not_learned"].view.label
    assert not any(name.startswith("ground_truth") for name in properties)


def test_form__says_what_few_labels_and_classes_without_one_mean(birds):
    properties, found = FUSE.form(birds, ground_truth_of_two="few")
    assert found == {}
    assert "too few to learn from" in properties["few_labels"].view.label
    properties, found = FUSE.form(birds, ground_truth_of_two="some")
    assert properties["supply"].view.description.endswith("; 1 label of no class of the run: not used")
    assert properties["labels_warning0"].view.label.startswith("6 classes have no label (")


def test_form__refuses_what_cannot_be_fused(birds):
    assert "has the same model" in FUSE.errors(birds, run="one", others_of_one=["three"])["others_of_one"]
    assert "choose at least one run" in FUSE.errors(birds, others_of_two=[])["others_of_two"]
    odd: tuple[Any, ...] = ("gone", ["one"], {})
    for other in odd:
        assert "is no other run" in FUSE.errors(birds, others_of_two=[other])["others_of_two"]
    (message,) = FUSE.errors(birds, run="three").values()
    assert "no run to fuse 'three' with" in message and "'two' looks at crops" in message
    for run in ("gone", ["one"]):
        assert "must name a zero-shot run" in FUSE.errors(birds, run=run)["run"]
    assert "choose from" in FUSE.errors(birds, ground_truth_of_two="gone")["ground_truth_of_two"]
    assert "no label in outside" in FUSE.errors(birds, ground_truth_of_two="outside")["ground_truth_of_two"]
    assert "nothing of this kind" in FUSE.errors(birds, learn="weights")["learn"]  # there is no fused run


def test_form__says_that_the_store_cannot_be_read(birds, monkeypatch, tmp_path):
    (tmp_path / FILE_NAME).mkdir()
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    assert "can't be opened" in FUSE.errors(birds)["refusal"]
    panel = PanelSession(URI, birds).load()
    panel.send("pick_run", value="one")
    assert "Do the methods agree?" in panel.shown.texts and "Fuse runs" not in panel.shown.buttons


def test_form__refuses_keys_that_are_taken(birds):
    assert "one of the runs that are fused" in FUSE.errors(birds, run_key_of_two="one")["run_key_of_two"]
    assert "tick to replace it" in FUSE.errors(birds, run_key_of_two="three")["run_key_of_two"]
    assert FUSE.errors(birds, run_key_of_two="three", overwrite_of_three=True) == {}
    assert "must start with a letter" in FUSE.errors(birds, run_key_of_two="1")["run_key_of_two"]


def test_form__more_has_the_published_form_which_needs_labels(birds):
    properties, found = FUSE.form(birds, more=True)
    assert found == {}
    assert properties["kind"].default == "anchored"
    assert {"folds", "seed"} <= set(properties)
    properties, found = FUSE.form(birds, more=True, kind="published")
    assert found == {}
    assert "must learn from labels" in FUSE.errors(birds, more=True, kind="published", learn="none")["kind"]
    assert "from 2 to 20" in FUSE.errors(birds, more=True, folds=1)["folds"]
    assert FUSE.errors(birds, more=False, folds=1) == {}
    for learnt in ({"learn": "none"}, {"ground_truth_of_two": "few"}):  # where the folds play no part
        assert "from 2 to 20" in FUSE.errors(birds, more=True, folds=1, **learnt)["folds"]


def test_form__reads_database_and_store_once_while_it_is_open(birds, monkeypatch, tmp_path):
    labels = []
    for key in ("a", "ab", "abc"):
        properties, _ = FUSE.form(birds, {"prompt_id": f"open in {tmp_path}"}, run_key_of_two=key)
        labels.append(properties["cost"].view.label)
        monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / key))
    assert len(set(labels)) == 1


def test_menu__has_it_where_runs_of_different_models_are_there(birds):
    menu = AppOperator("lgca_menu")
    assert "Fuse runs" in json.dumps(menu.operator.resolve_type(menu.context(birds), "inputs").to_json())


def test_compare_panel__offers_to_fuse_the_shown_run_where_another_model_has_looked(birds):
    panel = PanelSession(URI, birds).load()
    assert "Fuse runs" not in panel.shown.buttons  # the newest run looks at no crops
    panel.send("pick_run", value="one")
    name = noisy_encoder().name
    assert f"Run 'two' (model {name}, {COUNT} samples in common)" in panel.shown.texts
    panel.press("Fuse runs")
    assert panel.prompted[-1] == ("lgca_fuse", {"run": "one"})
