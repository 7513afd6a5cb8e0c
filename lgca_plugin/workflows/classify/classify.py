"""Classifies the samples of a request: from images to fields, embeddings and the run's record."""

from __future__ import annotations

import logging
import time
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

from ...engine.embeddings import FailedImage
from ...engine.stats import EngineStats
from ...errors import ImageError, LgcaError
from ...fiftyone_io import fields as f
from ...fiftyone_io.app_layout import arrange_app
from ...fiftyone_io.database import reload_if_changed
from ...fiftyone_io.outages import DATABASE_PATIENCE, patient, waiting_line
from ...progress import Progress, duration_text
from ...runs.delete import delete_from_dataset
from ...runs.lease import Lease, held_lease, steps_under
from ...runs.record import RunRecord, check_current, written_under
from ...runs.registry import (
    decision_entries,
    fields_of_other_runs,
    noting_failure,
    recording_end,
    register_run,
    save_own_entries,
)
from ...runs.state import begun, entries
from ...runs.stored_texts import TOKENIZER
from .counts import RunCounts
from .devices import loading, scored_images, start_devices
from .embedding_writer import EmbeddingWriter, space_warnings
from .plan import ClassifyPlan, PreparedRun, prepare_classify
from .trial import tried
from .writer import WRITE_IMAGES, WRITE_SECONDS, Writer, crops_by_level, record_outcome

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ...devices.processes import DeviceProcesses
    from ...encoder.base import Encoder
    from ...runs.state import RunState
    from .request import ClassifyRequest

logger = logging.getLogger(__name__)

MAX_FAILURES = 100
"""Number of images that a run tries if none can be used: then it stops, for the rest would fail, too.

Images that an earlier call has tried do not count."""

CLASSIFY = "classify"


def iter_classify(
    request: ClassifyRequest,
    *,
    encoder: Encoder | tuple[str, str | None] | str | None = None,
    write_images: int = WRITE_IMAGES,
    write_seconds: float = WRITE_SECONDS,
    lease: Lease | None = None,
    patience: float = DATABASE_PATIENCE,
    max_failures: int = MAX_FAILURES,
) -> Generator[Progress, None, RunRecord]:
    """Does what :func:`lgca_plugin.classify` does, as a generator that yields :class:`Progress` and returns the run.

    Closing the generator stops the run cleanly: what is done is written, and a later call continues the run. Results
    are written after ``write_images`` images or ``write_seconds`` seconds. ``lease`` is the caller's on the run's key.
    A database that is away is waited for, ``patience`` seconds at most. If the first ``max_failures`` images all fail,
    the run stops.
    """
    with held_lease(lease, request.target.dataset, request.run_key, CLASSIFY) as held:
        steps = _classify(request, encoder, held, write_images, write_seconds, max_failures)
        return (yield from patient(steps_under(held, steps), patience))


def _classify(
    request: ClassifyRequest,
    encoder: Encoder | tuple[str, str | None] | str | None,
    lease: Lease,
    write_images: int,
    write_seconds: float,
    max_failures: int,
) -> Generator[Progress, None, RunRecord]:
    yield Progress(0, 0, "Loading the model and embedding the class descriptions")
    plan = tried(prepare_classify(request, encoder), max_failures)
    lease.check()
    processes = start_devices(plan)
    with processes or nullcontext():
        yield from loading(processes)
        return (yield from _run(plan, processes, lease, write_images, write_seconds, max_failures))


def _run(
    plan: ClassifyPlan,
    processes: DeviceProcesses | None,
    lease: Lease,
    write_images: int,
    write_seconds: float,
    max_failures: int,
) -> Generator[Progress, None, RunRecord]:
    run, replaced = open_run(plan, lease, CLASSIFY)
    stored = len(plan.todo) if plan.request.options.store_regions else 0
    for warning in [*plan.warnings, *space_warnings(stored, plan.request.region_plan, plan.encoder.dim)]:
        logger.warning(warning)
    with noting_failure(run, lease, CLASSIFY):
        embeddings = EmbeddingWriter(plan, run, with_regions=plan.request.options.store_regions, replaces=replaced)
        counts = RunCounts(run, crops_by_level(plan), plan.request.finished)
        writer = Writer(plan, run, embeddings, counts, max_images=write_images, max_seconds=write_seconds)
    stats = EngineStats()

    def record(state: RunState) -> None:
        try:
            writer.finish()
        finally:
            record_outcome(
                run,
                plan,
                counts.current(),
                stats,
                state=state,
                stored=embeddings.outcome(),
                warnings=[*plan.warnings, *embeddings.warnings, *_image_warnings(stats)],
                device=", ".join(processes.devices if processes else [str(plan.encoder.device or "unknown")]),
            )
            counts.close()

    with (
        written_under(lease, run),
        closing(embeddings),
        closing(writer),
        recording_end(run, lease, CLASSIFY, record),
    ):
        yield from _encode(plan, processes, writer, embeddings, stats, lease, max_failures)
        embeddings.release_replaced()
    return run


def _encode(
    plan: ClassifyPlan,
    processes: DeviceProcesses | None,
    writer: Writer,
    embeddings: EmbeddingWriter,
    stats: EngineStats,
    lease: Lease,
    max_failures: int,
) -> Generator[Progress, None, None]:
    """Encodes all images that are left and writes their results; fills ``stats`` and yields progress."""
    options, total = plan.request.options, len(plan.todo)
    started = time.perf_counter()
    yield Progress(0, total, _progress_label(0, total, 0))
    batch_size = options.batch_size or _batch_size_so_far(plan)
    images = writer.noted(plan.todo)
    outcomes = scored_images(plan, images, processes, stats, batch_size=batch_size, recall=embeddings.recall)
    reported = 0
    with closing(outcomes):  # its threads read from the store, which is closed after them
        for outcome, prediction in outcomes:
            writer.add(outcome, prediction)
            lease.check()
            if isinstance(outcome, FailedImage) and not options.skip_failures:
                raise ImageError(f"{writer.file_of(outcome.id)}: {outcome.reason}")
            none_usable = stats.failed >= max_failures and not stats.images
            if isinstance(outcome, FailedImage) and none_usable and outcome.id not in plan.failed:
                raise LgcaError(
                    f"none of the first {stats.failed} images could be used, the last because {outcome.reason}: the "
                    "run has stopped; mend that, or start it again, which begins with the other images"
                )
            if writer.is_due():
                yield from _until_written(writer, reported, total)
                writer.flush()
            if writer.written > reported:
                reported = writer.written
                yield Progress(reported, total, _progress_label(reported, total, time.perf_counter() - started))
    writer.flush()
    yield from _until_written(writer, reported, total)
    writer.finish()
    if reported < total:
        yield Progress(total, total, _progress_label(total, total, time.perf_counter() - started))


def _batch_size_so_far(plan: ClassifyPlan) -> int | None:
    """Returns the batch size of a run that goes on, if embeddings depend on it; free memory may suggest another now."""
    existing = plan.request.existing
    if existing is None or not plan.encoder.pads:
        return None
    size = dict(existing.results.get("engine") or {}).get("batch_size")
    return size if isinstance(size, int) and size > 0 else None


def _until_written(writer: Writer, done: int, total: int) -> Generator[Progress, None, None]:
    """Waits for the write in progress; yields a line every second if that waits for the database."""
    while writer.is_writing(seconds=1.0):
        if line := waiting_line():
            yield Progress(done, total, line)


def open_run(
    plan: PreparedRun, lease: Lease, task: str, *, token: str | None = None, more: Mapping[str, Any] | None = None
) -> tuple[RunRecord, str | None]:
    """Registers the run, or continues the existing one, and declares its fields, before any sample is written.

    Also returns the token of the run that it replaces, if any, whose embeddings are still in the store. ``token`` is
    the new run's; None makes one. ``more`` are further entries of its record.

    Raises:
        LgcaError: if another call has made, replaced or deleted the run since the request was checked
    """
    request = plan.request
    dataset = request.target.dataset
    reload_if_changed(dataset)  # fields that another process has declared since, such as that of first decisions
    if request.existing is not None:
        check_current(request.existing)
    elif not request.replaces and request.run_key in dataset.list_runs():
        raise LgcaError(
            f"run {request.run_key!r} was made elsewhere since this call began; call again to go on with it"
        )
    lease.start()
    # Decisions are about labels, not about the predictions that suggested them, so they outlive a replaced run.
    decisions = {} if request.existing is not None else decision_entries(dataset, request.run_key)
    made_before = decisions.pop("made", {})
    keep = decisions.get("triage_fields", ())
    replaced = None
    if request.replaces:
        replaced = delete_from_dataset(dataset, request.run_key, keep=keep, keep_record=True)
    own = {**request.entries, **(more or {}), **_text_entries(plan), **entries(begun(lease, task))}
    first = {**decisions, **own}
    run = request.existing or register_run(dataset, request.run_key, plan.config, first, token=token)
    adaptive = request.region_plan.adaptive
    with noting_failure(run, lease, task):
        shares = plan.config.shares is not None
        f.declare_fields(dataset, request.run_key, request.methods, adaptive=adaptive, shares=shares)
        if "made" not in run.results:
            made = arrange_app(
                dataset,
                request.run_key,
                request.methods,
                adaptive=adaptive,
                ground_truth=request.ground_truth,
                hidden=fields_of_other_runs(dataset, request.run_key),
            )
            run.results["made"] = {name: done or bool(made_before.get(name)) for name, done in made.items()}
        run.results.update(own)
        save_own_entries(run)
    return run, replaced


def _text_entries(plan: PreparedRun) -> dict[str, Any]:
    """Returns the entries of a run's record from which it can be rescored, in the record from its first moment."""
    return {
        "descriptions": {name: list(texts) for name, texts in plan.texts.descriptions.items()},
        "total": len(plan.sample_ids),
        "encoder_source": plan.encoder_source,
        TOKENIZER: plan.tokenizer,
        "templates": list(plan.texts.from_templates),
        **plan.texts.names.to_results(),
        **plan.text_entries,
    }


def _image_warnings(stats: EngineStats) -> list[str]:
    if not stats.guessed_depth:
        return []
    images = "1 image holds" if stats.guessed_depth == 1 else f"{stats.guessed_depth} images hold"
    warning = (
        f"{images} values that fill only some bits of their type, such as 12 of 16: those bits were taken from black "
        "to white, so they are brighter here than in a viewer that takes all bits"
    )
    return [warning]


def _progress_label(done: int, total: int, seconds: float) -> str:
    if not total:
        return "Every sample has its predictions already"
    speed = f", {done / seconds:.1f} images/s" if done and seconds else ""
    left = f", about {duration_text((total - done) * seconds / done)} left" if done and done < total else ""
    return f"{done} of {total} images{speed}{left}"
