"""``lgca_triage`` as FiftyOne executes it: the form, the result, refusals."""

import pytest

from tests.helpers.app.operators import TRIAGE, notice

pytestmark = pytest.mark.usefixtures("module_store")


def test_form__says_what_is_compared_and_proposes_the_runs_labels(classify, dataset):
    run = classify(ground_truth="ground_truth")
    for _ in range(2):  # before and after a triage, whose fields are no label fields
        properties, found = TRIAGE.form(dataset)
        assert found == {}
        assert properties["run"].default == "zs"
        assert properties["ground_truth_of_zs"].default == "ground_truth"
        assert properties["ground_truth_of_zs"].type.values == ["ground_truth", "other"]
        assert properties["preview"].view.label.startswith("CLIP, WCA and LGCA are compared on 24 samples. ")
        run.triage(progress=False)


def test_form__a_read_only_field_is_refused_in_the_words_of_the_app(classify, dataset):
    classify()
    field = dataset.get_field("zs_clip")
    field.read_only = True
    field.save()
    problem = TRIAGE.errors(dataset)["preview"]
    assert problem.startswith("Field 'zs_clip' is read-only, so run 'zs' can't be triaged: it has to be made writable")
    assert "get_field" not in problem


@pytest.mark.parametrize(
    ("params", "sentence", "place"),
    [
        ({"run": "nothing"}, "nothing", "run"),
        ({"ground_truth": "ground_truth", "corrected_field": "ground_truth"}, "never changed", "preview"),
        ({"corrected_field": "zs_wca"}, "is a field of run 'zs'", "preview"),
    ],
)
def test_form__wrong_entries_are_marked(classify, dataset, params, sentence, place):
    classify()
    assert sentence in TRIAGE.errors(dataset, **params)[place]


def test_form__a_run_without_the_three_predictions_is_refused_with_the_way_out(classify, dataset):
    classify(methods=("clip", "wca"))
    assert "no method that looks at crops that grow" in TRIAGE.errors(dataset)["preview"]


def test_execute__triages_shows_the_queue_and_says_what_it_found(classify, dataset):
    classify(ground_truth="ground_truth")
    messages = TRIAGE.run(dataset, run="zs")
    assert dataset.count("zs_case") == 24
    assert notice(messages).startswith("24 samples triaged")
    names = [message.operator_uri for message in messages]
    assert "reload_dataset" in names
    assert ("set_view" in names) == (dataset.count("zs_suggestion") > 0)


def test_execute__what_is_wrong_is_reported_before_anything_is_written(classify, dataset):
    classify()
    with pytest.raises(ValueError, match="the label field 'nothing' is no field"):
        TRIAGE.begin(TRIAGE.context(dataset, {"run": "zs", "ground_truth": "nothing"}))
    assert not dataset.has_field("zs_case")
