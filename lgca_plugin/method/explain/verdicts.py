"""What every method says of one image, and what it would say without some of the regions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ..core.scores import class_scores, confidences, image_vector, region_weights
from .contributions import contributions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from ..core.scores import Method

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]
    BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """What is asked of every image of a run.

    Attributes:
        methods: method name to its preset
        classes: the class names, by index
        class_vectors: method name to its ``[C, d]`` class vectors; methods with the same ones share the array
        logit_scale: the encoder's factor on similarities
        n_crops: how many crops of step 0 the crop methods use
        n_chains: how many crops of step 0 start a chain
    """

    methods: Mapping[str, Method]
    classes: tuple[str, ...]
    class_vectors: Mapping[str, FloatArray]
    logit_scale: float
    n_crops: int
    n_chains: int

    @cached_property
    def exact_vectors(self) -> dict[str, NDArray[np.float64]]:
        """``class_vectors`` in double precision, converted once: image vectors are."""
        converted = {id(vectors): vectors.astype(np.float64) for vectors in self.class_vectors.values()}
        return {name: converted[id(vectors)] for name, vectors in self.class_vectors.items()}

    def index(self, name: str | int) -> int:
        """Gives the index of a class, by its name or index.

        Raises:
            ConfigError: if there is no such class
        """
        if isinstance(name, str):
            if name in self.classes:
                return self.classes.index(name)
            raise ConfigError(f"{name!r} is none of the {len(self.classes)} classes")
        if isinstance(name, bool) or not isinstance(name, (int, np.integer)) or not 0 <= name < len(self.classes):
            raise ConfigError(
                f"a class is given by its name or its index from 0 to {len(self.classes) - 1}, got {name!r}"
            )
        return int(name)

    def method(self, name: str) -> Method:
        """Gives a method's preset.

        Raises:
            ConfigError: if there is no such method
        """
        if name not in self.methods:
            raise ConfigError(f"there is no method {name!r} in this run; choose from {', '.join(self.methods)}")
        return self.methods[name]


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdicts:
    """What every method says of one image, from all of its regions or from those that are left.

    The weights of the regions that are left are renormalized, as if the others had never been sampled: each step
    spreads its weight over its own, and a step without any leaves its weight to the others, in proportion. A method
    that has lost all its regions answers by its whole-image term, if it has one, and otherwise not at all: its label is
    None, its scores are nan.

    Attributes:
        question: methods, classes and class vectors
        regions: ``[n, d]`` unit region embeddings
        whole: ``[d]`` unit embedding of the whole image
        step: ``[n]`` expansion step of each region
        chain: ``[n]`` number of the crop that each region grew from
        gone: ``[n]`` which regions are taken out
    """

    question: Question
    regions: FloatArray
    whole: FloatArray
    step: IntArray
    chain: IntArray
    gone: BoolArray

    @classmethod
    def of_all(
        cls, question: Question, regions: FloatArray, whole: FloatArray, step: IntArray, chain: IntArray
    ) -> Verdicts:
        """Asks with all regions there."""
        gone = np.zeros(len(step), dtype=bool)
        return cls(question=question, regions=regions, whole=whole, step=step, chain=chain, gone=gone)

    @cached_property
    def weights(self) -> dict[str, FloatArray]:
        """Method name to ``[n]`` region weights; 0 for what it does not use and for what is taken out."""
        return {name: self._weights(method) for name, method in self.question.methods.items()}

    @cached_property
    def scores(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class scores, in the order of the classes."""
        return {name: self._scores(method) for name, method in self.question.methods.items()}

    @property
    def labels(self) -> dict[str, str | None]:
        """Method name to its label."""
        return {
            name: None if np.isnan(scores).any() else self.question.classes[int(scores.argmax())]
            for name, scores in self.scores.items()
        }

    @property
    def confidences(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class probabilities, the softmax of ``logit_scale * score``."""
        return {name: confidences(scores, self.question.logit_scale) for name, scores in self.scores.items()}

    @property
    def taken_out(self) -> tuple[int, ...]:
        """The regions that are taken out."""
        return tuple(np.flatnonzero(self.gone).tolist())

    def answer(self, method: str) -> tuple[int, int]:
        """Gives the indices of a method's label and of the runner-up.

        Raises:
            ConfigError: if there is no such method, or it has lost all its regions
        """
        scores = self.scores[self.question.method(method).name]
        if np.isnan(scores).any():
            raise ConfigError(f"method {method!r} has no region left to answer by")
        label = int(scores.argmax())
        return label, int(np.where(np.arange(len(scores)) == label, -np.inf, scores).argmax())

    def margin(self, method: str, a: str | int | None = None, b: str | int | None = None) -> float:
        """Gives the score of class a minus that of class b.

        Args:
            method: the method's name
            a: class name or index; None takes the method's label
            b: class name or index; None takes the runner-up, or, where a is not the label, the label

        Raises:
            ConfigError: if there is no such method or class; if a or b is None, also if the method gives no answer
        """
        scores = self.scores[self.question.method(method).name]
        first, second = self._pair(method, a, b)
        return float(scores[first] - scores[second])

    def contributions(self, method: str, a: str | int | None = None, b: str | int | None = None) -> FloatArray:
        """Gives each region's share of the margin of class a over class b, ``[n]``; 0 for regions without weight.

        Together with :meth:`global_contribution` they sum to :meth:`margin`, whose arguments they have.
        """
        return self._shares(method, a, b)[0]

    def global_contribution(self, method: str, a: str | int | None = None, b: str | int | None = None) -> float:
        """Gives the whole image's share of the margin of class a over class b; arguments as of :meth:`margin`."""
        return self._shares(method, a, b)[1]

    def without(self, regions: Iterable[int] | BoolArray) -> Verdicts:
        """Takes regions out, those and no others, on top of what is taken out already.

        Args:
            regions: their indices, or ``[n]`` bool

        Raises:
            ConfigError: if there is no such region
        """
        return replace(self, gone=self.gone | region_mask(regions, len(self.step)))

    def to_json(self) -> dict[str, Any]:
        """Gives what the methods say as a JSON-ready dict.

        Returns:
            a dict with ``taken_out`` and ``methods``: by name label, confidence, margin and runner_up, all None where
            the method gives no answer
        """
        return {"taken_out": list(self.taken_out), "methods": {name: self._summary(name) for name in self.scores}}

    def _summary(self, method: str) -> dict[str, Any]:
        if self.labels[method] is None:
            return dict.fromkeys(("label", "confidence", "margin", "runner_up"))
        label, second = self.answer(method)
        return {
            "label": self.question.classes[label],
            "confidence": float(self.confidences[method][label]),
            "margin": self.margin(method, label, second),
            "runner_up": self.question.classes[second],
        }

    def _pair(self, method: str, a: str | int | None, b: str | int | None) -> tuple[int, int]:
        if a is not None and b is not None:
            return self.question.index(a), self.question.index(b)
        label, second = self.answer(method)
        first = label if a is None else self.question.index(a)
        if b is not None:
            return first, self.question.index(b)
        return first, second if first == label else label

    def _shares(self, method: str, a: str | int | None, b: str | int | None) -> tuple[FloatArray, float]:
        preset = self.question.method(method)
        pair = self._pair(method, a, b)
        if self.labels[method] is None:
            return np.full(len(self.step), np.nan), float("nan")
        vectors = self.question.exact_vectors[method]
        shares, of_whole = contributions(
            self.regions, self.whole, self.weights[method], preset.global_weight, vectors, *pair
        )
        return shares, float(of_whole)

    def _weights(self, method: Method) -> FloatArray:
        weights = np.zeros(len(self.step))
        left = np.flatnonzero(~self.gone & self._used(method))
        if len(left):
            weights[left] = region_weights(
                method,
                regions=self.regions[left],
                whole=self.whole,
                step=self.step[left],
                chain=self.chain[left],
                n_crops=self.question.n_crops,
                n_chains=self.question.n_chains,
                class_vectors=self.question.class_vectors[method.name],
                logit_scale=self.question.logit_scale,
            )
        return weights

    def _used(self, method: Method) -> BoolArray:
        """``[n]`` which regions a method gives a weight, as long as they are there."""
        used: BoolArray = self.chain < self.question.n_chains
        if method.regions == "none":
            used = np.zeros(len(self.step), dtype=bool)
        elif method.regions == "crops":
            used = (self.step == 0) & (self.chain < self.question.n_crops)
        elif method.weighting != "decisive" and method.step_weights is not None:
            used &= np.array(method.step_weights)[self.step] > 0
        return used

    def _scores(self, method: Method) -> FloatArray:
        weights = self.weights[method.name]
        if not weights.any() and not method.global_weight:
            return np.full(len(self.question.classes), np.nan)
        vector = image_vector(self.regions, self.whole, weights, method.global_weight)
        return class_scores(vector, self.question.exact_vectors[method.name])


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
            raise ConfigError(f"regions are given by their indices from 0 to {n - 1}, or by {n} bools; got {regions!r}")
        mask[given] = True
    return mask
