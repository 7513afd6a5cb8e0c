"""Whether an image has had enough crops: the stopping rule, put to all methods of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..method.core.scores import CONTROLS, class_scores, region_weights, weighted_sum
from ..method.core.stopping import MAX_FLIP_PROBABILITY, flip_probability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..config import RegionPlan
    from ..engine.embeddings import EncodedImage
    from ..method.core.scores import FloatArray, Method


MANY, NEAREST = 256, 32
"""Of so many classes, or more, the few that score highest are looked at first: they alone may be doubt enough."""


class EarlyStopping:
    """Tells of an image on a rung of an adaptive plan whether its labels are safe, as :mod:`.method.stopping` has it.

    The whole image's label is always safe, for no crop changes it. The controls are not asked, unless there are no
    others: they are there to be compared with, and one that nobody would use must not cost crops.

    Args:
        methods: the presets
        class_vectors: method name to ``[C, dim]``
        plan: an adaptive plan
        logit_scale: the encoder's factor on similarities
        max_flip_probability: an image is safe up to this doubt in each method's label

    Attributes:
        asked: the methods whose labels have to be safe
    """

    def __init__(
        self,
        methods: Sequence[Method],
        class_vectors: Mapping[str, FloatArray],
        plan: RegionPlan,
        *,
        logit_scale: float,
        max_flip_probability: float = MAX_FLIP_PROBABILITY,
    ) -> None:
        with_regions = tuple(method for method in methods if method.regions != "none")
        self.asked = tuple(method for method in with_regions if method.name not in CONTROLS) or with_regions
        precise = {id(vectors): vectors.astype(np.float64) for vectors in class_vectors.values()}
        self._class_vectors = {name: precise[id(vectors)] for name, vectors in class_vectors.items()}
        self._plan = plan
        self._logit_scale = logit_scale
        self._most_doubt = max_flip_probability

    def __call__(self, image: EncodedImage[Any]) -> bool:
        """Tells whether the image may stop; it depends on the image alone, and may be asked in any thread.

        All is computed in float64, so that no rounding, which threads and batches may change, decides it.
        """
        seen: dict[str, Any] = {
            "regions": image.regions.astype(np.float64),
            "whole": image.whole.astype(np.float64),
            "step": image.step,
            "chain": image.chain,
        }
        scores: dict[int, FloatArray] = {}  # most methods share their class vectors
        for method in self.asked:
            vectors = self._class_vectors[method.name]
            # Of decisive methods the weights depend on all classes, so that no doubt can be told from some of them.
            if len(vectors) >= MANY and method.weighting != "decisive":
                near = vectors[self._nearest(method, image.level, seen, vectors)]
                if self._doubt(method, image.level, seen, near, None) > self._most_doubt:
                    return False
            if id(vectors) not in scores:
                scores[id(vectors)] = class_scores(seen["regions"], vectors)
            if self._doubt(method, image.level, seen, vectors, scores[id(vectors)]) > self._most_doubt:
                return False
        return True

    def _nearest(self, method: Method, level: int, seen: Mapping[str, Any], vectors: FloatArray) -> NDArray[np.int64]:
        """``[NEAREST]`` the classes that score highest, the label among them."""
        plan = self._plan.at(level)
        weights = region_weights(method, n_crops=plan.n_crops, n_chains=plan.n_chains, **seen)
        found = class_scores(weighted_sum(seen["regions"], seen["whole"], weights, method.global_weight), vectors)
        return np.argpartition(-found, NEAREST)[:NEAREST]

    def _doubt(
        self,
        method: Method,
        level: int,
        seen: Mapping[str, Any],
        vectors: FloatArray,
        region_scores: FloatArray | None,
    ) -> float:
        so_far, full = self._plan.at(level), self._plan.levels[-1]
        return flip_probability(
            method,
            n_crops=so_far.n_crops,
            n_chains=so_far.n_chains,
            all_crops=full.n_crops,
            all_chains=full.n_chains,
            class_vectors=vectors,
            logit_scale=self._logit_scale,
            region_scores=region_scores,
            **seen,
        )
