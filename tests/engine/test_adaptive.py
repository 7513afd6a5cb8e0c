"""The adaptive budget in the engine: an image has the results of the full plan of the budget level it stops at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgca_plugin.config import BUDGETS, RegionConfig, RegionPlan
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.engine.batched_replay import replay_batch
from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
from lgca_plugin.engine.region_expansion import RegionExpansion
from lgca_plugin.engine.stats import EngineStats
from lgca_plugin.errors import ConfigError
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.prediction.early_stopping import EarlyStopping
from lgca_plugin.prediction.predictor import Predictor, run_scoring
from lgca_plugin.prediction.vector_keys import vector_key
from tests.helpers.engine import Counting, assert_same, encode
from tests.helpers.worlds.replay import assert_same as assert_equal
from tests.helpers.worlds.replay import grown, hashed, known_of, one_by_one, row_of

MAIN = ("clip", "wca", "lgca")
SMALL = RegionConfig(crops=20)  # 6, 9, 14 and 20 crops; 11 of them start chains
COUNT = 30


def plan_of(names: Iterable[str] = MAIN, regions: RegionConfig = SMALL, budget: str = "adaptive") -> RegionPlan:
    return RegionPlan.of(tuple(METHODS[name] for name in names), regions, budget)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("birds")
    return [Path(image.path).read_bytes() for image in draw_images(folder, count=COUNT, seed=9)]


def predictor_of(encoder: Any, plan: RegionPlan, names: Iterable[str] = MAIN) -> Predictor:
    return Predictor(tuple(METHODS[name] for name in names), class_texts(list(CLASSES), None), encoder, plan)


@pytest.fixture(scope="module")
def predictor(demo_encoder: Any) -> Predictor:
    return predictor_of(demo_encoder, plan_of())


@pytest.fixture(scope="module")
def adaptive(files: list[bytes], demo_encoder: Any, predictor: Predictor) -> list[EncodedImage[int]]:
    return encode(files, demo_encoder, plan_of(), can_stop=predictor.can_stop)


@pytest.fixture(scope="module")
def by_level(files: list[bytes], demo_encoder: Any) -> list[list[EncodedImage[int]]]:
    """All images under the plan of each budget level, in runs of their own."""
    return [encode(files, demo_encoder, own) for own in plan_of().levels]


def test_levels__are_ordinary_plans_that_grow_up_to_the_full_one() -> None:
    plan = plan_of(regions=RegionConfig())
    assert [(one.n_crops, one.n_chains) for one in plan.levels] == [
        *((6, 6), (9, 9), (14, 14), (21, 21), (32, 32), (48, 34), (60, 34))
    ]
    assert plan.levels[-1] == plan_of(regions=RegionConfig(), budget="full")
    assert {one.budget for one in plan.levels} == {"full"}
    assert plan.counts == plan.levels[-1].counts


def test_levels__of_an_economical_budget_grow_up_to_a_third_of_the_crops_and_chains() -> None:
    regions = RegionConfig()
    plan = plan_of(regions=regions, budget="economical")
    assert [(one.n_crops, one.n_chains) for one in plan.levels] == [(6, 6), (9, 9), (14, 11), (20, 11)]
    assert {(one.budget, one.spread_of) for one in plan.levels} == {("full", 60)}
    assert plan.encodes_per_image == 1 + 20 + 6 + 3
    fewer_steps = replace(regions, steps=1, lgca_crops=regions.n_chains)  # as a run is rescored
    assert [one.crop_counts for one in plan_of(regions=fewer_steps, budget="economical").levels] == [
        one.crop_counts for one in plan.levels
    ]
    assert plan_of(("lgca",), RegionConfig(crops=9, lgca_crops=30), "economical").spread_of == 30
    smallest = plan_of(regions=RegionConfig(crops=2, lgca_crops=1), budget="economical")
    assert (smallest.n_crops, smallest.n_chains, len(smallest.levels)) == (1, 1, 1)


@pytest.mark.parametrize(("names", "crops"), [(("clip",), 60), (MAIN, 6), (("wca",), 3)])
def test_levels__there_is_one_if_there_is_nothing_to_save(names: tuple[str, ...], crops: int) -> None:
    plan = plan_of(names, RegionConfig(crops=crops))
    assert len(plan.levels) == 1
    assert plan.levels[0].counts == plan.counts


def test_levels__fewer_methods_have_as_many_of_their_crops_at_each() -> None:
    """A run that is rescored for some of its methods keeps its images' levels."""
    both, own = plan_of(regions=RegionConfig()), plan_of(("lgca",), RegionConfig())
    assert len(own.levels) < len(both.levels)
    for level in range(len(both.levels)):
        assert own.at(level).n_chains == both.at(level).n_chains


def test_vector_key__of_two_budgets_differ() -> None:
    for name in ("wca", "lgca", "wca_global", "crops_mean"):
        names = {vector_key(METHODS[name], plan_of(regions=RegionConfig(), budget=one), "") for one in BUDGETS}
        assert len(names) == 3
    alone = {vector_key(METHODS["lgca"], plan_of(names, RegionConfig()), "") for names in (("lgca",), MAIN)}
    assert len(alone) == 1


def test_adaptive__every_image_has_the_results_of_its_levels_plan(
    adaptive: list[EncodedImage[int]], by_level: list[list[EncodedImage[int]]]
) -> None:
    assert {image.level for image in adaptive} == set(range(len(by_level)))
    for level, images_of_level in enumerate(by_level):
        images = [image for image in adaptive if image.level == level]
        alone = [images_of_level[image.id] for image in images]
        assert_same([replace(image, encodes=0) for image in images], [replace(image, encodes=0) for image in alone])


def test_adaptive__an_image_takes_the_distinct_regions_of_its_levels(
    adaptive: list[EncodedImage[int]], by_level: list[list[EncodedImage[int]]]
) -> None:
    for image in adaptive:
        regions: set[tuple[int, ...]] = set()
        for images in by_level[: image.level + 1]:
            one = images[image.id]
            regions.update(map(tuple, one.boxes[one.distinct()].tolist()))
        assert image.encodes == image.n_encoded == 1 + len(regions)
        last = set(map(tuple, image.boxes[image.distinct()].tolist()))
        assert set(image.previous) == regions - last
    assert any(image.previous for image in adaptive)


def test_adaptive__encodes_less_and_counts_it(
    files: list[bytes], demo_encoder: Any, predictor: Predictor, by_level: list[list[EncodedImage[int]]]
) -> None:
    counting, stats = Counting(demo_encoder), EngineStats()
    images = encode(files, counting, plan_of(), can_stop=predictor.can_stop, stats=stats)
    assert counting.encoded == stats.encodes == sum(image.encodes for image in images)
    assert counting.encoded < 0.75 * sum(image.encodes for image in by_level[-1])
    assert stats.levels == {level: [image.level for image in images].count(level) for level in stats.levels}
    assert sum(stats.levels.values()) == COUNT


def test_adaptive__stops_at_the_first_level_where_it_can(
    adaptive: list[EncodedImage[int]], predictor: Predictor, by_level: list[list[EncodedImage[int]]]
) -> None:
    assert predictor.can_stop is not None
    for image in adaptive:
        lower = [replace(by_level[level][image.id], level=level) for level in range(image.level + 1)]
        assert [predictor.can_stop(one) for one in lower] == [False] * image.level + [True]


@pytest.mark.parametrize(("batch_size", "wave_size"), [(1, 1), (7, None), (500, 3)])
def test_adaptive__does_not_depend_on_batches_or_order(
    files: list[bytes],
    demo_encoder: Any,
    adaptive: list[EncodedImage[int]],
    predictor: Predictor,
    batch_size: int,
    wave_size: int | None,
) -> None:
    order = np.random.default_rng(batch_size).permutation(12).tolist()
    sizes = {"batch_size": batch_size, "wave_size": wave_size}
    found = encode([files[index] for index in order], demo_encoder, plan_of(), can_stop=predictor.can_stop, **sizes)
    assert_same(found, [adaptive[index] for index in order])
    assert [image.id for image in found] == list(range(len(order)))
    assert [image.level for image in found] == [adaptive[index].level for index in order]


def test_adaptive__known_embeddings_bring_an_image_to_the_same_level(
    files: list[bytes], demo_encoder: Any, adaptive: list[EncodedImage[int]], predictor: Predictor
) -> None:
    def recall(content_hash: str) -> KnownRegions:
        image = next(image for image in adaptive if image.content_hash == content_hash)
        own = image.distinct()
        return KnownRegions(
            image.image_size_hw,
            image.whole,
            np.array([*image.boxes[own].tolist(), *image.previous]),
            np.array([*image.regions[own], *image.previous.values()]),
        )

    counting = Counting(demo_encoder)
    found = encode(files, counting, plan_of(), can_stop=predictor.can_stop, recall=recall)
    assert counting.encoded == 0
    assert [image.level for image in found] == [image.level for image in adaptive]
    assert_same(found, [replace(image, encodes=0) for image in adaptive])


def test_adaptive__an_image_of_few_crops_takes_the_rest(
    files: list[bytes], demo_encoder: Any, adaptive: list[EncodedImage[int]], by_level: list[list[EncodedImage[int]]]
) -> None:
    """A full budget reuses the encodes of an adaptive one."""
    full = by_level[-1][:8]
    few = {image.content_hash: known_of(image) for image in adaptive}
    counting = Counting(demo_encoder)
    found = encode(files[:8], counting, plan_of(budget="full"), recall=few.get)
    assert counting.encoded < sum(image.encodes for image in full)
    assert_same([replace(one, encodes=0) for one in found], [replace(one, encodes=0) for one in full])


def test_predict__images_of_several_levels_as_of_each_alone(
    adaptive: list[EncodedImage[int]], demo_encoder: Any, predictor: Predictor
) -> None:
    made = predictor.predict(adaptive, find=True)
    for image, one in zip(adaptive, made, strict=True):
        of_level = predictor_of(demo_encoder, plan_of().levels[image.level])
        (alone,) = of_level.predict([replace(image, level=0)], find=True)
        for name in MAIN:
            assert one.methods[name].label == alone.methods[name].label
            logits, expected = one.methods[name].logits, alone.methods[name].logits
            assert logits is not None
            assert expected is not None
            np.testing.assert_allclose(logits, expected, atol=1e-6 * demo_encoder.logit_scale)
        np.testing.assert_allclose(one.vectors, alone.vectors, atol=1e-6)
        assert [shown.box for shown in one.regions] == [shown.box for shown in alone.regions]
        assert one.finding is not None
        assert alone.finding is not None
        assert one.finding.stability == pytest.approx(alone.finding.stability, abs=0.011)  # two of 200 draws


def test_can_stop__depends_on_all_methods_but_the_controls(demo_encoder: Any) -> None:
    def methods(*names: str, budget: str = "adaptive") -> list[str] | None:
        can_stop = predictor_of(demo_encoder, plan_of(names, budget=budget), names).can_stop
        return None if can_stop is None else [method.name for method in can_stop.methods]

    assert methods(*METHODS) == ["wca", "lgca", "wca_d", "lgca_d"]
    assert methods("clip", "crops_mean") == ["crops_mean"]
    assert methods("clip") is None
    assert methods(*METHODS, budget="full") is None


def test_can_stop__is_the_same_with_the_nearest_classes_first(
    by_level: list[list[EncodedImage[int]]], demo_encoder: Any
) -> None:
    names = ("wca", "lgca_d", "lgca")
    plan = plan_of(names)
    presets = tuple(METHODS[name] for name in names)
    scoring = run_scoring(presets, class_texts(list(CLASSES), None), demo_encoder, plan)
    can_stop = EarlyStopping(scoring, plan)
    images = [replace(image, level=level) for level in range(3) for image in by_level[level]]
    expected = [can_stop(image) for image in images]
    few_first = EarlyStopping(scoring, plan, many_classes=len(CLASSES), nearest_classes=4)
    assert [few_first(image) for image in images] == expected
    assert {True, False} <= set(expected)


def test_adaptive__needs_can_stop(files: list[bytes], demo_encoder: Any) -> None:
    with pytest.raises(ConfigError, match="can_stop"):
        encode(files[:1], demo_encoder, plan_of())
    with pytest.raises(ValueError, match="can_stop"):
        RegionExpansion(hashed("a"), plan_of(), known=known_of(grown("a", (40, 50), plan_of(budget="full"))))


def test_adaptive__an_image_that_is_not_finite_at_a_lower_level_fails_there() -> None:
    image = grown("a", (40, 50), plan_of().levels[0])
    known = known_of(image)
    known.regions[2] = np.nan
    expansion = RegionExpansion(hashed("a"), plan_of(), can_stop=lambda _: pytest.fail("called"), known=known)
    assert expansion.replay()
    assert not isinstance(expansion.result("a"), EncodedImage)


@pytest.mark.parametrize("budget", ["adaptive", "economical"])
@pytest.mark.parametrize("level", range(4))
def test_replay_batch__has_the_plan_of_the_level(level: int, budget: str) -> None:
    plan = plan_of(regions=replace(SMALL, crops=60), budget="economical") if budget == "economical" else plan_of()
    images = [grown(f"image {i}", (60 + i, 80), plan.levels[-1]) for i in range(5)]
    lower = [grown(f"image {i}", (60 + i, 80), plan.levels[level]) for i in range(5)]
    known = []
    for one, other in zip(images, lower, strict=True):
        both = known_of(one), known_of(other)
        boxes, regions = np.concatenate([k.boxes for k in both]), np.concatenate([k.regions for k in both])
        known.append(row_of(one, replace(both[0], boxes=boxes, regions=regions)))
    batch = replay_batch(known, plan, level)
    assert batch is not None and batch.level == level
    found = batch.images()
    assert {image.level for image in found} == {level}
    assert_equal(found, one_by_one(known, plan.levels[level]))
