"""Decides whether an image needs more crops: the stopping rule of :mod:`..method.core.stopping` for a run's methods."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..method.core.methods import without_controls
from ..method.core.regions import ClassScoring
from ..method.core.scores import class_scores, region_weights, weighted_sum
from ..method.core.stopping import MAX_FLIP_PROBABILITY, flip_probability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..config import RegionPlan
    from ..engine.embeddings import EncodedImage
    from ..method.core.methods import Method
    from ..method.core.regions import RegionEmbeddings
    from ..method.core.run_scoring import RunScoring
    from ..method.core.scores import FloatArray


MANY_CLASSES = 256
"""With so many classes, the best few are tried first: their flip probability alone often exceeds the target."""
NEAREST_CLASSES = 32
"""Number of these best classes."""


class EarlyStopping:
    """Decides at each budget level of an adaptive plan whether an image keeps its labels without more crops.

    No crop changes the whole image's label. Controls are left out unless there are only controls: they exist for
    comparison and must not cost crops. An image stops where the flip probability of each method's label is at most
    ``max_flip_probability``.

    Attributes:
        methods: the methods whose labels have to be certain
    """

    def __init__(
        self,
        scoring: RunScoring,
        plan: RegionPlan,
        *,
        max_flip_probability: float = MAX_FLIP_PROBABILITY,
        many_classes: int = MANY_CLASSES,
        nearest_classes: int = NEAREST_CLASSES,
    ) -> None:
        with_regions = (name for name, method in scoring.methods.items() if method.regions != "none")
        self.methods = tuple(scoring.methods[name] for name in without_controls(with_regions))
        self._scoring = scoring
        self._plan = plan
        self._max_flip_probability = max_flip_probability
        self._many = many_classes
        self._nearest = nearest_classes

    def __call__(self, image: EncodedImage[Any]) -> bool:
        """Returns whether the image can stop; depends on the image alone, in any thread.

        Computed in float64, because float32 rounding differs between batches and threads.
        """
        own = image.embeddings
        exact = replace(own, regions=own.regions.astype(np.float64), whole=own.whole.astype(np.float64))
        scores: dict[int, FloatArray] = {}  # most methods share their class vectors
        for method in self.methods:
            vectors = self._scoring.exact_vectors[method.name]
            # Weights by class depend on all classes, so a subset of the classes bounds nothing.
            if len(vectors) >= self._many and not method.by_class:
                near = vectors[self._best_classes(method, image.level, exact)]
                if self._flip_probability(method, image.level, exact, near) > self._max_flip_probability:
                    return False
            if id(vectors) not in scores:
                scores[id(vectors)] = class_scores(exact.regions, vectors)
            probability = self._flip_probability(method, image.level, exact, vectors, scores[id(vectors)])
            if probability > self._max_flip_probability:
                return False
        return True

    def _best_classes(self, method: Method, level: int, image: RegionEmbeddings) -> NDArray[np.int64]:
        """Returns the indices of the classes that score highest, the label among them.

        In float32, for which of them these are decides nothing: all classes together are likelier to flip the label.
        """
        weights = region_weights(method, image, self._plan.at(level).crop_counts)
        whole = weighted_sum(image, weights).astype(np.float32)
        found = class_scores(whole, self._scoring.class_vectors[method.name])
        return np.argpartition(-found, self._nearest)[: self._nearest]

    def _flip_probability(
        self,
        method: Method,
        level: int,
        image: RegionEmbeddings,
        vectors: FloatArray,
        region_scores: FloatArray | None = None,
    ) -> float:
        return flip_probability(
            method,
            image,
            ClassScoring(vectors, self._scoring.logit_scale),
            so_far=self._plan.at(level).crop_counts,
            full=self._plan.levels[-1].crop_counts,
            region_scores=region_scores,
        )
