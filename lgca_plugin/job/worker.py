"""The worker of a job: rows in, results out. It needs the job's folder, the images and the weights, no more."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.embeddings import FailedImage
from ..engine.engine import encode_images
from ..engine.stats import EngineStats
from ..errors import LgcaError
from ..prediction.elsewhere import SCORE_IMAGES, SCORED_AHEAD, load_predictor
from .description import JobTexts, read_job
from .folder import as_folder
from .part_writer import PartWriter, StopWatch, part_name, shard_name, work_name
from .tables import read_work
from .tries import MAX_TRIES, Tries

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator, Sequence

    from .folder import JobFolder
    from .tables import PartCounts


@dataclass
class _OpenPart:
    """A part that is at work: its writer, the mark that it was begun, and outcomes that are not scored yet."""

    writer: PartWriter
    mark: str
    left: int
    outcomes: list[Any]


class Worker:
    """Does parts of a job in this process.

    Args:
        folder: the job's folder
        device: where the model runs; None takes the best device that there is
        batch_size: crops in one call of the encoder; None takes the job's

    Raises:
        ConfigError: if there is no such job
        ModelUnavailableError: if the model can't be loaded here
        LgcaError: if the weights here are others than those that the job was prepared with
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | JobFolder,
        *,
        device: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.folder = as_folder(folder)
        self.job = job = read_job(self.folder)
        config = job.config
        self.encoder, self.predictor = load_predictor(
            config,
            JobTexts.read(self.folder, config),
            job.encoder_source,
            device=device,
            offsets={name: np.array(values) for name, values in job.offsets.items()},
            other_weights=LgcaError(
                f"the weights of {config.encoder} on this machine are not those that the job in {self.folder} was "
                "prepared with: install the same ones on all machines"
            ),
        )
        if self.predictor.vector_keys != job.vector_keys:
            raise LgcaError(
                f"the job in {self.folder} was prepared by release {job.release} of this package, which computes other "
                "vectors than the one on this machine: install the same release on all machines"
            )
        self._batch_size = batch_size or job.batch_size
        self._tries = Tries(self.folder)
        self._begun: set[int] = set()

    def work(self, parts: Sequence[int]) -> Generator[PartCounts, None, None]:
        """Does parts, one stream of images for all, and yields what was counted of each once it is in the folder.

        A part that is in the folder already is not done again. One that was begun twice in vain is done a row at a
        time.
        """
        missing = [part for part in parts if not self.folder.exists(part_name(part))]
        tries = self._tries.counts() if missing else {}
        self._begun = {part for part, _ in tries}
        suspected = [part for part in missing if tries.get((part, None), 0) >= MAX_TRIES]
        yield from self._stream([part for part in missing if part not in suspected])
        for part in suspected:
            yield self._row_by_row(
                part, {row: count for (of, row), count in tries.items() if of == part and row is not None}
            )

    def _stream(self, parts: Sequence[int]) -> Generator[PartCounts, None, None]:
        if not parts:
            return
        at_work: dict[int, _OpenPart] = {}
        stats, watch, before = EngineStats(), StopWatch(), EngineStats()

        def sources() -> Iterator[tuple[tuple[int, str], Any]]:
            for part in parts:
                rows = read_work(self.folder.read(work_name(part)))
                writer = PartWriter(self.folder, self.job, self.predictor, part, dict(rows))
                at_work[part] = _OpenPart(writer, self._tries.begin(part), len(rows), [])
                yield from (((part, id_), source) for id_, source in rows)

        scored: deque[Future[PartCounts | None]] = deque()
        with ExitStack() as stack:
            stack.callback(self._give_up, at_work)
            pool = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="lgca-score"))
            stack.callback(pool.shutdown, cancel_futures=True)
            outcomes = stack.enter_context(closing(self._encoded(sources(), stats)))
            for outcome in outcomes:
                part, id_ = outcome.id
                own = at_work[part]
                own.outcomes.append(replace(outcome, id=id_))
                own.left -= 1
                if own.left and len(own.outcomes) < SCORE_IMAGES:
                    continue
                taken, own.outcomes = own.outcomes, []
                scored.append(pool.submit(own.writer.add, taken))
                if not own.left:
                    counted, before = stats.since(before), stats.copy()
                    scored.append(pool.submit(self._finish, at_work, part, counted, watch.seconds()))
                while scored and (scored[0].done() or len(scored) > SCORED_AHEAD):
                    if (counts := scored.popleft().result()) is not None:
                        yield counts
            for future in scored:
                if (counts := future.result()) is not None:
                    yield counts

    def _encoded(self, sources: Iterator[tuple[Any, Any]], stats: EngineStats) -> Generator[Any, None, None]:
        return encode_images(
            sources,
            encoder=self.encoder,
            plan=self.job.config.region_plan,
            batch_size=self._batch_size,
            stats=stats,
            can_stop=self.predictor.can_stop,
        )

    def _finish(self, at_work: dict[int, _OpenPart], part: int, stats: EngineStats, seconds: float) -> PartCounts:
        own = at_work[part]
        counts = self._finished(part, own.writer, stats, seconds)
        self._tries.end(own.mark)
        del at_work[part]
        return counts

    def _give_up(self, at_work: dict[int, _OpenPart]) -> None:
        """Leaves no trace of parts that an error has ended, so that they are not taken for killed."""
        for part in at_work.values():
            part.writer.close()
            self._tries.end(part.mark)

    def _row_by_row(self, part: int, tries: dict[int, int]) -> PartCounts:
        """Does a part a row at a time: first the rows that have ended a process, so that they do it at once again.

        Args:
            part: number of the part
            tries: row to the number of times that it was begun in vain
        """
        rows = read_work(self.folder.read(work_name(part)))
        stats, watch = EngineStats(), StopWatch()
        writer = PartWriter(self.folder, self.job, self.predictor, part, dict(rows))
        with closing(writer), self._tries.of(part):
            for row in sorted(range(len(rows)), key=lambda row: -tries.get(row, 0)):
                id_, source = rows[row]
                if tries.get(row, 0) >= MAX_TRIES:
                    reason = f"its process was killed {MAX_TRIES} times while it was read or encoded"
                    writer.add([FailedImage(id_, reason)])
                    stats.failed += 1
                    continue
                with self._tries.of(part, row):
                    writer.add(list(self._encoded(iter([(id_, source)]), stats)))
            counts = self._finished(part, writer, stats, watch.seconds())
        self._tries.forget(part)
        return counts

    def _finished(self, part: int, writer: PartWriter, stats: EngineStats, seconds: float) -> PartCounts:
        """Writes a part into the folder, and removes what processes have left there that were killed at it."""
        counts = writer.finish(stats, seconds, str(self.encoder.device or "unknown"))
        if part in self._begun:
            for name in (part_name(part), shard_name(part)):
                self.folder.sweep(name)
        return counts
