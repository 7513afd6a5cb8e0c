"""One part of a job: its images are scored as they are encoded, and appear as one file when all are through."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.embeddings import EncodedImage, FailedImage
from ..engine.memory import in_halves
from ..images.header import image_header
from ..store.file import FILE_NAME
from ..store.rows import StoredSample
from ..store.store import Store, geometry_of
from .description import PARTS, SHARDS, WORK
from .tables import PartCounts, RowResult, part_content, results_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..engine.stats import EngineStats
    from ..prediction.predictor import Predictor
    from ..store.rows import StoredRun
    from .description import Job
    from .folder import JobFolder

NO_LIMIT = 2**62
"""Bytes that a shard may have: it holds one part."""


def part_name(part: int) -> str:
    """Returns the name of the file of a part's results."""
    return f"{PARTS}/{part:06d}.parquet"


def work_name(part: int) -> str:
    """Returns the name of the file of a part's rows."""
    return f"{WORK}/{part:06d}.parquet"


def shard_name(part: int) -> str:
    """Returns the name of the store with the embeddings of a part's regions."""
    return f"{SHARDS}/{part:06d}/{FILE_NAME}"


class PartWriter:
    """Scores the images of one part, and writes them with :meth:`finish`; nothing of the part is seen before."""

    def __init__(self, folder: JobFolder, job: Job, predictor: Predictor, part: int, paths: Mapping[str, Any]) -> None:
        self.part = part
        self._folder = folder
        self._job = job
        self._predictor = predictor
        self._paths = paths
        self._results: dict[str, RowResult] = {}
        self._temporary: Path | None = None
        self._shard: tuple[Store, StoredRun] | None = None

    @property
    def left(self) -> int:
        """Number of images of the part without a result."""
        return len(self._paths) - len(self._results)

    def add(self, outcomes: Sequence[EncodedImage[str] | FailedImage[str]]) -> None:
        """Scores images; if memory runs out, one half of them after the other."""
        in_halves(self._add, outcomes)

    def _add(self, outcomes: Sequence[EncodedImage[str] | FailedImage[str]]) -> None:
        encoded = [outcome for outcome in outcomes if isinstance(outcome, EncodedImage)]
        predictions = self._predictor.predict(encoded, find=True)
        if self._job.store_regions and encoded:
            store, run = self._opened()
            pairs = zip(encoded, predictions, strict=True)
            samples = [StoredSample(image, prediction.vectors, prediction.finding) for image, prediction in pairs]
            store.write_samples(run, samples, findings_key=self._predictor.findings_key)
        found = [
            RowResult.of(image, prediction, self._header(image.id))
            for image, prediction in zip(encoded, predictions, strict=True)
        ]
        found += [RowResult(id=one.id, reason=one.reason) for one in outcomes if isinstance(one, FailedImage)]
        self._results.update((one.id, one) for one in found)

    def _header(self, id_: str) -> Any:
        path = self._paths[id_]
        return image_header(path) if isinstance(path, str) else None

    def finish(self, stats: EngineStats, seconds: float, device: str) -> PartCounts:
        """Writes the part: its shard first, so that whoever sees the part finds all of it."""
        counts = PartCounts(self._job.id, self.part, seconds, device, asdict(stats))
        ordered = [self._results[id_] for id_ in self._paths]
        config = self._job.config
        table = results_table(ordered, [method.name for method in config.methods], logits=config.logits)
        if self._shard is not None and self._temporary is not None:
            self._shard[0].close()
            self._shard = None
            self._folder.put(self._temporary / FILE_NAME, shard_name(self.part))
        self._folder.write(part_name(self.part), part_content(table, counts))
        self.close()
        return counts

    def close(self) -> None:
        """Removes what lies on this machine."""
        if self._shard is not None:
            self._shard[0].close()
            self._shard = None
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _opened(self) -> tuple[Store, StoredRun]:
        """Returns the part's shard: on this machine until the part is through, for SQLite needs a disk with locks."""
        if self._shard is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="lgca-shard-"))
            store = Store(self._temporary, limit_bytes=NO_LIMIT)
            self._shard = store, open_entry(store, self._job, self._predictor.vector_keys)
        return self._shard


def open_entry(store: Store, job: Job, vector_keys: Sequence[str], *, replaces: str | None = None) -> StoredRun:
    """Returns the entry of a job's run in a store, made if it is new."""
    return store.open_run(
        job.token,
        fingerprint=job.store_fingerprint,
        encoder_name=job.config.encoder,
        logit_scale=job.logit_scale,
        geometry=geometry_of(job.config.regions),
        vector_keys=vector_keys,
        database=job.database,
        dataset=job.dataset_id,
        run_key=job.run_key,
        replaces=replaces,
    )


class StopWatch:
    """The time between one look and the next."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def seconds(self) -> float:
        """Returns the seconds since the last look."""
        before, self._last = self._last, time.perf_counter()
        return self._last - before
