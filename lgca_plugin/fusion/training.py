"""Training of a fusion: what is learnt from labels, how long, and whether at all, by cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..progress import Progress
from .weights import Fusion, FusionWeights

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..method.fusion.nodes import EncoderClasses
    from .labelled import Labelled, Reader
    from .settings import FusionSettings

MIN_LABELS = 30
"""Minimum number of labels to learn from; with fewer, or of one class alone, nothing is learnt."""
MEMORY_BYTES = 1024**3
"""Maximum size of the nodes in memory: 3,000 images of 88 regions of two ViT-B."""


def fit(
    read: Reader,
    labels: Mapping[str, int],
    classes: Sequence[EncoderClasses],
    settings: FusionSettings,
    *,
    groups: Mapping[str, str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Generator[Progress, None, Fusion]:
    """Learns a fusion from labels; yields progress.

    The labels are parted into folds. For each a model is trained on the others, and asked about this one after each
    number of steps: the number whose answers have the least mean log loss is taken, for these models, which answer for
    their fold, and for the final one, trained on all. Less may be learnt than the graph: how much each encoder counts
    (one number each), or that with the features' weights and a bias for each class (0 steps).

    Args:
        read: reads the nodes of samples
        labels: sample id to class index
        classes: of each encoder, the same classes
        settings: of the fusion
        groups: sample id to what is the same for samples that must not be parted, such as a file's hash
        memory_bytes: maximum size of the images in memory; labels beyond it are not learnt from

    Returns:
        the fusion; its report holds ``labels`` (number learnt from), ``steps`` (the number taken; -1 where only the
        encoders' shares are learnt; None where nothing is), ``losses`` (of each number) and ``accuracies`` (likewise)
    """
    from .fitting import Fit
    from .labelled import read_labelled

    dims = [own.vectors.shape[1] for own in classes]
    n_classes = len(classes[0].vectors)
    untrained = FusionWeights.untrained(dims, n_classes, settings)
    report: dict[str, Any] = {"labels": 0, "steps": None, "losses": {}, "accuracies": {}, "folds": 0}
    if len(labels) < MIN_LABELS or len(set(labels.values())) < 2:
        return Fusion(final=untrained, report=report)
    yield Progress(0, 0, "Reading the labelled images")
    data = read_labelled(
        read,
        labels,
        classes,
        steps=settings.expansion_steps,
        seed=settings.seed,
        memory_bytes=memory_bytes,
    )
    if len(data) < MIN_LABELS or len(set(data.labels.tolist())) < 2:
        return Fusion(final=untrained, report=report)
    fold_of = _folds(data, settings, groups or {})
    fits = []
    losses: list[dict[int, NDArray[np.float64]]] = []
    hits: list[dict[int, NDArray[np.bool_]]] = []
    total = (settings.folds + 1) * (max(settings.steps) + 1)
    for fold in range(settings.folds):
        own, others = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        one = Fit(data, others, classes, settings, held_out=own)
        for done in one.steps():
            at = fold * (max(settings.steps) + 1) + done
            yield Progress(at, total, f"Learning without part {fold + 1} of {settings.folds}")
        fits.append(one)
        losses.append(one.losses)
        hits.append(one.hits)
    mean = {at: float(np.concatenate([of_fold[at] for of_fold in losses]).mean()) for at in losses[0]}
    right = {at: float(np.concatenate([of_fold[at] for of_fold in hits]).mean()) for at in hits[0]}
    chosen = min(mean, key=lambda at: (mean[at], at))
    last = Fit(data, np.arange(len(data)), classes, settings, until=chosen)
    for done in last.steps():
        yield Progress(settings.folds * (max(settings.steps) + 1) + done, total, f"Learning from {len(data):,} labels")
    report |= {
        "labels": len(data),
        "steps": chosen,
        "losses": {str(at): value for at, value in mean.items()},
        "accuracies": {str(at): value for at, value in right.items()},
        "folds": settings.folds,
    }
    return Fusion(
        final=last.weights[chosen],
        by_fold=tuple(one.weights[chosen] for one in fits),
        fold_of=dict(zip(data.ids, fold_of.tolist(), strict=True)),
        report=report,
    )


def _folds(data: Labelled, settings: FusionSettings, groups: Mapping[str, str]) -> NDArray[np.int64]:
    """Returns ``[n]`` the fold of each image: every class in all folds, each group in one."""
    rng = np.random.default_rng(settings.seed + 1)
    labels = data.labels.numpy()
    keys = [groups.get(id_, id_) for id_ in data.ids]
    members: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        members.setdefault(key, []).append(row)
    first = {key: labels[rows[0]] for key, rows in members.items()}
    fold_of = np.zeros(len(labels), np.int64)
    start = 0
    for name in np.unique(labels):
        own = [key for key, label in first.items() if label == name]
        for at, chosen in enumerate(rng.permutation(len(own))):
            fold_of[members[own[chosen]]] = (start + at) % settings.folds
        start += len(own)  # so that folds have the same size even if classes have one label each
    return fold_of
