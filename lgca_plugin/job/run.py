"""Running a job: its missing parts are given to an engine until none is missing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from ..config import check_count
from ..errors import ConfigError, LgcaError, shown
from ..progress import Progress, drive, duration_text
from .description import PARTS, read_job
from .folder import as_folder, need_arrow
from .tries import Tries
from .workers import Wished

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Sequence

    from .calls import PartEnd
    from .description import Job
    from .folder import JobFolder
    from .workers import Engine

MAX_PARTS = 8
"""Maximum number of parts that a worker does in one stream: batches are filled across them."""

ENGINES = ("processes", "ray")


@dataclass(frozen=True)
class JobState:
    """How far a job has come.

    Attributes:
        folder: the job's folder
        parts: number of parts
        done: number of parts that are in the folder
        rows: number of images
        rows_done: number of images of the parts that are done
    """

    folder: str
    parts: int
    done: int
    rows: int
    rows_done: int

    @property
    def is_done(self) -> bool:
        """Whether all parts are done."""
        return self.done == self.parts

    def __str__(self) -> str:
        if self.is_done:
            return f"all {self.rows:,} images are done: lgca.collect_job writes them to the dataset"
        return f"{self.rows_done:,} of {self.rows:,} images are done, in {self.done:,} of {self.parts:,} parts"


def done_parts(folder: JobFolder, job: Job) -> set[int]:
    """Returns the numbers of the parts that are in the folder."""
    stems = (name.partition(".")[0] for name in folder.names(PARTS) if name.endswith(".parquet"))
    return {number for number in map(int, filter(str.isdecimal, stems)) if number < job.parts}


def job_state(folder: str | os.PathLike[str] | JobFolder) -> JobState:
    """Returns how far the job in a folder has come.

    Raises:
        ConfigError: if there is no job
    """
    opened = as_folder(folder)
    job = read_job(opened)
    return _state(opened, job, done_parts(opened, job))


def _state(folder: JobFolder, job: Job, done: set[int]) -> JobState:
    return JobState(str(folder), job.parts, len(done), job.rows, sum(map(job.rows_of, done)))


def run_job(
    folder: str | os.PathLike[str],
    *,
    engine: str = "processes",
    workers: int | None = None,
    gpus: float | None = None,
    cpus: int | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> JobState:
    """Does all parts of a job that are missing. It needs neither FiftyOne nor MongoDB.

    A part appears in the folder whole or not at all, and is not done again. A worker that is killed costs the parts
    that it was at; an image that kills its process twice is given up, and becomes a failed sample. An interrupted call
    goes on where it was.

    Args:
        folder: the job's folder, as :func:`prepare_job` was given it
        engine: ``"processes"``: processes of this machine; ``"ray"``: the Ray cluster that this process is connected
            to, or that ``RAY_ADDRESS`` names, else one of this machine alone
        workers: number of worker processes; None takes one for each GPU or, without any, one for two cores
        gpus: number of GPUs of each worker, for ``"ray"``, such as 0.5; None takes 1 where the cluster has any
        cpus: number of cores of each worker; None shares those that there are
        device: where the model runs; None takes the best device that each worker has. For ``"processes"`` also several,
            ``"cuda:0,1"`` or ``"all"``, which the workers share
        batch_size: crops in one call of the encoder; None takes the job's, which chooses by device unless it was named
        progress: a function of :class:`Progress`, such as ``print``

    Returns:
        how far the job has come: all parts are done

    Raises:
        ConfigError: if an argument is wrong, or there is no job
        LgcaError: if parts can't be done: the reason is that of the first one
    """
    need_arrow()
    for name, value in (("workers", workers), ("cpus", cpus), ("batch_size", batch_size)):
        if value is not None:
            check_count(name, value, at_least=1)
    if gpus is not None and (isinstance(gpus, bool) or not isinstance(gpus, int | float) or not 0 <= gpus < inf):
        raise ConfigError(f"gpus must be a number of at least 0, got {shown(gpus)}")
    opened = as_folder(folder)
    job = read_job(opened)
    wished = Wished(count=workers, cpus=cpus, gpus=gpus, device=device, batch_size=batch_size)
    with _engine(engine, wished) as opened_engine:
        return drive(_steps(opened, job, opened_engine), progress or False, unit="images")


def _engine(name: str, wished: Wished) -> Engine:
    if name == "processes":
        from .processes import Processes

        return Processes(wished)
    if name == "ray":
        from .ray_engine import RayActors

        return RayActors(wished)
    raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {shown(name)}")


def _steps(folder: JobFolder, job: Job, engine: Engine) -> Generator[Progress, None, JobState]:
    """Gives missing parts to the engine, again and again as long as that brings the job forward."""
    started = time.perf_counter()
    done = done_parts(folder, job)
    rows_before = sum(map(job.rows_of, done))
    while missing := [part for part in range(job.parts) if part not in done]:
        before = (len(done), _marks(folder))
        yield _progress(job, sum(map(job.rows_of, done)), rows_before, started)
        failed: PartEnd | None = None
        for end in engine.do(folder.location, _groups(missing, engine.count)):
            if end.error is None:
                done.add(end.part)
                yield _progress(job, sum(map(job.rows_of, done)), rows_before, started)
            failed = failed or (end if end.error else None)
        done = done_parts(folder, job)
        if failed is not None:
            raise LgcaError(f"part {failed.part} of the job in {folder} can't be done: {failed.error}")
        if (len(done), _marks(folder)) == before:
            raise LgcaError(
                f"the workers of the job in {folder} end before they begin a part; their output says why, or "
                f"python -m lgca_plugin.job part {folder} {missing[0]}, which does a part in a process of your own"
            )
    return _state(folder, job, done)


def _marks(folder: JobFolder) -> int:
    return sum(Tries(folder).counts().values())


def _groups(parts: Sequence[int], workers: int) -> list[Sequence[int]]:
    """Returns parts in groups that a worker does in one stream: as many groups as keep all workers busy to the end."""
    size = max(1, min(MAX_PARTS, len(parts) // (4 * workers)))
    return [parts[start : start + size] for start in range(0, len(parts), size)]


def _progress(job: Job, rows: int, before: int, started: float) -> Progress:
    seconds, own = time.perf_counter() - started, rows - before
    speed = f", {own / seconds:.1f} images/s" if own and seconds else ""
    left = f", about {duration_text((job.rows - rows) * seconds / own)} left" if own and rows < job.rows else ""
    return Progress(rows, job.rows, f"{rows:,} of {job.rows:,} images{speed}{left}")
