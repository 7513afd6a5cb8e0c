"""Compares settings of a run on labelled samples, from stored embeddings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config import RegionPlan, check_methods
from ...errors import ConfigError, shown
from ...fiftyone_io.label_fields import label_path
from ...fiftyone_io.samples import ImageSamples
from ...method.core.methods import CONTROLS, learned_method
from ...method.tuning.scorer import SettingsScorer
from ...method.tuning.sweep import Sweep, default_grid
from ...prediction.displayed_regions import stack_images
from ...progress import Progress
from ...runs.replay import replay
from ...runs.stored_run import check_has_encoder, stored_run
from ...runs.stored_texts import StoredTexts, changed_texts
from ...store.store import Store
from .request import check_was_encoded

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...method.core.regions import RegionKind
    from ...method.tuning.sweep import SweepReport
    from ...runs.record import RunRecord


def iter_sweep(
    run: RunRecord,
    *,
    ground_truth: str | None,
    methods: Sequence[str | Method] | None,
    settings: Sequence[Method] | None,
    folds: int,
    repeats: int,
    seed: int,
    max_samples: int | None,
    encoder: Encoder | None,
) -> Generator[Progress, None, SweepReport]:
    """Does what :meth:`lgca_plugin.Run.sweep` does, as a generator that yields progress and returns the report."""
    check_has_encoder(run)
    field = run.config.ground_truth if ground_truth is None else ground_truth
    if max_samples is not None and (isinstance(max_samples, bool) or max_samples < folds):
        raise ConfigError(f"max_samples must be at least the number of folds, {folds}, got {shown(max_samples)}")
    presets = _presets(run, methods, settings)
    plan = RegionPlan.of(presets, run.config.regions, run.config.budget)
    target = ImageSamples.whole(run.dataset)
    if field is not None:
        target.check_label_field(field)
    with Store() as store:
        stored = stored_run(store, run)
        texts = changed_texts(run, run.config.classes, None)
        encoded = StoredTexts(store, stored, run, encoder)
        scorer = SettingsScorer(
            presets,
            lambda method: texts.class_vectors(encoded, method),
            plan.crop_counts,
            logit_scale=encoded.logit_scale,
        )
        sweep = Sweep(scorer)
        labels = target.stored(store.sample_ids(stored), [] if field is None else [label_path(run.dataset, field)])
        truth, excluded = _truth(run, field, labels)
        if max_samples is not None and len(truth) > max_samples:
            excluded["beyond max_samples"] = len(truth) - max_samples
            chosen = np.random.default_rng(seed).permutation(sorted(truth))[:max_samples]
            truth = {id_: truth[id_] for id_ in sorted(chosen.tolist())}
        ids = list(truth)
        lacking = done = 0
        yield Progress(0, len(ids), f"{len(presets)} settings on {len(ids):,} samples")
        for images, incomplete in replay(store, stored, ids, plan):
            lacking += len(incomplete)
            if images:
                sweep.add(stack_images(images), np.array([truth[image.id] for image in images]))
            done += len(images) + len(incomplete)
            yield Progress(done, len(ids), f"{len(presets)} settings on {done:,} of {len(ids):,} samples")
    if lacking:
        excluded["without region embeddings in the store"] = lacking
        if lacking == len(ids):
            raise ConfigError(
                f"no sample of run {run.key!r} has its region embeddings in the store; "
                "lgca.classify with the same settings and overwrite=True encodes them again"
            )
    if field is None:
        return replace(sweep.hint(), excluded=excluded)
    report = sweep.report(folds=folds, repeats=repeats, seed=seed)
    return replace(report, excluded=excluded)


def _presets(
    run: RunRecord, methods: Sequence[str | Method] | None, settings: Sequence[Method] | None
) -> tuple[Method, ...]:
    """Returns the presets to compare."""
    config = run.config
    if config.region_plan.adaptive:
        raise ConfigError(
            f"run {run.key!r} has an {config.budget} budget: its crops were chosen to settle its own settings, so "
            "others can't be compared with them; sweep a run with budget='full', which encodes only what is missing"
        )
    if settings is not None and methods is not None:
        raise ConfigError("pass methods, whose settings are varied, or settings of your own, not both")
    if settings is None:
        chosen = [method for method in config.methods if _is_varied(method)] if methods is None else methods
        plan = config.region_plan
        settings = default_grid(check_methods(chosen, config.methods), steps=plan.steps, regions=_encoded(plan))
    learned = learned_method(settings)
    if learned is not None:
        raise ConfigError(f"{learned.name!r} is learned and has no settings to compare; sweep the run's other methods")
    if not settings:
        raise ConfigError("settings is empty; leave it out for a grid around the run's own")
    check_was_encoded(run, settings, config.regions)
    return tuple(settings)


def _encoded(plan: RegionPlan) -> list[RegionKind]:
    """Returns the kinds of regions that a run has encoded, as methods name them."""
    kinds: dict[RegionKind, int] = {
        "crops": plan.n_crops,
        "chains": plan.n_chains,
        "all": min(plan.n_crops, plan.n_chains),
    }
    return [kind for kind, count in kinds.items() if count]


def _is_varied(method: Method) -> bool:
    """Returns whether a sweep varies a method by default: no control, nor one that is learned, has settings to find."""
    return method.name not in CONTROLS and method.weighting != "learned"


def _truth(
    run: RunRecord, ground_truth: str | None, stored: Mapping[str, tuple[Any, ...]]
) -> tuple[dict[str, int], dict[str, int]]:
    """Returns sample id to class index of its label (-1 without labels), and reason to number of samples left out."""
    if ground_truth is None:
        return dict.fromkeys(stored, -1), {}
    labels = {id_: label for id_, (label,) in stored.items()}
    index = {name: position for position, name in enumerate(run.config.classes)}
    truth = {id_: index[label] for id_, label in labels.items() if label in index}
    if not truth:
        raise ConfigError(f"no sample of run {run.key!r} has a label in {ground_truth!r} that is a class of the run")
    blank = sum(not label for label in labels.values())
    excluded = {
        "without a label": blank,
        "with a label that is no class of the run": len(labels) - len(truth) - blank,
    }
    return truth, {why: count for why, count in excluded.items() if count}
