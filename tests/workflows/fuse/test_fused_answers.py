"""What a fused run's learned method says about labels and about an image, in the library and in the panels."""

import json
from typing import Any

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.fusion.answers import answer
from lgca_plugin.method.labels.label_errors import find_label_errors
from lgca_plugin.method.labels.neighbours import contradicted_rows, find_neighbours, with_neighbours
from lgca_plugin.progress import drive
from lgca_plugin.runs.fused.opening import MODELS, open_fused
from lgca_plugin.store.store import Store
from lgca_plugin.store.weights_files import weights_path
from lgca_plugin.workflows.find.summary import found_summary
from lgca_plugin.workflows.overview.overview import overview
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.triage.plan import check_triage
from lgca_plugin.workflows.triage.triage import iter_triage
from tests.helpers.app.panels import PanelSession
from tests.helpers.fusion.fused_birds import FOUR, fused
from tests.helpers.worlds.birds import state_of

METHODS = ("clip", "wca", "lgca", "hada")


def out_of_fold_logits(run, ids):
    """The logits of samples, each by the weights that have not seen it, one sample at a time."""
    found = []
    with Store() as store:
        opened = open_fused(store, run)
        for id_ in ids:
            ((_, nodes),) = opened.read([id_])
            fold = run.dataset[id_][f"{run.key}_hada"].fold
            model = opened.fusion.final if fold is None else opened.fusion.by_fold[fold]
            found.append(answer(model, nodes, opened.classes).logits[0])
    return np.stack(found).astype(np.float32)


@pytest.fixture
def run(birds):
    return lgca.load_run(birds, "fused")


@pytest.fixture(scope="module")
def triaged(original, fused_store):
    """The run after a triage, for tests that only look."""
    copy = original.clone()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(fused_store))
        lgca.load_run(copy, "fused").triage(progress=False)
    yield lgca.load_run(copy, "fused")
    copy.delete()


def test_triage__judges_labels_by_the_learned_method_alone_and_out_of_fold(run):
    birds = run.dataset
    drive(iter_triage(check_triage(run), cache_bytes=0), False, unit="")  # scores that do not fit into memory
    ids, given, quality, suggested, own = birds.values(
        ["id", "given.label", "fused_label_quality", "fused_suggestion.label", "fused_hada.calibrated"]
    )
    labels = np.array([CLASSES.index(label) for label in given])
    logits = out_of_fold_logits(run, ids)
    expected = find_label_errors({"hada": logits.copy}, labels, classes=len(CLASSES))
    found, vectors = run.vectors("clip")
    rows = np.array([ids.index(id_) for id_ in found])
    neighbours = find_neighbours(lambda: [(rows, vectors)], len(ids), contradicted_rows(expected, labels))
    expected = with_neighbours(expected, labels, neighbours, classes=len(CLASSES))
    np.testing.assert_allclose(quality, expected.quality, atol=1e-5)
    np.testing.assert_allclose(own, expected.calibrated["hada"], atol=1e-5)
    assert [label is not None for label in suggested] == expected.suspect.tolist()
    assert {label for label in suggested if label} == {CLASSES[k] for k in expected.suggestion[expected.suspect]}
    report = lgca.load_run(birds, "fused").results["triage"]
    assert (report["judging"], report["methods"]) == (["hada"], ["clip", "wca", "lgca"])
    assert set(report["calibration"]) == set(METHODS)
    assert (report["suspects"], report["judged"]) == (int(expected.suspect.sum()), len(ids))
    assert None not in birds.values("fused_lgca.calibrated")
    assert not [warning for warning in report["warnings"] if "hada" in warning]


def test_triage__says_who_has_judged(triaged):
    assert found_summary(triaged.last_triage(), count=3).judge == "hada"


def test_triage__of_labels_of_classes_that_the_fusion_had_no_label_of_says_so(run):
    truth = run.dataset.values("truth.label")
    unseen = sum(label not in FOUR for label in truth)
    run.triage("truth", corrected_field="new", progress=False)
    report = lgca.load_run(run.dataset, "fused").results["triage"]
    (found,) = [warning for warning in report["warnings"] if "hada" in warning]
    assert found.startswith(f"{unseen} labels in 'truth' look wrong for being of classes of which hada had no label")


def test_triage__names_no_learned_method_among_the_compared(run):
    with pytest.raises(lgca.ConfigError, match="'hada' looks at those of several"):
        run.triage(methods=("clip", "wca", "hada"), progress=False)


def test_sweep__varies_no_learned_method(run):
    both: tuple[dict[str, Any], ...] = ({"methods": ["hada"]}, {"settings": [run.config.methods[-1]]})
    for options in both:
        with pytest.raises(lgca.ConfigError, match="'hada' is learned and has no settings to compare"):
            run.sweep(ground_truth="given", progress=False, **options)
    report = run.sweep(ground_truth="given", max_samples=6, folds=3, repeats=1, progress=False)
    assert {result.setting.name for result in report.results} == set(METHODS[:3])


def test_evidence__of_the_learned_method_is_what_the_run_has_written(run):
    for id_ in run.dataset.limit(6).values("id"):
        seen, label = run.evidence(id_), run.dataset[id_]["fused_hada"]
        assert seen.methods == METHODS
        assert seen.labels["hada"] == label.label
        assert seen.margin("hada") == pytest.approx(label.margin, abs=1e-5)
        assert seen.confidences["hada"].max() == pytest.approx(label.confidence, abs=1e-5)
        total = seen.contributions("hada").sum() + sum(seen.terms("hada").values())
        assert total == pytest.approx(seen.margin("hada"), abs=1e-9)
        document = json.loads(json.dumps(seen.to_json(), allow_nan=False))
        assert set(document["regions"][0]["weights"]) == {"wca", "lgca", "hada"}
        assert 0 <= document["methods"]["hada"]["stability"] <= 1
    nothing = seen.without(seen.regions_of())
    assert not nothing.weights["hada"].any() and nothing.labels["hada"] is not None
    assert nothing.labels["lgca"] is None


@pytest.fixture
def without_weights(runs, fused_store):
    """A fused run whose file of weights is gone, and which nobody has looked at before."""
    made = fused(runs, run_key="lost", seed=7)  # no other run has the same
    weights_path(fused_store, made.token).unlink()
    MODELS.clear()
    return made


def test_lost_weights__leave_the_other_methods_their_evidence_and_their_judgement(without_weights):
    run = without_weights
    seen = run.evidence(run.dataset.first().id)
    assert seen.methods == METHODS[:3] and seen.explained == "lgca"
    assert seen.lacking == {"hada": "the weights of run 'lost' are not stored on this machine: fuse its runs again"}
    report = run.triage(ground_truth="given", progress=False).report
    assert report["judging"] == list(METHODS[:3])
    (warning,) = [warning for warning in report["warnings"] if "hada" in warning]
    assert warning.startswith("hada does not judge labels: the weights of run 'lost' are not stored on this machine")
    assert report["judged"] == len(run.dataset)


def test_samples_that_another_encoder_lacks__are_not_judged_and_counted(run):
    ids = run.dataset.values("id")
    with Store() as store:
        store.delete_samples(open_fused(store, run).sources[1].stored, ids[:3])
    seen = run.evidence(ids[0])
    assert seen.methods == METHODS[:3]
    assert seen.lacking == {"hada": "the embeddings of this image are not complete for all of the models"}
    report = run.triage(progress=False).report
    assert (report["judging"], report["judged"]) == (["hada"], len(ids) - 3)
    (warning,) = [warning for warning in report["warnings"] if "hada" in warning]
    assert warning.startswith(f"3 of {len(ids)} samples lack embeddings of another encoder")


def test_card__says_what_all_models_together_see_and_marks_what_they_go_by(triaged):
    suspects = [
        id_ for id_, label in zip(*triaged.dataset.values(["id", "fused_suggestion.label"]), strict=True) if label
    ]
    reasons = []
    for id_ in suspects:
        card = review_card(triaged, id_)
        sample = triaged.dataset[id_]
        reasons.append(card.reason)
        assert card.suggested == sample["fused_suggestion"].label == sample["fused_hada"].label
        if card.deciding_box is not None:
            seen = triaged.evidence(id_)
            shares = seen.contributions("hada", card.suggested, card.given)
            small = seen.boxes[:, 2] * seen.boxes[:, 3] <= 0.75
            assert card.deciding_box == tuple(seen.boxes[np.argmax(np.where(small, shares, -np.inf))].tolist())
    assert reasons
    assert all("all models together" in words.lower() or "All 4 methods" in words for words in reasons)


def test_overview__counts_the_learned_method_among_the_accuracies_but_compares_three(triaged):
    of = overview(triaged, ground_truth="given")
    assert (of.compared, of.learned) == (METHODS[:3], "hada")
    assert of.evaluation is not None
    assert list(of.evaluation.methods) == ["CLIP", "WCA", "LGCA", "HADA"]


def test_compare_panel__shows_what_the_fusion_has_changed(triaged):
    panel = PanelSession("@lgca/zero-shot/lgca_compare", triaged.dataset).load()
    panel.send("pick_run", value="two")
    assert (state_of(panel, "a"), state_of(panel, "b")) == ("clip", "lgca")
    panel.send("pick_run", value="fused")
    assert (state_of(panel, "a"), state_of(panel, "b")) == ("lgca", "hada")
    panel.send("pick_labels", value="given")
    assert any("HADA: " in words for words in panel.shown.texts)  # what it says to a suspect of the list
    assert (
        len([words for words in panel.shown.texts if "HADA" in words and ("than" in words or "difference" in words)])
        == 3
    )


def test_evidence_panel__shows_the_learned_method(triaged):
    session = PanelSession("@lgca/zero-shot/lgca_evidence", triaged.dataset, triaged.dataset.first().id)
    session.send("on_load")
    shown = session.send("pick_run", value="fused")
    assert [row["method"] for row in shown.tables["answers"]] == ["CLIP", "WCA", "LGCA", "HADA"]
    assert "hada" in shown.lists["method"] and state_of(session, "method") == "hada"
    sample = triaged.dataset.first()
    rivals = (state_of(session, "first"), state_of(session, "second"))
    assert rivals[0] == sample["fused_hada"].label
    assert rivals[1] == sample["given"].label or sample["given"].label == rivals[0]
    assert "HADA answers without having seen this label" in shown.texts
    drawn = json.dumps(shown.plots["strip"]).replace("<br>", " ")
    assert "under HADA" in drawn and "its share of the attention, mean over the encoders" in drawn
