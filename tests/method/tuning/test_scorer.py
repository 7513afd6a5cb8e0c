"""Scoring many settings in one pass: equal to plain loops, in bounded memory."""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.errors import ConfigError
from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.core.regions import CropCounts, RegionEmbeddings
from lgca_plugin.method.tuning.scorer import CHUNK_BYTES, SettingsScorer, SettingsScores
from lgca_plugin.method.tuning.sweep import default_grid
from tests.helpers import reference
from tests.helpers.checks import all_of
from tests.helpers.worlds.random_runs import CROPS, DECISIVE_CHAINS, N_CHAINS, N_CROPS, World, reference_weights

SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.floats(-2, 5)
METHOD = st.builds(
    Method,
    name=st.just("mine"),
    regions=st.sampled_from(["crops", "chains", "all"]),
    weighting=st.sampled_from(["salience", "decisive", "uniform"]),
    global_weight=st.sampled_from([0.0, 0.3, 2.0]),
    class_vectors=st.sampled_from(["label", "weighted", "mean"]),
    image_scale=SCALES,
    text_scale=st.sampled_from([0.0, 2.0, 3.0]),
    decisiveness=st.floats(0, 40),
    temperature=st.sampled_from([1.0, 1.5]),
    step_weights=st.sampled_from([None, (1.0, 0.5, 0.25), (1.0, 0.0, 0.0), (0.5, 0.0, 2.0)]),
)

SIZED = st.builds(
    Method,
    name=st.just("sized"),
    regions=st.just("all"),
    weighting=st.just("sized"),
    decisiveness=st.floats(0, 40),
    temperature=st.sampled_from([1.0, 1.5]),
)


def scorer_of(world: World, methods: list[Method], counts: CropCounts = CROPS, **options: int) -> SettingsScorer:
    return SettingsScorer(methods, world.class_vectors, counts, logit_scale=world.logit_scale, **options)


def score(world: World, methods: list[Method], images: Any = slice(None), **options: Any) -> SettingsScores:
    return scorer_of(world, methods, **options).score(world.images(images))


def slow_scores(world: World, method: Method, image: int) -> tuple[list[float], list[float]]:
    """Class scores and region weights of one image."""
    own = [d.astype(float).tolist() for d in world.descriptions]
    labels = world.labels.astype(float).tolist()
    vectors = reference.class_vectors(method.class_vectors, labels, own, method.text_scale)
    seen = world.reference_image(image)
    weights = reference_weights(method, seen, vectors, world.logit_scale)
    rows = [*(r.embedding for r in seen.regions), seen.whole]
    whole = 1 - sum(weights) if method.weighting == "sized" else method.global_weight
    vector = reference.unit(reference.weighted_sum([*weights, whole], rows))
    return [reference.dot(vector, c) for c in vectors], weights


def assert_equals_the_loops(world: World, methods: list[Method]) -> None:
    found = score(world, methods)
    for s, method in enumerate(methods):
        for image in range(len(world.whole)):
            expected, weights = slow_scores(world, method, image)
            # Scores that rounding can't tell apart have no order.
            assert max(expected) - expected[found.labels[s, image]] < 1e-5
            if method.regions == "none":
                assert math.isnan(found.effective[s, image])
            else:
                weights += [1 - sum(weights)] if method.weighting == "sized" else []
                assert found.effective[s, image] == pytest.approx(1 / sum(w * w for w in weights), rel=1e-3)
            assert found.used[s, image] == sum(w > 0 for w in weights)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, methods=st.lists(METHOD | SIZED, min_size=1, max_size=6))
def test_scorer__any_settings_equal_the_loops(seed: int, methods: list[Method]) -> None:
    assert_equals_the_loops(World(seed, images=2), [METHODS["clip"], *methods])


def test_scorer__equals_the_methods_one_by_one() -> None:
    world = World(11, images=40, classes=9, dim=16)
    grid = default_grid(list(METHODS.values()), steps=2)
    found = score(world, grid)
    for s, method in enumerate(grid):
        expected = world.scores(method)
        best = np.take_along_axis(expected, found.labels[s][:, None], axis=-1)[:, 0]
        np.testing.assert_allclose(best, expected.max(axis=-1), atol=1e-6)
        squares = (world.weights(method) ** 2).sum(axis=-1)
        squares += world.weighed(method).whole ** 2 if method.weighting == "sized" else 0
        expected_effective = 1 / squares if squares.all() else np.full(40, np.nan)
        np.testing.assert_allclose(found.effective[s], expected_effective, rtol=1e-5)
    assert len(np.unique(found.labels, axis=0)) > 20  # the settings do disagree


def test_scorer__images_one_by_one_equal_a_batch() -> None:
    world, grid = (
        World(5, images=12),
        default_grid([METHODS[name] for name in ("clip", "lgca", "wca_d", "lgca_d")], steps=2),
    )
    together = score(world, grid)
    alone = [score(world, grid, [image]) for image in range(12)]
    chunked = score(world, grid, chunk_bytes=1)
    for name in ("labels", "effective", "used"):
        expected = getattr(together, name)
        np.testing.assert_allclose(np.hstack([getattr(one, name) for one in alone]), expected, rtol=1e-12)
        np.testing.assert_allclose(getattr(chunked, name), expected, rtol=1e-12)


def test_scorer__chains_of_their_own_in_every_image() -> None:
    """Which crops have grown differs from image to image, as in a real run."""
    worlds = [World(seed) for seed in range(4)]
    methods = [METHODS["lgca"], DECISIVE_CHAINS, METHODS["wca"]]
    scorer = scorer_of(worlds[0], methods, CropCounts(6, 3))
    together = scorer.score(
        RegionEmbeddings(
            np.concatenate([world.regions for world in worlds]),
            np.concatenate([world.whole for world in worlds]),
            np.stack([world.step for world in worlds]),
            np.stack([world.chain % 3 for world in worlds]),
        )
    )
    for index, world in enumerate(worlds):
        alone = scorer.score(RegionEmbeddings(world.regions, world.whole, world.step, world.chain % 3))
        np.testing.assert_array_equal(together.labels[:, index], alone.labels[:, 0])
        np.testing.assert_allclose(together.effective[:, index], alone.effective[:, 0])


def test_scorer__computes_each_matrix_of_class_vectors_once() -> None:
    world, requested = World(1), []

    def class_vectors(method: Method) -> np.ndarray:
        requested.append((method.class_vectors, method.text_scale))
        return world.class_vectors(method)

    grid = default_grid([METHODS["wca"], METHODS["clip"], METHODS["lgca"], METHODS["clip_d"]], steps=2)
    SettingsScorer(grid, class_vectors, CROPS, logit_scale=30.0)
    weighted = [text_scale for kind, text_scale in requested if kind == "weighted"]
    assert sorted(weighted) == [0.0, 2.0, 3.0, 4.0]
    assert Counter(kind for kind, _ in requested) == {"weighted": 4, "label": 1, "mean": 1}


def test_scorer__an_image_without_regions_has_its_whole() -> None:
    world = World(2, images=3)
    methods = [METHODS["clip"], METHODS["clip_d"]]
    none = np.zeros(0, dtype=int)
    empty = RegionEmbeddings(world.regions[:, :0], world.whole, none, none)
    found = scorer_of(world, methods, CropCounts(0, 0)).score(empty)
    np.testing.assert_array_equal(found.labels, [world.scores(method).argmax(axis=-1) for method in methods])
    assert np.isnan(found.effective).all() and (found.used == 0).all()


def test_scorer__no_images_have_no_labels() -> None:
    world = World(2, images=3)
    assert score(world, [METHODS["lgca"], METHODS["clip"]], slice(0)).labels.shape == (2, 0)


@pytest.mark.parametrize(
    ("name", "count", "floats"),
    [("lgca", 135, 135 * 200), ("lgca_d", 1, 2 * 10 * 200)],  # scores of the settings; class probabilities of regions
)
def test_scorer__memory_does_not_grow_with_the_batch(name: str, count: int, floats: int) -> None:
    images = 3000
    world = World(3, images=images, classes=200, dim=32)
    grid = default_grid([METHODS[name]], steps=2)[:count]
    tracemalloc.start()
    try:
        found = score(world, grid)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < sum(array.nbytes for array in vars(found).values()) + 1.2 * CHUNK_BYTES
    assert 4 * floats * images > 1.4 * CHUNK_BYTES  # all images at once would not have fitted


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        (METHODS["wca"], {"counts": CropCounts(0, N_CHAINS)}, ["wca", "crops", "encoded without"]),
        (METHODS["lgca"], {"counts": CropCounts(N_CROPS, 0)}, ["lgca", "chains", "encoded without"]),
        (replace(METHODS["lgca"], step_weights=(1.0, 1.0)), {}, ["step_weights", "2", "3"]),
        (replace(METHODS["wca"], step_weights=(0.0, 1.0)), {}, ["step_weights", "no weight"]),
    ],
)
def test_scorer__settings_without_their_regions_are_rejected(
    method: Method, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ValueError, match=all_of(words)):
        score(World(1), [method], **options)


def test_scorer__images_with_other_steps_are_rejected() -> None:
    world = World(1, images=2)
    step = np.stack([world.step, np.zeros_like(world.step)])
    with pytest.raises(ValueError, match="same steps"):
        scorer_of(world, [METHODS["lgca"]]).score(RegionEmbeddings(world.regions, world.whole, step, world.chain))


def test_scorer__needs_settings() -> None:
    with pytest.raises(ConfigError, match="settings is empty"):
        score(World(1), [])
