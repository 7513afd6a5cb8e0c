"""Random embeddings of images and classes, in the library's arrays and in the reference's lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lgca_plugin.method.core import scores
from lgca_plugin.method.core.methods import Method
from lgca_plugin.method.core.regions import ClassScoring, CropCounts, RegionEmbeddings
from lgca_plugin.method.core.run_scoring import RunScoring
from tests.helpers import reference

N_CROPS, N_CHAINS, COUNTS = 8, 5, (5, 3, 2)
CROPS = CropCounts(N_CROPS, N_CHAINS)
SHORTER = 60
"""Shorter side of the images, in pixels."""


DECISIVE_CHAINS = Method(name="chains_d", regions="chains", weighting="decisive")
"""Decisive LGCA of earlier releases."""


def units(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random unit vectors with a common direction, as embeddings have, in float32."""
    vectors = rng.normal(size=shape) + 0.5
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


class World:
    """Random embeddings of images and classes, in the library's arrays and in the reference's lists."""

    def __init__(self, seed: int, *, images: int = 1, classes: int = 4, dim: int = 7) -> None:
        rng = np.random.default_rng(seed)
        # 8 crops; the first 5 start chains; 3 of those grow once, 2 of those twice.
        grown_once = np.sort(rng.permutation(N_CHAINS)[: COUNTS[1]])
        grown_twice = np.sort(rng.permutation(grown_once)[: COUNTS[2]])
        self.step = np.array([0] * N_CROPS + [1] * COUNTS[1] + [2] * COUNTS[2])
        self.chain = np.concatenate([np.arange(N_CROPS), grown_once, grown_twice])
        self.whole = units(rng, images, dim)
        self.regions = units(rng, images, len(self.step), dim)
        self.labels = units(rng, classes, dim)
        self.descriptions = [units(rng, int(rng.integers(1, 5)), dim) for _ in range(classes)]
        self.logit_scale = 30.0
        self.pixels = rng.integers(8, SHORTER, size=(images, len(self.step)))  # some too small to take part

    def class_vectors(self, method: Method) -> np.ndarray:
        return np.stack(
            [
                scores.class_vector(own, label, kind=method.class_vectors, text_scale=method.text_scale)
                for own, label in zip(self.descriptions, self.labels, strict=True)
            ]
        )

    def images(self, image: Any = slice(None), dtype: Any = None) -> RegionEmbeddings:
        """The regions of one image or of several."""
        regions, whole = self.regions[image], self.whole[image]
        if dtype is not None:
            regions, whole = regions.astype(dtype), whole.astype(dtype)
        pixels = self.pixels[image]
        return RegionEmbeddings(regions, whole, self.step, self.chain, pixels / SHORTER, pixels)

    def classes(self, method: Method, dtype: Any = None) -> ClassScoring:
        vectors = self.class_vectors(method)
        return ClassScoring(vectors if dtype is None else vectors.astype(dtype), self.logit_scale)

    def scoring(self, methods: Mapping[str, Method], classes: tuple[str, ...] = (), dtype: Any = None) -> RunScoring:
        return RunScoring(
            methods=methods,
            classes=classes or tuple(f"class {k}" for k in range(len(self.labels))),
            class_vectors={name: self.classes(method, dtype).vectors for name, method in methods.items()},
            logit_scale=self.logit_scale,
            counts=CROPS,
        )

    def weighed(self, method: Method, image: Any = slice(None)) -> scores.Weights:
        return scores.region_weights(method, self.images(image), CROPS, self.classes(method))

    def weights(self, method: Method, image: Any = slice(None)) -> np.ndarray:
        return self.weighed(method, image).regions

    def scores(self, method: Method, image: Any = slice(None)) -> np.ndarray:
        vector = scores.image_vector(self.images(image), self.weighed(method, image))
        return scores.class_scores(vector, self.class_vectors(method))

    def reference_image(self, image: int) -> reference.ReferenceImage:
        whole = self.whole[image].astype(float).tolist()
        regions = []
        columns = (self.step, self.chain, self.pixels[image], self.regions[image])
        for step, chain, side, embedding in zip(*columns, strict=True):
            vector, box = embedding.astype(float).tolist(), (0, 0, int(side), int(side))
            regions.append(reference.Region(int(step), int(chain), box, vector, reference.dot(vector, whole)))
        return reference.ReferenceImage(whole, regions, 0, SHORTER)

    def expected(self, name: str, image: int) -> tuple[list[list[float]], reference.Verdict]:
        rule = reference.RULES[name]
        own = [d.astype(float).tolist() for d in self.descriptions]
        vectors = reference.class_vectors(rule.texts, self.labels.astype(float).tolist(), own)
        seen = self.reference_image(image)
        weights = reference.weights(rule, seen, vectors, crops=N_CROPS, chains=N_CHAINS, logit_scale=self.logit_scale)
        return vectors, reference.verdict(rule, seen, vectors, weights, self.logit_scale)


def reference_weights(
    method: Method, seen: reference.ReferenceImage, vectors: Sequence[reference.Vector], logit_scale: float
) -> list[float]:
    """The weights of any preset, by the reference."""
    return reference.weights(
        reference.Rule(
            method.regions, method.weighting, method.global_weight, method.class_vectors, method.temperature
        ),
        seen,
        vectors,
        crops=N_CROPS,
        chains=N_CHAINS,
        logit_scale=logit_scale,
        image_scale=method.image_scale,
        decisiveness=method.decisiveness,
        step_weights=method.step_weights,
    )


def scores_of_a_draw(world: World, method: Method, image: int, times: list[int]) -> list[float] | None:
    """The class scores, up to the norm, of an image that holds the regions of crop c ``times[c]`` times; loops only."""
    seen, classes = world.reference_image(image), world.class_vectors(method).tolist()
    drawn = replace(seen, regions=[region for region in seen.regions for _ in range(times[region.chain])])
    weights = reference_weights(method, drawn, classes, world.logit_scale)
    whole = 1 - sum(weights) if method.weighting == "sized" else method.global_weight
    if not any(weights) and not whole:
        return None
    rows = [*(region.embedding for region in drawn.regions), seen.whole]
    total = reference.weighted_sum([*weights, whole], rows)
    return [reference.dot(total, c) for c in classes]
