"""``lgca_fuse`` as FiftyOne executes it: the fused run, what the dialog says of it, and its call from code."""

from dataclasses import replace

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.method.comparison.paired import mcnemar_exact
from lgca_plugin.workflows.fuse.outcome import compared_with_sources
from lgca_plugin.workflows.fuse.partners import fused_from
from tests.helpers.app.operators import FUSE, notice, shown, work
from tests.helpers.app.panels import PanelSession
from tests.helpers.fusion.two_encoders import noisy_encoder, two_runs
from tests.helpers.worlds.birds import bird_dataset
from tests.helpers.worlds.compared import URI

pytestmark = pytest.mark.usefixtures("module_store")
NOISE = 0.5
SINGLE = [f"{title} of {key}" for key in ("one", "two") for title in ("CLIP", "WCA", "LGCA")]


@pytest.fixture(scope="module")
def birds(demo_images, demo_encoder, module_store):  # noqa: ARG001 (what is made here goes to the module's store)
    """Two runs of two models, a label in each field for all pictures but two."""
    images = demo_images[:12]
    labels = [None, "no class of the runs", *(image.label for image in images[2:])]
    dataset = bird_dataset(images, ground_truth=labels)
    two_runs(dataset, demo_encoder, noisy_encoder(NOISE))
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.fixture(scope="module")
def messages(birds):
    """What the App is sent while the two runs are fused without labels."""
    return FUSE.run(birds, run="one", learn="none")


def test_fuse__writes_a_run_and_shows_how_it_compares_with_the_best_single_method(birds, messages):
    run = lgca.load_run(birds, "fused")
    assert run.config.fusion is not None
    assert (run.config.fusion.run_key, run.config.fusion.ground_truth, run.config.fusion.labels) == ("one", None, 0)
    assert fused_from(birds, "one") == fused_from(birds, "two") == ["fused"]
    dialog = shown(messages)
    assert dialog["views"]["heading1"]["label"] == notice(messages)
    assert dialog["views"]["heading1"]["description"].endswith("Nothing was learnt from them.")
    figure = next(value for name, value in dialog["values"].items() if name.startswith("figure"))
    assert [trace["name"] for trace in figure[:-1]] == ["HADA", *SINGLE]
    fields = next(message.params["fields"] for message in messages if message.operator_uri == "set_active_fields")
    assert fields[0] == "ground_truth"


@pytest.mark.usefixtures("messages")
def test_outcome__counts_the_same_samples_for_all_and_tests_against_the_best_of_them(birds):
    found = compared_with_sources(lgca.load_run(birds, "fused"))
    assert found is not None
    truth = birds.values("ground_truth.label")[2:]
    right = {}
    for title in SINGLE:
        method, _, key = title.partition(" of ")
        answers = birds.values(f"{key}_{method.lower()}.label")[2:]
        right[title] = [answer == label for answer, label in zip(answers, truth, strict=True)]
    right["HADA"] = [answer == label for answer, label in zip(birds.values("fused_hada.label")[2:], truth, strict=True)]
    assert found.samples == 10
    assert len({sum(of_title) for of_title in right.values()}) > 1
    assert sum(found.excluded.values()) == 2
    assert {title: score.correct for title, score in found.methods.items()} == {
        title: sum(of_title) for title, of_title in right.items()
    }
    (pair,) = found.pairs
    assert (pair.a, sum(right[pair.b])) == ("HADA", max(sum(right[title]) for title in SINGLE))
    alone = [
        sum(a and not b for a, b in zip(x, y, strict=True))
        for x, y in ((right["HADA"], right[pair.b]), (right[pair.b], right["HADA"]))
    ]
    assert [pair.only_a, pair.only_b] == alone
    assert pair.p == pair.p_holm == mcnemar_exact(*alone)


@pytest.mark.usefixtures("messages")
def test_outcome__of_an_ordinary_run_or_without_labels_is_none(birds):
    assert compared_with_sources(lgca.load_run(birds, "one")) is None
    assert compared_with_sources(lgca.load_run(birds, "fused"), "gone") is None


@pytest.mark.usefixtures("messages")
def test_outcome__of_weights_from_a_dataset_with_another_field_is_on_the_runs_own_labels(birds):
    run = lgca.load_run(birds, "fused")
    assert run.config.fusion is not None
    run.config = replace(run.config, fusion=replace(run.config.fusion, ground_truth="a_field_elsewhere"))
    found = compared_with_sources(run)
    assert found is not None and (found.ground_truth, found.samples) == ("ground_truth", 10)


@pytest.mark.usefixtures("messages")
def test_compare_panel__leads_from_a_run_to_the_fused_one_which_says_where_it_comes_from(birds):
    panel = PanelSession(URI, birds).load()
    panel.send("pick_run", value="one")
    panel.press("Show fused")
    name = noisy_encoder(NOISE).name
    words = (
        f"Fused from run 'one' (model demo) and run 'two' (model {name}). Nothing was learnt: the models are added up."
    )
    assert words in panel.shown.texts
    assert panel.state["page"]["head"]["run_field"] == {"run": "fused"}
    assert "HADA" in panel.shown.texts and "Fuse runs" not in panel.shown.buttons


@pytest.mark.usefixtures("messages")
def test_fuse__takes_what_a_fused_run_of_the_same_models_has_learnt(birds):
    of_one = {"run": "one", "learn": "weights"}
    properties, found = FUSE.form(birds, **of_one, run_key_of_one="later")
    assert found == {}
    assert properties["weights_of_one"].default == "fused"
    (message,) = FUSE.errors(birds, **of_one, run_key_of_one="fused", weights_of_one="fused").values()
    assert "is the run whose weights are taken" in message
    assert "learn" in FUSE.errors(birds, run="two", learn="weights")  # the models are in another order
    FUSE.call(birds, ["one", "two"], weights="fused", run_key="later")
    assert birds.values("later_hada.label") == birds.values("fused_hada.label")
    later = lgca.load_run(birds, "later")
    assert later.results["fusion"]["weights_of"] == "fused"
    later.delete()


@pytest.mark.usefixtures("messages")
def test_sdk__a_worker_fuses_under_another_key_and_a_key_that_is_taken_is_refused(birds):
    queued = FUSE.queue(birds, ["two", "one"], run_key="again")
    assert work(queued, birds) == "Fuse zero-shot runs: again"
    run = lgca.load_run(birds, "again")
    assert run.config.fusion is not None and run.config.fusion.run_key == "two"
    assert birds.values("again_hada.label") == birds.values("fused_hada.label")
    with pytest.raises(Exception, match="exists"):
        FUSE.call(birds, ["two", "one"], run_key="fused")
    run.delete()
    assert fused_from(birds, "one") == ["fused"]
