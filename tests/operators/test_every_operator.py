"""What all operators do: without a dataset, without a run, with the first one, and queued for a worker."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.workflows.evaluate import last_evaluation
from tests.helpers.app.operators import (
    CLASSIFY,
    DECIDE,
    DELETE,
    DESCRIBE,
    EVALUATE,
    EXPORT,
    FUSE,
    RESCORE,
    TRIAGE,
    UNDO,
    work,
)
from tests.helpers.worlds.classify import LIGHT

pytestmark = pytest.mark.usefixtures("module_store")

CLASSES = ["goldfinch", "redpoll", "blue tit"]
OF_A_RUN = [RESCORE, TRIAGE, EVALUATE, FUSE, DELETE]


def by_name(operator):
    return operator.uri.rpartition("_")[2]


@pytest.fixture
def birds(dataset, demo_images):
    dataset.add_samples(
        [fo.Sample(filepath=image.path, truth=fo.Classification(label=image.truth)) for image in demo_images[:6]]
    )
    return dataset


@pytest.fixture
def run(birds, demo_encoder):
    return lgca.classify(
        birds, classes=CLASSES, encoder=demo_encoder, regions=lgca.RegionConfig(**LIGHT), run_key="zs", progress=False
    )


@pytest.mark.parametrize("operator", [CLASSIFY, DESCRIBE, *OF_A_RUN, DECIDE, UNDO, EXPORT], ids=by_name)
def test_form__without_an_open_dataset_is_refused(operator):
    (message,) = operator.errors(None).values()
    words = "no zero-shot run to delete on this dataset" if operator is DELETE else "Open a dataset first"
    assert words in message


@pytest.mark.parametrize("operator", OF_A_RUN, ids=by_name)
def test_form__without_a_run_is_refused(operator, birds):
    words = {
        RESCORE: "This dataset has no zero-shot run to rescore yet: classify it first.",
        TRIAGE: "This dataset has no zero-shot run to triage yet: classify it first.",
        EVALUATE: "This dataset has no zero-shot run to evaluate yet: classify it first.",
        FUSE: "This dataset has no zero-shot run to fuse yet: classify it first.",
        DELETE: "There is no zero-shot run to delete on this dataset.",
    }
    assert operator.errors(birds) == {"refusal": words[operator]}


def test_delegated__classify(birds):
    queued = CLASSIFY.queue(birds, classes=CLASSES, encoder="demo", regions=LIGHT, run_key="later")
    assert birds.list_runs() == []
    assert work(queued, birds) == "Classify zero-shot: later"
    assert lgca.load_run(birds, "later").summary()["predicted"] == len(birds)


def test_delegated__rescore(run):
    assert work(RESCORE.queue(run.dataset, "zs", CLASSES[:2], run_key="later"), run.dataset) == "Rescore zero-shot: zs"
    assert lgca.load_run(run.dataset, "later").summary()["predicted"] == len(run.dataset)


def test_delegated__triage(run):
    queued = TRIAGE.queue(run.dataset, run="zs", ground_truth="truth", corrected_field="better")
    assert work(queued, run.dataset) == "Triage zero-shot: zs"
    assert run.dataset.count("zs_case") == len(run.dataset)
    assert lgca.load_run(run.dataset, "zs").results["triage"]["corrected_field"] == "better"


def test_delegated__evaluate(run):
    assert work(EVALUATE.queue(run.dataset, "zs", "truth"), run.dataset) == "Evaluate zero-shot: zs"
    evaluation = last_evaluation(lgca.load_run(run.dataset, "zs"))
    assert evaluation is not None
    assert evaluation.samples == len(run.dataset.match(fo.ViewField("truth.label").is_in(CLASSES)))
