"""``lgca_triage`` as FiftyOne executes it: the form, the result, refusals, delegation."""

import json
from functools import partial

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from tests.helpers import operators as harness

TRIAGE = "@lgca/zero-shot/lgca_triage"
SMALL = lgca.RegionConfig(crops=14)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(autouse=True)
def fresh_store(monkeypatch, shared_store):
    monkeypatch.setenv("LGCA_STORE_DIR", str(shared_store))
    return shared_store


@pytest.fixture
def birds(dataset, demo_images):
    dataset.add_samples(
        [fo.Sample(filepath=image.path, ground_truth=fo.Classification(label=image.label)) for image in demo_images]
    )
    return dataset


@pytest.fixture
def classify(birds, demo_encoder):
    def classify(run_key="zs", methods=("clip", "wca", "lgca"), **options):
        given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "regions": SMALL, **options}
        return lgca.classify(birds, methods=methods, encoder=demo_encoder, run_key=run_key, progress=False, **given)

    return classify


form, run_it = partial(harness.form, uri=TRIAGE), partial(harness.run_it, uri=TRIAGE)


def test_form__says_what_is_compared_and_proposes_the_runs_labels(classify, birds):
    classify(ground_truth="ground_truth")
    properties, problems = form(birds)
    assert not problems
    assert properties["run"].default == "zs"
    assert properties["ground_truth_of_zs"].default == "ground_truth"
    assert properties["ground_truth_of_zs"].type.values == ["ground_truth"]
    assert "24 predicted samples; clip, wca and lgca are compared" in properties["outlook"].view.label


def test_form__lists_no_field_that_a_triage_has_made(classify, birds):
    classify(ground_truth="ground_truth").triage(progress=False)
    properties, problems = form(birds)
    assert not problems
    assert properties["ground_truth_of_zs"].type.values == ["ground_truth"]


@pytest.mark.parametrize(
    ("params", "field", "sentence"),
    [
        ({"run": "nothing"}, "run", "nothing"),
        ({"ground_truth": "ground_truth", "corrected_field": "ground_truth"}, "run", "never changed"),
        ({"corrected_field": "zs_wca"}, "run", "is a field of run 'zs'"),
    ],
)
def test_form__wrong_entries_are_marked(classify, birds, params, field, sentence):
    classify()
    _, problems = form(birds, **params)
    assert sentence in problems[field]


def test_form__a_run_without_the_three_predictions_is_refused_with_the_way_out(classify, birds):
    classify(methods=("clip", "wca"))
    _, problems = form(birds)
    assert "no method that looks at crops that grow" in problems["run"]


def test_form__no_run_no_dataset(birds):
    _, problems = form(birds)
    assert "classify it first" in problems["refusal"]
    _, problems = form(None)
    assert "Open a dataset first" in problems["refusal"]


def test_execute__triages_shows_the_queue_and_says_what_it_found(classify, birds):
    classify(ground_truth="ground_truth")
    messages = run_it(birds, run="zs")
    assert birds.count("zs_case") == 24
    shown = json.dumps([message.to_json() for message in messages])
    assert "24 samples triaged" in shown
    assert "reload_dataset" in shown
    assert ("set_view" in shown) == (birds.count("zs_suggestion") > 0)


def test_execute__what_is_wrong_is_said_before_anything_is_written(classify, birds):
    classify()
    ctx = harness.context(birds, {"run": "zs", "ground_truth": "nothing"}, uri=TRIAGE)
    with pytest.raises(ValueError, match="ground_truth 'nothing' is no field"):
        foo.get_operator(TRIAGE).execute(ctx)
    assert not birds.has_field("zs_case")


def test_call__delegated(classify, birds):
    classify(ground_truth="ground_truth")
    operator = foo.get_operator(TRIAGE)
    operator(birds, run="zs", corrected_field="better", delegate=True)
    service = DelegatedOperationService()
    queued = service.list_operations(operator=TRIAGE, dataset_name=birds.name)
    assert [operation.run_state for operation in queued] == ["queued"]
    service.execute_queued_operations(operator=TRIAGE, dataset_name=birds.name)
    birds.reload()
    assert birds.count("zs_case") == 24
    assert lgca.load_run(birds, "zs").results["triage"]["corrected_field"] == "better"
