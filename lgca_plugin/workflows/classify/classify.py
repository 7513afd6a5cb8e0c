"""The use case: samples through the engine into fields."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import DEFAULT_BUDGET, DEFAULT_METHODS, DEFAULT_RUN_KEY, DEFAULT_SHOWN_CHAINS, RegionConfig
from ...engine.engine import encode_images
from ...engine.feeder import EngineStats
from ...engine.region_expansion import FailedImage
from ...errors import ImageError
from ...fiftyone_io import fields as f
from ...progress import drive
from ...runs.record import Run
from ...runs.registry import DONE, INTERRUPTED, RUNNING, decided, forget_run, record_own, register_run
from .embedding_writer import Keeper
from .plan import Plan, Prepared, check_request, prepare
from .writer import Writer, check_current, record_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from ...encoder.open_clip_encoder import Encoder
    from ...method.core.scores import Method

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a run has got.

    Attributes:
        done: samples written in this call, failed ones included
        total: samples to do in this call
        label: one line for people
    """

    done: int
    total: int
    label: str


def classify(
    samples: Any,
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
    progress: bool | Callable[[Progress], object] | None = None,
    *,
    logits: bool = False,
    shown_chains: int = DEFAULT_SHOWN_CHAINS,
    store_regions: bool = True,
    budget: str = DEFAULT_BUDGET,
) -> Run:
    """Classifies image samples zero-shot with several methods and writes the results onto them.

    For run key K every sample gets ``K_METHOD`` (Classification with label, confidence and margin) for each method,
    ``K_regions`` (Detections: the chains worth looking at) and, where it failed, ``K_error``, the reason. A second call
    with the same run key and settings does only what is missing, so an interrupted run goes on where it stopped.

    Args:
        samples: a FiftyOne dataset or view of images; of a grouped one, the active slice
        classes: the candidate classes, at least two; None takes the distinct labels of ``ground_truth``
        descriptions: class name to texts that describe it, or the path of a JSON file with such an object; None takes a
            template ensemble
        methods: names from :data:`lgca_plugin.METHODS`, or presets of your own
        run_key: names the fields and the run's record; an identifier
        encoder: an encoder, an open_clip model name, ``"demo"``, or None for ``ViT-B-32-quickgelu`` with OpenAI's
            weights
        regions: which regions are encoded; None takes the published settings
        ground_truth: Classification field with the given labels, if there is one
        batch_size: crops in one call of the encoder; None chooses by device
        device: where a model that is loaded here runs; None takes the best there is
        precision: floating-point type of a model that is loaded here: ``"auto"``, ``"fp32"``, ``"bf16"``, ``"fp16"``
        overwrite: replace the run that exists under the key, with its fields
        skip_failures: go on after an image that can't be used; False stops there and raises
        progress: True or None shows a progress bar as FiftyOne is configured to, False none; or a function of
            :class:`Progress`
        logits: write all class scores onto the labels
        shown_chains: how many chains of each image are written as boxes
        store_regions: keep the embeddings of all regions on disk (float32: 178 KB an image at the defaults with a
            ViT-B), for evidence, for rescoring with other weights, and so that a later run on the same images encodes
            nothing; one vector an image and method is kept in any case, and so is what a triage of this run wants to
            know of the regions
        budget: ``"full"``: all crops of every image; ``"adaptive"``: an image stops as soon as its labels are safe,
            which means that the rest of the crops would change that of any method, but for the controls, with a
            probability of 0.5% at most; :mod:`lgca_plugin.method.core.stopping` derives the rule

    Returns:
        the run, with counts and timings in ``run.summary()``

    Raises:
        ConfigError: if an argument is wrong, before anything is written
        ModelUnavailableError: if the model can't be loaded, before anything is written
        ImageError: if an image can't be used and ``skip_failures`` is False
        LgcaError: if somebody deletes the run, or starts it again, while this call still writes to it
    """
    steps = iter_classify(
        samples,
        classes=classes,
        descriptions=descriptions,
        methods=methods,
        run_key=run_key,
        encoder=encoder,
        regions=regions,
        ground_truth=ground_truth,
        batch_size=batch_size,
        device=device,
        precision=precision,
        overwrite=overwrite,
        skip_failures=skip_failures,
        logits=logits,
        shown_chains=shown_chains,
        store_regions=store_regions,
        budget=budget,
    )
    return drive(steps, progress, unit="images")


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
) -> Generator[Progress, None, Run]:
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
) -> Generator[Progress, None, Run]:
    run, replaced = open_run(plan)
    for warning in plan.warnings:
        logger.warning(warning)
    stats = EngineStats()
    keeper = Keeper(plan, run, with_regions=store_regions, replaces=replaced)
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
                judge=plan.predictor.judge,
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
            keeper.settle()
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


def open_run(plan: Prepared) -> tuple[Run, str | None]:
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
