"""The stopping rule: flip probabilities against plain loops, and the share of labels that change."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.core.regions import ClassScoring, CropCounts, RegionEmbeddings
from lgca_plugin.method.core.stopping import flip_probability, level_sizes, weights_without_each
from tests.helpers.worlds.random_runs import COUNTS, CROPS, DECISIVE_CHAINS, N_CROPS, World, scores_of_a_draw

VARIANTS = {
    **{name: method for name, method in METHODS.items() if method.regions != "none"},
    "lgca_global": replace(METHODS["lgca"], global_weight=0.7),
    "lgca_falling": replace(METHODS["lgca"], step_weights=(3.0, 2.0, 1.0)),
    "lgca_last_global": replace(METHODS["lgca"], step_weights=(0.0, 0.0, 1.0), global_weight=0.1),
    "chains_d": DECISIVE_CHAINS,
    "lgca_uniform": replace(METHODS["lgca"], weighting="uniform"),
}


FULL = CropCounts(20, 12)


def found(world: World, method: Method, image: int = 0, *, full: CropCounts = FULL) -> float:
    embeddings, classes = world.images(image, np.float64), world.classes(method, np.float64)
    return flip_probability(method, embeddings, classes, so_far=CROPS, full=full)


def tail(x: float, freedom: int) -> float:
    """P(T > x) of Student's t: Simpson's rule over the angle whose tangent is ``x / sqrt(freedom)``."""
    start, pieces = math.atan(x / math.sqrt(freedom)), 2000
    width = (math.pi / 2 - start) / pieces
    heights = [max(math.cos(start + i * width), 0.0) ** (freedom - 1) for i in range(pieces + 1)]
    area = width / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))
    return area * math.gamma((freedom + 1) / 2) / (math.sqrt(math.pi) * math.gamma(freedom / 2))


def expected(world: World, method: Method, image: int = 0, *, full: CropCounts = FULL) -> float:
    """The rule as it is derived, one left-out unit, one rival and one number at a time."""
    n, most = CROPS.of(method.regions), full.of(method.regions)
    own = scores_of_a_draw(world, method, image, [1] * N_CROPS)
    assert own is not None
    label = own.index(max(own))
    without = [scores_of_a_draw(world, method, image, [int(c != i) for c in range(N_CROPS)]) for i in range(n)]
    total = 0.0
    for rival in range(len(own)):
        if rival == label:
            continue
        leads = []
        for scores in without:
            if scores is None:
                return 1.0
            leads.append(scores[label] - scores[rival])
        mean = math.fsum(leads) / n
        variance = (n - 1) / n * math.fsum((lead - mean) ** 2 for lead in leads)
        total += tail((own[label] - own[rival]) / math.sqrt(variance * (1 - n / most)), n - 1)
    return total


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_flip_probability__equals_the_loop(name: str) -> None:
    world, method = World(17, images=4), VARIANTS[name]
    assert COUNTS[-1] > 1  # no step vanishes with one unit; the next test has one that does
    for image in range(4):
        assert found(world, method, image) == pytest.approx(expected(world, method, image), rel=1e-5, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(VARIANTS)), most=st.integers(9, 1000))
def test_flip_probability__equals_the_loop_in_any_world(seed: int, name: str, most: int) -> None:
    world, method, full = World(seed, classes=3), VARIANTS[name], CropCounts(most, most)
    assert found(world, method, full=full) == pytest.approx(expected(world, method, full=full), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", ["lgca", "lgca_falling", "chains_d", "lgca_d", "lgca_last_global"])
def test_flip_probability__equals_the_loop_where_a_step_is_one_units_alone(name: str) -> None:
    """Without that unit, the step's weight goes to the others."""
    world = World(5)
    keep = np.flatnonzero((world.step < 2) | (world.chain == world.chain[-1]))
    world.step, world.chain, world.regions = world.step[keep], world.chain[keep], world.regions[:, keep]
    world.pixels = world.pixels[:, keep]
    assert (world.step == 2).sum() == 1
    assert found(world, VARIANTS[name]) == pytest.approx(expected(world, VARIANTS[name]), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_flip_probability__is_0_at_the_full_budget(name: str) -> None:
    world = World(3)
    assert found(world, METHODS[name], full=CROPS) == 0
    if METHODS[name].regions == "none":
        assert found(world, METHODS[name]) == 0


def test_flip_probability__is_1_on_a_single_crop_and_where_one_unit_has_all_the_weight() -> None:
    world, wca, one = World(3), METHODS["wca"], CropCounts(1, 1)
    assert flip_probability(wca, world.images(0), world.classes(wca), so_far=one, full=FULL) == 1
    assert found(world, replace(wca, image_scale=12.0)) == 1
    assert found(world, replace(DECISIVE_CHAINS, decisiveness=1e6)) == 1


def test_flip_probability__is_0_where_all_crops_are_equal() -> None:
    """A blank picture: its crops look alike, and so will all that are to come."""
    world = World(3)
    world.regions[:] = world.regions[:, :1]
    world.whole[:] = world.regions[:, 0]
    for name in ("wca", "wca_d", "lgca", "lgca_d", "crops_mean"):
        assert found(world, METHODS[name]) == pytest.approx(0, abs=1e-12)


def test_flip_probability__is_a_half_between_equal_classes() -> None:
    """Their tie never ends, so an image with such a best class takes the full budget: it costs crops, and no label."""
    world, method = World(3, classes=2), METHODS["wca"]
    same = ClassScoring(world.class_vectors(method)[[0, 0]], 30.0)
    assert flip_probability(method, world.images(0), same, so_far=CROPS, full=FULL) == 0.5


@pytest.mark.parametrize("n", [6, 14])
def test_flip_probability__is_the_share_of_labels_that_change(n: int) -> None:
    """Of 4,000 images with normally distributed crops, as many change their label as the probabilities add up to."""
    rng, count, most = np.random.default_rng(n), 4000, 60
    crops = rng.normal(size=(count, most, 2)) + rng.normal(scale=3, size=(count, 1, 2))
    step, method, axes = np.zeros(n, dtype=np.int64), METHODS["crops_mean"], ClassScoring(np.eye(2), 1.0)
    so_far, full = CropCounts(n, 0), CropCounts(most, 0)
    images = (RegionEmbeddings(own[:n], np.zeros(2), step, np.arange(n)) for own in crops)
    probabilities = np.array([flip_probability(method, image, axes, so_far=so_far, full=full) for image in images])
    changed = crops[:, :n].mean(axis=1).argmax(axis=1) != crops.mean(axis=1).argmax(axis=1)
    for low, high in ((0, 0.02), (0.02, 0.2), (0.2, 0.6)):
        inside = (probabilities >= low) & (probabilities < high)
        due = probabilities[inside].sum()
        assert due > 1
        assert abs(changed[inside].sum() - due) < 3.5 * math.sqrt(due)


def test_weights_without_each__by_hand() -> None:
    """Three units; of the second group, with 0.4 of the weight, the third unit has all."""
    weights = np.array([0.3, 0.2, 0.1, 0.4])
    without = weights_without_each(weights, np.array([0, 0, 0, 1]), np.array([0, 1, 2, 2]), 3)
    expected = np.array([[0, 0.6 * 2 / 3, 0.6 / 3, 0.4], [0.6 * 3 / 4, 0, 0.6 / 4, 0.4], [0.6, 0.4, 0, 0]])
    np.testing.assert_allclose(without, expected, atol=1e-12)


def test_weights_without_each__nothing_is_left_without_the_only_unit() -> None:
    without = weights_without_each(np.array([0.5, 0.5]), np.array([0, 1]), np.array([1, 1]), 3)
    np.testing.assert_allclose(without, np.array([[0.5, 0.5], [0, 0], [0.5, 0.5]]))


def test_level_sizes__by_hand() -> None:
    assert level_sizes(60) == (6, 9, 14, 21, 32, 48, 60)
    assert level_sizes(34) == (6, 9, 14, 21, 32, 34)
    assert level_sizes(7) == (6, 7)
    assert level_sizes(6) == (6,)
    assert level_sizes(1) == (1,)
    assert level_sizes(0) == (0,)
