"""What a job's processes have encoded, written to the store, as the classification of one process writes it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from ...engine.embeddings import EncodedImage
from ...errors import StoreError
from ...job.part_writer import open_entry
from ...prediction.vector_keys import WHOLE
from ...store.limits import GIGABYTE
from ...store.rows import StoredSample
from ...store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine.embeddings import KnownRegions
    from ...job.description import Job
    from ...job.tables import RowResult
    from ...store.rows import StoredRun

logger = logging.getLogger(__name__)


class CollectedEmbeddings:
    """Stores what a job has encoded; an error of the store ends that with a warning, and the predictions go on.

    Attributes:
        complete: whether everything that was to be stored has been
        warnings: sentences for the user
    """

    def __init__(self, job: Job, *, with_regions: bool) -> None:
        self.complete = True
        self.warnings: list[str] = []
        self._job = job
        self._with_regions = with_regions
        self._whole = job.vector_keys.index(WHOLE)
        self._entry: tuple[Store, StoredRun] | None = None
        self._n_stored = 0
        try:
            store = Store()
        except StoreError as error:
            self._give_up(error)
            return
        try:
            self._entry = store, open_entry(store, job, job.vector_keys)
        except StoreError as error:
            store.close()
            self._give_up(error)

    def write(self, results: Sequence[RowResult], regions: Mapping[str, KnownRegions]) -> None:
        """Stores images, their vectors and findings, and their regions where there are any."""
        if self._entry is None or not results:
            return
        store, run = self._entry
        with_regions = self._with_regions and bool(regions)
        samples = [self._sample(one, regions.get(one.id)) for one in results]
        try:
            fits = store.write_samples(run, samples, with_regions=with_regions, findings_key=self._job.findings_key)
        except StoreError as error:
            self._give_up(error)
            return
        lacking = self._with_regions and any(one.id not in regions for one in results)
        if (lacking or not fits) and self.complete:
            self.complete = False
            why = (
                f"the store of embeddings has reached its limit of {store.limit_bytes / GIGABYTE:g} GB"
                if not fits
                else "shards of the job are gone or damaged"
            )
            self.warnings.append(f"{why}: not all embeddings of this run are stored")
            logger.warning(self.warnings[-1])

    def _sample(self, one: RowResult, known: KnownRegions | None) -> StoredSample:
        """Returns what is stored of a sample; the order of its regions and their chains are not."""
        assert one.vectors is not None  # noqa: S101 (of an image with a result)
        whole = one.vectors[self._whole]
        boxes = np.zeros((0, 4), np.int64) if known is None else known.boxes.astype(np.int64)
        image = EncodedImage(
            id=one.id,
            content_hash=one.content_hash,
            image_size_hw=one.image_size_hw,
            boxes=boxes,
            step=np.zeros(len(boxes), np.int64),
            chain=np.zeros(len(boxes), np.int64),
            regions=np.zeros((0, len(whole)), np.float32) if known is None else known.regions,
            whole=whole,
            fresh=np.ones(len(boxes), bool),
            encodes=one.encodes,
            level=one.level,
        )
        return StoredSample(image, one.vectors, one.finding)

    def outcome(self) -> dict[str, object]:
        """Returns what is stored, for the run's record."""
        return {"samples": self._count(), "regions": self._with_regions, "complete": self.complete}

    def release_replaced(self) -> None:
        """Releases the embeddings of the run that this one has replaced, if any; called once all is collected."""
        if self._entry is not None:
            try:
                self._entry[0].release_replaced(self._job.token)
            except StoreError as error:
                self._give_up(error)

    def close(self) -> None:
        """Closes the store."""
        if self._entry is not None:
            self._entry[0].close()
            self._entry = None

    def _count(self) -> int:
        if self._entry is not None:
            store, run = self._entry
            try:
                self._n_stored = store.count(run)
            except StoreError as error:
                logger.warning("%s", error)
        return self._n_stored

    def _give_up(self, error: StoreError) -> None:
        logger.warning("%s; the predictions are collected without the store, and can't be rescored", error)
        self.warnings.append(str(error))
        self.complete = False
        self._count()
        self.close()
