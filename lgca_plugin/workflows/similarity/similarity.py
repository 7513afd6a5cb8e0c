"""Search in a fused run: images by a text or an image, texts by an image."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ...config.checks import check_count, is_whole_text
from ...errors import ConfigError, shown
from ...fiftyone_io.samples import ids_where, image_samples
from ...fusion.search import image_vectors, search_factors, text_vectors
from ...progress import Progress, drive
from ...runs.fused.opening import fused_texts, fusion_of, open_fused
from ...store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import fiftyone as fo
    from numpy.typing import NDArray

    from ...encoder.base import Encoder
    from ...fusion.weights import CaptionWeights, Learnt
    from ...runs.fused.fused_run import FusedRun
    from ...runs.record import RunRecord

    Query = Callable[[CaptionWeights], NDArray[np.float32]]
    """Makes the ``[D]`` vector that is searched for, as a model sees it."""

MEMORY_BYTES = 1024**3
"""Maximum size of the images' vectors that a search leaves for the next: 250,000 images of two ViT-B."""
FINAL = -1
"""Stands for the model of images that nothing was learnt from."""


class Similarity:
    """Search in a fused run, returned by :meth:`lgca_plugin.Run.similarity`.

    The first search reads the stored regions of all images, milliseconds an image; the next ones take no time, unless
    the images' vectors need more than ``memory_bytes``. Images that the fusion was trained on are compared by the
    weights that have not seen them.

    Args:
        run: a fused run
        encoder: those of its encoders that are loaded
        progress: as in :func:`lgca_plugin.classify`
        memory_bytes: maximum size of the vectors that are kept

    Raises:
        ConfigError: if the run is not fused
    """

    def __init__(
        self,
        run: RunRecord,
        *,
        encoder: Encoder | Sequence[Encoder] | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        if fusion_of(run.config) is None:
            raise ConfigError(
                f"run {run.key!r} is not fused: lgca.fuse fuses it with a run of another model on the same images, and "
                "the fused run can be searched"
            )
        self._run = run
        self._encoder = encoder
        self._progress = progress
        self._memory_bytes = memory_bytes
        self._kept: list[tuple[int, list[str], NDArray[np.float32]]] | None = None

    def __repr__(self) -> str:
        return (
            f"<Search in run {self._run.key!r} on {self._run.dataset.name!r}: images(text), samples_like(sample_id), "
            "captions(sample_id, texts); scores(text) and scores_like(sample_id) have the numbers>"
        )

    def images(self, text: str, k: int = 25) -> fo.DatasetView:
        """Finds the samples that a text fits best.

        Args:
            text: of any length; each of its sentences is read by itself, too
            k: maximum number of samples

        Returns:
            a view of them, best first

        Raises:
            ConfigError: if an argument is wrong, or embeddings or weights are gone
            ModelUnavailableError: if the text is new and one of the models can't be loaded
            StoreError: if the store can't be read
        """
        return self._view(self.scores(text, k))

    def scores(self, text: str, k: int = 25) -> dict[str, float]:
        """Returns sample id to how well a text fits, of those samples that :meth:`images` finds, best first.

        It is the logit of :meth:`captions`; arguments and errors are those of :meth:`images`.
        """
        (checked,) = _checked_texts([text])
        with Store() as store:
            fused = open_fused(store, self._run, self._encoder)
            read = self._readers(store)
            return self._best(
                fused, lambda weights: text_vectors(weights, [checked], read)[0], check_count("k", k, at_least=1)
            )

    def samples_like(self, sample_id: str, k: int = 25) -> fo.DatasetView:
        """Finds the samples that are most like one.

        Args:
            sample_id: the sample's id
            k: maximum number of samples

        Returns:
            a view of them, best first, without the sample itself

        Raises:
            ConfigError: if an argument is wrong, or embeddings or weights are gone
            StoreError: if the store can't be read
        """
        return self._view(self.scores_like(sample_id, k))

    def scores_like(self, sample_id: str, k: int = 25) -> dict[str, float]:
        """Returns sample id to likeness of those samples that :meth:`samples_like` finds, best first.

        Arguments and errors are those of :meth:`samples_like`.
        """
        with Store() as store:
            fused = open_fused(store, self._run, self._encoder)
            return self._best(fused, self._image(fused, sample_id), check_count("k", k, at_least=1), without=sample_id)

    def captions(self, sample_id: str, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Compares a sample with texts.

        Args:
            sample_id: the sample's id
            texts: one or more texts

        Returns:
            the texts, that first which fits best, each with how well it fits: a logit, whose softmax over texts of
            which one is true is the probability that it is this one

        Raises:
            ConfigError: if an argument is wrong, or embeddings or weights are gone
            ModelUnavailableError: if a text is new and one of the models can't be loaded
            StoreError: if the store can't be read
        """
        checked = _checked_texts(texts)
        with Store() as store:
            fused = open_fused(store, self._run, self._encoder)
            image = self._image(fused, sample_id)
            weights = self._learnt(fused).weights_of(sample_id)
            vectors = text_vectors(weights, checked, self._readers(store))
            scores = vectors @ (image(weights) * search_factors(weights, fused.classes))
        return [(checked[row], float(scores[row])) for row in np.argsort(-scores, kind="stable")]

    def _view(self, scores: Mapping[str, float]) -> fo.DatasetView:
        return image_samples(self._run.dataset).select(list(scores), ordered=True)

    def _best(self, fused: FusedRun, query: Query, k: int, *, without: str | None = None) -> dict[str, float]:
        ranked = drive(self._ranked(fused, query), self._progress, unit="images")
        found: dict[str, float] = {}
        for start in range(0, len(ranked), 4 * k):
            part = dict(ranked[start : start + 4 * k])
            there = ids_where(self._run.dataset, list(part), {})  # samples may have been deleted since
            found |= {id_: score for id_, score in part.items() if id_ in there and id_ != without}
            if len(found) >= k:
                break
        return dict(list(found.items())[:k])

    def _ranked(self, fused: FusedRun, query: Query) -> Generator[Progress, None, list[tuple[str, float]]]:
        """Yields progress and returns the ids of all images and their scores, best first."""
        learnt = self._learnt(fused)
        queries: dict[int, NDArray[np.float32]] = {}
        ids: list[str] = []
        scores: list[NDArray[np.float32]] = []
        for model, some, vectors, total in self._vectors(fused, learnt):
            if model not in queries:
                weights = learnt.final if model == FINAL else learnt.by_fold[model]
                queries[model] = query(weights) * search_factors(weights, fused.classes)
            ids += some
            scores.append(vectors @ queries[model])
            yield Progress(len(ids), total, "Comparing images")
        if not ids:
            raise ConfigError(
                f"run {self._run.key!r} has no images with stored embeddings of all its models: fuse its runs again"
            )
        found = np.concatenate(scores)
        return [(ids[row], float(found[row])) for row in np.argsort(-found, kind="stable")]

    def _vectors(
        self, fused: FusedRun, learnt: Learnt[CaptionWeights]
    ) -> Iterator[tuple[int, list[str], NDArray[np.float32], int]]:
        """Yields all images in parts: number of the model, ids, vectors, and the number of all images."""
        if self._kept is not None:
            total = sum(len(ids) for _, ids, _ in self._kept)
            yield from ((model, ids, vectors, total) for model, ids, vectors in self._kept)
            return
        all_ids = fused.store.sample_ids(fused.sources[0].stored)
        kept: list[tuple[int, list[str], NDArray[np.float32]]] | None = []
        used = 0
        for ids, nodes in fused.read(all_ids):
            rows_of: defaultdict[int, list[int]] = defaultdict(list)
            for row, id_ in enumerate(ids):
                rows_of[learnt.fold_of.get(id_, FINAL)].append(row)
            for model, rows in rows_of.items():
                weights = learnt.final if model == FINAL else learnt.by_fold[model]
                vectors = image_vectors(weights, [own.rows(np.array(rows)) for own in nodes], fused.classes)
                some = [ids[row] for row in rows]
                used += vectors.nbytes
                if kept is not None:
                    kept.append((model, some, vectors))
                if used > self._memory_bytes:
                    kept = None
                yield model, some, vectors, len(all_ids)
        self._kept = kept

    def _image(self, fused: FusedRun, sample_id: str) -> Query:
        """Returns what makes the vector of a sample."""
        if not isinstance(sample_id, str):
            raise ConfigError(f"sample_id must be the id of a sample, got {shown(sample_id)}")
        found = next(fused.read([sample_id]), None)
        if found is None:
            raise ConfigError(
                f"sample {sample_id!r} has no stored embeddings of all models of run {self._run.key!r}: it is not in "
                "the run, or its embeddings are gone"
            )
        return lambda weights: image_vectors(weights, found[1], fused.classes)[0]

    def _learnt(self, fused: FusedRun) -> Learnt[CaptionWeights]:
        try:
            return fused.fusion.for_search
        except ConfigError as error:
            raise ConfigError(
                f"run {self._run.key!r} was fused with anchored=False, and without captions: it can be searched if it "
                "is fused again with captions, or with anchored=True"
            ) from error

    def _readers(self, store: Store) -> list[Callable[[Sequence[str]], NDArray[np.float32]]]:
        return [own.encode_texts for own in fused_texts(store, self._run, self._encoder)]


def _checked_texts(texts: Sequence[str]) -> list[str]:
    if not hasattr(texts, "__iter__"):
        raise ConfigError(f"texts must be a list of texts, got {shown(texts)}")
    found = [texts] if isinstance(texts, str) else list(texts)
    if not found:
        raise ConfigError("texts is empty: name at least one text")
    for text in found:
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(f"a text must have words, got {shown(text)}")
        if not is_whole_text(text):
            raise ConfigError(f"text {text!r} has half a character in it; remove it")
    return list(dict.fromkeys(text.strip() for text in found))
