"""From embeddings to predictions: every method's scores for a batch of images."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from .method.scores import class_scores, image_vector, region_weights
from .shown import Batch, MethodView, ShownRegion, shown_regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .config import RegionPlan
    from .growing import EncodedImage
    from .method.scores import Method
    from .model.encoder import TextEncoder
    from .model.prompts import ClassTexts


ROWS_AT_ONCE = 2048  # the quickest of 512 to 4096: large products, and scores that stay in the cache
WHOLE = "whole image"
"""Signature of the whole image's own embedding."""


@dataclass(frozen=True)
class MethodPrediction:
    """What one method says of one image.

    Attributes:
        label: class index
        confidence: softmax probability of the label, in [0, 1]
        margin: best minus second-best score
        scores: ``[C]`` class scores in [-1, 1]; None where nobody asked for them
    """

    label: int
    confidence: float
    margin: float
    scores: NDArray[np.floating] | None


@dataclass(frozen=True)
class Prediction:
    """All methods' predictions for one image.

    Attributes:
        methods: method name to its prediction
        regions: the chains worth looking at, each in the order of its steps
        vectors: ``[V, dim]`` float32 image vectors, as :attr:`Predictor.signatures` names them
    """

    methods: dict[str, MethodPrediction]
    regions: list[ShownRegion]
    vectors: NDArray[np.float32]


class Predictor:
    """Scores encoded images with a set of methods.

    Args:
        methods: the presets
        texts: the classes and their descriptions
        encoder: embeds the texts, once
        plan: which regions the images were encoded with
        shown_chains: how many chains of an image are worth looking at

    Attributes:
        signatures: names the image vectors that do not depend on the classes: :data:`WHOLE`, then those of the methods
    """

    def __init__(
        self,
        methods: Sequence[Method],
        texts: ClassTexts,
        encoder: TextEncoder,
        plan: RegionPlan,
        *,
        shown_chains: int = 3,
    ) -> None:
        self._methods = tuple(methods)
        self._plan = plan
        self._logit_scale = encoder.logit_scale
        self._shown_chains = shown_chains
        self._class_vectors = texts.by_method(encoder, methods)
        named = (signature(method, plan) for method in methods)
        self.signatures = tuple(dict.fromkeys([WHOLE, *(name for name in named if name)]))

    def predict(self, images: Sequence[EncodedImage[Any]]) -> list[Prediction]:
        """Scores images that were encoded under this predictor's plan.

        Args:
            images: encoded images, all with the same number of regions

        Returns:
            one prediction an image, in the same order
        """
        if not images:
            return []
        batch = Batch(images)
        views = {method.name: self._view(method, batch) for method in self._methods}
        vectors: dict[str, NDArray[np.floating]] = {WHOLE: batch.whole}
        for method in self._methods:
            name = signature(method, self._plan)
            if name:
                vectors[name] = views[method.name].vectors
        stacked = np.stack([vectors[name].astype(np.float32) for name in self.signatures], axis=1)
        by_method = {name: decisions(view.scores, self._logit_scale) for name, view in views.items()}
        regions = shown_regions(
            images, batch, self._methods, views, logit_scale=self._logit_scale, count=self._shown_chains
        )
        return [
            Prediction({name: made[index] for name, made in by_method.items()}, regions[index], stacked[index])
            for index in range(len(images))
        ]

    def predict_from_vectors(
        self, method: Method, vectors: NDArray[np.float32], *, with_scores: bool
    ) -> list[MethodPrediction]:
        """Scores ``[b, dim]`` image vectors that were kept, those of the method's signature, in float32."""
        class_vectors = self._class_vectors[method.name]
        made: list[MethodPrediction] = []
        for start in range(0, len(vectors), ROWS_AT_ONCE):
            scores = class_scores(vectors[start : start + ROWS_AT_ONCE], class_vectors)
            made += decisions(scores, self._logit_scale, with_scores=with_scores)
        return made

    def _view(self, method: Method, batch: Batch) -> MethodView:
        class_vectors = self._class_vectors[method.name]
        weights = region_weights(
            method,
            regions=batch.regions,
            whole=batch.whole,
            step=batch.step,
            chain=batch.chain,
            n_crops=self._plan.n_crops,
            n_chains=self._plan.n_chains,
            class_vectors=class_vectors,
            logit_scale=self._logit_scale,
        )
        vectors = image_vector(batch.regions, batch.whole, weights, method.global_weight)
        return MethodView(class_vectors, weights, vectors, class_scores(vectors, class_vectors))


def signature(method: Method, plan: RegionPlan) -> str | None:
    """Names the image vector of a method: methods that share it differ in their class vectors alone.

    Args:
        method: the preset
        plan: which regions there are

    Returns:
        the name; None where the vector depends on the classes, so that it is of no use for others
    """
    if method.regions == "none":
        return WHOLE
    if method.weighting == "decisive":
        return None
    scale = f" {method.image_scale!r}" if method.weighting == "salience" else ""
    name = f"{method.weighting}{scale} + {method.global_weight!r} whole"
    if method.regions == "crops":
        return f"{name} of {plan.n_crops} crops"
    steps = "" if method.step_weights is None else f" as {list(method.step_weights[: plan.steps + 1])}"
    regions = plan.regions
    return f"{name} of {plan.n_chains} chains in {plan.steps} steps{steps}, keep {regions.keep!r}, {regions.growth!r}"


def decisions(scores: NDArray[np.floating], logit_scale: float, *, with_scores: bool = True) -> list[MethodPrediction]:
    """Finds label, confidence and margin of every row.

    Args:
        scores: ``[b, C]`` class scores, C at least 2; the result has their precision
        logit_scale: the encoder's factor on similarities
        with_scores: whether the scores come with the predictions, and stay as they are; if not, they are overwritten,
            which is quicker

    Returns:
        one prediction a row
    """
    kept = scores if with_scores else None
    scores = scores.copy() if with_scores else scores
    rows = np.arange(len(scores))
    labels = scores.argmax(axis=-1)
    best = scores[rows, labels]
    scores[rows, labels] = -np.inf
    margin = best - scores.max(axis=-1)
    # Of the softmax, the best class's share alone: 1 over the sum of the exponentials, its own being 1.
    scores -= best[:, None]
    scores *= logit_scale
    confidence = 1 / (1 + np.exp(scores, out=scores).sum(axis=-1))
    columns = (labels.tolist(), confidence.tolist(), margin.tolist(), repeat(None) if kept is None else kept)
    return [MethodPrediction(*values) for values in zip(*columns, strict=False)]
