"""What a job's processes have encoded, written to the store, as the classification of one process writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...engine.embeddings import EncodedImage
from ...job.part_writer import open_entry
from ...prediction.vector_keys import WHOLE
from ...store.rows import StoredSample
from ..classify.run_entry import RunEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine.embeddings import KnownRegions
    from ...job.description import Job
    from ...job.tables import RowResult


class CollectedEmbeddings(RunEntry):
    """Stores what the processes of a job have encoded."""

    def __init__(self, job: Job, *, with_regions: bool) -> None:
        self._job = job
        self._whole = job.vector_keys.index(WHOLE)
        super().__init__(job.token, lambda store: open_entry(store, job, job.vector_keys), with_regions=with_regions)

    def write(self, results: Sequence[RowResult], regions: Mapping[str, KnownRegions]) -> None:
        """Stores images, their vectors and findings, and their regions where there are any."""
        if self._entry is None or not results:
            return
        samples = [self._sample(one, regions.get(one.id)) for one in results]
        with_regions = self._with_regions and bool(regions)
        stored = self._write(samples, self._job.findings_key, with_regions=with_regions)
        if stored and self._with_regions and any(one.id not in regions for one in results):
            self._lacks("shards of the job are gone or damaged")

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
