"""Sweeps over stored embeddings: nothing is encoded, who is left out is said, and the estimate holds on new images."""

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.engine import Counting
from tests.helpers.runs import classified_images

pytestmark = pytest.mark.usefixtures("module_store")

METHODS = ("clip", "wca", "lgca", "lgca_d")
SMALL = lgca.RegionConfig(crops=12)


@pytest.fixture(scope="module")
def run(demo_encoder, tmp_path_factory):
    images = draw_images(tmp_path_factory.mktemp("labelled"), count=72, seed=51)
    with classified_images(images, demo_encoder, methods=METHODS, regions=SMALL) as made:
        yield made


def share_right(run, method):
    labels, truth = run.dataset.values([f"{run.key}_{method}.label", "truth.label"])
    return np.mean([a == b for a, b in zip(labels, truth, strict=True)])


def test_sweep__encodes_nothing_and_agrees_with_the_run(run, demo_encoder):
    counting = Counting(demo_encoder)
    report = run.sweep("truth", encoder=counting, progress=False)
    assert counting.encoded == 0
    assert report.samples == 72
    assert report.excluded == {}
    for choice in report.choices:
        right = share_right(run, choice.group)
        assert choice.default_accuracy.value == pytest.approx(right)  # the first of each group is the run's own preset
        assert report.results[choice.chosen].accuracy >= right
    assert set(report.chosen) == set(METHODS)


def test_sweep__the_chosen_presets_can_be_rescored_with(run):
    report = run.sweep("truth", methods=("wca", "lgca"), progress=False)
    rescored = run.rescore(methods=tuple(report.chosen.values()), run_key="best", progress=False)
    for choice in report.choices:
        assert share_right(rescored, choice.group) == pytest.approx(choice.chosen_accuracy)
    rescored.delete()


def test_sweep__who_is_left_out_is_counted(run):
    truth = run.dataset.values("truth")
    run.dataset.clone_sample_field("truth", "partial")
    given = run.dataset.values("partial")
    given[0] = None
    given[1] = given[2] = fo.Classification(label="penguin")
    run.dataset.set_values("partial", given)
    report = run.sweep("partial", methods=("wca",), progress=False)
    assert report.samples == len(truth) - 3
    assert report.excluded == {"without a label": 1, "with a label that is no class of the run": 2}
    assert "Left out: 2 with a label that is no class of the run." in report.table()


def test_sweep__a_sample_of_the_samples_is_the_same_each_time(run):
    first, second = (run.sweep("truth", methods=("wca",), max_samples=30, progress=False) for _ in range(2))
    other = run.sweep("truth", methods=("wca",), max_samples=30, seed=1, progress=False)
    assert first == second
    assert first.samples == other.samples == 30
    assert first.excluded == {"beyond max_samples": 42}
    assert [r.effective for r in first.results] != [r.effective for r in other.results]


def test_sweep__without_labels_gives_the_hint(run):
    report = run.sweep(methods=("wca", "lgca"), progress=False)
    assert report.choices == ()
    assert all(result.accuracy is None for result in report.results)
    by_scale = {r.setting.image_scale: r.effective for r in report.results if r.setting.name == "wca"}
    assert 11.5 < by_scale[0.0] < 12  # nearly equal weights: every crop counts
    assert by_scale[0.0] > by_scale[2.0] > by_scale[4.0] > by_scale[5.0] >= 1
    assert "72 samples, no labels" in report.table()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ground_truth": "missing"}, "'missing' is no field of this dataset"),
        ({"ground_truth": "zs_regions"}, "must hold one label a sample"),
        ({"methods": ("wca",), "settings": [lgca.METHODS["wca"]]}, "not both"),
        ({"settings": []}, "settings is empty"),
        ({"ground_truth": "truth", "folds": 2}, "folds"),
        ({"ground_truth": "truth", "max_samples": 2}, "max_samples must be at least the number of folds, 5"),
        ({"methods": ("nonsense",)}, "unknown method 'nonsense'"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_sweep__wrong_arguments_are_refused(run, arguments, message):
    with pytest.raises(lgca.ConfigError, match=message):
        run.sweep(**arguments, progress=False)


def test_sweep__needs_region_embeddings(demo_encoder, demo_images, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    with classified_images(demo_images[:6], demo_encoder, methods=METHODS, regions=SMALL, store_regions=False) as bare:
        with pytest.raises(lgca.ConfigError, match="no sample of run 'zs' has its region embeddings in the store"):
            bare.sweep("truth", methods=("wca",), progress=False)
        assert bare.sweep("truth", methods=("clip",), progress=False).samples == 6


def test_sweep__the_nested_estimate_holds_on_new_drawings(run, demo_encoder, tmp_path):
    report = run.sweep("truth", progress=False)
    images = draw_images(tmp_path, count=120, seed=777)
    with classified_images(images, demo_encoder, methods=tuple(report.chosen.values()), regions=SMALL) as fresh:
        assert fresh.summary()["encodes"] > 0
        for choice in report.choices:
            # The fresh share is uncertain, too: it may lie outside by as much as its own standard error allows.
            slack = 2 * np.sqrt(0.25 / len(images))
            right = share_right(fresh, choice.group)
            assert choice.nested.low - slack <= right <= choice.nested.high + slack, choice
