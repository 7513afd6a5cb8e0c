"""Votes, exact contributions, flips and misleading crops: by hand, against loops, and their identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.method.core import scores
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.explain.contributions import contributions, flips, misleading_crops, votes
from tests.helpers import reference
from tests.helpers.worlds.random_runs import World


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(METHODS)), data=st.data())
def test_contributions__and_the_global_term_sum_to_the_margin(seed: int, name: str, data: st.DataObject) -> None:
    world, method = World(seed, images=3), METHODS[name]
    a, b = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    weights, vectors, found = world.weighed(method), world.class_vectors(method), world.scores(method)
    parts, whole = contributions(world.images(), weights, vectors, a, b)
    assert parts.shape == weights.regions.shape
    assert whole.shape == (3,)
    np.testing.assert_allclose(parts.sum(axis=-1) + whole, found[:, a] - found[:, b], atol=1e-6)
    assert (parts[weights.regions == 0] == 0).all()
    if method.global_weight == 0 and method.weighting != "sized":
        assert (whole == 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), global_weight=st.floats(0.01, 5))
def test_contributions__hold_for_any_weights(seed: int, global_weight: float) -> None:
    """Also for weights of no preset: what-if questions take regions out or weigh them anew."""
    world = World(seed)
    weights = scores.Weights(np.random.default_rng(seed).random((1, len(world.step))), global_weight)
    vector = scores.image_vector(world.images(), weights)
    found = scores.class_scores(vector, world.labels)
    parts, whole = contributions(world.images(), weights, world.labels, 2, 0)
    np.testing.assert_allclose(parts.sum(axis=-1) + whole, found[:, 2] - found[:, 0], atol=1e-6)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_contributions__equal_the_loop(name: str) -> None:
    world, method = World(11, images=2), METHODS[name]
    for image in range(2):
        vectors, answer = world.expected(name, image)
        parts, whole = reference.contributions(world.reference_image(image), vectors, answer, 1, 3)
        found, found_whole = contributions(world.images(), world.weighed(method), world.class_vectors(method), 1, 3)
        np.testing.assert_allclose(found[image], parts, atol=2e-6)
        assert float(found_whole[image]) == pytest.approx(whole, abs=2e-6)


def test_contributions__each_image_can_have_its_own_classes() -> None:
    world, method = World(5, images=3), METHODS["wca_global"]
    weights, vectors = world.weighed(method), world.class_vectors(method)
    a, b = np.array([0, 1, 3]), np.array([2, 0, 1])
    parts, whole = contributions(world.images(), weights, vectors, a, b)
    for image in range(3):
        own, own_whole = contributions(
            world.images(image),
            weights[image],
            vectors,
            int(a[image]),
            int(b[image]),
        )
        np.testing.assert_allclose(parts[image], own, atol=1e-9)
        np.testing.assert_allclose(whole[image], own_whole, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_votes__equal_the_loop(seed: int) -> None:
    world = World(seed, images=2)
    found = votes(world.regions, world.class_vectors(METHODS["wca"]))
    assert np.issubdtype(found.dtype, np.integer)
    for image in range(2):
        assert found[image].tolist() == world.expected("wca", image)[1].votes


def test_flips__compare_the_first_with_the_last_vote_of_a_grown_chain() -> None:
    step = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    chain = np.array([0, 1, 2, 3, 0, 1, 3, 1, 3])
    vote = np.array([5, 5, 7, 2, 6, 6, 2, 5, 4])
    #  chain 0: 5 6, flipped; 1: 5 6 5, back again; 2: never grew; 3: 2 2 4, flipped
    assert flips(vote, step, chain) == {0: True, 1: False, 3: True}
    shuffled = np.array([8, 3, 5, 0, 7, 2, 6, 1, 4])
    assert flips(vote[shuffled], step[shuffled], chain[shuffled]) == {0: True, 1: False, 3: True}
    assert flips(vote[:4], step[:4], chain[:4]) == {}


def test_misleading__is_a_step_0_vote_for_wcas_label_that_contributes_to_it() -> None:
    step = np.array([0, 0, 0, 1])
    vote = np.array([2, 2, 3, 2])
    contribution = np.array([0.1, -0.1, 0.1, 0.1])
    assert misleading_crops(vote, step, contribution, 2, 3).tolist() == [True, False, False, False]
    assert not misleading_crops(vote, step, contribution, 2, 2).any()  # the methods agree
    assert misleading_crops(vote, step, contribution, 3, 2).tolist() == [False, False, True, False]
