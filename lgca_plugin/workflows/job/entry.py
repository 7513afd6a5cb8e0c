"""What a run's record holds of the job that encodes its images: the collected parts, and the sum of their counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ...engine.stats import EngineStats
from ...errors import ConfigError
from ..classify.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...job.description import Job
    from ...job.tables import PartCounts, RowResult

ENTRY = "job"
"""Name of the entry in a run's record."""


@dataclass
class JobEntry:
    """The entry of a run with a job.

    Attributes:
        id: id of the job
        folder: where it was prepared
        rows: number of its images
        parts: number of its parts
        collected: numbers of the parts that are written to the samples
        merged: numbers of those whose embeddings of regions are in the store, too
        done: number of images of these parts
        skipped: number of those that the dataset no longer held
        counts: what the run has encoded before the job, and in the collected parts
        engine: sum of the counts of all processes, of :class:`~lgca_plugin.engine.stats.EngineStats`
        devices: where the model ran
    """

    id: str
    folder: str
    rows: int
    parts: int
    collected: list[int] = field(default_factory=list)
    merged: list[int] = field(default_factory=list)
    done: int = 0
    skipped: int = 0
    counts: dict[str, Any] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)

    @classmethod
    def new(cls, job: Job, folder: str, results: Mapping[str, Any]) -> JobEntry:
        """Returns the entry of a job of which nothing is collected yet."""
        return cls(job.id, folder, job.rows, job.parts, counts=asdict(Counts.of(results)))

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> JobEntry | None:
        """Returns the entry in a run's results; None without one.

        Raises:
            ConfigError: if it can't be read
        """
        stored = results.get(ENTRY)
        if stored is None:
            return None
        try:
            return cls(**stored)
        except TypeError as error:
            raise ConfigError("what this run's record says of its job can't be read by this release") from error

    def to_results(self) -> dict[str, Any]:
        """Returns the entry as an item of a run's results."""
        return {ENTRY: asdict(self)}

    def add(self, part: PartCounts, results: list[RowResult], crops: list[str], *, skipped: int) -> None:
        """Adds a part that is written to the samples, unless it was before.

        Args:
            part: what its process has counted
            results: its rows
            crops: number of crops after which an image stopped, by its budget level; empty under a full budget
            skipped: number of its images that the dataset no longer held
        """
        if part.part in self.collected:
            return
        counts = Counts.of(self.counts)
        for one in results:
            if one.reason is None:
                counts.add(one.encodes, crops[one.level] if crops else None)
        counts.seconds += part.seconds
        self.counts = asdict(counts)
        self.engine = _sum(self.engine, dict(part.engine))
        self.devices = sorted({*self.devices, part.device})
        self.collected = sorted({*self.collected, part.part})
        self.done += len(results)
        self.skipped += skipped

    @property
    def stats(self) -> EngineStats:
        """The counts of all processes."""
        names = {one.name for one in fields(EngineStats)} - {"levels"}
        return EngineStats(**{name: value for name, value in self.engine.items() if name in names})


def _sum(before: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Adds up counts of :class:`EngineStats`; of batch sizes the largest counts."""
    added = {name: before.get(name, 0) + value for name, value in own.items() if isinstance(value, int | float)}
    return {**added, "batch_size": max(before.get("batch_size", 0), own.get("batch_size", 0))}
