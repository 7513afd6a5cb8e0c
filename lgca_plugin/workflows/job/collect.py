"""Collecting a job: its parts are written to samples, store and record. It alone needs the database."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, LgcaError, shown
from ...fiftyone_io import fields as f
from ...fiftyone_io.boxes.companion import companions
from ...fiftyone_io.database import dataset_id, root_dataset
from ...fiftyone_io.documents import metadata_document, write_fields
from ...fiftyone_io.outages import patient
from ...fiftyone_io.samples import ImageSamples, ids_where
from ...job.description import read_job
from ...job.part_writer import part_name, work_name
from ...job.run import done_parts
from ...job.tables import read_part, read_work, results_of
from ...progress import Progress
from ...runs.lease import held_lease, steps_under
from ...runs.record import check_current, written_under
from ...runs.registry import load_run, recording_end, reload_record, save_own_entries
from ...runs.state import COMPLETED
from ..classify.classify import CLASSIFY
from ..classify.counts import Counts
from ..classify.writer import levels_of, record_counts, sample_values
from .entry import JobEntry
from .prepare import waiting
from .shards import ShardReader
from .stored import CollectedEmbeddings

if TYPE_CHECKING:
    from collections.abc import Generator

    from ...job.description import Job
    from ...job.folder import JobFolder
    from ...job.tables import RowResult
    from ...runs.lease import Lease
    from ...runs.record import RunRecord
    from ...runs.state import RunState

logger = logging.getLogger(__name__)

SAVE_SECONDS = 10.0
"""Seconds after which the record says which parts are collected: those since are collected again after a kill."""


def check_collect(samples: Any, folder: JobFolder) -> tuple[Job, RunRecord]:
    """Returns the job in a folder and its run.

    Args:
        samples: a dataset or a view of it, also where the job is of its boxes, or of each of several labels a sample
        folder: the job's folder

    Raises:
        ConfigError: if there is no job, or it is not that of a run of this dataset
        RunNotFoundError: if the run was deleted
    """
    import fiftyone as fo

    if not isinstance(samples, (fo.Dataset, fo.DatasetView)):
        raise ConfigError(f"dataset must be a FiftyOne dataset or view, got {shown(samples)}")
    job, given = read_job(folder), root_dataset(samples)
    dataset = next((one for one in (given, *companions(given)) if dataset_id(one) == job.dataset_id), None)
    if dataset is None:
        raise ConfigError(
            f"the job in {folder} was prepared from dataset {job.dataset!r}, and this is {given.name!r}, or another "
            "copy of it"
        )
    run = load_run(dataset, job.run_key)
    entry = JobEntry.of(run.results)
    if run.token != job.token or entry is None or entry.id != job.id:
        raise ConfigError(
            f"run {job.run_key!r} was started again, rescored or given another job since the job in {folder} was "
            "prepared, so its results do not belong to it any more: prepare a job anew"
        )
    return job, run


def iter_collect(samples: Any, folder: JobFolder, *, merge: bool | None = None) -> Generator[Progress, None, RunRecord]:
    """Does what :func:`lgca_plugin.collect_job` does, as a generator that yields progress and returns the run."""
    job, run = check_collect(samples, folder)
    with held_lease(None, run.dataset, run.key, CLASSIFY) as lease:
        return (yield from patient(steps_under(lease, _collect(folder, job, run, lease, merge))))


def _collect(
    folder: JobFolder, job: Job, run: RunRecord, lease: Lease, merge: bool | None
) -> Generator[Progress, None, RunRecord]:
    reload_record(run)
    lease.start()
    entry = JobEntry.of(run.results)
    assert entry is not None  # noqa: S101 (checked)
    shards = ShardReader(folder, job)
    merge = job.store_regions and (bool(entry.merged) or shards.fit() if merge is None else merge)
    crops = levels_of(job.config.region_plan)
    with ExitStack() as stack:
        stack.enter_context(written_under(lease, run))
        embeddings = stack.enter_context(closing(CollectedEmbeddings(job, with_regions=merge)))

        def record(state: RunState) -> None:
            _record(run, entry, embeddings, waiting(lease, entry) if _is_open(state, entry) else state)

        stack.enter_context(recording_end(run, lease, CLASSIFY, record))
        saved = time.monotonic()
        todo = sorted(done_parts(folder, job).difference(entry.merged if merge else entry.collected))
        for number, part in enumerate(todo):
            label = f"{number:,} of {len(todo):,} parts are written, of {job.parts:,} of the job"
            yield Progress(number, len(todo), label)
            lease.check()
            _collect_part(folder, job, run, entry, embeddings, shards if merge else None, part, crops)
            if time.monotonic() - saved > SAVE_SECONDS:
                run.results.update(entry.to_results())
                save_own_entries(run)
                saved = time.monotonic()
        if len(entry.collected) == job.parts:
            embeddings.release_replaced()
    yield Progress(len(todo), len(todo), f"{len(entry.collected):,} of {job.parts:,} parts of the job are written")
    return run


def _is_open(state: RunState, entry: JobEntry) -> bool:
    return state.name == COMPLETED and len(entry.collected) < entry.parts


def _collect_part(
    folder: JobFolder,
    job: Job,
    run: RunRecord,
    entry: JobEntry,
    embeddings: CollectedEmbeddings,
    shards: ShardReader | None,
    part: int,
    crops: list[str],
) -> None:
    """Writes a part to store and samples, each sample completely or not at all, and adds its counts."""
    table, counts = read_part(folder.read(part_name(part)))
    results = list(results_of(table, len(job.vector_keys)))
    expected = [id_ for id_, _ in read_work(folder.read(work_name(part)))]
    if counts.job != job.id or Counter(one.id for one in results) != Counter(expected):
        raise LgcaError(
            f"{part_name(part)} in {folder} is not a part of this job, or holds other images than it should: delete "
            "it, and do the part again"
        )
    check_current(run)
    found = [one for one in results if one.reason is None]
    embeddings.write(found, {} if shards is None else shards.regions(part, [one.id for one in found]))
    adaptive = bool(crops)
    values = {one.id: _values(run, one, adaptive=adaptive) for one in results}
    there = ids_where(run.dataset, expected, {})
    for one in results:
        if one.id not in there:
            del values[one.id]
    headers = {one.id: one.header for one in found if one.header is not None}
    for id_ in ids_where(run.dataset, list(values), {"metadata": None}):
        if (header := headers.get(id_)) is not None:
            values[id_]["metadata"] = metadata_document(header)
    write_fields(run.dataset, values)
    entry.add(counts, results, crops, skipped=len(results) - len(there))
    if shards is not None:
        entry.merged = sorted({*entry.merged, part})


def _values(run: RunRecord, one: RowResult, *, adaptive: bool) -> dict[str, Any]:
    """Returns the values of a run's fields on a sample."""
    if one.reason is not None:
        return {f.error_field(run.key): one.reason}
    values = sample_values(run, one.methods or {}, one.regions)
    if adaptive:
        values[f.encodes_field(run.key)] = one.n_encoded
    return values


def _record(run: RunRecord, entry: JobEntry, embeddings: CollectedEmbeddings, state: RunState) -> None:
    """Writes what is collected to the run's record, with the counts of all processes that have worked for it."""
    target = ImageSamples.whole(run.dataset)
    methods = [f.method_field(run.key, method.name) for method in run.config.methods]
    counts = {
        "predicted": target.count_filled(methods),
        "failed": target.count_filled([f.error_field(run.key)]),
        "skipped": entry.skipped,
        "pending": entry.rows - entry.done,
    }
    reasons = {"deleted from the dataset during the run": entry.skipped} if entry.skipped else {}
    earlier = [one for one in run.results.get("warnings", ()) if one not in embeddings.warnings]
    run.results.update(entry.to_results())
    record_counts(
        run,
        Counts.of(entry.counts),
        entry.stats,
        outcome={"total": sum(counts.values()), **counts, "skipped_reasons": reasons},
        state=state,
        stored=embeddings.outcome(),
        warnings=[*earlier, *embeddings.warnings],
        device=", ".join(entry.devices) or "unknown",
    )
