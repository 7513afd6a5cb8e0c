"""An image of a fusion: its regions' shares, and its label in draws of the crops, against loops over the nodes."""

from __future__ import annotations

import numpy as np
import pytest

from lgca_plugin.fusion.answers import answer, drawn_logits
from lgca_plugin.fusion.settings import FusionSettings
from lgca_plugin.fusion.weights import FusionWeights
from lgca_plugin.method.core.regions import RegionEmbeddings
from lgca_plugin.method.explain.learned import FUSED_PART, OTHER_REGIONS, places
from lgca_plugin.method.explain.stability import draw_counts
from lgca_plugin.method.fusion.nodes import EncoderClasses, EncoderNodes
from lgca_plugin.workflows.evidence.fused_image import FusedImage
from tests.helpers.worlds.random_runs import World, units

CLASSES, DIMS = 4, (7, 5)


def image_of(seed: int, *, fused_part: bool = False) -> tuple[FusedImage, World]:
    """An image of two encoders that have grown other crops, and weights that have learnt something."""
    rng = np.random.default_rng(seed)
    settings = FusionSettings(fused_part=fused_part)
    untrained = FusionWeights.untrained(DIMS, CLASSES, settings)
    arrays = {
        name: (value + 0.3 * rng.normal(size=value.shape)).astype(np.float32)
        for name, value in untrained.arrays.items()
    }
    arrays["attention.deviation"] = np.ones_like(arrays["attention.deviation"])
    worlds = [World(seed + at, dim=dim) for at, dim in enumerate(DIMS)]
    run = worlds[0]
    nodes = tuple(
        EncoderNodes.of([RegionEmbeddings(one.regions[0], one.whole[0], one.step, one.chain)]) for one in worlds
    )
    classes = tuple(EncoderClasses(units(rng, CLASSES, dim), units(rng, CLASSES, dim), 25.0) for dim in DIMS)
    weights = FusionWeights(dims=DIMS, classes=CLASSES, settings=settings, arrays=arrays)
    place = tuple(places(own.step[0], own.chain[0], run.step, run.chain) for own in nodes)
    return FusedImage(weights, nodes, classes, place, len(run.step), 25.0), run


def logits_of(image: FusedImage, times: list[np.ndarray]) -> np.ndarray:
    """The logits of an image whose nodes count so many times: a loop over the nodes, from the attention to all."""
    every = answer(image.weights, image.nodes, image.classes)
    total = every.bias.copy()
    for m, own in enumerate(image.nodes):
        powers = [float(a) * float(t) for a, t in zip(every.attention[m][0], times[m], strict=True)]
        mixed = sum(power * vector.astype(float) for power, vector in zip(powers, own.vectors[0], strict=True))
        factor = float(every.factors[m]) * image.classes[m].logit_scale
        total += factor * (image.classes[m].vectors.astype(float) @ mixed) / np.linalg.norm(mixed)
    return total


@pytest.mark.parametrize("seed", range(2))
def test_answer__without_regions_is_that_of_the_nodes_that_are_left(seed: int) -> None:
    image, run = image_of(seed)
    n, rng = len(run.step), np.random.default_rng(seed)
    for gone in (np.zeros(n, bool), rng.random(n) < 0.4, np.ones(n, bool)):
        times = [np.where((place >= 0) & np.append(gone, False)[place], 0, 1) for place in image.place]
        found = image.answer(gone)
        np.testing.assert_allclose(found.scores, logits_of(image, times) / 25.0, atol=1e-5)
        assert not found.shares[gone].any() and not found.weights[gone].any()
        assert found.weights.sum() + sum(term.weight for term in found.terms.values()) == pytest.approx(1, abs=1e-6)
    assert OTHER_REGIONS in found.terms  # the second encoder has grown others, and the run can't take them out


@pytest.mark.parametrize("seed", range(2))
def test_stability__is_the_share_of_draws_that_keep_the_label(seed: int) -> None:
    image, _ = image_of(seed)
    draws = draw_counts(8, 200)
    kept = dict.fromkeys(range(CLASSES), 0)
    for draw in draws:
        times = [np.array([1 if chain < 0 else draw[chain] for chain in own.chain[0]]) for own in image.nodes]
        kept[int(logits_of(image, times).argmax())] += 1
    for label, count in kept.items():
        assert image.stability(label) == pytest.approx(count / 200)


def test_draws__of_every_node_once_are_the_image_with_its_fused_part() -> None:
    image, _ = image_of(5, fused_part=True)
    every = answer(image.weights, image.nodes, image.classes)
    ones = [np.ones((3, own.step.shape[1])) for own in image.nodes]
    np.testing.assert_allclose(
        drawn_logits(image.weights, image.nodes, image.classes, ones), np.repeat(every.logits, 3, 0), atol=1e-4
    )
    found = image.answer(np.zeros(image.regions, bool))
    np.testing.assert_allclose(found.terms[FUSED_PART].scores * 25.0, every.fused[0])
    np.testing.assert_allclose(found.scores * 25.0, every.logits[0], atol=1e-9)


def test_stability__of_an_image_without_crops_is_certain() -> None:
    image, run = image_of(6)
    whole = tuple(
        EncoderNodes.of([RegionEmbeddings(own.vectors[0, :0], own.vectors[0, 0], run.step[:0], run.chain[:0])])
        for own in image.nodes
    )
    place = tuple(np.array([-1]) for _ in whole)
    bare = FusedImage(image.weights, whole, image.classes, place, 0, 25.0)
    found = bare.answer(np.zeros(0, bool))
    assert bare.stability(int(found.scores.argmax())) == 1.0
    assert found.shares.shape == (0, CLASSES) and found.terms["whole image"].weight == pytest.approx(1)
