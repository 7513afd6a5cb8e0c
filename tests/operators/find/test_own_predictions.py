"""Predictions that are there already, in the App's forms and panels, as FiftyOne executes them."""

from __future__ import annotations

import pytest

import lgca_plugin as lgca
from tests.helpers.app.operators import TRIAGE, AppOperator, notice
from tests.helpers.app.panels import PanelSession
from tests.workflows.find.predicted import COUNT, add_predictions, predicted

FIND = AppOperator("lgca_find_wrong_labels")
RESCORE = AppOperator("lgca_rescore")
EVALUATE = AppOperator("lgca_evaluate")


@pytest.fixture
def own(dataset):
    predicted(dataset)
    dataset.rename_sample_field("truth", "drawn")
    dataset.rename_sample_field("resnet", "resnet_predictions")
    return dataset


def triaged(dataset):
    return lgca.triage(dataset, "ground_truth", predictions="resnet_predictions", progress=False)


def test_form__offers_predictions_where_there_are_any_and_proposes_those_named_so(own):
    properties, errors = FIND.form(own)
    assert properties["judged_by"].default == "model"
    properties, errors = FIND.form(own, judged_by="predictions")
    assert errors == {}
    assert list(properties) == ["ground_truth", "judged_by", "predictions", "more", "cost"]
    assert [choice.value for choice in properties["predictions"].view.choices] == ["resnet_predictions", "drawn"]
    assert properties["predictions"].default == ["resnet_predictions"]
    assert properties["cost"].view.label == "Seconds: no model is loaded, and no picture is looked at"
    for typed, error in (("", {}), ("great egret", {"classes"})):
        properties, errors = FIND.form(own, judged_by="predictions", more=True, classes=typed)
        assert "classes" in properties and set(errors) == set(error)
    own.delete_sample_fields(["resnet_predictions", "drawn"])
    assert "judged_by" not in FIND.form(own)[0]


@pytest.mark.parametrize(
    ("params", "field", "sentence"),
    [
        ({"predictions": []}, "predictions", "choose at least one field of predictions"),
        ({"predictions": ["ground_truth"]}, "predictions", "holds the labels that are checked: choose another field"),
        ({"more": True, "run_key": "no key"}, "run_key", "letters, digits"),
        ({"predictions": 3}, "predictions", "choose fields of predictions"),
    ],
)
def test_form__wrong_entries_are_marked(own, params, field, sentence):
    assert sentence in FIND.errors(own, judged_by="predictions", **params)[field]


def test_run__answers_the_question_and_opens_the_review(own):
    messages = FIND.run(own, judged_by="predictions", predictions=["resnet_predictions"])
    run = lgca.load_run(own, "voters")
    suspects = run.last_triage().suspects()
    assert notice(messages) == f"{len(suspects)} of {COUNT} labels look wrong."
    assert any(message.operator_uri == "open_panel" for message in messages)
    review = PanelSession("@lgca/zero-shot/lgca_review", own).load(("on_load",))
    assert "resnet_predictions (" in str(review.shown.words)
    assert "sure) says" in str(review.shown.words)


def test_run__an_error_is_in_the_words_of_the_app(own):
    own.clone_sample_field("ground_truth", "memory")
    messages, error = FIND.run_to_error(own, judged_by="predictions", predictions=["memory"])
    assert "memory gives every label in 'ground_truth' again" in str(error)
    assert messages[-1].operator_uri == "show_output"
    with pytest.raises(Exception, match="is no field of predictions"):
        FIND.run(own, judged_by="predictions", predictions=["nothing"])


def test_call__from_code(own):
    FIND.call(own, "ground_truth", predictions=["resnet_predictions"], run_key="mine")
    assert lgca.load_run(own, "mine").last_triage().report["judging"] == ["resnet_predictions"]


def test_triage_form__reads_the_predictions_again(own):
    triaged(own)
    properties, errors = TRIAGE.form(own)
    assert errors == {}
    assert properties["run"].view.choices[0].description == "5 classes; predictions that were there: resnet_predictions"
    assert properties["preview"].view.label.startswith("resnet_predictions: read as they are now, compared")
    messages = TRIAGE.run(own, run="voters")
    assert notice(messages) == f"{COUNT} samples triaged in " + notice(messages).partition(" in ")[2]
    assert "How the predictions and the labels relate:" in str([message.params for message in messages])
    EVALUATE.run(own, run="voters")
    assert own.has_evaluation("voters_resnet_predictions_eval")


def test_forms_and_panels_for_pictures_leave_such_runs_out(own):
    triaged(own)
    assert "no image was encoded for it" in RESCORE.errors(own)["run"]
    evidence = PanelSession("@lgca/zero-shot/lgca_evidence", own, own.first().id).load(("on_load",))
    assert "No picture was looked at" in str(evidence.shown.words)


def test_compare_panel__of_one_prediction_then_of_three(own):
    triaged(own)
    words = str(PanelSession("@lgca/zero-shot/lgca_compare", own).load().shown.words)
    assert "There is one prediction." in words
    assert "Misleading crops" not in words
    assert "looks per image" not in words
    for field, seed in (("second", 7), ("third", 8)):
        add_predictions(with_truth(own), field, seed=seed)
    fields = ["resnet_predictions", "second", "third"]
    lgca.triage(own, "ground_truth", predictions=fields, run_key="voters", progress=False)
    panel = PanelSession("@lgca/zero-shot/lgca_compare", own).load()
    words = str(panel.shown.words)
    assert "resnet_predictions, second and third agree (" in words
    assert {"page.agreement", "page.flow", "page.margins"} <= set(panel.data)


def with_truth(dataset):
    if not dataset.has_field("truth"):
        dataset.clone_sample_field("drawn", "truth")
    return dataset
