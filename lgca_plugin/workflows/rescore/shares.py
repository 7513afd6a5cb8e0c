"""Known shares of the classes in a rescoring: the offsets of all methods are found.

The offsets depend on all images, so what is stored of them is scored twice: once for the offsets, before anything is
written, and once more for the labels.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...method.core.methods import learned_method
from ...method.core.scores import confidences
from ...method.labels.class_shares import changed_labels, share_offsets
from ...prediction.score_file import ScoreFile
from ...prediction.share_entry import ShareEntry
from ...progress import Progress
from ...runs.replay import replay

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from numpy.typing import NDArray

    from ...store.store import Store
    from .plan import RescorePlan

STEP = "Shares of the classes"


def with_shares(store: Store, plan: RescorePlan, images_at_once: int) -> Generator[Progress, None, RescorePlan]:
    """Finds the offsets of all methods; yields progress and returns the plan with them, or as it is without shares."""
    counted, methods = plan.counted, plan.prepared.config.methods
    if counted is None:
        return plan
    with ExitStack() as stack:
        tables = {method.name: ScoreFile(len(counted.counts)) for method in methods}
        for table in tables.values():
            stack.callback(table.close)
        total = len(plan.ids) * (bool(plan.from_vectors) + bool(plan.from_regions))
        done = 0
        for seen, logits in _logits(store, plan, images_at_once):
            for name, own in logits.items():
                tables[name].add(np.arange(len(own)), confidences(own, 1.0))
            done += seen
            yield Progress(min(done, total), total, f"{STEP}: {done:,} of {total:,} images")
        offsets, changed = {}, {}
        for name, table in tables.items():
            yield Progress(total, total, STEP)
            offsets[name], changed[name] = _offsets(table.array(), np.array(counted.counts))
    entry = ShareEntry(
        counts=counted.counts,
        images=len(plan.ids),
        offsets={name: tuple(own.tolist()) for name, own in offsets.items()},
        changed=changed,
    )
    plan.prepared.predictor.follow_shares(offsets)
    learned, fused = learned_method(methods), plan.fused
    if fused is not None and learned is not None:
        fused = replace(fused, run=replace(fused.run, offsets=offsets[learned.name]))
    return replace(plan, fused=fused, shares=entry)


def _offsets(probabilities: NDArray[np.float32], counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """Returns a method's offsets, and how many labels they change; none without an image."""
    if not len(probabilities):
        return np.zeros(len(counts)), 0
    offsets = share_offsets(probabilities, counts)
    return offsets, changed_labels(probabilities, offsets)


def _logits(
    store: Store, plan: RescorePlan, images_at_once: int
) -> Iterator[tuple[int, Mapping[str, NDArray[np.floating]]]]:
    """Yields numbers of images, and by method their ``[b, C]`` logits without offsets."""
    predictor, ids = plan.prepared.predictor, set(plan.ids)
    if plan.from_vectors:
        for batch, vectors in store.image_vectors(plan.stored):
            rows = np.array([id_ in ids for id_ in batch], dtype=bool)
            yield (
                int(rows.sum()),
                {
                    method.name: predictor.logits_from_vectors(method, vectors[rows, row])
                    for method, row in plan.from_vectors
                },
            )
    if not plan.from_regions:
        return
    names = [method.name for method in plan.from_regions]
    learned = learned_method(plan.from_regions)
    regions = plan.prepared.request.region_plan
    with closing(replay(store, plan.stored, plan.ids, regions, at_once=images_at_once)) as batches:
        for images, incomplete in batches:
            if not images:
                yield len(incomplete), {}
                continue
            logits = {name: own for name, own in predictor.logits(images).items() if name in names}
            if learned is not None and plan.fused is not None:
                _, logits[learned.name] = plan.fused.run.own_logits(*plan.fused.run.nodes_beside(images))
            yield len(images) + len(incomplete), logits
