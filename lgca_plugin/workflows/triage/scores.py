"""The class scores of a run's samples, a method at a time: from image vectors, or as a learned method gave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...method.core.scores import class_scores
from ...prediction.predictor import ROWS_AT_ONCE
from ...prediction.score_file import ScoreFile
from ...prediction.vector_keys import vector_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ...config import RegionPlan
    from ...method.core.methods import Method
    from ...method.core.run_scoring import RunScoring
    from ...store.rows import StoredRun
    from ...store.store import Store

CACHE_BYTES = 128 * 1024**2
"""Maximum size of the scores that are cached, rather than computed again from a second reading of the vectors."""

_LEAST_LENGTH = np.float32(1e-12)  # of a vector that is 0

MATCH_TOLERANCE = 1e-4
"""A label matches the stored embeddings if no class scores higher by more than this, which covers rounding and ties."""


@dataclass(eq=False)
class RunScores:
    """The class scores of a run's samples.

    Attributes:
        texts: digest of the texts of the classes
        row_of: sample id to row, of n samples
        scoring: the methods' class vectors, the offsets of known shares of the classes, and the logit scale
        cache_bytes: maximum size of the cached scores
    """

    store: Store
    stored: StoredRun
    plan: RegionPlan
    texts: str
    row_of: Mapping[str, int]
    scoring: RunScoring
    cache_bytes: int = CACHE_BYTES
    _own: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    _learned: dict[str, ScoreFile] = field(default_factory=dict)
    _scores: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def is_stored(self, method: Method) -> bool:
        """Returns whether the method's image vectors are stored.

        Runs of earlier releases have none of decisive methods, and learned methods have none at all.
        """
        name = vector_key(method, self.plan, self.texts)
        return name is not None and name in self.stored.vector_keys

    def add_vectors(self, method: Method, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Adds ``[b, d]`` image vectors of a method whose vectors are not stored."""
        if method.name not in self._own:
            self._own[method.name] = np.full((len(self.row_of), vectors.shape[-1]), np.nan, np.float32)
        self._own[method.name][rows] = vectors

    def has_scores(self, method: Method) -> bool:
        """Returns whether scores of a learned method were added."""
        return method.name in self._learned

    def add_scores(self, method: Method, rows: NDArray[np.int64], scores: NDArray[np.floating]) -> None:
        """Adds ``[b, C]`` scores of a learned method, without offsets; raises StoreError if there is no room."""
        if method.name not in self._learned:
            self._learned[method.name] = ScoreFile(scores.shape[1])
        self._learned[method.name].add(rows, scores)

    def close(self) -> None:
        """Removes what is on disk."""
        for file in self._learned.values():
            file.close()

    def matching(
        self, methods: Sequence[Method], answers: Mapping[str, NDArray[np.int64]]
    ) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        """Returns ``[n]`` which samples have vectors or scores, and which the label that these predict, by method.

        ``answers`` holds method name to ``[n]`` class index of the label on each sample.
        """
        n = len(self.row_of)
        found = {method.name: (np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)) for method in methods}
        self._make_arrays(methods)
        for method, rows, scores in self._batches(methods):
            if method.name in self._scores:
                self._scores[method.name][rows] = scores
            there, same = found[method.name]
            there[rows] = True
            own = scores[np.arange(len(rows)), answers[method.name][rows]]
            same[rows] = own >= scores.max(axis=1) - MATCH_TOLERANCE
        return found

    def logits(self, method: Method, chosen: NDArray[np.int64]) -> Callable[[], NDArray[np.float32]]:
        """Returns a function that computes ``[m, C]`` logits of chosen rows, ascending, each time it is called."""

        def compute() -> NDArray[np.float32]:
            scores = self._scores.pop(method.name, None)  # the caller has an array of its own, and overwrites it
            result = self._scores_of(method, chosen) if scores is None else scores[chosen]
            result *= np.float32(self.scoring.logit_scale)
            return result

        return compute

    def whole_images(self, chosen: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yields places among chosen rows, ascending ones, and their ``[b, d]`` unit vectors of the whole images."""
        position = np.full(len(self.row_of), -1)
        position[chosen] = np.arange(len(chosen))
        for ids, vectors in self.store.image_vectors(self.stored, at_once=ROWS_AT_ONCE):
            places = np.array([position[self.row_of[id_]] if id_ in self.row_of else -1 for id_ in ids])
            own = vectors[places >= 0, 0]  # the whole image's are stored first
            yield places[places >= 0], own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), _LEAST_LENGTH)

    def _make_arrays(self, methods: Sequence[Method]) -> None:
        """Makes arrays for the cached scores of methods, as many as fit; nan where a score is unknown."""
        for method in methods:
            if method.name in self._learned:
                continue
            shape = len(self.row_of), len(self.scoring.classes)
            used = sum(scores.nbytes for name, scores in self._scores.items() if name != method.name)
            if used + 4 * shape[0] * shape[1] <= self.cache_bytes:
                self._scores[method.name] = np.full(shape, np.nan, np.float32)

    def _scores_of(self, method: Method, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        """Returns ``[m, C]`` scores of chosen rows."""
        position = np.full(len(self.row_of), -1)
        position[chosen] = np.arange(len(chosen))
        shape = len(chosen), len(self.scoring.classes)
        result = np.full(shape, np.nan, np.float32)  # nan shows a row that has vanished
        for _, rows, scores in self._batches([method], chosen=position >= 0):
            result[position[rows]] = scores
        return result

    def _batches(
        self, methods: Sequence[Method], chosen: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Method, NDArray[np.int64], NDArray[np.floating]]]:
        """Yields methods, rows and their ``[b, C]`` scores, of all rows or of ``[n]`` chosen ones."""
        for method, rows, scores in self._own_scores(methods, chosen):
            yield method, rows, self.scoring.with_offsets(method.name, scores)

    def _own_scores(
        self, methods: Sequence[Method], chosen: NDArray[np.bool_] | None
    ) -> Iterator[tuple[Method, NDArray[np.int64], NDArray[np.floating]]]:
        for method, rows, vectors in self._vectors(methods):
            wanted = slice(None) if chosen is None else chosen[rows]
            yield method, rows[wanted], class_scores(vectors[wanted], self.scoring.class_vectors[method.name])
        for method in methods:
            if method.name in self._learned:
                for rows, scores in self._learned[method.name].batches(ROWS_AT_ONCE):
                    wanted = slice(None) if chosen is None else chosen[rows]
                    yield method, rows[wanted], scores[wanted]

    def _vectors(self, methods: Sequence[Method]) -> Iterator[tuple[Method, NDArray[np.int64], NDArray[np.float32]]]:
        """Yields methods, rows and their ``[b, d]`` image vectors; the stored ones of all methods in one reading."""
        columns = [
            (method, self.stored.vector_keys.index(str(vector_key(method, self.plan, self.texts))))
            for method in methods
            if self.is_stored(method)
        ]
        if columns:
            for ids, vectors in self.store.image_vectors(self.stored, at_once=ROWS_AT_ONCE):
                rows = np.array([self.row_of.get(id_, -1) for id_ in ids])
                for method, column in columns:
                    yield method, rows[rows >= 0], vectors[rows >= 0, column]
        for method in methods:
            own = self._own.get(method.name)
            if own is not None:
                there = np.flatnonzero(np.isfinite(own[:, 0]))
                for start in range(0, len(there), ROWS_AT_ONCE):
                    rows = there[start : start + ROWS_AT_ONCE]
                    yield method, rows, own[rows]
