"""Runs with an adaptive budget on a real dataset: what is written, what is kept, and all that reads it back."""

import sqlite3
from contextlib import closing
from typing import Any

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.errors import ConfigError
from lgca_plugin.runs.stored_run import stored_run
from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.store import Store
from tests.helpers.engine import Counting
from tests.helpers.runs import add_images, classified, interrupted
from tests.helpers.worlds.store import forget_findings

METHODS = ("clip", "wca", "lgca", "lgca_d")
SMALL = lgca.RegionConfig(crops=20, scale_min=0.2, scale_max=0.6)  # 6, 9, 14 and 20 crops; 11 of them start chains
COUNT = 20


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
    given = {"methods": METHODS, "regions": SMALL, "budget": "adaptive", **options}
    return classified(birds, encoder, run_key=run_key, **given)


@pytest.fixture(scope="module")
def run(birds, demo_encoder, module_store):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(module_store))
        yield classify(birds, demo_encoder)


@pytest.fixture(scope="module")
def full(birds, demo_encoder, tmp_path_factory):
    """The same with a full budget, in a store of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(tmp_path_factory.mktemp("full")))
        yield classify(birds, demo_encoder, "all", budget="full")


@pytest.fixture(scope="module")
def levels(run, module_store):
    return levels_of(run, module_store)


def levels_of(run, folder=None):
    with Store(folder) as store:
        ids = run.dataset.values("id")
        levels = store.levels(stored_run(store, run), ids)
    return {id_: levels.get(id_, 0) for id_ in ids}


def written(run, ids=None):
    """Everything that the run has written, by sample."""
    paths = [f"{run.key}_{name}.{value}" for name in METHODS for value in ("label", "confidence", "margin")]
    boxes = run.dataset.values(f"{run.key}_regions.detections.bounding_box")
    values = zip(run.dataset.values("id"), *run.dataset.values(paths), boxes, strict=True)
    return {id_: rest for id_, *rest in values if ids is None or id_ in ids}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for id_, values in found.items():
        for value, other in zip(values, expected[id_], strict=True):
            assert value == other or np.allclose(value, other, atol=1e-5)


def one_of_each(levels):
    """A sample of each budget level: level to id."""
    return dict(sorted({level: id_ for id_, level in levels.items()}.items()))


def assert_evidence_is_of(seen, sample, key):
    """The evidence has the labels and margins that the run has written."""
    for name in METHODS:
        assert seen.labels[name] == sample[f"{key}_{name}"].label
        assert seen.margin(name) == pytest.approx(sample[f"{key}_{name}"].margin, abs=1e-6)


def test_run__samples_that_take_all_crops_have_what_a_full_budget_gives(run, full, levels):
    top = {id_ for id_, level in levels.items() if level == 3}
    assert 0 < len(top) < COUNT
    assert set(levels.values()) >= {0, 3}
    assert_same(written(run, top), written(full, top))
    assert run.config.budget == "adaptive" and full.config.budget == "full"


def test_run__says_what_it_has_saved(run, full, levels):
    summary, other = run.summary(), full.summary()
    stopped = {"6": 0, "9": 1, "14": 2, "20": 3}
    assert summary["stopped_after"] == {
        crops: count for crops, level in stopped.items() if (count := list(levels.values()).count(level))
    }
    assert summary["encodes"] < 0.9 * other["encodes"]
    assert summary["encodes_per_image"] < summary["planned_encodes_per_image"] == other["planned_encodes_per_image"]
    assert "stopped_after" not in other
    assert lgca.load_run(run.dataset, run.key).summary() == summary


def test_run__says_on_each_sample_what_it_took(run, full):
    taken, most = run.dataset.values("zs_encodes"), run.config.region_plan.encodes_per_image
    assert sum(taken) == run.summary()["encodes"]
    assert 10 <= min(taken) < max(taken)
    assert "zs_encodes" in run.fields and "all_encodes" not in full.fields
    assert "all_encodes" not in run.dataset.get_field_schema()
    assert all(count <= most + 10 for count in taken)  # an image that climbs may have grown other regions on the way


def test_run__a_second_one_encodes_nothing_and_ends_the_same(run, birds, demo_encoder, levels, module_store):
    counting = Counting(demo_encoder)
    again = classify(birds, counting, "again")
    assert counting.encoded == 0 and again.summary()["images_recalled"] == COUNT
    assert levels_of(again, module_store) == levels
    assert_same(written(again), written(run))
    assert again.dataset.values("again_encodes") == run.dataset.values("zs_encodes")
    again.delete()
    assert "again_encodes" not in birds.get_field_schema()


def test_run__a_full_one_encodes_only_what_is_missing(run, full, birds, demo_encoder):
    counting = Counting(demo_encoder)
    made = classify(birds, counting, "more", budget="full")
    assert 0 < counting.encoded < full.summary()["encodes"] - 0.5 * run.summary()["encodes"]
    assert_same(written(made), written(full))
    made.delete()


def test_run__goes_on_where_it_was_broken_off(run, birds, demo_encoder, levels, tmp_path, monkeypatch):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    given: dict[str, Any] = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "methods": METHODS, "regions": SMALL}
    given |= {"encoder": demo_encoder, "budget": "adaptive"}
    before = interrupted(birds, 1, run_key="part", write_images=5, **given).summary()
    assert 0 < before["predicted"] < COUNT
    assert sum(before["stopped_after"].values()) >= before["predicted"]
    with pytest.raises(ConfigError, match="budget"):
        classify(birds, demo_encoder, "part", budget="full")
    part = classify(birds, demo_encoder, "part")
    assert part.summary()["predicted"] == COUNT
    assert levels_of(part) == levels
    assert_same(written(part), written(run))
    part.delete()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as file:
        assert file.execute("SELECT count(*) FROM rungs").fetchone() == (0,)


def test_evidence__is_that_of_the_crops_which_the_sample_has_taken(run, levels):
    plan = run.config.region_plan
    for level in sorted(set(levels.values())):
        for id_ in [id_ for id_, own in levels.items() if own == level][:4]:
            seen, sample = run.evidence(id_), run.dataset[id_]
            assert len(seen.step) == sum(plan.levels[level].counts)
            assert_evidence_is_of(seen, sample, "zs")
            for name in METHODS:
                a, b = seen.pair(name)
                shares, whole = seen.contributions(name, a, b), seen.global_contribution(name, a, b)
                assert shares.sum() + whole == pytest.approx(seen.margin(name, a, b), abs=1e-6)
                assert seen.weights[name].sum() == pytest.approx(1 - seen.verdicts.whole_weight(name))


def test_film_strip__shows_a_sample_that_has_stopped_early(run, levels):
    first = one_of_each(levels)[0]
    assert run.film_strip(first).layout.images
    assert run.plot_description_votes(first).data


def test_triage__says_the_same_from_what_was_kept_and_from_the_regions(run):
    fields = ("zs_case", "zs_misleading", "zs_stability", "zs_label_quality")
    run.triage("ground_truth", progress=False)
    kept = run.dataset.values(list(fields))
    forget_findings()
    run.triage("ground_truth", progress=False)
    looked = run.dataset.values(list(fields))
    assert kept[:2] == looked[:2]
    np.testing.assert_allclose(kept[2], looked[2], atol=0.011)  # two of 200 draws
    np.testing.assert_allclose(kept[3], looked[3], atol=1e-5)
    assert None not in kept[2]
    for id_, firm in zip(*run.dataset.values(["id", "zs_stability"]), strict=True):
        assert run.evidence(id_).stability["lgca"] == pytest.approx(firm, abs=0.011)


def test_rescore__keeps_each_samples_crops_and_says_so(run, levels, birds, demo_encoder, module_store):
    fewer = CLASSES[:6]
    rescored = run.rescore(fewer, run_key="fewer", encoder=demo_encoder, progress=False)
    assert any("adaptive" in warning for warning in rescored.summary()["warnings"])
    assert levels_of(rescored, module_store) == levels
    assert rescored.summary()["stopped_after"] == run.summary()["stopped_after"]
    assert birds.values("fewer_encodes") == birds.values("zs_encodes")
    in_place = rescored.rescore(CLASSES[:7], encoder=demo_encoder, progress=False)
    assert birds.values("fewer_encodes") == birds.values("zs_encodes")
    rescored = in_place.rescore(fewer, encoder=demo_encoder, progress=False)
    for id_ in one_of_each(levels).values():
        assert_evidence_is_of(rescored.evidence(id_), birds[id_], "fewer")
    rescored.delete()


@pytest.mark.parametrize("methods", [("wca",), ("clip", "lgca"), ("crops_mean", "lgca_d")])
def test_rescore__with_other_methods_and_back(run, levels, methods, demo_encoder, module_store):
    """Fewer methods have fewer levels; the samples keep theirs."""
    other = run.rescore(methods=methods, run_key="other", encoder=demo_encoder, progress=False)
    assert levels_of(other, module_store) == levels
    own = {name: run.dataset.values(f"zs_{name}.label") for name in METHODS}
    for name in methods:
        found = other.dataset.values(f"other_{name}.label")
        assert None not in found
        if name in METHODS:
            assert found == own[name]
    other.delete()


def test_rescore__without_a_change_that_matters_there_is_no_warning(run, demo_encoder):
    rescored = run.rescore(run_key="boxes", shown_chains=1, encoder=demo_encoder, progress=False)
    assert not rescored.summary()["warnings"]
    assert written(rescored).keys() == written(run).keys()
    rescored.delete()


def test_rescore__with_fewer_steps(run, levels, birds, demo_encoder):
    rescored = run.rescore(steps=1, run_key="steps", encoder=demo_encoder, progress=False)
    plan = rescored.config.region_plan
    for level, id_ in one_of_each(levels).items():
        seen = rescored.evidence(id_)
        assert len(seen.step) == sum(plan.levels[level].counts) and seen.step.max() == 1
        assert seen.margin("lgca") == pytest.approx(birds[id_].steps_lgca.margin, abs=1e-6)
    rescored.delete()


def test_rescore__a_run_that_has_kept_no_regions(birds, demo_encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    methods = ("clip", "wca", "lgca")
    bare = classify(birds, demo_encoder, "bare", methods=methods, store_regions=False)
    rescored = bare.rescore(CLASSES[:5], run_key="five", encoder=demo_encoder, progress=False)
    assert rescored.summary()["predicted"] == COUNT
    assert set(birds.distinct("five_lgca.label")) <= set(CLASSES[:5])
    for made in (rescored, bare):
        made.delete()


def test_run__of_the_whole_image_alone_has_nothing_to_save(birds, demo_encoder):
    alone = classify(birds, demo_encoder, "alone", methods=("clip",))
    assert alone.summary()["encodes"] in (0, COUNT)  # they may be in the store
    assert "stopped_after" not in alone.summary()
    alone.delete()


def test_sweep__is_refused(run):
    with pytest.raises(ConfigError, match="adaptive budget"):
        run.sweep("ground_truth", progress=False)
