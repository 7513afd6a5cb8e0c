"""Fuses runs of several encoders: learns from labels, then writes the first run once more with one more method."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ...fiftyone_io.outages import DATABASE_PATIENCE, patient
from ...fusion.training import fit, fit_captions
from ...progress import PARTS, Progress, part_of
from ...runs.fused.opening import assigned_encoders, fusion_for
from ...runs.lease import held_lease, steps_under
from ...runs.record import check_current
from ...runs.replay import IMAGES_AT_ONCE
from ...runs.stored_run import find_stored_run
from ...runs.stored_texts import StoredTexts
from ...store.store import Store
from ..rescore.plan import RescorePlan, prepare_rescore
from ..rescore.rescore import Rescoring
from ..rescore.shares import with_shares
from .captions import captions_to_learn
from .labels import labels_to_learn
from .request import FUSE

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ...encoder.base import Encoder
    from ...fusion.weights import CaptionWeights, Fusion, Learnt, ModelWeights
    from ...runs.lease import Lease
    from ...runs.record import RunRecord
    from .captions import LearnedCaptions
    from .labels import LearnedLabels
    from .request import FuseRequest

logger = logging.getLogger(__name__)

LEARNING_SHARE = 0.8
"""Share of the time of a fusion that learns, up to the first written sample."""


def iter_fuse(
    request: FuseRequest,
    *,
    encoder: Encoder | Sequence[Encoder] | None = None,
    images_at_once: int = IMAGES_AT_ONCE,
    lease: Lease | None = None,
    patience: float = DATABASE_PATIENCE,
) -> Generator[Progress, None, RunRecord]:
    """Does what :func:`lgca_plugin.fuse` does, as a generator that yields progress and returns the fused run.

    ``lease`` is the caller's on the new run's key. A database that is away is waited for, ``patience`` seconds at most.
    """
    with held_lease(lease, request.source.dataset, request.run_key, FUSE) as held:
        steps = _fuse(request, encoder, images_at_once, held)
        return (yield from patient(steps_under(held, steps), patience))


def _fuse(
    request: FuseRequest, encoder: Encoder | Sequence[Encoder] | None, images_at_once: int, lease: Lease
) -> Generator[Progress, None, RunRecord]:
    yield Progress(0, PARTS, "Comparing the samples of the runs")
    with Store() as store:
        plan = prepare_rescore(store, request, encoder=encoder)
        labels = None
        if request.learn_from is not None:
            labels = labels_to_learn(request.source.dataset, request.learn_from, plan.prepared.config.classes, plan.ids)
        captions = None
        if request.captions is not None:
            captions = captions_to_learn(request.source.dataset, request.captions, plan.ids)
        learning = [LEARNING_SHARE * at / 2 for at in range(3)] if labels and captions else [0.0, LEARNING_SHARE]
        learnt, said = yield from part_of(_learn(store, request, plan, labels), *learning[:2])
        if captions is not None:
            said += captions.sentences(len(set(store.content_hashes(plan.stored, list(captions.of)).values())))
            of_captions = _learn_captions(store, request, plan, captions, encoder)
            learnt = replace(learnt, captions=(yield from part_of(of_captions, *learning[-2:])))
        learnt = learnt.with_copies(_hashes(store, request, plan, learnt))
        _check_finite(learnt)
        plan.prepared.warnings[:0] = said
        for warning in plan.prepared.warnings:
            logger.warning(warning)
        lease.renew()  # so that a cancellation during the learning is noticed before anything is written
        lease.check()
        for run in request.runs:
            check_current(run)
        sharing = with_shares(store, _with_learnt(request, plan, learnt, labels), images_at_once)
        start = learning[-1] if learnt.fold_of or captions else 0.0
        plan = yield from part_of(sharing, start, start)
        writing = Rescoring(store, plan, images_at_once, lease, task=request.task).steps()
        return (yield from part_of(writing, start, 1.0))


def _learn(
    store: Store, request: FuseRequest, plan: RescorePlan, labels: LearnedLabels | None
) -> Generator[Progress, None, tuple[Fusion, list[str]]]:
    """Learns from labels; yields progress and returns what was learnt, and sentences for the user."""
    assert plan.fused is not None  # noqa: S101 (the request has a learned method)
    if labels is None:
        return plan.fused.learnt, []
    learnt, files = plan.fused.learnt, None
    if labels.supply.is_enough:
        hashes = store.content_hashes(plan.stored, list(labels.of))
        learnt = yield from fit(plan.fused.run.read, labels.of, plan.fused.run.classes, request.settings, groups=hashes)
        files = len(set(hashes.values()))
    has_learnt = learnt.report.get("steps") is not None
    if not has_learnt and not request.settings.anchored:
        raise ConfigError(
            f"the {len(labels.of):,} labels in {labels.field!r} are too few for anchored=False, which learns all from "
            "them",
            app=f"the {len(labels.of):,} labels in {labels.field!r} are too few for the method as published, which "
            "learns all from them",
        )
    return learnt, labels.sentences(learnt=has_learnt, files=files)


def _learn_captions(
    store: Store,
    request: FuseRequest,
    plan: RescorePlan,
    captions: LearnedCaptions,
    encoder: Encoder | Sequence[Encoder] | None,
) -> Generator[Progress, None, Learnt[CaptionWeights] | None]:
    """Learns from captions; yields progress and returns what was learnt, None if they are too few."""
    assert plan.fused is not None  # noqa: S101 (the request has a learned method)
    entries = [plan.stored, *(entry for entry, _ in request.others(store))]
    encoders = assigned_encoders(encoder, [run.config for run in request.runs])
    texts = [StoredTexts(store, *one) for one in zip(entries, request.runs, encoders, strict=True)]
    learnt = yield from fit_captions(
        plan.fused.run.read,
        captions.of,
        plan.fused.run.classes,
        [own.encode_texts for own in texts],
        replace(request.settings, fused_part=request.settings.anchored),
        groups=store.content_hashes(plan.stored, list(captions.of)),
    )
    return learnt if learnt.report["captions"] else None


def _hashes(store: Store, request: FuseRequest, plan: RescorePlan, learnt: Fusion) -> dict[str, str]:
    """Returns sample id to hash of the image file, of the run's samples and of those that were trained on."""
    trained = {*learnt.fold_of, *(() if learnt.captions is None else learnt.captions.fold_of)}
    if not trained:
        return {}
    entry = None if request.weights is None else find_stored_run(store, request.weights)
    before = {} if entry is None else store.content_hashes(entry, list(trained))
    return {**before, **store.content_hashes(plan.stored, plan.ids)}


def _check_finite(learnt: Fusion) -> None:
    models: list[ModelWeights[Any]] = [*learnt.models().values()]
    models += [] if learnt.captions is None else learnt.captions.models().values()
    if not all(np.isfinite(array).all() for model in models for array in model.arrays.values()):
        raise ConfigError("learning has not come to an end: some weights are no numbers; fuse with another seed")


def _with_learnt(request: FuseRequest, plan: RescorePlan, learnt: Fusion, labels: LearnedLabels | None) -> RescorePlan:
    """Returns the plan with what was learnt, and its report."""
    fused = plan.fused
    assert fused is not None  # noqa: S101 (the request has a learned method)
    given = request.weights
    before: dict[str, Any] = {} if given is None else dict(given.results.get("fusion") or {})
    fusion = None if given is None else given.config.fusion
    config = replace(
        fused.config,
        digest=learnt.digest,
        ground_truth=fused.config.ground_truth if fusion is None else fusion.ground_truth,
        labels=int(learnt.report.get("labels", 0)),
    )
    report = {
        **before,
        "runs": [{"run_key": run.key, "encoder": run.config.encoder} for run in request.runs],
        "ground_truth": config.ground_truth,
        "samples": len(plan.ids),
        "settings": learnt.final.settings.to_json(),
        "factors": [None if np.isnan(value) else float(value) for value in learnt.final.factors],
        **learnt.report,
        **({} if given is None else {"weights_of": given.key}),
        **({} if labels is None else {"unseen": labels.supply.unlabelled}),
        **({} if learnt.captions is None else {"captions": dict(learnt.captions.report)}),
    }
    own = fusion_for(learnt, config, plan.prepared.config.classes)
    return replace(plan, fused=fused.with_learnt(learnt, own, config, report))
