"""``lgca_triage`` as FiftyOne executes it: the form, the result, refusals."""

from functools import partial

import pytest

from tests.helpers.app.operators import TRIAGE, notice
from tests.helpers.worlds.rescore import add_birds, classified

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture
def birds(dataset, demo_images):
    return add_birds(dataset, demo_images)


@pytest.fixture
def classify(birds, demo_encoder):
    return partial(classified, birds, demo_encoder)


def test_form__says_what_is_compared_and_proposes_the_runs_labels(classify, birds):
    run = classify(ground_truth="ground_truth")
    for _ in range(2):  # before and after a triage, whose fields are no label fields
        properties, found = TRIAGE.form(birds)
        assert found == {}
        assert properties["run"].default == "zs"
        assert properties["ground_truth_of_zs"].default == "ground_truth"
        assert properties["ground_truth_of_zs"].type.values == ["ground_truth", "other"]
        assert properties["preview"].view.label.startswith("24 predicted samples; clip, wca and lgca are compared")
        run.triage(progress=False)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"run": "nothing"}, "nothing"),
        ({"ground_truth": "ground_truth", "corrected_field": "ground_truth"}, "never changed"),
        ({"corrected_field": "zs_wca"}, "is a field of run 'zs'"),
    ],
)
def test_form__wrong_entries_are_marked(classify, birds, params, sentence):
    classify()
    assert sentence in TRIAGE.errors(birds, **params)["run"]


def test_form__a_run_without_the_three_predictions_is_refused_with_the_way_out(classify, birds):
    classify(methods=("clip", "wca"))
    assert "no method that looks at crops that grow" in TRIAGE.errors(birds)["run"]


def test_execute__triages_shows_the_queue_and_says_what_it_found(classify, birds):
    classify(ground_truth="ground_truth")
    messages = TRIAGE.run(birds, run="zs")
    assert birds.count("zs_case") == 24
    assert notice(messages).startswith("24 samples triaged")
    names = [message.operator_uri for message in messages]
    assert "reload_dataset" in names
    assert ("set_view" in names) == (birds.count("zs_suggestion") > 0)


def test_execute__what_is_wrong_is_reported_before_anything_is_written(classify, birds):
    classify()
    with pytest.raises(ValueError, match="ground_truth 'nothing' is no field"):
        TRIAGE.operator.execute(TRIAGE.context(birds, {"run": "zs", "ground_truth": "nothing"}))
    assert not birds.has_field("zs_case")
