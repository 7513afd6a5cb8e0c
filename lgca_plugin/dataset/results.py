"""Writing what comes out of the engine onto the samples, and the outcome onto the run's record."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..batches import EngineStats
from ..errors import LgcaError
from ..growing import EncodedImage, FailedImage
from . import fields as f
from .plan import finished_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .plan import Plan
    from .runs import Run
    from .target import Target

WRITE_IMAGES = 64
WRITE_SECONDS = 5.0


class Writer:
    """Scores outcomes in batches and writes them; the labels come last, so a sample that has them all is complete."""

    def __init__(self, plan: Plan, run: Run) -> None:
        self._plan = plan
        self._run = run
        self._key = run.key
        self._pending: list[EncodedImage[str] | FailedImage[str]] = []
        self._last_flush = time.perf_counter()

    def add(self, outcome: EncodedImage[str] | FailedImage[str]) -> None:
        """Takes one outcome; it is written by the next :meth:`flush`."""
        self._pending.append(outcome)

    def is_due(self) -> bool:
        """Tells whether enough has come together, or enough time gone by, for a write."""
        waited = time.perf_counter() - self._last_flush
        return len(self._pending) >= WRITE_IMAGES or waited >= WRITE_SECONDS

    def flush(self) -> None:
        """Scores and writes all outcomes taken so far."""
        outcomes, self._pending = self._pending, []
        self._last_flush = time.perf_counter()
        if not outcomes:
            return
        if not self._run.is_current():
            raise LgcaError(f"run {self._run.key!r} was deleted or started again elsewhere, so this one has stopped")
        encoded = [outcome for outcome in outcomes if isinstance(outcome, EncodedImage)]
        failed = {outcome.id: outcome.reason for outcome in outcomes if isinstance(outcome, FailedImage)}
        predictions = self._plan.predictor.predict(encoded)
        classes, methods = self._plan.config.classes, self._plan.config.methods
        reasons: dict[str, str | None] = {**{image.id: None for image in encoded}, **failed}
        self._set(f.error_field(self._key), reasons)
        if f.regions_field(self._key) in f.run_fields(self._key, methods):
            boxes = [f.detections(prediction.regions, classes) for prediction in predictions]
            self._set(f.regions_field(self._key), _by_id(encoded, boxes))
        for method in methods:
            labels = [
                f.classification(prediction.methods[method.name], classes, logits=self._plan.config.logits)
                for prediction in predictions
            ]
            self._set(f.method_field(self._key, method.name), _by_id(encoded, labels))

    def _set(self, field: str, values: Mapping[str, object]) -> None:
        if values:
            samples = self._plan.request.target.writable
            samples.set_values(field, values, key_field="id", validate=False, progress=False)


def _by_id(images: Iterable[EncodedImage[str]], values: Iterable[object]) -> dict[str, object]:
    return {image.id: value for image, value in zip(images, values, strict=True)}


def record_outcome(
    run: Run, plan: Plan, before: dict[str, Any], stats: EngineStats, seconds: float, status: str
) -> None:
    """Writes counts and timings; times and encodes add up over the calls that a run took."""
    images = before.get("images_encoded", 0) + stats.images
    encodes = before.get("encodes", 0) + stats.encodes
    seconds = before.get("seconds", 0.0) + seconds
    run.results.update(
        _outcome_counts(run, plan),
        status=status,
        images_encoded=images,
        encodes=encodes,
        encodes_per_image=encodes / images if images else 0.0,
        planned_encodes_per_image=plan.request.region_plan.encodes_per_image,
        seconds=seconds,
        images_per_second=images / seconds if seconds else 0.0,
        encodes_per_second=encodes / seconds if seconds else 0.0,
        templates=list(plan.texts.from_templates),
        warnings=plan.warnings,
        device=str(getattr(plan.encoder, "device", "unknown")),
        version=__version__,
    )
    if stats.images:
        run.results["engine"] = {**asdict(stats), "batch_fill": stats.batch_fill}
    run.save()


def _outcome_counts(run: Run, plan: Plan) -> dict[str, Any]:
    """Counts, from what is stored now, how each sample of the run ended, and how those of this call did."""
    target = plan.request.target
    finished = finished_samples(plan.request, plan.sample_ids)
    stored = target.stored(plan.sample_ids, [f.error_field(run.key)])
    failed = {id_ for id_, (reason,) in stored.items() if reason is not None} - finished
    skipped = len(plan.sample_ids) - len(stored)
    counts = {
        "predicted": _count(target, *(f.method_field(run.key, method.name) for method in plan.config.methods)),
        "failed": _count(target, f.error_field(run.key)),
        "skipped": skipped,
        "pending": len(stored) - len(finished) - len(failed),
    }
    reasons = {"deleted from the dataset during the run": skipped} if skipped else {}
    return {"total": sum(counts.values()), **counts, "skipped_reasons": reasons}


def _count(target: Target, *fields: str) -> int:
    """Counts the samples of the dataset that have a value in all of some fields."""
    samples = target.writable
    for field in fields:
        samples = samples.exists(field)
    return len(samples)
