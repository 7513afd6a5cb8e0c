"""From embeddings to predictions: every method's scores for a batch of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import ThreadpoolController

from ..errors import ConfigError
from ..method.core.compared_methods import compared_methods
from ..method.core.scores import class_scores, image_vector
from ..method.explain.region_findings import RegionAnalysis
from .displayed_regions import DisplayedRegion, MethodScores, displayed_regions, stack_images
from .early_stopping import EarlyStopping
from .scoring import run_scoring

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..config import RegionPlan
    from ..descriptions.class_texts import ClassTexts
    from ..encoder.base import TextEncoder
    from ..engine.embeddings import EncodedImage
    from ..method.core.methods import Method
    from ..method.core.regions import RegionEmbeddings
    from ..method.core.run_scoring import RunScoring
    from ..method.explain.region_findings import SampleFindings


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
        vectors: ``[V, dim]`` float32 image vectors, as :attr:`Predictor.vector_keys` names them
        finding: what a triage will want to know of the regions; None where nobody asked, or the methods have no triage
    """

    methods: dict[str, MethodPrediction]
    regions: list[DisplayedRegion]
    vectors: NDArray[np.float32]
    finding: SampleFindings | None = None


class Predictor:
    """Scores encoded images with a set of methods.

    Args:
        methods: the presets
        texts: the classes and their descriptions
        encoder: embeds the texts, once
        plan: which regions the images were encoded with
        shown_chains: how many chains of an image are worth looking at

    Attributes:
        vector_keys: names the image vectors that do not depend on the classes: :data:`WHOLE`, then those of the methods
        can_stop: tells whether an image may stop on a rung of an adaptive plan; None where there is no choice
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
        self._shown_chains = shown_chains
        self._scoring = run_scoring(methods, texts, encoder, plan)
        named = (vector_key(method, plan) for method in methods)
        self.vector_keys = tuple(dict.fromkeys([WHOLE, *(name for name in named if name)]))
        self.can_stop = EarlyStopping(self._scoring, plan) if plan.adaptive else None
        self._analysis = self._region_analysis()
        self._threads = ThreadpoolController()

    @property
    def findings_key(self) -> str | None:
        """Key of the predictions' findings in the store; None if the methods have no triage."""
        return None if self._analysis is None else self._analysis.key

    def predict(self, images: Sequence[EncodedImage[Any]], *, find: bool = False) -> list[Prediction]:
        """Scores images that were encoded under this predictor's plan, in one thread.

        Its products are small, so threads would wait for each other; and other cores have images to encode or read.

        Args:
            images: encoded images
            find: whether to look for what a triage will want to know of the regions, too

        Returns:
            one prediction an image, in the same order
        """
        made: dict[int, Prediction] = {}
        with self._threads.limit(limits=1, user_api="blas"):
            for level in sorted({image.level for image in images}):
                rows = [row for row, image in enumerate(images) if image.level == level]
                at_level = self._predict([images[row] for row in rows], self._plan.at(level), find=find)
                made.update(zip(rows, at_level, strict=True))
        return [made[row] for row in range(len(images))]

    def _predict(self, images: Sequence[EncodedImage[Any]], plan: RegionPlan, *, find: bool) -> list[Prediction]:
        """Scores images of one plan, which all have as many regions."""
        batch, scoring = stack_images(images), replace(self._scoring, counts=plan.crop_counts)
        views = {method.name: _method_scores(method, batch, scoring) for method in self._methods}
        vectors: dict[str, NDArray[np.floating]] = {WHOLE: batch.whole}
        for method in self._methods:
            name = vector_key(method, self._plan)
            if name:
                vectors[name] = views[method.name].vectors
        stacked = np.stack([vectors[name].astype(np.float32) for name in self.vector_keys], axis=1)
        by_method = {name: decisions(view.scores, self._scoring.logit_scale) for name, view in views.items()}
        regions = displayed_regions(
            images, batch, self._methods, views, logit_scale=self._scoring.logit_scale, count=self._shown_chains
        )
        findings = self._findings(batch, plan, by_method) if find else repeat(None)
        return [
            Prediction({name: made[index] for name, made in by_method.items()}, regions[index], stacked[index], finding)
            for index, finding in zip(range(len(images)), findings, strict=False)
        ]

    def predict_from_vectors(
        self, method: Method, vectors: NDArray[np.float32], *, with_scores: bool
    ) -> list[MethodPrediction]:
        """Scores ``[b, dim]`` image vectors that were kept, those of the method's signature, in float32."""
        class_vectors = self._scoring.class_vectors[method.name]
        made: list[MethodPrediction] = []
        for start in range(0, len(vectors), ROWS_AT_ONCE):
            scores = class_scores(vectors[start : start + ROWS_AT_ONCE], class_vectors)
            made += decisions(scores, self._scoring.logit_scale, with_scores=with_scores)
        return made

    def _region_analysis(self) -> RegionAnalysis | None:
        try:
            _, crops, chains = compared_methods(self._methods, run_key="")
        except ConfigError:
            return None
        return RegionAnalysis(scoring=self._scoring, crops=crops, chains=chains)

    def _findings(
        self, batch: RegionEmbeddings, plan: RegionPlan, made: dict[str, list[MethodPrediction]]
    ) -> Iterable[SampleFindings | None]:
        if self._analysis is None:
            return repeat(None)
        analysis = self._analysis.at(plan.crop_counts)
        crops, chains = (
            np.array([prediction.label for prediction in made[method.name]])
            for method in (analysis.crops, analysis.chains)
        )
        return analysis.find_each(batch, crops_label=crops, chains_label=chains)


def _method_scores(method: Method, batch: RegionEmbeddings, scoring: RunScoring) -> MethodScores:
    weights = scoring.weights(method, batch)
    vectors = image_vector(batch, weights, method.global_weight)
    class_vectors = scoring.class_vectors[method.name]
    return MethodScores(class_vectors, weights, vectors, class_scores(vectors, class_vectors))


def vector_key(method: Method, plan: RegionPlan) -> str | None:
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
    # An adaptive plan's vectors are of as many crops as each image took: they must not pass for those of a full budget.
    if method.regions == "crops":
        return f"{name} of {_sizes(level.n_crops for level in plan.levels)} crops"
    steps = "" if method.step_weights is None else f" as {list(method.step_weights[: plan.steps + 1])}"
    regions = plan.regions
    chains = _sizes(level.n_chains for level in plan.levels)
    return f"{name} of {chains} chains in {plan.steps} steps{steps}, keep {regions.keep!r}, {regions.growth!r}"


def _sizes(sizes: Iterable[int]) -> str:
    return "|".join(str(size) for size in dict.fromkeys(sizes))


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
