"""Stability: the share of bootstrap draws that keep a label, against a plain loop that repeats regions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.core.regions import ClassScoring, CropCounts, RegionEmbeddings
from lgca_plugin.method.core.scores import class_scores, image_vector, region_weights
from lgca_plugin.method.explain.stability import DRAWS, draw_counts, stability
from tests.helpers.worlds.random_runs import COUNTS, CROPS, DECISIVE_CHAINS, N_CHAINS, N_CROPS, World, scores_of_a_draw

VARIANTS = {
    **METHODS,
    "lgca_global": replace(METHODS["lgca"], global_weight=0.7),
    "lgca_falling": replace(METHODS["lgca"], step_weights=(3.0, 2.0, 1.0)),
    "lgca_last": replace(METHODS["lgca"], step_weights=(0.0, 0.0, 1.0)),
    "lgca_last_global": replace(METHODS["lgca"], step_weights=(0.0, 0.0, 1.0), global_weight=0.1),
    "lgca_uniform": replace(METHODS["lgca"], weighting="uniform"),
    "wca_sharp": replace(METHODS["wca"], image_scale=12.0),
    "lgca_sharp": replace(METHODS["lgca"], image_scale=12.0),
    "chains_d": DECISIVE_CHAINS,
    "chains_d_sharp": replace(DECISIVE_CHAINS, decisiveness=5000.0),
    "lgca_d_sharp": replace(METHODS["lgca_d"], decisiveness=500.0),
}


def found(world: World, method: Method, image: Any = slice(None), dtype: Any = np.float64, **options: Any) -> Any:
    return stability(method, world.images(image, dtype), CROPS, world.classes(method, dtype), **options)


def expected(world: World, method: Method, image: int, draws: int) -> float:
    crops = CROPS.of(method.regions)
    whole_image = scores_of_a_draw(world, method, image, [1] * N_CROPS)
    assert whole_image is not None
    label = whole_image.index(max(whole_image))
    kept = 0
    for times in draw_counts(crops, draws).tolist():
        scores = scores_of_a_draw(world, method, image, times + [0] * (N_CROPS - crops))
        kept += scores is not None and scores.index(max(scores)) == label
    return kept / draws


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_stability__equals_the_loop(name: str, dtype: Any) -> None:
    """Among the draws are ones that reach no chain of the last step, and ones without the one crop that weighs all."""
    world, method = World(17, images=5), VARIANTS[name]
    assert any(not times[world.chain[-COUNTS[-1] :]].any() for times in draw_counts(N_CHAINS, 60))
    values = found(world, method, dtype=dtype, draws=60)
    assert values.shape == (5,)
    if method.regions == "none":
        assert (values == 1).all()
    else:
        assert values.tolist() == [expected(world, method, image, 60) for image in range(5)]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(VARIANTS)))
def test_stability__equals_the_loop_in_any_world(seed: int, name: str) -> None:
    world, method = World(seed, images=2, classes=3), VARIANTS[name]
    if method.regions != "none":
        assert found(world, method, draws=30).tolist() == [expected(world, method, image, 30) for image in range(2)]


@pytest.mark.parametrize(
    "name", ["wca", "wca_global", "lgca", "chains_d", "lgca_d", "lgca_falling", "lgca_last", "lgca_last_global"]
)
def test_stability__with_more_rivals_than_are_drawn_at_once_equals_the_loop(name: str) -> None:
    """Images of many rivals, of one and of none, next to each other."""
    world, method = World(6, images=5, classes=90, dim=12), VARIANTS[name]
    vectors = world.class_vectors(method)
    calm = [1, 3]
    world.whole[calm] = vectors[7]
    world.regions[calm] = vectors[7] + 0.1 * world.regions[calm]
    world.regions[3, 2] = vectors[8]
    world.regions /= np.linalg.norm(world.regions, axis=-1, keepdims=True)
    rivals = []
    for image in range(5):
        scores = class_scores(world.regions[image], vectors)
        rivals.append(int((scores > scores[:, [world.scores(method, image).argmax()]]).any(axis=0).sum()))
    assert sum(rivals) > 3 * 64 and rivals[1] == 0 < rivals[3]
    values = found(world, method, draws=20)
    assert values.tolist() == [expected(world, method, image, 20) for image in range(5)]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(VARIANTS)), spread=st.floats(0.0, 0.5))
def test_stability__is_1_where_all_regions_vote_alike(seed: int, name: str, spread: float) -> None:
    world, method = World(seed, images=3), VARIANTS[name]
    vectors = world.class_vectors(method)
    winner = vectors[seed % len(vectors)]

    def alike(noise: np.ndarray) -> np.ndarray:
        """Moves noise as near to the winning class as it takes."""
        for share in np.linspace(spread, 0, 9):
            mixed = (1 - share) * winner + share * noise
            if (class_scores(mixed, vectors).argmax(axis=-1) == seed % len(vectors)).all():
                return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)
        raise AssertionError("a class vector does not vote for itself")

    world.regions, world.whole = alike(world.regions), alike(world.whole)
    if name != "lgca_last":  # which some draws leave without any region
        assert (found(world, method) == 1).all()
        assert (found(world, method, dtype=np.float32) == 1).all()


def test_stability__by_hand() -> None:
    """Three crops that weigh alike, two for class 0 and one for class 1: the label stays unless 1 is drawn more."""
    regions = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    counts = draw_counts(3)
    kept = np.mean([times[0] + times[1] >= times[2] for times in counts])
    image = RegionEmbeddings(regions, np.array([1.0, 0.0]), np.zeros(3, dtype=int), np.arange(3))
    value = stability(METHODS["crops_mean"], image, CropCounts(3, 0), ClassScoring(np.eye(2), 1.0))
    assert value == kept
    # of 27 equally likely draws, 7 have the last crop twice or three times
    assert value == pytest.approx(20 / 27, abs=3 * math.sqrt(20 / 27 * 7 / 27 / DRAWS))


def test_stability__of_a_label_that_is_not_the_methods_own() -> None:
    world, method = World(2, images=3, classes=3), METHODS["wca"]
    by_class = np.array([found(world, method, labels=np.full(3, k)) for k in range(3)])
    assert by_class.sum(axis=0) == pytest.approx(1)  # each draw has one winner
    own = world.scores(method).argmax(axis=-1)
    assert found(world, method).tolist() == by_class[own, np.arange(3)].tolist()


def test_stability__does_not_depend_on_what_else_is_in_the_batch() -> None:
    world = World(4, images=40, classes=50)
    for name in ("wca", "lgca", "wca_d", "lgca_d"):
        together = found(world, METHODS[name], dtype=np.float32)
        alone = [float(found(world, METHODS[name], image, dtype=np.float32)) for image in range(40)]
        assert together.tolist() == alone
        assert 0 < together.mean() < 1


def test_stability__takes_leading_dimensions_and_what_is_known() -> None:
    world, method = World(8, images=6), METHODS["lgca"]
    flat = found(world, method)
    vectors = world.class_vectors(method)
    given_scores = class_scores(world.regions.astype(float), vectors)
    assert found(world, method, weights=world.weighed(method), region_scores=given_scores).tolist() == flat.tolist()
    shape = (2, 3, *world.regions.shape[1:])
    step = np.broadcast_to(world.step, shape[:3])
    regions, whole = world.regions.astype(float).reshape(shape), world.whole.astype(float).reshape(2, 3, -1)
    nested = stability(method, RegionEmbeddings(regions, whole, step, world.chain), CROPS, world.classes(method))
    assert nested.tolist() == flat.reshape(2, 3).tolist()


def test_stability__of_scores_that_are_a_part_of_an_array() -> None:
    """The regions and classes of a larger array, in another order in memory."""
    world, method = World(8, images=6), METHODS["lgca"]
    scores = class_scores(world.regions.astype(float), world.class_vectors(method))
    larger = np.zeros((scores.shape[2] + 3, 6, scores.shape[1]))
    larger[2:-1] = scores.transpose(2, 0, 1)
    part = larger[2:-1].transpose(1, 2, 0)
    assert not part.flags.c_contiguous
    assert found(world, method, region_scores=part).tolist() == found(world, method).tolist()


def test_stability__images_of_a_batch_may_have_grown_other_chains() -> None:
    worlds, method = [World(seed) for seed in range(6)], METHODS["lgca"]
    classes = worlds[0].classes(method)
    alone = [stability(method, world.images(0, float), CROPS, classes).item() for world in worlds]
    batch = RegionEmbeddings(
        np.concatenate([world.regions for world in worlds]).astype(float),
        np.concatenate([world.whole for world in worlds]).astype(float),
        np.stack([world.step for world in worlds]),
        np.stack([world.chain for world in worlds]),
    )
    together = stability(method, batch, CROPS, classes)
    assert together.tolist() == alone


def test_stability__a_tie_keeps_the_label() -> None:
    """Two classes with the same texts: rounding must not decide."""
    world, method = World(9, images=10, dim=64), METHODS["wca"]
    vectors = world.class_vectors(method).astype(np.float32)
    images = world.images()
    weights = region_weights(method, images, CROPS)
    labels = class_scores(image_vector(images, weights), vectors).argmax(axis=-1)
    once, twice = (
        stability(method, images, CROPS, ClassScoring(given, 30.0), labels=labels)
        for given in (vectors, np.concatenate([vectors, vectors]))
    )
    assert once.tolist() == twice.tolist()


def test_draws__are_uniform_numbers_of_crops_and_always_the_same() -> None:
    for n in (1, 5, 34, 60):
        uniforms = np.random.Generator(np.random.PCG64(0)).random((DRAWS, n))
        plain = [[row.count(c) for c in range(n)] for row in (np.floor(uniforms * n).astype(int).tolist())]
        assert draw_counts(n).tolist() == plain
    assert draw_counts(4, 3).tolist() == [[2, 1, 1, 0], [0, 0, 2, 2], [1, 0, 1, 2]]


def test_draws__can_not_be_changed_by_a_caller() -> None:
    with pytest.raises(ValueError, match="read-only"):
        draw_counts(7)[0, 0] = 5
