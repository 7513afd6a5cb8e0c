"""Evaluating a run against labels: FiftyOne's own evaluations, the paired numbers, who is left out, what is deleted."""

import json
import uuid
from dataclasses import replace

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.method.comparison.evaluation import Evaluation
from lgca_plugin.method.comparison.paired import mcnemar_exact, wilson_interval
from lgca_plugin.runs.delete import delete_evaluations
from lgca_plugin.workflows.evaluate import check_evaluate, iter_evaluate, last_evaluation
from tests.helpers.runs import add_images, pairs_of
from tests.helpers.runs import classified as make_run

METHODS = ("clip", "wca", "lgca")
KEYS = [f"zs_{name}_eval" for name in METHODS]
SMALL = lgca.RegionConfig(crops=12)


@pytest.fixture(scope="module")
def classified(demo_images, demo_encoder, tmp_path_factory):
    """A run on the demo's birds, and a bad picture, and one that came later."""
    folder = tmp_path_factory.mktemp("store")
    dataset = add_images(fo.Dataset(f"evaluated-{uuid.uuid4().hex[:8]}"), demo_images)
    broken = folder / "broken.png"
    broken.write_bytes(b"no picture")
    dataset.add_sample(fo.Sample(filepath=str(broken), ground_truth=fo.Classification(label="duck")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(folder))
        make_run(dataset, demo_encoder, methods=METHODS, regions=SMALL, ground_truth="ground_truth")
    dataset.add_sample(fo.Sample(filepath="/later.png", ground_truth=fo.Classification(label="duck")))
    yield dataset
    dataset.delete()


@pytest.fixture
def run(classified):
    """The run on a dataset that a test may edit."""
    copy = classified.clone()
    yield lgca.load_run(copy, "zs")
    copy.delete()


def run_evaluate(run, *args, **options):
    return run.evaluate(*args, progress=False, **options)


def labels(run, field):
    return run.dataset.values(f"{field}.label")


def set_labels(run, field, labels_of):
    """Gives samples, by position, another label; None takes the label away."""
    values = run.dataset.values(field)
    for position, label in labels_of.items():
        values[position] = None if label is None else fo.Classification(label=label)
    run.dataset.set_values(field, values)


def right_by_loop(run, truth="ground_truth", methods=METHODS, samples=24):
    given = labels(run, truth)[:samples]
    return {
        name: np.array([a == b for a, b in zip(labels(run, f"zs_{name}"), given, strict=False)]) for name in methods
    }


def test_evaluate__agrees_with_a_plain_loop(run):
    found = run_evaluate(run)
    right = right_by_loop(run)
    truth = labels(run, "ground_truth")[:24]
    assert found.samples == 24
    assert found.excluded == {"that failed in the run": 1, "that the run has not classified": 1}
    assert found.samples + sum(found.excluded.values()) == len(run.dataset)
    assert list(found.methods) == list(METHODS)
    for name, score in found.methods.items():
        assert score.correct == right[name].sum()
        assert score.accuracy == pytest.approx(right[name].mean())
        assert score.interval == wilson_interval(score.correct, 24)
        recalls = [np.mean([right[name][i] for i in range(24) if truth[i] == label]) for label in sorted(set(truth))]
        assert score.macro_recall == pytest.approx(np.mean(recalls))
        assert score.eval_key == f"zs_{name}_eval"
    assert [(pair.a, pair.b) for pair in found.pairs] == [("wca", "clip"), ("lgca", "clip"), ("lgca", "wca")]
    for pair in found.pairs:
        assert pair.only_a == (right[pair.a] & ~right[pair.b]).sum()
        assert pair.only_b == (right[pair.b] & ~right[pair.a]).sum()
        assert pair.p == mcnemar_exact(pair.only_a, pair.only_b)


def test_evaluate__fiftyone_has_the_same_numbers_in_the_runs_order(run):
    found = run_evaluate(run)
    dataset = run.dataset
    assert dataset.list_evaluations(type="classification", method="simple") == sorted(KEYS)
    for name, score in found.methods.items():
        results = dataset.load_evaluation_results(score.eval_key, cache=False)
        assert results.metrics()["accuracy"] == pytest.approx(score.accuracy)
        assert [str(label) for label in results.classes[: len(CLASSES)]] == list(CLASSES)
        assert results.confusion_matrix(classes=list(CLASSES)).sum() == 24
        assert dataset.get_evaluation_info(score.eval_key).config.pred_field == f"zs_{name}"
        assert dataset.count_values(score.eval_key)[True] == score.correct
        assert dataset.values(score.eval_key)[24:] == [None, None]
        assert len(dataset.load_evaluation_view(score.eval_key)) == 24


def test_evaluate__everybody_is_used_or_counted_under_one_reason(run):
    set_labels(run, "ground_truth", {0: None, 1: None, 2: "penguin", 3: " ", 24: None, 25: None})
    set_labels(run, "zs_wca", {0: "edited by hand", 4: "edited by hand"})
    set_labels(run, "zs_lgca", {2: None, 5: None, 6: None})
    found = run_evaluate(run)
    assert found.excluded == {
        "that failed in the run": 1,
        "that the run has not classified": 1,
        "without a prediction of every method": 3,
        "with a prediction, edited since, that is no class of the run": 2,
        "without a label": 1,
        "with a label that is no class of the run": 1,
    }
    assert found.samples == 26 - 9
    for key in KEYS:
        values = run.dataset.values(key)
        assert [position for position, value in enumerate(values) if value is None] == [0, 1, 2, 3, 4, 5, 6, 24, 25]
    fewer = run_evaluate(run, methods=("clip",))
    assert fewer.samples == 24 - 4
    assert "Left out: 2 without a label." not in found.table()
    assert "Left out: 2 without a label." in fewer.table()


def test_evaluate__its_fields_are_in_the_runs_group_of_the_sidebar(run):
    run_evaluate(run)
    groups = {group.name: group.paths for group in run.dataset.app_config.sidebar_groups}
    assert groups["zs"][-3:] == KEYS
    assert sum(path in KEYS for paths in groups.values() for path in paths) == 3
    assert not set(KEYS) & set(groups)
    run_evaluate(run, methods=("clip", "wca"))
    groups = {group.name: group.paths for group in run.dataset.app_config.sidebar_groups}
    assert groups["zs"][-2:] == KEYS[:2]
    assert "zs_lgca_eval" not in groups["zs"]


def test_evaluate__again_replaces_the_former_one(run):
    run_evaluate(run)
    timestamps = {key: run.dataset.get_evaluation_info(key).timestamp for key in KEYS}
    again = run_evaluate(run, "truth", methods=("clip", "lgca"))
    assert run.dataset.list_evaluations() == sorted(["zs_clip_eval", "zs_lgca_eval"])
    assert not run.dataset.has_field("zs_wca_eval")
    assert run.dataset.get_evaluation_info("zs_clip_eval").timestamp > timestamps["zs_clip_eval"]
    assert run.dataset.get_evaluation_info("zs_clip_eval").config.gt_field == "truth"
    assert last_evaluation(lgca.load_run(run.dataset, "zs")) == again
    assert again.ground_truth == "truth"
    right = right_by_loop(run, truth="truth", methods=("clip", "lgca"))
    assert {name: score.correct for name, score in again.methods.items()} == {
        name: correct.sum() for name, correct in right.items()
    }


def test_evaluate__is_recorded_and_nothing_else_of_the_record_is_lost(run):
    before = dict(run.results)
    other = lgca.load_run(run.dataset, "zs")
    other.results["written meanwhile"] = 1
    other.save()
    found = run_evaluate(run)
    record = lgca.load_run(run.dataset, "zs").results
    assert record == {**before, "written meanwhile": 1, "evaluation": record["evaluation"]}
    assert record["evaluation"]["eval_keys"] == KEYS
    assert Evaluation.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert last_evaluation(lgca.load_run(run.dataset, "zs")) == found


def test_evaluate__one_that_was_broken_off_is_known_to_be_the_runs(run):
    steps = iter_evaluate(check_evaluate(run, ground_truth=None, methods=None))
    while "wca" not in next(steps).label:
        pass
    steps.close()
    assert run.dataset.list_evaluations() == ["zs_clip_eval"]
    loaded = lgca.load_run(run.dataset, "zs")
    assert last_evaluation(loaded) is None
    assert run_evaluate(loaded).samples == 24


def test_evaluate__reports_its_progress(run):
    seen = []
    run.evaluate(progress=lambda step: seen.append((step.done, step.total, step.label)))
    assert [done for done, _, _ in seen] == [0, 0, 24, 48, 72]
    assert {total for _, total, _ in seen} == {72}
    assert seen[2][2] == "Evaluating wca"


def test_evaluate__in_a_dataset_object_that_is_out_of_date(run):
    """Another process, as the App's server is, has evaluated since."""
    name = run.dataset.name
    run_evaluate(run)
    stale = lgca.load_run(run.dataset, "zs")
    stale.dataset._doc.evaluations.clear()
    assert stale.dataset.list_evaluations() == []
    assert run_evaluate(stale).samples == 24
    fresh = fo.load_dataset(name)
    fresh.reload()
    assert fresh.list_evaluations() == sorted(KEYS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ground_truth": "missing"}, "'missing' is no field of this dataset"),
        ({"ground_truth": "zs_regions"}, "must hold one label a sample"),
        ({"ground_truth": "zs_clip"}, "'zs_clip' holds predictions of run 'zs'"),
        ({"methods": ()}, "methods is empty; leave it out for all of run 'zs': clip, wca, lgca"),
        ({"methods": ("clip", "magic")}, "run 'zs' has no method 'magic'"),
        ({"confidence": 95}, "such as 0.95; got 95"),
        ({"confidence": 1.0}, "got 1.0"),
        ({"confidence": True}, "got True"),
        ({"confidence": "0.95"}, "got '0.95'"),
    ],
)
def test_evaluate__wrong_arguments_are_refused(run, arguments, message):
    with pytest.raises(lgca.ConfigError, match=message):
        run_evaluate(run, **arguments)
    assert run.dataset.list_evaluations() == []
    assert "evaluation" not in run.results


def test_evaluate__without_a_sample_to_use_says_why(run):
    run.dataset.set_values("ground_truth", [fo.Classification(label="penguin")] * 20 + [None] * 6)
    with pytest.raises(lgca.ConfigError, match=r"of 26 images, 1 that failed .*; 4 without a label; 20 with a label"):
        run_evaluate(run)
    run.dataset.delete_samples(run.dataset.values("id"))
    with pytest.raises(lgca.ConfigError, match="the dataset holds no images"):
        run_evaluate(run)


def test_evaluate__a_deleted_field_is_named(run):
    run.dataset.delete_sample_field("zs_wca")
    with pytest.raises(lgca.ConfigError, match=r"field 'zs_wca' is no longer on this dataset.*leave it out of methods"):
        run_evaluate(run)
    assert list(run_evaluate(run, methods=("clip", "lgca")).methods) == ["clip", "lgca"]


def test_evaluate__without_a_label_field_or_the_run_itself_says_so(run):
    other = lgca.load_run(run.dataset, "zs")
    run.config = replace(run.config, ground_truth=None)
    with pytest.raises(lgca.ConfigError, match=r"made without a label field, so name the one to compare with"):
        run_evaluate(run)
    run.delete()
    with pytest.raises(lgca.LgcaError, match="was deleted since"):
        run_evaluate(other)


def test_evaluate__somebody_elses_evaluation_or_field_stays(run):
    run.dataset.evaluate_classifications("zs_wca", gt_field="truth", eval_key="zs_wca_eval")
    with pytest.raises(lgca.ConfigError, match="evaluation 'zs_wca_eval' exists and was not made by this run"):
        run_evaluate(run)
    assert run.dataset.list_evaluations() == ["zs_wca_eval"]
    run.dataset.delete_evaluation("zs_wca_eval")
    run.dataset.add_sample_field("zs_lgca_eval", fo.StringField)
    with pytest.raises(lgca.ConfigError, match="field 'zs_lgca_eval' exists and belongs to no evaluation"):
        run_evaluate(run)
    assert run.dataset.has_field("zs_lgca_eval")


def test_forget__deletes_exactly_the_runs_evaluations(run):
    dataset = run.dataset
    run_evaluate(run)
    dataset.evaluate_classifications("zs_clip", gt_field="truth", eval_key="mine")
    dataset.rename_evaluation("zs_wca_eval", "kept")
    assert delete_evaluations(dataset, run.results) == ["zs_clip_eval", "zs_lgca_eval"]
    assert dataset.list_evaluations() == ["kept", "mine"]
    schema = dataset.get_field_schema()
    assert {"kept", "mine", "zs_clip", "zs_error"} <= set(schema)
    assert not {"zs_clip_eval", "zs_wca_eval", "zs_lgca_eval"} & set(schema)
    groups = dataset.app_config.sidebar_groups or []
    assert not set(KEYS) & {group.name for group in groups}
    assert not set(KEYS) & {path for group in groups for path in group.paths}
    assert delete_evaluations(dataset, run.results) == []
    assert delete_evaluations(dataset, {}) == []


def test_evaluate__pictures_of_every_slice_of_a_grouped_dataset(demo_images, demo_encoder, dataset):
    given = {"classes": ("$5 note", *CLASSES), "descriptions": None, "ground_truth": "ground_truth"}
    run = make_run(pairs_of(dataset, demo_images[:12]), demo_encoder, methods=("clip", "clip_d"), **given)
    found = run_evaluate(run)
    assert found.samples == 6
    assert found.excluded == {"that the run has not classified": 6}
    assert dataset.load_evaluation_results("zs_clip_eval", cache=False).metrics()["support"] == 6
