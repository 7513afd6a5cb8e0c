"""What a fused run answers, and what it has of its first run."""

import math

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.fusion.answers import answer
from lgca_plugin.progress import drive
from lgca_plugin.run import Run
from lgca_plugin.runs.fused.opening import open_fused
from lgca_plugin.runs.replay import replay
from lgca_plugin.runs.stored_run import stored_run
from lgca_plugin.store.store import Store
from tests.helpers import reference
from tests.helpers.fusion.fused_birds import FOUR, answers, fused, fusion_of, steps_of, texts_of
from tests.helpers.runs import assert_same_results

FEWER = CLASSES[3:9]


def decisive_logits(run, encoder, sample_id):
    """The logits of all nodes of a sample, the whole image among them, weighted by how decided they are."""
    with Store() as store:
        ((image,),) = (one for one, _ in replay(store, stored_run(store, run), [sample_id], run.config.region_plan))
    vectors = reference.class_vectors("weighted", *texts_of(encoder, run.config.classes))
    nodes = [image.whole.astype(float).tolist(), *image.regions.astype(float).tolist()]
    indecision = []
    for node in nodes:
        beliefs = reference.softmax([encoder.logit_scale * reference.dot(node, vector) for vector in vectors])
        indecision.append(reference.entropy(beliefs) / math.log(len(vectors)))
    weights = reference.softmax([-10 * value for value in indecision])
    whole = reference.unit(reference.weighted_sum(weights, nodes))
    return np.array([encoder.logit_scale * reference.dot(whole, vector) for vector in vectors])


def test_fuse__without_labels_is_the_sum_of_the_encoders_decisive_logits(runs, encoders):
    made = fused(runs, run_key="sum")
    found = answers(made.dataset, "sum")
    for id_ in made.dataset.limit(4).values("id"):
        logits = sum(decisive_logits(run, encoder, id_) for run, encoder in zip(runs, encoders, strict=True))
        probabilities = reference.softmax(logits.tolist())
        label, confidence, margin = found[id_]
        assert label == CLASSES[int(np.argmax(logits))]
        assert confidence == pytest.approx(max(probabilities), abs=1e-5)
        best = sorted(logits)[-2:]
        assert margin == pytest.approx((best[1] - best[0]) / encoders[0].logit_scale, abs=1e-5)
    assert set(made.dataset.values("sum_hada.fold")) == {None}
    assert fusion_of(made).ground_truth is None
    summary = made.summary()
    assert (summary["predicted"], summary["images_encoded"], summary["status"]) == (32, 0, "done")
    assert (made.state.name, made.state.task) == ("completed", "fuse")
    assert summary["fusion"]["runs"] == [
        {"run_key": "one", "encoder": "demo"},
        {"run_key": "two", "encoder": "noisy-0.08"},
    ]


def test_fuse__keeps_the_methods_and_boxes_of_the_first_run(birds):
    first, made = (lgca.load_run(birds, key) for key in ("one", "fused"))
    assert [method.name for method in made.config.methods] == ["clip", "wca", "lgca", "hada"]
    assert_same_results(made, first)


def test_fuse__answers_each_learnt_sample_by_weights_that_have_not_seen_it(birds):
    run = lgca.load_run(birds, "fused")
    with Store() as store:
        opened = open_fused(store, run)
        fusion, found = opened.fusion, answers(birds, "fused")
        assert sorted(fusion.fold_of.values()) == [0] * 16 + [1] * 16
        folds = dict(zip(*birds.values(["id", "fused_hada.fold"]), strict=True))
        assert folds == fusion.fold_of
        differing = 0
        for ids, nodes in opened.read(list(found), at_once=8):
            models = [answer(model, nodes, opened.classes).logits for model in (*fusion.by_fold, fusion.final)]
            confidences = [[max(reference.softmax(row)) for row in logits.tolist()] for logits in models]
            for row, id_ in enumerate(ids):
                own, *others = (confidences[at][row] for at in (folds[id_], 1 - folds[id_], 2))
                assert found[id_][1] == pytest.approx(own, abs=1e-6)
                differing += min(abs(own - other) for other in others) > 1e-4
    assert differing > 16


def test_fuse__reports_what_it_has_learnt(birds):
    run = lgca.load_run(birds, "fused")
    report = run.summary()["fusion"]
    assert report["labels"] == fusion_of(run).labels == 32
    assert report["ground_truth"] == fusion_of(run).ground_truth == run.config.ground_truth == "given"
    assert report["unseen"] == list(CLASSES[4:])
    assert "fused" not in run.summary()
    (warning,) = run.summary()["warnings"]
    assert warning.startswith(f"8 classes have no label ({CLASSES[4]}, ")


def test_fuse__with_the_weights_of_another_run_learns_nothing(birds, runs):
    made = fused(runs, weights=lgca.load_run(birds, "fused"), run_key="applied")
    assert answers(birds, "applied") == answers(birds, "fused")
    assert made.summary()["fusion"]["weights_of"] == "fused"
    assert fusion_of(made).digest == fusion_of(lgca.load_run(birds, "fused")).digest


def test_fuse__of_adaptive_runs_takes_the_regions_that_each_image_has(birds, encoders):
    from tests.helpers.worlds.birds import classify_birds

    regions = lgca.RegionConfig(crops=40, steps=1)
    adaptive = [
        classify_birds(birds.limit(6), encoder, run_key=key, regions=regions, budget="adaptive")
        for key, encoder in zip(("a", "b"), encoders, strict=True)
    ]
    stopped = birds.limit(6).values(["a_encodes", "b_encodes"])
    assert len({*stopped[0], *stopped[1]}) > 1
    made = fused(adaptive, run_key="both")
    assert not made.summary()["warnings"]
    assert birds.limit(6).values("both_encodes") == stopped[0]
    found = answers(birds, "both")
    for id_ in birds.limit(6).values("id"):
        with Store() as store:
            opened = open_fused(store, made)
            ((_, nodes),) = opened.read([id_])
        alone = answer(opened.fusion.final, nodes, opened.classes).logits[0]
        assert found[id_][1] == pytest.approx(max(reference.softmax(alone.tolist())), abs=1e-6)


def test_rescore__of_a_fused_run_with_fewer_classes_is_that_of_its_runs_without_what_was_learnt_of_classes(runs):
    run = fused(runs, run_key="wide")
    few = run.rescore(classes=FEWER, run_key="few", progress=False)
    rescored = [one.rescore(classes=FEWER, run_key=f"few_{one.key}", progress=False) for one in runs]
    fused(rescored, run_key="few_again")
    assert answers(run.dataset, "few") == answers(run.dataset, "few_again")
    assert fusion_of(few).others[0].config.classes == FEWER
    uses = [one.summary()["texts"] for one in (few, *rescored)]
    assert [use["as_given"] for use in uses] == [sum(len(DESCRIPTIONS[name]) for name in FEWER)] * 3


def test_rescore__of_a_fused_run_with_a_new_class_needs_the_encoders_that_can_not_be_loaded(birds, encoders):
    run = lgca.load_run(birds, "fused")
    classes = (*FOUR, "tern")
    with pytest.raises(lgca.ConfigError, match="run 'two' was made with an encoder of your own"):
        run.rescore(classes=classes, run_key="more", progress=False)
    new = run.rescore(classes=classes, run_key="more", encoder=list(encoders[::-1]), progress=False)
    assert new.config.classes == fusion_of(new).others[0].config.classes == classes
    assert fusion_of(new).classes == CLASSES
    with pytest.raises(lgca.ConfigError, match="the encoder is not the one that run 'one' was made with"):
        lgca.load_run(birds, "one").rescore(encoder=encoders[1], progress=False)


def test_rescore__of_a_fused_run_and_back_gives_what_it_was(birds):
    run = lgca.load_run(birds, "fused")
    before = answers(birds, "fused")
    few = run.rescore(classes=FOUR, progress=False)
    assert {label for label, _, _ in answers(birds, "fused").values()} <= set(FOUR)
    few.rescore(classes=CLASSES, progress=False)
    after = answers(birds, "fused")
    assert {id_: label for id_, (label, *_) in after.items()} == {id_: label for id_, (label, *_) in before.items()}
    for id_, (_, confidence, margin) in after.items():
        assert (confidence, margin) == pytest.approx(before[id_][1:], abs=1e-6)


def test_rescore__of_a_fused_run_to_its_learned_method_alone_leaves_its_answers(birds):
    lgca.load_run(birds, "fused").rescore(methods=["hada"], run_key="alone", progress=False)
    assert answers(birds, "alone") == answers(birds, "fused")


def test_rescore__of_a_fused_run_without_its_learned_method_is_an_ordinary_run(birds):
    run = lgca.load_run(birds, "fused").rescore(methods=("clip", "lgca"), run_key="plain", progress=False)
    assert run.config.fusion is None
    kept = lgca.load_run(birds, "fused").rescore(methods=("clip", "hada"), run_key="kept", progress=False)
    assert [method.name for method in kept.config.methods] == ["clip", "hada"]
    with pytest.raises(lgca.ConfigError, match="hada learns from the runs of several encoders"):
        run.rescore(methods=("clip", "hada"), progress=False)


def test_fuse__reports_one_progress_from_the_first_label_to_the_last_sample(runs):
    steps: list[lgca.Progress] = []
    Run.of(drive(steps_of(runs, "given", run_key="progress"), steps.append, unit="")).delete()
    shares = [step.share for step in steps]
    assert shares == sorted(shares) and (shares[0], shares[-1]) == (0, 1)
    assert len({step.total for step in steps}) == 1
    assert any("Learning" in step.label for step in steps) and steps[-1].done == steps[-1].total
