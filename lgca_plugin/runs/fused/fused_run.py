"""The embeddings of all encoders of a fused run, read together from the store, and what its weights answer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...fusion.answers import answer
from ...method.core.regions import RegionEmbeddings
from ...method.fusion.nodes import EncoderNodes
from ...prediction.predictor import decisions
from ..replay import IMAGES_AT_ONCE, map_ahead, replay

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from ...config import RegionPlan
    from ...engine.embeddings import EncodedImage
    from ...fusion.answers import FusedAnswers
    from ...fusion.weights import Fusion
    from ...method.fusion.nodes import EncoderClasses
    from ...prediction.predictor import MethodPrediction
    from ...store.rows import StoredRun
    from ...store.store import Store


@dataclass(frozen=True, eq=False)
class FusedSource:
    """One encoder of a fused run.

    Attributes:
        stored: the entry of its embeddings in the store
        plan: which regions of an image are nodes: all of this plan
        classes: what they are scored against
    """

    stored: StoredRun
    plan: RegionPlan
    classes: EncoderClasses


@dataclass(frozen=True, eq=False)
class FusedRun:
    """The encoders of a fused run, its own first, and what has been learnt over them.

    Attributes:
        store: open as long as this is used
        fusion: for the run's classes
        offsets: ``[C]`` what known shares of the classes add to the logits of a prediction; None without them
    """

    store: Store
    sources: tuple[FusedSource, ...]
    fusion: Fusion
    offsets: NDArray[np.float64] | None = None

    @property
    def classes(self) -> tuple[EncoderClasses, ...]:
        """What each encoder scores against."""
        return tuple(source.classes for source in self.sources)

    @property
    def logit_scale(self) -> float:
        """The factor on a score: logits are scored as if they were those of the run's own encoder."""
        return self.sources[0].classes.logit_scale

    def read(
        self, sample_ids: Sequence[str], *, at_once: int = IMAGES_AT_ONCE
    ) -> Generator[tuple[list[str], tuple[EncoderNodes, ...]], None, None]:
        """Yields the ids of samples, in their order, and each encoder's nodes of them, ``at_once`` samples at a time.

        Samples whose embeddings are incomplete for one of the encoders are left out. Batches are read in a second
        thread; a generator that is not exhausted must be closed before the store.
        """

        def read_part(ids: Sequence[str]) -> tuple[list[str], tuple[EncoderNodes, ...]]:
            return self._nodes(ids, self._regions(0, ids))

        parts = [sample_ids[start : start + at_once] for start in range(0, len(sample_ids), at_once)]
        yield from (found for found in map_ahead(read_part, parts) if found[0])

    def nodes_beside(self, images: Sequence[EncodedImage[str]]) -> tuple[list[str], tuple[EncoderNodes, ...]]:
        """Returns the ids and nodes of images that were replayed for the run's own encoder.

        Those whose embeddings are incomplete for another encoder are left out.
        """
        own = {image.id: image.embeddings for image in images}
        return self._nodes(list(own), own)

    def _nodes(
        self, ids: Sequence[str], own: dict[str, RegionEmbeddings]
    ) -> tuple[list[str], tuple[EncoderNodes, ...]]:
        found = [own, *(self._regions(m, ids) for m in range(1, len(self.sources)))]
        there = [id_ for id_ in ids if all(id_ in of_encoder for of_encoder in found)]
        return there, tuple(EncoderNodes.of([of_encoder[id_] for id_ in there]) for of_encoder in found)

    def _regions(self, m: int, sample_ids: Sequence[str]) -> dict[str, RegionEmbeddings]:
        source = self.sources[m]
        batches = replay(self.store, source.stored, sample_ids, source.plan, at_once=max(1, len(sample_ids)))
        return {image.id: image.embeddings for images, _ in batches for image in images}

    def answers(
        self,
        sample_ids: Sequence[str],
        nodes: Sequence[EncoderNodes],
        *,
        gone: Sequence[NDArray[np.bool_]] | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], FusedAnswers]]:
        """Yields the rows of samples that the same weights answer for, and their answers: never weights that saw them.

        Args:
            sample_ids: the b samples
            nodes: of each encoder, their nodes
            gone: of each encoder ``[b, N]``, nodes that are taken out
        """
        rows_of: defaultdict[int, list[int]] = defaultdict(list)
        for row, id_ in enumerate(sample_ids):
            rows_of[self.fusion.fold_of.get(id_, -1)].append(row)
        for same in rows_of.values():
            weights, rows = self.fusion.weights_of(sample_ids[same[0]]), np.array(same, dtype=np.int64)
            without = None if gone is None else [own[rows] for own in gone]
            yield rows, answer(weights, [own.rows(rows) for own in nodes], self.classes, gone=without)

    def predictions(
        self, sample_ids: Sequence[str], nodes: Sequence[EncoderNodes], *, with_logits: bool
    ) -> dict[str, MethodPrediction]:
        """Returns sample id to prediction, without those whose logits are not finite."""
        ids, logits = self.own_logits(sample_ids, nodes)
        before = None if self.offsets is None else logits.argmax(axis=1)
        logits = logits if self.offsets is None else logits + self.offsets
        made = decisions(logits / self.logit_scale, self.logit_scale, with_logits=with_logits, before=before)
        return dict(zip(ids, made, strict=True))

    def own_logits(
        self, sample_ids: Sequence[str], nodes: Sequence[EncoderNodes]
    ) -> tuple[list[str], NDArray[np.float64]]:
        """Returns the samples whose logits are finite, and their ``[b, C]`` logits without offsets."""
        logits = np.full((len(sample_ids), len(self.classes[0].vectors)), np.nan)
        for rows, answers in self.answers(sample_ids, nodes):
            logits[rows] = answers.logits
        finite = np.flatnonzero(np.isfinite(logits).all(axis=1))
        return [sample_ids[row] for row in finite.tolist()], logits[finite]
