"""Compares settings of a run on labelled samples, from stored embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config import RegionPlan, check_methods
from ...errors import ConfigError
from ...fiftyone_io.samples import ImageSamples
from ...method.core.methods import CONTROLS
from ...method.tuning.scorer import SettingsScorer
from ...method.tuning.sweep import Sweep, default_grid
from ...prediction.displayed_regions import stack_images
from ...progress import Progress
from ...runs.replay import replay
from ...runs.stored_texts import StoredTexts, changed_texts, stored_run
from ...store.store import Store
from .plan import check_was_encoded

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...method.tuning.sweep import SweepReport
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """A sweep, checked as far as that needs neither the store nor a model.

    Attributes:
        run: the run whose embeddings are used
        ground_truth: label field; None for a report that needs no labels
        settings: the presets to compare
        plan: the regions that they need
        folds: number of folds of the nested cross-validation
        repeats: number of ways to split the samples
        seed: seed of the splits, and of the choice of samples
        max_samples: maximum number of samples
    """

    run: RunRecord
    ground_truth: str | None
    settings: tuple[Method, ...]
    plan: RegionPlan
    folds: int
    repeats: int
    seed: int
    max_samples: int | None


def check_sweep(
    run: RunRecord,
    *,
    ground_truth: str | None,
    methods: Sequence[str | Method] | None,
    settings: Sequence[Method] | None,
    folds: int,
    repeats: int,
    seed: int,
    max_samples: int | None,
) -> SweepRequest:
    """Checks the arguments of :meth:`lgca_plugin.Run.sweep`.

    Raises:
        ConfigError: if an argument is wrong, or needs regions that were not encoded
    """
    config = run.config
    if config.region_plan.adaptive:
        raise ConfigError(
            f"run {run.key!r} has an adaptive budget: its crops were chosen to settle its own settings, so others "
            "can't be compared with them; sweep a run with budget='full', which encodes only what is missing"
        )
    field = config.ground_truth if ground_truth is None else ground_truth
    if field is not None:
        ImageSamples.whole(run.dataset).check_label_field(field)
    if settings is not None and methods is not None:
        raise ConfigError("pass methods, whose settings are varied, or settings of your own, not both")
    if settings is None:
        chosen = [method for method in config.methods if method.name not in CONTROLS] if methods is None else methods
        settings = default_grid(check_methods(chosen), steps=config.region_plan.steps)
    if not settings:
        raise ConfigError("settings is empty; leave it out for a grid around the run's own")
    if max_samples is not None and (isinstance(max_samples, bool) or max_samples < folds):
        raise ConfigError(f"max_samples must be at least the number of folds, {folds}, got {max_samples!r}")
    check_was_encoded(run, settings, config.regions)
    return SweepRequest(
        run=run,
        ground_truth=field,
        settings=tuple(settings),
        plan=RegionPlan.of(tuple(settings), config.regions),
        folds=folds,
        repeats=repeats,
        seed=seed,
        max_samples=max_samples,
    )


def iter_sweep(request: SweepRequest, *, encoder: Encoder | None = None) -> Generator[Progress, None, SweepReport]:
    """Does what :meth:`lgca_plugin.Run.sweep` does, as a generator that yields progress and returns the report."""
    run, plan = request.run, request.plan
    with Store() as store:
        stored = stored_run(store, run)
        texts = changed_texts(run, run.config.classes, None)
        encoded = StoredTexts(store, stored, run, encoder)
        scorer = SettingsScorer(
            request.settings,
            lambda method: texts.class_vectors(encoded, method),
            plan.crop_counts,
            logit_scale=encoded.logit_scale,
        )
        sweep = Sweep(scorer)
        truth, excluded = _truth(request, store, stored)
        ids = list(truth)
        lacking = done = 0
        yield Progress(0, len(ids), f"{len(request.settings)} settings on {len(ids):,} samples")
        for images, incomplete in replay(store, stored, ids, plan):
            lacking += len(incomplete)
            if images:
                sweep.add(stack_images(images), np.array([truth[image.id] for image in images]))
            done += len(images) + len(incomplete)
            yield Progress(done, len(ids), f"{len(request.settings)} settings on {done:,} of {len(ids):,} samples")
    if lacking:
        excluded["without region embeddings in the store"] = lacking
        if lacking == len(ids):
            raise ConfigError(
                f"no sample of run {run.key!r} has its region embeddings in the store; "
                "lgca.classify with the same settings and overwrite=True encodes them again"
            )
    if request.ground_truth is None:
        return replace(sweep.hint(), excluded=excluded)
    report = sweep.report(folds=request.folds, repeats=request.repeats, seed=request.seed)
    return replace(report, excluded=excluded)


def _truth(request: SweepRequest, store: Store, stored: StoredRun) -> tuple[dict[str, int], dict[str, int]]:
    """Returns sample id to class index of its label (-1 without labels), and reason to number of samples left out."""
    run = request.run
    target = ImageSamples.whole(run.dataset)
    held = store.sample_ids(stored)
    excluded: dict[str, int] = {}
    truth: dict[str, int]
    if request.ground_truth is None:
        truth = dict.fromkeys(target.stored(held, []), -1)
    else:
        labels: dict[str, Any] = {
            id_: label for id_, (label,) in target.stored(held, [f"{request.ground_truth}.label"]).items()
        }
        index = {name: position for position, name in enumerate(run.config.classes)}
        truth = {id_: index[label] for id_, label in labels.items() if label in index}
        excluded["without a label"] = sum(not label for label in labels.values())
        excluded["with a label that is no class of the run"] = len(labels) - len(truth) - excluded["without a label"]
        if not truth:
            raise ConfigError(
                f"no sample of run {run.key!r} has a label in {request.ground_truth!r} that is a class of the run"
            )
    if request.max_samples is not None and len(truth) > request.max_samples:
        excluded["beyond max_samples"] = len(truth) - request.max_samples
        ids = np.random.default_rng(request.seed).permutation(sorted(truth))[: request.max_samples]
        truth = {id_: truth[id_] for id_ in sorted(ids.tolist())}
    return truth, {why: count for why, count in excluded.items() if count}
