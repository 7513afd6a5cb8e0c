"""Writing what comes out of the engine onto the samples, and the outcome onto the run's record."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...engine.embeddings import EncodedImage, FailedImage
from ...engine.feeder import EngineStats
from ...fiftyone_io import fields as f
from ...fiftyone_io.documents import classification, detections, write_fields
from ...runs.record import check_current
from ...runs.registry import record_own
from ...version import __version__
from .plan import finished_samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...prediction.displayed_regions import DisplayedRegion
    from ...prediction.predictor import MethodPrediction
    from ...runs.record import RunRecord
    from .embedding_writer import EmbeddingWriter
    from .plan import Plan, Prepared

WRITE_IMAGES = 64
WRITE_SECONDS = 5.0


class Writer:
    """Scores outcomes in batches, has their embeddings kept, and writes them, each sample whole or not at all.

    One batch is written at a time, in a thread of its own, so that the encoder need not wait for the database.
    """

    def __init__(self, plan: Plan, run: RunRecord, keeper: EmbeddingWriter) -> None:
        self._plan = plan
        self._run = run
        self._keeper = keeper
        self._pending: list[EncodedImage[str] | FailedImage[str]] = []
        self._last_flush = time.perf_counter()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lgca-write")
        self._writing: Future[None] | None = None
        self.written = 0
        """How many outcomes are written."""

    def add(self, outcome: EncodedImage[str] | FailedImage[str]) -> None:
        """Takes one outcome; it is written by the next :meth:`flush`."""
        self._pending.append(outcome)

    def is_due(self) -> bool:
        """Tells whether enough has come together, or enough time gone by, for a write."""
        waited = time.perf_counter() - self._last_flush
        return len(self._pending) >= WRITE_IMAGES or waited >= WRITE_SECONDS

    def flush(self) -> None:
        """Begins to score and write all outcomes taken so far.

        Raises:
            Exception: what went wrong with those before, which are waited for
        """
        self._wait()
        outcomes, self._pending = self._pending, []
        self._last_flush = time.perf_counter()
        if outcomes:
            self._writing = self._pool.submit(self._write, outcomes)

    def finish(self) -> None:
        """Writes all outcomes taken so far, and raises what went wrong with it."""
        self.flush()
        self._wait()

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """Ends the thread, once it has written what was flushed."""
        self._pool.shutdown()

    def _write(self, outcomes: Sequence[EncodedImage[str] | FailedImage[str]]) -> None:
        check_current(self._run)
        encoded = [outcome for outcome in outcomes if isinstance(outcome, EncodedImage)]
        failed = {outcome.id: outcome.reason for outcome in outcomes if isinstance(outcome, FailedImage)}
        # Beside an encoder, looking for what a triage will ask costs next to nothing; without one, a triage may do it.
        find = any(image.encodes for image in encoded)
        predictions = self._plan.predictor.predict(encoded, find=find)
        self._keeper.keep(encoded, predictions)
        adaptive = self._run.config.region_plan.adaptive
        values: dict[str, dict[str, Any]] = {id_: {f.error_field(self._run.key): why} for id_, why in failed.items()}
        for image, prediction in zip(encoded, predictions, strict=True):
            values[image.id] = sample_values(self._run, prediction.methods, prediction.regions)
            if adaptive:
                values[image.id][f.encodes_field(self._run.key)] = image.taken
        write_fields(self._run.dataset, values)
        self.written += len(outcomes)


def sample_values(
    run: RunRecord, methods: Mapping[str, MethodPrediction], regions: Sequence[DisplayedRegion] | None
) -> dict[str, Any]:
    """Gives the values of a run's fields on a sample that has been predicted.

    Args:
        run: the run
        methods: method name to its prediction
        regions: the regions worth looking at; None leaves that field alone

    Returns:
        field to document
    """
    config = run.config
    values: dict[str, Any] = {f.error_field(run.key): None}
    if regions is not None and f.regions_field(run.key) in run.fields:
        values[f.regions_field(run.key)] = detections(regions, config.classes)
    for name, prediction in methods.items():
        values[f.method_field(run.key, name)] = classification(prediction, config.classes, logits=config.logits)
    return values


def record_outcome(
    run: RunRecord,
    plan: Prepared,
    before: dict[str, Any],
    stats: EngineStats,
    seconds: float,
    *,
    status: str,
    stored: dict[str, object],
    warnings: Sequence[str],
    device: str,
) -> None:
    """Writes counts and timings; times and encodes add up over the calls that a run took."""
    recalled = before.get("images_recalled", 0) + stats.recalled
    images = before.get("images_encoded", 0) + stats.images - stats.recalled
    encodes = before.get("encodes", 0) + stats.encodes
    seconds = before.get("seconds", 0.0) + seconds
    run.results.update(
        _outcome_counts(run, plan),
        status=status,
        images_encoded=images,
        images_recalled=recalled,
        encodes=encodes,
        encodes_per_image=encodes / images if images else 0.0,
        **_budget_outcome(plan, before, stats),
        planned_encodes_per_image=plan.request.region_plan.encodes_per_image,
        seconds=seconds,
        images_per_second=(images + recalled) / seconds if seconds else 0.0,
        encodes_per_second=encodes / seconds if seconds else 0.0,
        templates=list(plan.texts.from_templates),
        warnings=list(warnings),
        stored=stored,
        device=device,
        version=__version__,
    )
    if stats.images:
        engine = {name: value for name, value in asdict(stats).items() if name != "levels"}
        run.results["engine"] = {**engine, "batch_fill": stats.batch_fill}
    record_own(run)


def _budget_outcome(plan: Prepared, before: dict[str, Any], stats: EngineStats) -> dict[str, Any]:
    """Tells, of an adaptive budget, how many images have stopped after how many crops, over all calls."""
    levels = plan.request.region_plan.levels
    if len(levels) == 1:
        return {}
    found: dict[str, int] = dict(before.get("stopped_after", {}))
    for level, images in stats.levels.items():
        crops = str(max(levels[level].n_crops, levels[level].n_chains))
        found[crops] = found.get(crops, 0) + images
    return {"stopped_after": {crops: found[crops] for crops in sorted(found, key=int)}}


def _outcome_counts(run: RunRecord, plan: Prepared) -> dict[str, Any]:
    """Counts, from what is stored now, how each sample of the run ended, and how those of this call did."""
    target = plan.request.target
    finished = finished_samples(plan.request, plan.sample_ids)
    stored = target.stored(plan.sample_ids, [f.error_field(run.key)])
    failed = {id_ for id_, (reason,) in stored.items() if reason is not None} - finished
    skipped = len(plan.sample_ids) - len(stored)
    counts = {
        "predicted": target.count_filled([f.method_field(run.key, method.name) for method in plan.config.methods]),
        "failed": target.count_filled([f.error_field(run.key)]),
        "skipped": skipped,
        "pending": len(stored) - len(finished) - len(failed),
    }
    reasons = {"deleted from the dataset during the run": skipped} if skipped else {}
    return {"total": sum(counts.values()), **counts, "skipped_reasons": reasons}
