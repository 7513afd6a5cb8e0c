"""From embeddings to predictions: labels, confidences and displayed regions of all methods for batches of images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import ThreadpoolController

from ..errors import ConfigError
from ..method.core.methods import compared_methods
from ..method.core.region_scores import SCORES_BYTES, RegionScores, parts
from ..method.core.run_scoring import RunScoring
from ..method.core.scores import class_scores, image_vector
from ..method.explain.region_findings import RegionAnalysis
from .displayed_regions import DisplayedRegion, MethodScores, displayed_regions, stack_images
from .early_stopping import EarlyStopping
from .vector_keys import WHOLE, vector_key, vector_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..config import RegionPlan
    from ..descriptions.class_texts import ClassVectorSource
    from ..encoder.base import TextEncoder
    from ..engine.embeddings import EncodedImage
    from ..method.core.methods import Method
    from ..method.core.regions import RegionEmbeddings
    from ..method.explain.region_findings import SampleFindings


ROWS_AT_ONCE = 2048
"""Number of image vectors that are scored at a time: the fastest of 512 to 4096."""


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

    The scores of the regions of as many images are computed together as have a memory of ``scores_bytes``.

    Learned methods are left out: they score the embeddings of several encoders, see :mod:`lgca_plugin.runs.fused`.

    Attributes:
        vector_keys: keys of the image vectors that are stored of each image, see :func:`vector_keys`
        can_stop: whether an image can stop at a budget level of an adaptive plan; None for a full budget
    """

    def __init__(
        self,
        methods: Sequence[Method],
        texts: ClassVectorSource,
        encoder: TextEncoder,
        plan: RegionPlan,
        *,
        shown_chains: int = 3,
        offsets: Mapping[str, NDArray[np.float64]] | None = None,
        scores_bytes: int = SCORES_BYTES,
    ) -> None:
        methods = [method for method in methods if method.weighting != "learned"]
        self._methods = tuple(methods)
        self._plan = plan
        self._texts = texts.digest
        self._shown_chains = shown_chains
        self._scores_bytes = scores_bytes
        self._scoring = run_scoring(methods, texts, encoder, plan, offsets)
        self._exact_vectors = self._scoring.exact_vectors
        self._with_same_vectors: list[list[str]] = list(_by_vectors(self._exact_vectors).values())
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
            for rows in self._parts(images):
                part = [images[row] for row in rows]
                made.update(zip(rows, self._predict(part, self._plan.at(part[0].level), find=find), strict=True))
        return [made[row] for row in range(len(images))]

    def _parts(self, images: Sequence[EncodedImage[Any]]) -> Iterator[list[int]]:
        """Yields the places of images that are scored together: of one budget level, within a limit of memory."""
        for level in sorted({image.level for image in images}):
            rows = [row for row, image in enumerate(images) if image.level == level]
            regions = len(images[rows[0]].step)
            for part in parts(len(rows), regions, len(self._scoring.classes), self._scores_bytes):
                yield rows[part]

    def _predict(self, images: Sequence[EncodedImage[Any]], plan: RegionPlan, *, find: bool) -> list[Prediction]:
        """Scores images of one budget level, with equally many regions."""
        batch, scoring = stack_images(images), replace(self._scoring, counts=plan.crop_counts)
        region_scores = RegionScores(batch.regions)
        results = self._results(batch, scoring, region_scores)
        vectors: dict[str, NDArray[np.floating]] = {WHOLE: batch.whole}
        for method in self._methods:
            key = vector_key(method, self._plan, self._texts)
            if key:
                vectors[key] = results[method.name].vectors
        stacked = np.stack([vectors[key].astype(np.float32) for key in self.vector_keys], axis=1)
        by_method = {
            name: decisions(own.scores, scoring.logit_scale, before=own.before) for name, own in results.items()
        }
        regions = displayed_regions(images, batch, scoring, results, region_scores, count=self._shown_chains)
        findings = self._findings(batch, plan, results, region_scores) if find else repeat(None)
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
            made = self._results(batch, scoring, RegionScores(batch.regions))
        return {name: own.scores * own.scores.dtype.type(scoring.logit_scale) for name, own in made.items()}

    def _results(
        self, batch: RegionEmbeddings, scoring: RunScoring, region_scores: RegionScores
    ) -> dict[str, MethodScores]:
        """Returns the results of every method on images of one budget level, in float64."""
        exact = replace(batch, regions=batch.regions.astype(np.float64), whole=batch.whole.astype(np.float64))
        results = {}
        for method in self._methods:
            scores = region_scores.of(scoring.class_vectors[method.name]) if method.by_class else None
            weights = scoring.weights(method, batch, region_scores=scores)
            vectors = image_vector(exact, weights)
            found = class_scores(vectors, self._exact_vectors[method.name])
            with_offsets = scoring.with_offsets(method.name, found)
            results[method.name] = MethodScores(weights, vectors, with_offsets, found.argmax(axis=-1))
        return results

    def _region_analysis(self) -> RegionAnalysis | None:
        try:
            _, crops, chains = compared_methods(self._methods, run_key="")
        except ConfigError:
            return None
        return RegionAnalysis(scoring=self._scoring, crops=crops, chains=chains)

    def _findings(
        self, batch: RegionEmbeddings, plan: RegionPlan, made: dict[str, MethodScores], region_scores: RegionScores
    ) -> Iterable[SampleFindings | None]:
        if self._analysis is None:
            return repeat(None)
        analysis = self._analysis.at(plan.crop_counts)
        crops, chains = (made[method.name].before for method in (analysis.crops, analysis.chains))
        return analysis.find_each(batch, crops_label=crops, chains_label=chains, region_scores=region_scores)


def run_scoring(
    methods: Sequence[Method],
    texts: ClassVectorSource,
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


def _by_vectors(class_vectors: Mapping[str, NDArray[np.floating]]) -> dict[int, list[str]]:
    """Returns the names of the methods that share class vectors, by the identity of these."""
    names: dict[int, list[str]] = {}
    for name, vectors in class_vectors.items():
        names.setdefault(id(vectors), []).append(name)
    return names


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
