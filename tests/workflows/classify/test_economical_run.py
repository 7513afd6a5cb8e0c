"""Runs with an economical budget: a third of the crops, those that overlap least, from the engine to the database."""

from __future__ import annotations

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.method.core.boxes import sample_boxes
from lgca_plugin.runs.replay import replay
from lgca_plugin.runs.stored_run import stored_run
from lgca_plugin.store.store import Store
from tests.helpers.runs import add_images, classified

METHODS = ("clip", "wca", "lgca")
REGIONS = lgca.RegionConfig(crops=45, scale_min=0.2, scale_max=0.6)  # 6, 9, 14 and 15 crops; 8 of them start chains
COUNT = 12


@pytest.fixture(autouse=True)
def fresh_store(monkeypatch, module_store):
    monkeypatch.setenv("LGCA_STORE_DIR", str(module_store))
    return module_store


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    dataset = add_images(fo.Dataset(), draw_images(tmp_path_factory.mktemp("birds"), count=COUNT, seed=9))
    yield dataset
    dataset.delete()


def classify(birds, encoder, run_key="zs", **options):
    given = {"methods": METHODS, "regions": REGIONS, "budget": "economical", **options}
    return classified(birds, encoder, run_key=run_key, **given)


@pytest.fixture(scope="module")
def run(birds, demo_encoder, module_store):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(module_store))
        yield classify(birds, demo_encoder)


def names_of(run):
    return [method.name for method in run.config.methods]


def written(run):
    names = [f"{run.key}_{name}.{part}" for name in names_of(run) for part in ("label", "confidence")]
    return run.dataset.values([*names, f"{run.key}_encodes"])


def images_of(run):
    with Store() as store:
        ids = run.dataset.values("id")
        return [
            image
            for images, _ in replay(store, stored_run(store, run), ids, run.config.region_plan)
            for image in images
        ]


def test_run__encodes_the_crops_that_overlap_least(run):
    summary = run.summary()
    assert summary["planned_encodes_per_image"] == 1 + 15 + 4 + 2
    assert sum(summary["stopped_after"].values()) == COUNT
    assert set(summary["stopped_after"]) <= {"6", "9", "14", "15"}
    images = images_of(run)
    assert len(images) == COUNT
    for image in images:
        crops = image.boxes[image.step == 0]
        expected = sample_boxes(
            15,
            image.image_size_hw,
            scale_min=REGIONS.scale_min,
            scale_max=REGIONS.scale_max,
            seed=REGIONS.seed,
            content_hash=image.content_hash,
            spread_of=45,
        )
        np.testing.assert_array_equal(crops, expected[: len(crops)])


def test_run__after_one_with_all_crops_encodes_nothing(birds, demo_encoder, tmp_path, monkeypatch):
    """Embeddings are shared by box, whatever the order of the crops."""
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    every = classify(birds, demo_encoder, "every", budget="full", methods=("clip", "wca"))
    again = classify(birds, demo_encoder, "again", methods=("clip", "wca"))
    assert every.summary()["encodes"] > 0 and again.summary()["encodes"] == 0
    assert birds.values("again_wca.label") != [None] * COUNT
    for made in (every, again):
        made.delete()


def test_run__a_second_one_encodes_nothing_and_ends_the_same(run, birds, demo_encoder):
    again = classify(birds, demo_encoder, "again")
    assert again.summary()["encodes"] == 0
    assert written(again) == written(run)
    again.delete()


@pytest.mark.parametrize("changes", [{"methods": ("wca",)}, {"steps": 1}, {"classes": ["arctic tern", "redpoll"]}])
def test_rescore__equals_the_regions_that_each_image_has(run, demo_encoder, changes):
    other = run.rescore(run_key="other", encoder=demo_encoder, progress=False, **changes)
    assert other.config.budget == "economical"
    for image in images_of(other):
        seen = other.evidence(image.id)
        for name in names_of(other):
            label = run.dataset[image.id][f"other_{name}"]
            assert seen.margin(name) == pytest.approx(label.margin, abs=1e-6)
    back = other.rescore(
        run_key="back", encoder=demo_encoder, progress=False, methods=("wca",), classes=run.config.classes
    )
    assert run.dataset.values("back_wca.label") == run.dataset.values("zs_wca.label")
    for made in (back, other):
        made.delete()


def test_rescore__for_other_classes_warns_in_the_runs_words(run, demo_encoder):
    other = run.rescore(run.config.classes[:5], run_key="other", encoder=demo_encoder, progress=False)
    assert any("budget is economical" in warning for warning in other.summary()["warnings"])
    other.delete()
