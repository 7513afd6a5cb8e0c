"""A triage by predictions that are on the samples already: from fields to suspects, decisions and an evaluation."""

from __future__ import annotations

import os
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.errors import ConfigError
from lgca_plugin.progress import drive
from lgca_plugin.workflows.overview.overview import overview
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.review.summary import review_summary
from lgca_plugin.workflows.review.suspects import current_suspects
from lgca_plugin.workflows.triage.plan import check_triage
from lgca_plugin.workflows.triage.triage import iter_triage
from tests.workflows.find.predicted import CLASSES, COUNT, WRONG, add_predictions, predicted


@pytest.fixture
def own(dataset):
    """A dataset without image files: labels of which some are wrong, and the logits of a classifier, ``resnet``."""
    return predicted(dataset)


def run_of(dataset, *predictions, **options):
    return lgca.triage(dataset, "ground_truth", predictions=list(predictions), progress=False, **options)


def wrong_ids(dataset):
    ids, given, truth = dataset.values(["id", "ground_truth.label", "truth.label"])
    return {id_ for id_, a, b in zip(ids, given, truth, strict=True) if a != b}


def share_found(dataset, triage):
    """Share of the wrong labels among as many labels of the lowest quality."""
    path = f"{triage.run.key}_label_quality"
    worst = dataset.sort_by(path).limit(WRONG).values("id")
    return len(wrong_ids(dataset).intersection(worst)) / WRONG


def test_from_a_field_to_decisions_and_paired_tests_without_a_store(own):
    add_predictions(own, "second", seed=7)
    before = own.values("resnet.label")
    triage = run_of(own, "resnet", "second")
    run = triage.run
    assert (run.key, run.state.name) == ("voters", "completed")
    assert share_found(own, triage) >= 0.9
    assert run.summary()["total"] == run.summary()["predicted"] == COUNT
    assert [method.name for method in run.config.methods] == ["resnet", "second"]
    assert triage.report["judging"] == ["resnet", "second"]
    assert all(0 < found["weight"] < 2 for found in triage.report["predictions"].values())
    assert {name: found["by"] for name, found in triage.report["predictions"].items()} == {
        "resnet": "logits",
        "second": "logits",
    }

    first = triage.suspects().first()
    card = review_card(run, first.id)
    assert card.reason.startswith(f"resnet ({first.voters_resnet.calibrated:.0%} sure)")
    assert card.given == first.ground_truth.label
    assert card.suggested == first.voters_suggestion.label
    accepted = triage.decide(triage.suspects(), "accepted")
    summary = review_summary(run, current_suspects(run))
    assert summary.changed == triage.left()["accepted"] > 0
    (accuracy, *_) = summary.accuracy
    assert accuracy.corrected is not None and accuracy.given is not None
    assert accuracy.corrected > accuracy.given
    triage.undo(accepted.action)
    assert triage.left()["accepted"] == 0

    evaluation = run.evaluate(progress=False)
    assert evaluation.samples == COUNT
    assert list(evaluation.methods) == ["resnet", "second"]
    (pair,) = evaluation.pairs
    assert {pair.a, pair.b} == {"resnet", "second"}
    of = overview(run, ground_truth="ground_truth")
    assert of.compared == ("resnet", "second")
    assert sum(of.pattern_counts) == COUNT
    assert of.evaluation is not None
    assert of.evaluation.samples == COUNT

    assert list(Path(os.environ["LGCA_STORE_DIR"]).iterdir()) == []
    assert own.values("resnet.label") == before
    assert "margin" not in own.first().resnet.field_names
    own.reload()
    lgca.delete_run(own, "voters")
    assert not [name for name in own.get_field_schema() if name.startswith("voters")]
    assert own.values("resnet.label") == before


@pytest.mark.parametrize(("kept", "least"), [("confidence", 0.6), ("label", 0.25)])
def test_one_voter_with_less_than_logits(own, kept, least):
    strip(own, "resnet", confidence=kept == "label")
    triage = run_of(own, "resnet")
    assert triage.report["predictions"]["resnet"]["by"] == kept
    assert share_found(own, triage) >= least
    assert {case for case, count in triage.report["cases"].items() if count} == {"all right", "against the label"}
    assert wrong_ids(own) & set(triage.suspects().values("id"))


def strip(dataset, field, *, confidence=False, logits=True):
    labels = dataset.values(field)
    for label in labels:
        label.logits = None if logits else label.logits
        label.confidence = None if confidence else label.confidence
    dataset.set_values(field, labels)


def test_the_order_of_the_logits_is_seen_from_the_predictions_or_from_the_dataset(own):
    rng = np.random.default_rng(0)
    order = rng.permutation(len(CLASSES))
    labels = own.values("resnet")
    for label in labels:
        label.logits = label.logits[order]
    own.set_values("resnet", labels)
    triage = run_of(own, "resnet")
    assert triage.report["predictions"]["resnet"]["by"] == "logits"
    assert share_found(own, triage) >= 0.9

    for label in labels:  # no name of a class fits any more
        label.label = CLASSES[(CLASSES.index(label.label) + int(rng.integers(3))) % len(CLASSES)]
    own.set_values("resnet", labels)
    again = run_of(own, "resnet")
    assert again.report["predictions"]["resnet"]["by"] == "confidence"
    assert any("dataset.classes['resnet'] = [...]" in warning for warning in again.report["warnings"])


def test_logits_that_do_not_fit_into_memory_are_read_again(own):
    triage = run_of(own, "resnet")
    before = own.values("voters_label_quality")
    drive(iter_triage(check_triage(triage.run), cache_bytes=0), False, unit="samples")
    assert own.values("voters_label_quality") == before


def test_probabilities_in_the_place_of_logits_are_taken_as_such(own):
    by_logits = run_of(own, "resnet").run.dataset.values("voters_label_quality")
    labels = own.values("resnet")
    for label in labels:
        shifted = np.exp(label.logits - label.logits.max())
        label.logits = shifted / shifted.sum()
    own.set_values("resnet", labels)
    run_of(own, "resnet")
    np.testing.assert_allclose(own.values("voters_label_quality"), by_logits, atol=1e-3)


def test_samples_without_a_prediction_are_judged_by_the_others(own):
    add_predictions(own, "second", seed=7)
    some, none = own.limit(30).values("id"), own.skip(COUNT - 5).values("id")
    own.select(some).set_field("second", None).save()
    clear(own, "second", some)
    for field in ("resnet", "second"):
        clear(own, field, none)
    triage = run_of(own, "resnet", "second")
    assert triage.report["counts"]["without a prediction"] == 5
    assert "second has no prediction on 30 of 235 labels: these are judged by the others" in triage.report["warnings"]
    quality, own_quality = own.select(some).values(["voters_label_quality", "voters_resnet.label_quality"])
    assert np.corrcoef(quality, own_quality)[0, 1] > 0.99
    assert own.select(none).values("voters_label_quality") == [None] * 5
    assert triage.run.evaluate(progress=False).excluded["without a prediction of every method"] == 30


def clear(dataset, field, ids):
    view = dataset.select(ids)
    view.set_values(field, [None] * len(view))


def test_a_prediction_that_is_no_class_is_wrong_and_says_what_goes_with_it(own):
    other = {"wren": "Wren", "duck": "mallard"}
    labels = own.values("resnet.label")
    own.set_values("resnet.label", [other.get(label, label) for label in labels])
    triage = run_of(own, "resnet")
    spelling, foreign, *_ = triage.report["warnings"]
    assert "'Wren' as 'wren'" in spelling
    assert foreign.startswith(
        f"resnet answers with 'mallard', which is no class here, on {labels.count('duck')} samples"
    )
    assert own.match({"resnet.label": "mallard"}).values("voters_resnet.label") == ["mallard"] * labels.count("duck")
    score = triage.run.evaluate(progress=False).methods["resnet"]
    given = own.values("ground_truth.label")
    assert score.correct == sum(a == b != "duck" for a, b in zip(labels, given, strict=True))
    of = overview(triage.run, ground_truth="ground_truth")
    assert of.evaluation is not None and of.evaluation.methods["resnet"].correct == score.correct


def test_a_classifier_that_repeats_the_labels(own):
    own.clone_sample_field("ground_truth", "memory")
    with pytest.raises(ConfigError, match="memory gives every label in 'ground_truth' again"):
        run_of(own, "memory")
    assert own.list_runs() == []
    assert not [name for name in own.get_field_schema() if name.startswith("voters")]
    triage = run_of(own, "memory", "resnet")
    assert triage.report["judging"] == ["resnet"]
    assert any(warning.startswith("memory gives every label") for warning in triage.report["warnings"])

    labels = own.values("memory.label")
    labels[:2] = ["wren" if label != "wren" else "duck" for label in labels[:2]]
    own.set_values("memory.label", labels)
    again = run_of(own, "memory", "resnet")
    assert again.report["judging"] == ["memory", "resnet"]
    assert any("if it was trained on them, it has learnt their mistakes" in line for line in again.report["warnings"])


def test_a_second_call_goes_on_and_other_predictions_replace_the_run_under_its_key(own):
    add_predictions(own, "second", seed=7)
    first = run_of(own, "resnet")
    decided = first.suspects().first().id
    first.decide(decided, "label right")
    assert run_of(own, "resnet").run.token == first.run.token
    other = run_of(own, "resnet", "second", run_key="voters")
    assert other.run.token != first.run.token
    assert [row.sample_id for row in other.decisions()] == [decided]
    assert own.list_runs() == ["voters"]
    third = run_of(own, "second", run_key="voters")
    assert not own.has_field("voters_resnet")
    assert [row.sample_id for row in third.decisions()] == [decided]
    assert run_of(own, "resnet").run.key == "voters_2"


def test_a_run_takes_the_predictions_as_they_are_at_each_triage(own):
    triage = run_of(own, "resnet")
    label = CLASSES[(CLASSES.index(own.first().resnet.label) + 1) % len(CLASSES)]
    first = own.first()
    first.resnet = fo.Classification(label=label, confidence=0.9, logits=first.resnet.logits)
    first.save()
    assert own.first().voters_resnet.label != label
    triage.run.triage(progress=False)
    assert own.first().voters_resnet.label == label
    own.delete_sample_field("resnet")
    with pytest.raises(ConfigError, match="resnet of run 'voters' is no field of predictions on this dataset any more"):
        triage.run.triage(progress=False)


@pytest.mark.parametrize(
    ("predictions", "reason"),
    [
        ([], "predictions is empty: name the fields whose predictions judge the labels; there are truth, resnet"),
        (["ground_truth"], "holds the labels that are checked, and they can't judge themselves"),
        (["nothing"], "'nothing' is no field of predictions"),
        ([7], "7 is no field of predictions"),
        (["empty"], "no image has a prediction in 'empty'"),
    ],
)
def test_predictions_that_can_t_judge(own, predictions, reason):
    own.add_sample_field("empty", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    with pytest.raises(ConfigError, match=reason):
        lgca.triage(own, "ground_truth", predictions=predictions, progress=False)
    assert own.list_runs() == []


def test_a_view_is_refused_and_so_is_what_needs_an_encoder(own):
    with pytest.raises(ConfigError, match="this is a view: name the dataset itself"):
        lgca.triage(own.limit(5), "ground_truth", predictions="resnet")
    run = run_of(own, "resnet").run
    needs = "is of predictions that were on the samples already"
    for call in (
        lambda: run.evidence(own.first().id),
        lambda: run.rescore(image_scale=3),
        lambda: run.sweep("ground_truth"),
        lambda: run.plot_description_votes(own.first().id),
        lambda: lgca.fuse([run, run]),
        lambda: lgca.classify(own, CLASSES, run_key="voters"),
        lambda: lgca.find_wrong_labels(own, run_key="voters"),
    ):
        with pytest.raises(ConfigError, match=needs):
            call()
    with pytest.raises(ConfigError, match="'voters_resnet' is no field of predictions"):
        run_of(own, "voters_resnet")
