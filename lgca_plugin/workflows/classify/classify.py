"""The use case: samples through the engine into fields."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ...config import DEFAULT_BUDGET, DEFAULT_METHODS, DEFAULT_RUN_KEY, DEFAULT_SHOWN_CHAINS, RegionConfig
from ...engine.embeddings import FailedImage
from ...engine.engine import encode_images
from ...engine.feeder import EngineStats
from ...errors import ImageError
from ...fiftyone_io import fields as f
from ...progress import Progress
from ...runs.delete import forget_run
from ...runs.record import RunRecord, check_current
from ...runs.registry import DONE, INTERRUPTED, RUNNING, decided, record_own, register_run
from .embedding_writer import EmbeddingWriter
from .plan import Plan, Prepared, check_request, prepare
from .writer import Writer, record_outcome

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from ...encoder.protocol import Encoder
    from ...method.core.scores import Method

logger = logging.getLogger(__name__)


def iter_classify(
    samples: Any,
    *,
    classes: Sequence[str] | None = None,
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
    methods: Sequence[str | Method] = DEFAULT_METHODS,
    run_key: str = DEFAULT_RUN_KEY,
    encoder: Encoder | str | None = None,
    regions: RegionConfig | None = None,
    ground_truth: str | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    overwrite: bool = False,
    skip_failures: bool = True,
    logits: bool = False,
    shown_chains: int = DEFAULT_SHOWN_CHAINS,
    store_regions: bool = True,
    budget: str = DEFAULT_BUDGET,
) -> Generator[Progress, None, RunRecord]:
    """Does what :func:`classify` does, as a generator that yields :class:`Progress` and returns the run.

    Closing the generator stops the run cleanly: what is done is written, and the run can be gone on with.
    """
    request = check_request(
        samples,
        classes=classes,
        methods=methods,
        run_key=run_key,
        regions=regions,
        ground_truth=ground_truth,
        batch_size=batch_size,
        overwrite=overwrite,
        budget=budget,
    )
    yield Progress(0, 0, "Loading the model and embedding the class descriptions")
    plan = prepare(
        request,
        descriptions=descriptions,
        encoder=encoder,
        device=device,
        precision=precision,
        logits=logits,
        shown_chains=shown_chains,
    )
    run = yield from _execute(plan, batch_size=batch_size, skip_failures=skip_failures, store_regions=store_regions)
    return run


def _execute(
    plan: Plan, *, batch_size: int | None, skip_failures: bool, store_regions: bool
) -> Generator[Progress, None, RunRecord]:
    run, replaced = open_run(plan)
    for warning in plan.warnings:
        logger.warning(warning)
    stats = EngineStats()
    keeper = EmbeddingWriter(plan, run, with_regions=store_regions, replaces=replaced)
    writer = Writer(plan, run, keeper)
    total = len(plan.todo)
    started = time.perf_counter()
    before = dict(run.results)
    status = INTERRUPTED
    with closing(keeper), closing(writer):
        try:
            yield Progress(0, total, _progress_label(0, total, 0))
            outcomes = encode_images(
                plan.todo,
                encoder=plan.encoder,
                plan=plan.request.region_plan,
                batch_size=batch_size,
                stats=stats,
                recall=keeper.recall,
                can_stop=plan.predictor.can_stop,
            )
            with closing(outcomes):  # its threads ask the store, which is closed after them
                reported = 0
                for outcome in outcomes:
                    writer.add(outcome)
                    if isinstance(outcome, FailedImage) and not skip_failures:
                        path = dict(plan.todo)[outcome.id]
                        raise ImageError(f"{path}: {outcome.reason}")
                    if writer.is_due():
                        writer.flush()
                    if writer.written > reported:
                        reported = writer.written
                        yield Progress(reported, total, _progress_label(reported, total, time.perf_counter() - started))
            writer.finish()
            if reported < total:
                yield Progress(total, total, _progress_label(total, total, time.perf_counter() - started))
            status = DONE
            keeper.release_replaced()
        finally:
            if run.is_current():
                try:
                    writer.finish()
                finally:
                    record_outcome(
                        run,
                        plan,
                        before,
                        stats,
                        time.perf_counter() - started,
                        status=status,
                        stored=keeper.outcome(),
                        warnings=[*plan.warnings, *keeper.warnings],
                        device=str(getattr(plan.encoder, "device", "unknown")),
                    )
    return run


def open_run(plan: Prepared) -> tuple[RunRecord, str | None]:
    """Registers the run (or takes up the one that exists) and declares its fields, before anything is written.

    Returns:
        the run, and the token of the one that it replaces, if any: what that one holds in the store is still there
    """
    request = plan.request
    dataset = request.target.dataset
    if request.run is not None:
        check_current(request.run)
    # Decisions are a person's, and about labels: they outlive the predictions that suggested them.
    kept = decided(dataset, request.run_key) if request.replaces else {}
    made_before = kept.pop("made", {})
    replaced = forget_run(dataset, request.run_key, keep=kept.get("triage_fields", ())) if request.replaces else None
    run = request.run or register_run(dataset, request.run_key, plan.config, kept)
    adaptive = request.region_plan.adaptive
    f.declare_fields(dataset, request.run_key, request.methods, adaptive=adaptive)
    if "made" not in run.results:
        made = f.arrange_app(dataset, request.run_key, request.methods, adaptive=adaptive)
        run.results["made"] = {name: done or bool(made_before.get(name)) for name, done in made.items()}
    run.results["status"] = RUNNING
    run.results["descriptions"] = {name: list(texts) for name, texts in plan.texts.descriptions.items()}
    run.results["total"] = len(plan.sample_ids)
    run.results["encoder_source"] = plan.encoder_source
    run.results["templates"] = list(plan.texts.from_templates)
    record_own(run)
    return run, replaced


def _progress_label(done: int, total: int, seconds: float) -> str:
    if not total:
        return "Every sample has its predictions already"
    speed = f", {done / seconds:.1f} images/s" if done and seconds else ""
    left = f", about {_duration((total - done) * seconds / done)} left" if done and done < total else ""
    return f"{done} of {total} images{speed}{left}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
