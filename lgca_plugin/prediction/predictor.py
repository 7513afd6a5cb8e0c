"""From embeddings to predictions: labels, confidences and displayed regions of all methods for batches of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import ThreadpoolController

from ..errors import ConfigError
from ..method.core.methods import compared_methods
from ..method.core.run_scoring import RunScoring
from ..method.core.scores import MIN_PIXELS, class_scores, image_vector
from ..method.explain.region_findings import RegionAnalysis
from .displayed_regions import DisplayedRegion, MethodScores, displayed_regions, stack_images
from .early_stopping import EarlyStopping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..config import RegionPlan
    from ..descriptions.class_texts import ClassTexts
    from ..encoder.base import TextEncoder
    from ..engine.embeddings import EncodedImage
    from ..method.core.methods import Method
    from ..method.core.regions import RegionEmbeddings
    from ..method.explain.region_findings import SampleFindings


ROWS_AT_ONCE = 2048
"""Number of image vectors that are scored at a time: the fastest of 512 to 4096."""
WHOLE = "whole image"
"""Vector key of the whole image's embedding."""


@dataclass(frozen=True)
class MethodPrediction:
    """The prediction of one method for one image.

    Attributes:
        label: class index
        confidence: softmax probability of the label, in [0, 1]
        margin: best minus second-best score
        logits: ``[C]`` logit_scale times the class scores, so that their softmax gives ``confidence``; None if not
            requested
        before: class index of the label before known shares of the classes, if they have changed it
    """

    label: int
    confidence: float
    margin: float
    logits: NDArray[np.floating] | None
    before: int | None = None


@dataclass(frozen=True)
class Prediction:
    """All methods' predictions for one image.

    Attributes:
        regions: regions of the displayed chains, each chain in the order of its steps
        vectors: ``[V, dim]`` float32 image vectors, in the order of :attr:`Predictor.vector_keys`
        finding: findings for a triage; None if not requested, or the methods have no triage
    """

    methods: dict[str, MethodPrediction]
    regions: list[DisplayedRegion]
    vectors: NDArray[np.float32]
    finding: SampleFindings | None = None


class Predictor:
    """Scores encoded images with a set of methods; ``shown_chains`` chains of an image are displayed.

    Learned methods are left out: they score the embeddings of several encoders, see :mod:`lgca_plugin.runs.fused`.

    Attributes:
        vector_keys: keys of the image vectors that are stored of each image, see :func:`vector_keys`
        can_stop: whether an image can stop at a budget level of an adaptive plan; None for a full budget
    """

    def __init__(
        self,
        methods: Sequence[Method],
        texts: ClassTexts,
        encoder: TextEncoder,
        plan: RegionPlan,
        *,
        shown_chains: int = 3,
        offsets: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> None:
        methods = [method for method in methods if method.weighting != "learned"]
        self._methods = tuple(methods)
        self._plan = plan
        self._texts = texts.digest
        self._shown_chains = shown_chains
        self._scoring = run_scoring(methods, texts, encoder, plan, offsets)
        self.vector_keys = vector_keys(methods, plan, self._texts)
        self.can_stop = EarlyStopping(self._scoring, plan) if plan.adaptive else None
        self._analysis = self._region_analysis()
        self._threads = ThreadpoolController()

    def follow_shares(self, offsets: Mapping[str, NDArray[np.float64]]) -> None:
        """Makes further predictions follow known shares of the classes: by method, ``[C]`` added to logits."""
        self._scoring = replace(self._scoring, offsets=_in_scores(offsets, self._scoring.logit_scale))

    @property
    def class_vectors(self) -> dict[str, NDArray[np.float32]]:
        """Method to its ``[C, dim]`` class vectors; methods with equal ones share an array."""
        return dict(self._scoring.class_vectors)

    @property
    def findings_key(self) -> str | None:
        """Key of the predictions' findings in the store; None if the methods have no triage."""
        return None if self._analysis is None else self._analysis.key

    def predict(self, images: Sequence[EncodedImage[Any]], *, find: bool = False) -> list[Prediction]:
        """Scores images that were encoded under this predictor's plan, with findings for a triage if ``find``.

        In one thread: the matrix products are too small for several, and other cores encode or read images meanwhile.
        """
        made: dict[int, Prediction] = {}
        with self._threads.limit(limits=1, user_api="blas"):
            for level in sorted({image.level for image in images}):
                rows = [row for row, image in enumerate(images) if image.level == level]
                at_level = self._predict([images[row] for row in rows], self._plan.at(level), find=find)
                made.update(zip(rows, at_level, strict=True))
        return [made[row] for row in range(len(images))]

    def _predict(self, images: Sequence[EncodedImage[Any]], plan: RegionPlan, *, find: bool) -> list[Prediction]:
        """Scores images of one budget level, with equally many regions."""
        batch, scoring = stack_images(images), replace(self._scoring, counts=plan.crop_counts)
        results = {method.name: _method_scores(method, batch, scoring) for method in self._methods}
        vectors: dict[str, NDArray[np.floating]] = {WHOLE: batch.whole}
        for method in self._methods:
            key = vector_key(method, self._plan, self._texts)
            if key:
                vectors[key] = results[method.name].vectors
        stacked = np.stack([vectors[key].astype(np.float32) for key in self.vector_keys], axis=1)
        by_method = {
            name: decisions(own.scores, scoring.logit_scale, before=own.before) for name, own in results.items()
        }
        regions = displayed_regions(images, batch, scoring, results, count=self._shown_chains)
        findings = self._findings(batch, plan, results) if find else repeat(None)
        return [
            Prediction({name: made[index] for name, made in by_method.items()}, regions[index], stacked[index], finding)
            for index, finding in zip(range(len(images)), findings, strict=False)
        ]

    def predict_from_vectors(
        self, method: Method, vectors: NDArray[np.float32], *, with_logits: bool
    ) -> list[MethodPrediction]:
        """Scores ``[b, dim]`` stored image vectors of the method's vector key, in float32."""
        class_vectors, scoring = self._scoring.class_vectors[method.name], self._scoring
        made: list[MethodPrediction] = []
        for start in range(0, len(vectors), ROWS_AT_ONCE):
            scores = class_scores(vectors[start : start + ROWS_AT_ONCE], class_vectors)
            before = scores.argmax(axis=-1) if method.name in scoring.offsets else None
            scores = scoring.with_offsets(method.name, scores)
            made += decisions(scores, scoring.logit_scale, with_logits=with_logits, before=before)
        return made

    def logits_from_vectors(self, method: Method, vectors: NDArray[np.float32]) -> NDArray[np.floating]:
        """Returns ``[b, C]`` logits of ``[b, dim]`` stored image vectors, without shares of the classes."""
        scores = class_scores(vectors, self._scoring.class_vectors[method.name])
        logits: NDArray[np.floating] = scores * scores.dtype.type(self._scoring.logit_scale)
        return logits

    def logits(self, images: Sequence[EncodedImage[Any]]) -> dict[str, NDArray[np.floating]]:
        """Returns method to ``[b, C]`` logits of images of one budget level, without shares of the classes."""
        counts = self._plan.at(images[0].level).crop_counts
        batch, scoring = stack_images(images), replace(self._scoring, counts=counts, offsets={})
        with self._threads.limit(limits=1, user_api="blas"):
            made = {method.name: _method_scores(method, batch, scoring).scores for method in self._methods}
        return {name: scores * scores.dtype.type(scoring.logit_scale) for name, scores in made.items()}

    def _region_analysis(self) -> RegionAnalysis | None:
        try:
            _, crops, chains = compared_methods(self._methods, run_key="")
        except ConfigError:
            return None
        return RegionAnalysis(scoring=self._scoring, crops=crops, chains=chains)

    def _findings(
        self, batch: RegionEmbeddings, plan: RegionPlan, made: dict[str, MethodScores]
    ) -> Iterable[SampleFindings | None]:
        if self._analysis is None:
            return repeat(None)
        analysis = self._analysis.at(plan.crop_counts)
        crops, chains = (made[method.name].before for method in (analysis.crops, analysis.chains))
        return analysis.find_each(batch, crops_label=crops, chains_label=chains)


def run_scoring(
    methods: Sequence[Method],
    texts: ClassTexts,
    encoder: TextEncoder,
    plan: RegionPlan,
    offsets: Mapping[str, NDArray[np.float64]] | None = None,
) -> RunScoring:
    """Encodes the texts of the classes and returns the scoring of images that were encoded under a plan.

    ``offsets`` are those of known shares of the classes, by method ``[C]`` added to logits; None without them.
    """
    return RunScoring(
        methods={method.name: method for method in methods},
        classes=texts.classes,
        class_vectors=texts.by_method(encoder, methods),
        logit_scale=encoder.logit_scale,
        counts=plan.crop_counts,
        offsets=_in_scores(offsets or {}, encoder.logit_scale),
    )


def _in_scores(offsets: Mapping[str, NDArray[np.float64]], logit_scale: float) -> dict[str, NDArray[np.float64]]:
    return {name: own / logit_scale for name, own in offsets.items()}


def _method_scores(method: Method, batch: RegionEmbeddings, scoring: RunScoring) -> MethodScores:
    weights = scoring.weights(method, batch)
    vectors = image_vector(batch, weights)
    scores = class_scores(vectors, scoring.class_vectors[method.name])
    return MethodScores(weights, vectors, scoring.with_offsets(method.name, scores), scores.argmax(axis=-1))


def vector_keys(methods: Sequence[Method], plan: RegionPlan, texts: str) -> tuple[str, ...]:
    """Returns the keys of the image vectors that are stored of each image: :data:`WHOLE`, then the methods' own."""
    named = (vector_key(method, plan, texts) for method in methods)
    return tuple(dict.fromkeys([WHOLE, *(name for name in named if name)]))


def vector_key(method: Method, plan: RegionPlan, texts: str) -> str | None:
    """Returns the key of a method's image vector: methods with the same key have the same vectors.

    Vectors of methods that weigh regions by class depend on the texts of the classes, so these are in their keys.

    Args:
        method: the preset
        plan: the regions of the images
        texts: digest of the texts of the classes, see :attr:`.class_texts.ClassTexts.digest`

    Returns:
        the key; None if there is no such vector, but one of each of several encoders
    """
    if method.weighting == "learned":
        return None
    if method.regions == "none":
        return WHOLE
    scale = {"salience": f" {method.image_scale!r}", "uniform": ""}.get(method.weighting)
    if scale is None:
        scale = f" {method.decisiveness!r} at {method.temperature!r}"
    name = f"{method.weighting}{scale} + {method.global_weight!r} whole"
    if method.by_class:
        text_scale = f" {method.text_scale!r}" if method.class_vectors == "weighted" else ""
        pixels = f", from {MIN_PIXELS} pixels on" if method.weighting == "sized" else ""
        name += f" by {method.class_vectors}{text_scale} texts {texts}{pixels}"
    # An adaptive plan's vectors depend on where each image stopped: they differ from those of a full budget.
    spread = "" if plan.spread_of is None else f", spread of {plan.spread_of}"
    crops = f"{_sizes(level.n_crops for level in plan.levels)} crops"
    if method.regions == "crops":
        return f"{name} of {crops}{spread}"
    steps = "" if method.step_weights is None else f" as {list(method.step_weights[: plan.steps + 1])}"
    regions = plan.regions
    chains = _sizes(level.n_chains for level in plan.levels)
    grown = f"in {plan.steps} steps{steps}, keep {regions.keep!r}, {regions.growth!r}"
    sampled = f"{crops} and " if method.regions == "all" else ""
    return f"{name} of {sampled}{chains} chains {grown}{spread}"


def _sizes(sizes: Iterable[int]) -> str:
    return "|".join(str(size) for size in dict.fromkeys(sizes))


def decisions(
    scores: NDArray[np.floating],
    logit_scale: float,
    *,
    with_logits: bool = True,
    before: NDArray[np.int64] | None = None,
) -> list[MethodPrediction]:
    """Returns label, confidence and margin of every row of ``[b, C]`` class scores, C at least 2, in their precision.

    Without ``with_logits`` the predictions hold no logits, and ``scores`` is overwritten, which is faster. ``before``
    are the ``[b]`` labels without known shares of the classes; None if they are the same.
    """
    returned = scores * scores.dtype.type(logit_scale) if with_logits else None
    scores = scores.copy() if with_logits else scores
    rows = np.arange(len(scores))
    labels = scores.argmax(axis=-1)
    best = scores[rows, labels]
    scores[rows, labels] = -np.inf
    margin = best - scores.max(axis=-1)
    # The softmax of the best class alone: 1 over the sum of the exponentials, of which its own is 1.
    scores -= best[:, None]
    scores *= logit_scale
    confidence = 1 / (1 + np.exp(scores, out=scores).sum(axis=-1))
    columns = (labels.tolist(), confidence.tolist(), margin.tolist(), repeat(None) if returned is None else returned)
    if before is None:
        return [MethodPrediction(*values) for values in zip(*columns, strict=False)]
    former = [None if same else label for same, label in zip(before == labels, before.tolist(), strict=True)]
    return [MethodPrediction(*values) for values in zip(*columns, former, strict=False)]
