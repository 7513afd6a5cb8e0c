"""Weights, vectors and scores: small hand-made arrays, the loop reference, and the identities of the one formula."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.method.core import scores
from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.core.regions import ClassScoring, CropCounts, RegionEmbeddings
from tests.helpers import reference
from tests.helpers.checks import all_of
from tests.helpers.worlds.random_runs import CROPS, DECISIVE_CHAINS, N_CHAINS, N_CROPS, SHORTER, World, units

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", sorted(reference.RULES))
def test_method__equals_the_loops(name: str) -> None:
    method = METHODS[name]
    for seed in range(6):
        world = World(seed, images=2)
        for image in range(2):
            vectors, expected = world.expected(name, image)
            np.testing.assert_allclose(world.class_vectors(method), vectors, atol=1e-6)
            np.testing.assert_allclose(world.weights(method)[image], expected.weights, atol=1e-5)
            found = world.scores(method)[image]
            np.testing.assert_allclose(found, expected.scores, atol=2e-6)
            np.testing.assert_allclose(scores.confidences(found, world.logit_scale), expected.confidences, atol=1e-4)
            assert float(scores.margins(found)) == pytest.approx(expected.margin, abs=4e-6)
            assert int(found.argmax()) == expected.label


@pytest.mark.parametrize("name", sorted(reference.RULES))
def test_method__many_images_at_once_equal_one_after_the_other(name: str) -> None:
    world, method = World(3, images=6), METHODS[name]
    one_by_one = np.stack([world.scores(method, image) for image in range(6)])
    np.testing.assert_allclose(world.scores(method), one_by_one, atol=1e-6)
    np.testing.assert_allclose(
        world.weights(method), np.stack([world.weights(method, image) for image in range(6)]), atol=1e-6
    )
    # Two leading dimensions, as a store of shards would have.
    shape = (2, 3, *world.regions.shape[1:])
    pixels = world.pixels.reshape(shape[:3])
    nested = RegionEmbeddings(
        world.regions.reshape(shape), world.whole.reshape(2, 3, -1), world.step, world.chain, pixels / SHORTER, pixels
    )
    found = scores.region_weights(method, nested, CROPS, world.classes(method))
    np.testing.assert_allclose(found.regions.reshape(6, -1), world.weights(method), atol=1e-6)
    wholes = np.broadcast_to(found.whole, (2, 3)).reshape(6)
    np.testing.assert_allclose(wholes, np.broadcast_to(world.weighed(method).whole, 6), atol=1e-6)


def test_similarity__literal() -> None:
    regions, none = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]]), np.zeros(3, dtype=int)
    found = RegionEmbeddings(regions, np.array([0.0, 1.0]), none, none).similarity
    np.testing.assert_allclose(found, [0.0, 0.8, -1.0])
    both = RegionEmbeddings(np.stack([regions, regions]), np.array([[0.0, 1.0], [1.0, 0.0]]), none, none).similarity
    np.testing.assert_allclose(both, [[0.0, 0.8, -1.0], [1.0, 0.6, 0.0]])


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, name=st.sampled_from(sorted(METHODS)), image_scale=st.floats(-5, 20))
def test_weights__are_a_distribution_over_the_regions_in_use(seed: int, name: str, image_scale: float) -> None:
    world, method = World(seed, images=2), replace(METHODS[name], image_scale=image_scale)
    weights = world.weights(method)
    assert weights.shape == (2, len(world.step))
    assert np.isfinite(weights).all()
    assert (weights >= 0).all()
    in_use = {
        "none": np.zeros(len(world.step), dtype=bool),
        "crops": world.step == 0,
        "chains": world.chain < N_CHAINS,
        "all": (world.chain < N_CHAINS) | (world.step == 0),
    }[method.regions]
    assert (weights[:, ~in_use] == 0).all()
    total = weights.sum(axis=-1) + (world.weighed(method).whole if method.weighting == "sized" else 0)
    np.testing.assert_allclose(total, 0.0 if method.regions == "none" else 1.0, atol=1e-6)


@pytest.mark.parametrize(("step_weights", "shares"), [(None, [1 / 3] * 3), ((6.0, 3.0, 1.0), [0.6, 0.3, 0.1])])
def test_weights__steps_share_them(step_weights: tuple[float, ...] | None, shares: list[float]) -> None:
    world = World(1)
    weights = world.weights(replace(METHODS["lgca"], step_weights=step_weights))[0]
    assert [weights[world.step == step].sum() for step in range(3)] == pytest.approx(shares, abs=1e-6)


def test_weights__fewer_crops_than_regions_use_a_prefix() -> None:
    world = World(2)
    weights = scores.region_weights(METHODS["crops_mean"], world.images(), CropCounts(3, N_CHAINS)).regions[0]
    np.testing.assert_allclose(weights[:3], 1 / 3)
    assert (weights[3:] == 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, image_scale=st.floats(0, 8))
def test_weights__lgca_without_steps_is_wca_on_the_same_crops(seed: int, image_scale: float) -> None:
    rng = np.random.default_rng(seed)
    image = RegionEmbeddings(units(rng, 6, 5), units(rng, 5), np.zeros(6, dtype=int), np.arange(6))
    found = [
        scores.region_weights(replace(METHODS[name], image_scale=image_scale), image, CropCounts(6, 6)).regions
        for name in ("wca", "lgca")
    ]
    np.testing.assert_array_equal(found[0], found[1])


def test_weights__softmax_of_exp_image_scale_by_hand() -> None:
    whole = np.array([1.0, 0.0])
    regions = np.array([[1.0, 0.0], [0.8, 0.6], [0.8, -0.6]])
    image = RegionEmbeddings(regions, whole, np.zeros(3, dtype=int), np.arange(3))
    weights = scores.region_weights(replace(METHODS["wca"], image_scale=math.log(5.0)), image, CropCounts(3, 0)).regions
    total = 1 + 2 / math.e  # exp(5 * 1) : exp(5 * 0.8) is e : 1
    np.testing.assert_allclose(weights, [1 / total, 1 / math.e / total, 1 / math.e / total], rtol=1e-6)


def test_weights__decisive_weights_prefer_the_decided_region_in_any_step() -> None:
    classes = np.eye(3)
    regions = np.array(
        [
            [1.0, 0.0, 0.0],  # decided
            [3**-0.5] * 3,  # undecided
            [0.0, 1.0, 0.0],  # decided, in a later step
        ]
    )
    image = RegionEmbeddings(regions, np.array([0.0, 0.0, 1.0]), np.array([0, 0, 1]), np.array([0, 1, 0]))
    weights = scores.region_weights(DECISIVE_CHAINS, image, CropCounts(2, 2), ClassScoring(classes, 100.0))
    tiny = math.exp(-10) / (2 + math.exp(-10))  # H / log C is 1 for the undecided one, 0 for the others
    np.testing.assert_allclose(weights.regions, [(1 - tiny) / 2, tiny, (1 - tiny) / 2], rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 66.7, 1e4, 1e35])
def test_relative_entropy__of_float32_scores_is_that_of_a_float64_softmax(scale) -> None:
    """Of more scores than are computed together, in a part of the columns of an array."""
    all_scores = np.random.default_rng(1).normal(0.25, 0.03, (3, 40, 3000)).astype(np.float32)
    found = scores.relative_entropy(all_scores[:, 3:35], scale)
    logits = scale * all_scores[:, 3:35].astype(np.float64)
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=-1) / math.log(3000)
    np.testing.assert_allclose(found, entropy, atol=3e-7)
    assert 0 <= found.min() <= found.max() <= 1


def test_weights__sized_weights_are_sides_of_decided_regions_and_the_whole_image() -> None:
    """Regions of half and quarter the side beside a decided whole image; an undecided one, and one too small."""
    classes = ClassScoring(np.eye(3), 100.0)
    regions = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [3**-0.5] * 3, [0.0, 0.0, 1.0]])
    pixels = np.array([50, 25, 50, 15])
    step, chain = np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0])
    image = RegionEmbeddings(regions, np.array([0.0, 0.0, 1.0]), step, chain, pixels / 100, pixels)
    weights = scores.region_weights(METHODS["lgca_d"], image, CropCounts(3, 1), classes)
    shares = np.array([0.5, 0.25, 0.5 * math.exp(-10), 0.0])
    np.testing.assert_allclose(weights.regions, shares / (1 + shares.sum()), rtol=1e-5)
    assert weights.whole == pytest.approx(1 / (1 + shares.sum()), rel=1e-5)
    small = replace(image, pixels=np.full(4, 15))
    alone = scores.region_weights(METHODS["lgca_d"], small, CropCounts(3, 1), classes)
    assert (alone.regions.tolist(), alone.whole) == ([0.0] * 4, 1.0)


def test_weights__a_higher_temperature_lets_a_decided_region_pass_for_less_decided() -> None:
    regions = np.array([[1.0, 0.0], [0.8, 0.6]])
    image = RegionEmbeddings(regions, np.array([1.0, 0.0]), np.zeros(2, dtype=int), np.arange(2))
    of_temperature = [
        scores.region_weights(
            replace(METHODS["wca_d"], temperature=temperature), image, CropCounts(2, 0), ClassScoring(np.eye(2), 5.0)
        ).regions[0]
        for temperature in (0.5, 1.0, 1.5, 100.0)
    ]
    assert of_temperature[0] > 0.5
    assert of_temperature[3] == pytest.approx(0.5, abs=1e-2)
    assert of_temperature != sorted(of_temperature)  # between them, the less decided region loses more


@pytest.mark.parametrize(
    ("method", "counts", "classes", "words"),
    [
        (METHODS["lgca_d"], CROPS, None, ["lgca_d weighs regions by class"]),
        (METHODS["lgca_d"], CROPS, ClassScoring(World(0).labels[:1], 30.0), ["class"]),  # its entropy is 0 of 0
        *((METHODS[name], CropCounts(0, N_CHAINS), None, [name]) for name in ("wca", "crops_mean", "wca_global")),
        (replace(METHODS["lgca"], step_weights=(0.5, 0.5)), CROPS, None, ["step_weights", "2", "3"]),
    ],
)
def test_weights__what_is_missing_is_named(
    method: Method, counts: CropCounts, classes: ClassScoring | None, words: list[str]
) -> None:
    with pytest.raises(ValueError, match=all_of(words)):
        scores.region_weights(method, World(0).images(), counts, classes)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, global_weight=st.floats(0, 3))
def test_image_vector__is_the_normalized_sum(seed: int, global_weight: float) -> None:
    world = World(seed)
    weights = world.weights(METHODS["lgca"])
    vector = scores.image_vector(world.images(), scores.Weights(weights, global_weight))[0]
    total = reference.weighted_sum(
        [*weights[0].tolist(), global_weight],
        [*world.regions[0].astype(float).tolist(), world.whole[0].astype(float).tolist()],
    )
    np.testing.assert_allclose(vector, reference.unit(total), atol=1e-6)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


def test_image_vector__without_regions_is_the_whole_image() -> None:
    whole, none = units(np.random.default_rng(0), 3, 5), np.zeros(0, dtype=int)
    images = RegionEmbeddings(np.zeros((3, 0, 5), dtype=np.float32), whole, none, none)
    weights = scores.region_weights(METHODS["clip"], images, CropCounts(0, 0))
    assert weights.regions.shape == (3, 0)
    np.testing.assert_allclose(scores.image_vector(images, weights), whole, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, kind=st.sampled_from(["label", "weighted", "mean"]), text_scale=st.floats(-3, 20))
def test_class_vector__equals_the_loops(seed: int, kind: Any, text_scale: float) -> None:
    rng = np.random.default_rng(seed)
    descriptions, label = units(rng, 5, 6), units(rng, 6)
    found = scores.class_vector(descriptions, label, kind=kind, text_scale=text_scale)
    expected = reference.class_vectors(
        kind, [label.astype(float).tolist()], [descriptions.astype(float).tolist()], text_scale
    )[0]
    # exp(20) blows rounding of a float32 similarity up to about 30: only the length is certain there.
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-6)
    if text_scale < 6:
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_scores__literal() -> None:
    classes = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    found = scores.class_scores(np.array([[0.6, 0.8], [1.0, 0.0]]), classes)
    np.testing.assert_allclose(found, [[0.6, 0.8, -0.6], [1.0, 0.0, -1.0]])
    np.testing.assert_allclose(scores.margins(found), [0.2, 1.0])
    np.testing.assert_allclose(scores.margins(found[0]), 0.2)


def test_margins__a_tie_is_zero_and_the_order_does_not_matter() -> None:
    assert scores.margins(np.array([0.3, 0.9, 0.9])) == 0
    assert scores.margins(np.array([0.1, 0.2, 0.7, 0.4])) == pytest.approx(0.3)
    assert scores.margins(np.array([0.7, 0.4, 0.2, 0.1])) == pytest.approx(0.3)


def test_confidences__are_stable_at_any_logit_scale() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        found = scores.confidences(np.array([[0.9, 0.2, -0.9], [0.5, 0.5, 0.5]], dtype=dtype), 10_000.0)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, [[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-6)


def test_method__own_preset_mixes_freely() -> None:
    """Decisive weights next to the whole image, against the label prompts: not in the table, still the one formula."""
    world = World(7)
    mine = Method(name="mine", regions="chains", weighting="decisive", global_weight=0.5, class_vectors="label")
    vectors = [reference.unit(label) for label in world.labels.astype(float).tolist()]
    rule = reference.Rule("chains", "decisive", 0.5, "label")
    seen = world.reference_image(0)
    weights = reference.weights(rule, seen, vectors, crops=N_CROPS, chains=N_CHAINS, logit_scale=30.0)
    expected = reference.verdict(rule, seen, vectors, weights, 30.0)
    np.testing.assert_allclose(world.weights(mine)[0], weights, atol=1e-5)
    np.testing.assert_allclose(world.scores(mine)[0], expected.scores, atol=2e-6)
