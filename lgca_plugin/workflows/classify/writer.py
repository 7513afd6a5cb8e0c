"""Writes the engine's outcomes to the samples, and counts and timings to the run's record."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from ...engine.embeddings import EncodedImage, FailedImage
from ...engine.memory import in_halves
from ...engine.stats import EngineStats
from ...fiftyone_io import fields as f
from ...fiftyone_io.documents import classification, detections, image_metadata, write_fields
from ...fiftyone_io.samples import ids_where
from ...runs.record import check_current
from ...runs.registry import save_own_entries
from ...runs.state import entries
from ...version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ...config import RegionPlan
    from ...devices.messages import Scored
    from ...prediction.displayed_regions import DisplayedRegion
    from ...prediction.predictor import MethodPrediction, Prediction
    from ...runs.record import RunRecord
    from ...runs.state import RunState
    from .counts import Counts, RunCounts
    from .embedding_writer import EmbeddingWriter
    from .plan import ClassifyPlan, PreparedRun
    from .sample_ids import Image

WRITE_IMAGES = 64
"""Number of images that are written together."""
WRITE_SECONDS = 5.0
"""Seconds after which images are written although they are fewer."""


class Writer:
    """Scores outcomes in batches and writes them to store and samples, each sample completely or not at all.

    A thread writes one batch at a time, so that the encoder need not wait for the database. A write is due after
    ``max_images`` images or ``max_seconds`` seconds.
    """

    def __init__(
        self,
        plan: ClassifyPlan,
        run: RunRecord,
        embeddings: EmbeddingWriter,
        counts: RunCounts,
        *,
        max_images: int = WRITE_IMAGES,
        max_seconds: float = WRITE_SECONDS,
    ) -> None:
        self._plan = plan
        self._run = run
        self._embeddings = embeddings
        self._counts = counts
        self._files: dict[str, str] = {}
        self._max_images = max_images
        self._max_seconds = max_seconds
        self._pending: list[Scored] = []
        self._last_flush = time.perf_counter()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lgca-write")
        self._writing: Future[None] | None = None
        self.written = 0
        """Number of outcomes that are written."""

    def noted(self, images: Iterable[Image]) -> Iterator[Image]:
        """Yields images, whose files are remembered until they are written."""
        for id_, source in images:
            self._files[id_] = str(source)
            yield id_, source

    def file_of(self, id_: str) -> str:
        """Returns the file of an image that is not written yet."""
        return self._files[id_]

    def add(self, outcome: EncodedImage[str] | FailedImage[str], prediction: Prediction | None = None) -> None:
        """Adds an outcome, which the next :meth:`flush` scores, unless it comes with its prediction, and writes."""
        self._pending.append((outcome, prediction))

    def is_due(self) -> bool:
        """Returns whether there are outcomes enough, or time enough has passed, for a write."""
        waited = time.perf_counter() - self._last_flush
        return len(self._pending) >= self._max_images or waited >= self._max_seconds

    def flush(self) -> None:
        """Waits for the previous write and raises its error, if any; then starts writing the outcomes added since."""
        self._wait()
        outcomes, self._pending = self._pending, []
        self._last_flush = time.perf_counter()
        if outcomes:
            # In this context, the thread waits for a database that is away as long as the run does.
            self._writing = self._pool.submit(copy_context().run, in_halves, self._write, outcomes)

    def is_writing(self, seconds: float) -> bool:
        """Returns whether a write is still in progress after so many seconds."""
        return self._writing is not None and bool(wait([self._writing], timeout=seconds).not_done)

    def finish(self) -> None:
        """Writes all outcomes added so far; raises the error of the write if there is one."""
        self.flush()
        self._wait()

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """Ends the thread after the write in progress."""
        self._pool.shutdown()

    def _write(self, outcomes: Sequence[Scored]) -> None:
        check_current(self._run)
        encoded = [outcome for outcome, _ in outcomes if isinstance(outcome, EncodedImage)]
        failed = {outcome.id: outcome.reason for outcome, _ in outcomes if isinstance(outcome, FailedImage)}
        predictions = [prediction for _, prediction in outcomes if prediction is not None]
        if len(predictions) < len(encoded):
            # Beside an encoder a triage's findings cost next to nothing; where none is at work, the triage makes them.
            find = any(image.encodes for image in encoded)
            predictions = self._plan.predictor.predict(encoded, find=find)
        self._embeddings.write(encoded, predictions)
        adaptive = self._run.config.region_plan.adaptive
        values: dict[str, dict[str, Any]] = {id_: {f.error_field(self._run.key): why} for id_, why in failed.items()}
        for image, prediction in zip(encoded, predictions, strict=True):
            values[image.id] = sample_values(self._run, prediction.methods, prediction.regions)
            if adaptive:
                values[image.id][f.encodes_field(self._run.key)] = image.n_encoded
        for id_ in ids_where(self._run.dataset, [image.id for image in encoded], {"metadata": None}):
            values[id_]["metadata"] = image_metadata(self._files[id_])
        self._counts.write(encoded, partial(write_fields, self._run.dataset, values))
        self.written += len(outcomes)
        for outcome, _ in outcomes:
            self._files.pop(outcome.id, None)


def sample_values(
    run: RunRecord, methods: Mapping[str, MethodPrediction], regions: Sequence[DisplayedRegion] | None
) -> dict[str, Any]:
    """Returns the values of a run's fields on a predicted sample; ``regions`` None leaves its boxes unchanged."""
    config = run.config
    values: dict[str, Any] = {f.error_field(run.key): None}
    if regions is not None and f.regions_field(run.key) in run.fields:
        values[f.regions_field(run.key)] = detections(regions, config.classes)
    for name, prediction in methods.items():
        values[f.method_field(run.key, name)] = classification(prediction, config.classes, logits=config.logits)
    return values


def record_outcome(
    run: RunRecord,
    plan: PreparedRun,
    counts: Counts,
    stats: EngineStats,
    *,
    state: RunState,
    stored: dict[str, object],
    warnings: Sequence[str],
    device: str,
) -> None:
    """Writes counts and timings to the run's record; times and encodes are summed over the calls of a run."""
    run.results["templates"] = list(plan.texts.from_templates)
    outcome = outcome_counts(run, plan)
    record_counts(run, counts, stats, outcome=outcome, state=state, stored=stored, warnings=warnings, device=device)


def record_counts(
    run: RunRecord,
    counts: Counts,
    stats: EngineStats,
    *,
    outcome: Mapping[str, Any],
    state: RunState,
    stored: dict[str, object],
    warnings: Sequence[str],
    device: str,
) -> None:
    """Writes to the run's record what :func:`record_outcome` writes; ``outcome`` is how the samples have ended."""
    images, recalled, seconds = counts.images_encoded, counts.images_recalled, counts.seconds
    stopped = {crops: counts.stopped_after[crops] for crops in sorted(counts.stopped_after, key=int)}
    plan = run.config.region_plan
    run.results.update(
        outcome,
        **entries(state),
        images_encoded=images,
        images_recalled=recalled,
        encodes=counts.encodes,
        encodes_per_image=counts.encodes / images if images else 0.0,
        **({"stopped_after": stopped} if levels_of(plan) else {}),
        planned_encodes_per_image=plan.encodes_per_image,
        seconds=seconds,
        images_per_second=(images + recalled) / seconds if seconds else 0.0,
        encodes_per_second=counts.encodes / seconds if seconds else 0.0,
        warnings=list(warnings),
        stored=stored,
        device=device,
        version=__version__,
    )
    if stats.images:
        engine = {name: value for name, value in asdict(stats).items() if name != "levels"}
        run.results["engine"] = {**engine, "batch_fill": stats.batch_fill}
    save_own_entries(run)


def crops_by_level(plan: PreparedRun) -> list[str]:
    """Returns the number of crops of each budget level, as text; none under a full budget."""
    return levels_of(plan.request.region_plan)


def levels_of(plan: RegionPlan) -> list[str]:
    """Returns the number of crops of each budget level of a plan, as text; none under a full budget."""
    return [str(max(level.n_crops, level.n_chains)) for level in plan.levels] if len(plan.levels) > 1 else []


def outcome_counts(run: RunRecord, plan: PreparedRun) -> dict[str, Any]:
    """Counts from the fields how the samples ended: predicted and failed of the whole run, the rest of this call."""
    target = plan.request.target
    n_stored = pending = 0
    for ids in plan.sample_ids.parts():
        finished = plan.request.finished(ids)
        stored = target.stored(ids, [f.error_field(run.key)])
        n_stored += len(stored)
        pending += sum(reason is None and id_ not in finished for id_, (reason,) in stored.items())
    skipped = len(plan.sample_ids) - n_stored
    counts = {
        "predicted": target.count_filled([f.method_field(run.key, method.name) for method in plan.config.methods]),
        "failed": target.count_filled([f.error_field(run.key)]),
        "skipped": skipped,
        "pending": pending,
    }
    reasons = {"deleted from the dataset during the run": skipped} if skipped else {}
    return {"total": sum(counts.values()), **counts, "skipped_reasons": reasons}
