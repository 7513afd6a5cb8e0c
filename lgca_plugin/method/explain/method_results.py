"""The answers of every method for one image, with all of its regions or without some."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError, shown
from ..core.scores import Weights, class_scores, confidences, image_vector
from .contributions import contributions
from .learned import CLASS_SHARES, WHOLE_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from ..core.methods import Method
    from ..core.regions import RegionEmbeddings
    from ..core.run_scoring import RunScoring
    from .learned import AdditiveAnswer, LearnedImage

    FloatArray = NDArray[np.floating]
    BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class MethodResults:
    """What every method answers for one image, from all of its regions or without some of them.

    The weights of the remaining regions are renormalized, as if the others had never been sampled: each step spreads
    its weight over its own regions, and a step without any leaves its weight to the others, in proportion. A method
    that has lost all its regions answers by its whole-image term, if it has one. Otherwise its label is None and its
    scores are nan.

    Attributes:
        scoring: methods, classes and class vectors of the run
        image: the image's regions
        gone: ``[n]`` which regions are taken out
        learned: name of each learned method to the image as it sees it
    """

    scoring: RunScoring
    image: RegionEmbeddings
    gone: BoolArray
    learned: Mapping[str, LearnedImage] = field(default_factory=dict)

    @classmethod
    def of_all(
        cls, scoring: RunScoring, image: RegionEmbeddings, learned: Mapping[str, LearnedImage] | None = None
    ) -> MethodResults:
        """Returns the results from all regions; ``learned`` has an image for each learned method of the run."""
        none = np.zeros(len(image.step), dtype=bool)
        return cls(scoring=scoring, image=image, gone=none, learned=learned or {})

    @cached_property
    def weights(self) -> dict[str, FloatArray]:
        """Method name to ``[n]`` region weights; 0 for regions that it does not use or that are taken out.

        They sum to 1, or are all 0; those of a learned method, whose attention also goes to whole images and to regions
        that other encoders alone have grown, to less.
        """
        own = {name: answer.weights for name, answer in self._answers.items()}
        return {name: own[name] if name in own else self.weighed[name].regions for name in self.scoring.methods}

    @cached_property
    def scores(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class scores, in the order of the classes; a learned method's may lie above 1.

        Where the shares of the classes are known, their offsets are added.
        """
        return {name: self.scoring.with_offsets(name, scores) for name, scores in self.own_scores.items()}

    @cached_property
    def own_scores(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class scores from the image alone, without known shares of the classes."""
        return {name: self._scores(method) for name, method in self.scoring.methods.items()}

    @property
    def own_labels(self) -> dict[str, str | None]:
        """Method name to its label from the image alone, without known shares of the classes."""
        return {name: self._label(scores) for name, scores in self.own_scores.items()}

    @property
    def labels(self) -> dict[str, str | None]:
        """Method name to its label."""
        return {name: self._label(scores) for name, scores in self.scores.items()}

    @property
    def confidences(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class probabilities, the softmax of ``logit_scale * score``."""
        return {name: confidences(scores, self.scoring.logit_scale) for name, scores in self.scores.items()}

    @property
    def taken_out(self) -> tuple[int, ...]:
        """The regions that are taken out."""
        return tuple(np.flatnonzero(self.gone).tolist())

    def top_two(self, method: str) -> tuple[int, int]:
        """Returns the indices of a method's label and runner-up; raises ConfigError if it has lost all its regions."""
        scores = self.scores[self.scoring.method(method).name]
        if np.isnan(scores).any():
            raise ConfigError(f"method {method!r} has no region left to answer by")
        label = int(scores.argmax())
        return label, int(np.where(np.arange(len(scores)) == label, -np.inf, scores).argmax())

    def margin(self, method: str, a: str | int | None = None, b: str | int | None = None) -> float:
        """Returns the score of class a minus that of class b, each a name or index.

        None takes, for a, the method's label; for b, the runner-up, or the label if a is another class. Raises
        ConfigError if there is no such method or class, or a or b is None and the method has no label.
        """
        scores = self.scores[self.scoring.method(method).name]
        first, second = self._pair(method, a, b)
        return float(scores[first] - scores[second])

    def contributions(self, method: str, a: str | int | None = None, b: str | int | None = None) -> FloatArray:
        """Returns each region's share of the margin of class a over class b, ``[n]``; 0 for regions without weight.

        With :meth:`global_contribution` they sum to :meth:`margin`; arguments as there.
        """
        return self._shares(method, a, b)[0]

    def global_contribution(self, method: str, a: str | int | None = None, b: str | int | None = None) -> float:
        """Returns the share of the margin of class a over class b that no region has; arguments: :meth:`margin`.

        It is the sum of :meth:`terms`.
        """
        return float(sum(self.terms(method, a, b).values()))

    def terms(self, method: str, a: str | int | None = None, b: str | int | None = None) -> dict[str, float]:
        """Returns the parts of the margin of class a over class b that no region has, by name.

        That is ``"whole image"``, of methods that give it a weight, and ``"shares of the classes"``, where they are
        known; a learned method has others beside them, see :mod:`.learned`. Arguments: :meth:`margin`.
        """
        terms, offsets = self._shares(method, a, b)[1], self.scoring.offsets.get(method)
        if offsets is None:
            return terms
        first, second = self._pair(method, a, b)
        return {**terms, CLASS_SHARES: float(offsets[first] - offsets[second])}

    def whole_weight(self, method: str) -> float:
        """Returns the whole image's weight under a method, in [0, 1], where those of the regions are the rest."""
        if method in self.learned:
            return self._answers[method].terms[WHOLE_IMAGE].weight
        weights = self.weighed[self.scoring.method(method).name]
        whole, total = float(weights.whole), float(weights.whole) + float(weights.regions.sum())
        return whole / total if total else 0.0

    def without(self, regions: Iterable[int] | BoolArray) -> MethodResults:
        """Returns the results without some more regions; exactly those given, not their chains.

        Args:
            regions: their indices, or ``[n]`` bool

        Raises:
            ConfigError: if there is no such region
        """
        return replace(self, gone=self.gone | region_mask(regions, len(self.image.step)))

    def to_json(self) -> dict[str, Any]:
        """Returns ``taken_out`` and ``methods``: by name label, confidence, margin, runner_up; None without label."""
        return {"taken_out": list(self.taken_out), "methods": {name: self._summary(name) for name in self.scores}}

    def _label(self, scores: FloatArray) -> str | None:
        return None if np.isnan(scores).any() else self.scoring.classes[int(scores.argmax())]

    def _summary(self, method: str) -> dict[str, Any]:
        if self.labels[method] is None:
            return dict.fromkeys(("label", "confidence", "margin", "runner_up"))
        label, second = self.top_two(method)
        return {
            "label": self.scoring.classes[label],
            "confidence": float(self.confidences[method][label]),
            "margin": self.margin(method, label, second),
            "runner_up": self.scoring.classes[second],
        }

    def _pair(self, method: str, a: str | int | None, b: str | int | None) -> tuple[int, int]:
        if a is not None and b is not None:
            return self.scoring.index(a), self.scoring.index(b)
        label, second = self.top_two(method)
        first = label if a is None else self.scoring.index(a)
        if b is not None:
            return first, self.scoring.index(b)
        return first, second if first == label else label

    @cached_property
    def _answers(self) -> dict[str, AdditiveAnswer]:
        """The answers of the learned methods."""
        return {name: image.answer(self.gone) for name, image in self.learned.items()}

    def _shares(self, method: str, a: str | int | None, b: str | int | None) -> tuple[FloatArray, dict[str, float]]:
        """Returns the shares of the regions, and of everything else by name."""
        method = self.scoring.method(method).name
        first, second = self._pair(method, a, b)
        if method in self.learned:
            answer = self._answers[method]
            terms = {name: float(term.scores[first] - term.scores[second]) for name, term in answer.terms.items()}
            return answer.shares[:, first] - answer.shares[:, second], terms
        if self.labels[method] is None:
            return np.full(len(self.image.step), np.nan), {WHOLE_IMAGE: float("nan")}
        vectors, weights = self.scoring.exact_vectors[method], self.weighed[method]
        shares, of_whole = contributions(self.image, weights, vectors, first, second)
        return shares, {WHOLE_IMAGE: float(of_whole)} if weights.whole else {}

    @cached_property
    def weighed(self) -> dict[str, Weights]:
        """Name of each method that is not learned to the weights of regions and whole image."""
        named = self.scoring.methods.items()
        return {name: self._weighed(method) for name, method in named if name not in self.learned}

    def _weighed(self, method: Method) -> Weights:
        regions = np.zeros(len(self.image.step))
        left = np.flatnonzero(~self.gone & self._used(method))
        if not len(left):
            return Weights(regions, 1.0 if method.weighting == "sized" else method.global_weight)
        found = self.scoring.weights(method, self.image.only(left))
        regions[left] = found.regions
        return Weights(regions, found.whole)

    def _used(self, method: Method) -> BoolArray:
        """``[n]`` which regions a method gives a weight, unless they are taken out."""
        used = self.scoring.counts.used(method.regions, self.image.step, self.image.chain)
        if method.grows and not method.by_class and method.step_weights is not None:
            used &= np.array(method.step_weights)[self.image.step] > 0
        return used

    def _scores(self, method: Method) -> FloatArray:
        if method.name in self.learned:
            return self._answers[method.name].scores
        weights = self.weighed[method.name]
        if not weights.regions.any() and not weights.whole:
            return np.full(len(self.scoring.classes), np.nan)
        vector = image_vector(self.image, weights)
        return class_scores(vector, self.scoring.exact_vectors[method.name])


def region_mask(regions: Iterable[int] | BoolArray, n: int) -> BoolArray:
    """Marks regions out of n.

    Args:
        regions: their indices, or ``[n]`` bool
        n: number of regions

    Raises:
        ConfigError: if there is no such region
    """
    given = np.asarray(regions if isinstance(regions, np.ndarray) else list(regions))
    if given.dtype == bool and given.shape == (n,):
        return given
    mask = np.zeros(n, dtype=bool)
    if given.size:
        if given.dtype.kind not in "iu" or given.ndim != 1 or given.min() < 0 or given.max() >= n:
            raise ConfigError(
                f"regions are given by their indices from 0 to {n - 1}, or by {n} bools; got {shown(regions)}"
            )
        mask[given] = True
    return mask
