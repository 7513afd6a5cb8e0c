"""Preparing a job: registers the run, embeds the texts, and writes the folder that the workers need."""

from __future__ import annotations

import logging
import uuid
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...config import SEVERAL_KINDS, check_count
from ...errors import ConfigError, shown
from ...fiftyone_io.database import dataset_id
from ...fiftyone_io.outages import patient
from ...fiftyone_io.tokens import database_id
from ...images.boxed import BoxedImage
from ...job.description import JOB_FILE, Job, JobTexts, has_results, write_job
from ...job.folder import JobFolder, need_arrow
from ...job.part_writer import work_name
from ...job.tables import work_table
from ...prediction.share_entry import stored_offsets
from ...progress import Progress
from ...runs.lease import held_lease, steps_under
from ...runs.registry import noting_failure, update_record
from ...runs.state import INTERRUPTED, RunState, entries
from ...store.limits import GIGABYTE, default_limit, fitting_images, region_bytes
from ..classify.classify import CLASSIFY, MAX_FAILURES, open_run
from ..classify.embedding_writer import EmbeddingWriter, stored_fingerprint
from ..classify.plan import prepare_classify
from ..classify.trial import tried
from .entry import JobEntry

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ...encoder.base import Encoder
    from ...runs.lease import Lease
    from ...runs.record import RunRecord
    from ..classify.plan import ClassifyPlan
    from ..classify.request import ClassifyRequest

logger = logging.getLogger(__name__)

ROWS_PER_PART = 512
SHARDS, NONE = "shards", "none"
STORE_REGIONS = (SHARDS, NONE)
"""What is kept of the embeddings of regions: a shard for each part, or nothing."""

Source = tuple[str, "str | BoxedImage"]


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """What a job has besides the options of a classification.

    Attributes:
        folder: the job's folder
        rows_per_part: number of images of a part
        paths: beginning of a path to what the workers have in its place
    """

    folder: JobFolder
    rows_per_part: int = ROWS_PER_PART
    paths: Mapping[str, str] | None = None


def check_job(options: JobOptions) -> JobOptions:
    """Checks the options of a job as far as that needs no dataset; raises ConfigError."""
    need_arrow()
    check_count("rows_per_part", options.rows_per_part, at_least=1)
    if options.folder.exists(JOB_FILE):
        raise ConfigError(f"the folder {options.folder} holds a job already: name another one, or delete it")
    if has_results(options.folder):
        raise ConfigError(f"the folder {options.folder} holds what is left of a job: name another one, or delete it")
    for old, new in (options.paths or {}).items():
        if not isinstance(old, str) or not isinstance(new, str) or not old:
            raise ConfigError(f"paths must map the beginning of a path to another one, got {shown(old)}: {shown(new)}")
    return options


def iter_prepare(
    request: ClassifyRequest, options: JobOptions, *, encoder: Encoder | tuple[str, str | None] | str | None = None
) -> Generator[Progress, None, Job]:
    """Does what :func:`lgca_plugin.prepare_job` does, as a generator that yields progress and returns the job."""
    with held_lease(None, request.target.dataset, request.run_key, CLASSIFY) as lease:
        return (yield from patient(steps_under(lease, _prepare(request, options, encoder, lease))))


def _prepare(
    request: ClassifyRequest,
    options: JobOptions,
    encoder: Encoder | tuple[str, str | None] | str | None,
    lease: Lease,
) -> Generator[Progress, None, Job]:
    yield Progress(0, 0, "Loading the model and embedding the class descriptions")
    plan = tried(prepare_classify(request, encoder), MAX_FAILURES)
    if plan.config.device_kind is not None:  # of this call, while the workers may be on others
        plan = replace(plan, config=replace(plan.config, device_kind=SEVERAL_KINDS))
    if plan.encoder_source is None:
        raise ConfigError(
            "the workers of a job load the model by its name, so an encoder of your own can't be used: name an "
            "open_clip model, or the path of a checkpoint that all machines have"
        )
    if len(plan.devices) > 1:
        raise ConfigError(
            "device names several devices, and only texts are embedded here: name one, and the workers' in run_job"
        )
    if not plan.todo:
        raise ConfigError(
            f"every sample has its predictions of run {request.run_key!r} already: there is nothing to do"
        )
    yield from _write_work(plan, options)  # first: where that fails, no run was made, and none was replaced
    lease.check()
    run, replaced = open_run(plan, lease, CLASSIFY)
    with noting_failure(run, lease, CLASSIFY):
        with closing(EmbeddingWriter(plan, run, with_regions=request.options.store_regions, replaces=replaced)) as own:
            problems = own.warnings  # the texts are stored now; of the images, nothing is
        job = _job(plan, run, options)
        write_job(options.folder, job)
        warnings = [*plan.warnings, *problems, *precision_warnings(plan), *store_warnings(plan)]
        for warning in warnings:
            logger.warning(warning)
        entry = JobEntry.new(job, options.folder.location, run.results)
        update_record(run, **entry.to_results(), **entries(waiting(lease, entry)), warnings=warnings)
    return job


def waiting(lease: Lease, entry: JobEntry) -> RunState:
    """Returns the state of a run whose images a job encodes."""
    reason = (
        f"its images are encoded by the job in {entry.folder}, of which {len(entry.collected):,} of {entry.parts:,} "
        "parts are collected: lgca.collect_job goes on with it"
    )
    return RunState(
        name=INTERRUPTED, task=CLASSIFY, started=lease.since, ended=lease.now, reason=reason, holder=lease.holder
    )


def _job(plan: ClassifyPlan, run: RunRecord, options: JobOptions) -> Job:
    assert plan.encoder_source is not None  # noqa: S101 (checked by the caller)
    name, pretrained = plan.encoder_source
    assert name is not None  # noqa: S101 (a model that was loaded has one)
    return Job(
        id=uuid.uuid4().hex,
        run_key=run.key,
        token=run.token,
        dataset=run.dataset.name,
        dataset_id=dataset_id(run.dataset),
        database=database_id(),
        config=plan.config,
        encoder_source=(name, pretrained),
        logit_scale=plan.encoder.logit_scale,
        store_fingerprint=stored_fingerprint(plan, run.token),
        vector_keys=plan.predictor.vector_keys,
        findings_key=plan.predictor.findings_key,
        offsets={name: own.tolist() for name, own in stored_offsets(run.results).items()},
        rows=len(plan.todo),
        rows_per_part=options.rows_per_part,
        store_regions=plan.request.options.store_regions,
        batch_size=plan.request.options.batch_size,
    )


def _write_work(plan: ClassifyPlan, options: JobOptions) -> Generator[Progress, None, None]:
    """Writes what the workers read, which is no job yet."""
    folder, total, size = options.folder, len(plan.todo), options.rows_per_part
    JobTexts(plan.config.classes, plan.texts.digest, plan.predictor.class_vectors).write(folder)
    for part, start in enumerate(range(0, total, size)):
        rows = [moved(row, options.paths or {}) for row in plan.todo[start : start + size]]
        folder.write(work_name(part), work_table(rows))
        yield Progress(start + len(rows), total, f"{part + 1:,} of {-(-total // size):,} parts are written")


def moved(row: Source, paths: Mapping[str, str]) -> Source:
    """Returns a sample and its file, with another beginning of the file's path, the longest that fits."""
    id_, source = row
    path = str(source)
    old = max((one for one in paths if path.startswith(one)), key=len, default=None)
    if old is None:
        return row
    path = paths[old] + path[len(old) :]
    return id_, replace(source, file=path) if isinstance(source, BoxedImage) else path


def store_warnings(plan: ClassifyPlan) -> list[str]:
    """Returns a sentence if the embeddings of a run's images are more than the store may hold."""
    request = plan.request
    if not request.options.store_regions:
        return []
    images, bytes_each = len(plan.todo), request.region_plan.encodes_per_image * region_bytes(plan.encoder.dim)
    fitting = fitting_images(images, bytes_each)
    if fitting is None:
        return []
    warning = (
        f"the embeddings of the regions of {images:,} images take about {images * bytes_each / GIGABYTE:,.0f} GB, "
        f"and the store may have {default_limit() / GIGABYTE:g}, which about {fitting:,} images fill: set "
        "LGCA_STORE_GB, or store none"
    )
    return [warning]


def precision_warnings(plan: ClassifyPlan) -> list[str]:
    """Returns a sentence if the precision was chosen by a device that is no GPU, while the workers may have some."""
    kind = str(plan.encoder.device or "cpu").partition(":")[0]
    if kind == "cuda" or plan.request.options.precision != "auto":
        return []
    warning = (
        f"the workers compute in {plan.config.precision}, which suits this machine's {kind.upper()}, whatever devices "
        "they have: for workers with GPUs prepare the job anew with the precision fp16"
    )
    return [warning]


def check_store_regions(store_regions: str) -> bool:
    """Returns whether the embeddings of regions are kept; raises ConfigError for what is none of the choices."""
    if store_regions not in STORE_REGIONS:
        raise ConfigError(f"store_regions must be one of {', '.join(STORE_REGIONS)}, got {shown(store_regions)}")
    return store_regions == SHARDS
