"""Training of a fusion: what is learnt from labels, how long, and whether at all, by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ..progress import Progress
from .settings import FUSED_LABELS
from .weights import CaptionWeights, Fusion, FusionWeights, Learnt

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..method.fusion.nodes import EncoderClasses
    from .fitting import Fit, Model, Task
    from .in_memory import Reader
    from .settings import FusionSettings
    from .weights import Own

Weights = TypeVar("Weights")
MIN_LABELS = 30
"""Minimum number of different images with labels, or captions; with fewer, or of one class alone, nothing is learnt."""
MEMORY_BYTES = 1024**3
"""Size of the nodes in memory at which reading ends: 5,700 images of 88 nodes of two ViT-B; twice that while joined."""


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

    The labels are parted into folds. For each a model is trained on the others, and checked on this one after each
    number of steps, until it loses more and more: the number whose answers have the least mean log loss is taken, for
    these models, which answer for their fold, and for the final one, trained on all. Less may be learnt than the graph:
    how much each encoder counts (one number each), or that with the features' weights and a bias for each class (0
    steps). From :data:`.settings.FUSED_LABELS` labels on, the fused part is chosen in the same way,
    unless the settings say whether there is one.

    Args:
        read: reads the nodes of samples
        labels: sample id to class index
        classes: of each encoder, the same classes
        settings: of the fusion
        groups: sample id to what is the same for samples that must not be parted, such as a file's hash
        memory_bytes: maximum size of the images in memory; labels beyond it are not learnt from

    Returns:
        the fusion; its report holds ``labels`` (number learnt from), ``steps`` (the number taken; -1 where only the
        encoders' shares are learnt; None where nothing is), ``fused_part`` (whether there is one), ``losses`` (of each
        number) and ``accuracies`` (likewise)
    """
    from .labelled import read_labelled

    dims = [own.vectors.shape[1] for own in classes]
    n_classes = len(classes[0].vectors)
    nothing = Fusion(
        final=FusionWeights.untrained(dims, n_classes, settings),
        report={"labels": 0, "steps": None, "losses": {}, "accuracies": {}, "folds": 0},
    )
    groups = groups or {}
    if _different(labels, groups) < MIN_LABELS or len(set(labels.values())) < 2:
        return nothing
    yield Progress(0, 0, "Reading the labelled images")
    task = read_labelled(read, labels, classes, settings, memory_bytes=memory_bytes)
    of_row = task.labels.numpy()
    if _different(task.images.ids, groups) < MIN_LABELS or len(set(of_row.tolist())) < 2:
        return nothing
    tasks = [task]
    if settings.fused_part is None and settings.anchored and len(of_row) >= FUSED_LABELS:
        tasks.append(task.under(replace(settings, fused_part=True)))
    fold_of = folds(task.images.ids, of_row, settings, groups)
    learnt = yield from cross_validated(tasks, fold_of, f"{len(of_row):,} labels")
    return Fusion(
        final=learnt.final,
        by_fold=learnt.by_fold,
        fold_of=dict(zip(task.images.ids, fold_of.tolist(), strict=True)),
        report={"labels": len(of_row), **learnt.report},
    )


def cross_validated(
    tasks: Sequence[Task[Model, Own]], fold_of: NDArray[np.integer], what: str
) -> Generator[Progress, None, Learnt[Own]]:
    """Fits a model to all items, and one without each fold; yields progress.

    Args:
        tasks: n items, the same for each kind of model that there is to choose from
        fold_of: ``[n]`` the fold of each
        what: the items, in words

    Returns:
        what was learnt, by the kind of model and after the number of steps that answer the held-out items with the
        least mean log loss; of equals, the first
    """
    from .fitting import Fit

    parts = tasks[0].settings.folds
    longest = max(tasks[0].settings.steps) + 1
    total = (len(tasks) * parts + 1) * longest
    tried: list[_Tried[Own]] = []
    for number, task in enumerate(tasks):
        fits: list[Fit[Model, Own]] = []
        for fold in range(parts):
            own, others = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
            fits.append(Fit(task, others, held_out=own))
            before = (number * parts + fold) * longest
            for done in fits[-1].steps():
                yield Progress(before + done, total, f"Learning without part {fold + 1} of {parts}")
        tried.append(_Tried.of(fits))
    best = min(range(len(tasks)), key=lambda at: tried[at].losses[tried[at].steps])
    chosen = tried[best]
    last = Fit(tasks[best], np.arange(len(fold_of)), until=chosen.steps)
    for done in last.steps():
        yield Progress(len(tasks) * parts * longest + done, total, f"Learning from {what}")
    report = {
        "steps": chosen.steps,
        "fused_part": bool(tasks[best].settings.fused_part),
        "losses": {str(at): value for at, value in chosen.losses.items()},
        "accuracies": {str(at): value for at, value in chosen.hits.items()},
        "folds": parts,
    }
    return Learnt(final=last.weights[chosen.steps], by_fold=chosen.by_fold, report=report)


@dataclass(frozen=True)
class _Tried(Generic[Weights]):
    """What a kind of model answers to held-out items: number of steps to mean log loss and share that is right.

    ``steps`` is the best number, ``by_fold`` are the models after it.
    """

    losses: dict[int, float]
    hits: dict[int, float]
    steps: int
    by_fold: tuple[Weights, ...]

    @classmethod
    def of(cls, fits: Sequence[Fit[Any, Weights]]) -> _Tried[Weights]:
        """Returns it from the fits without each fold."""
        reached = [at for at in fits[0].losses if all(at in one.losses for one in fits)]  # past its best one ends early
        losses = {at: float(np.concatenate([one.losses[at] for one in fits]).mean()) for at in reached}
        hits = {at: float(np.concatenate([one.hits[at] for one in fits]).mean()) for at in reached}
        best = min(losses, key=lambda at: (losses[at], at))
        return cls(losses, hits, best, tuple(one.weights[best] for one in fits))


def folds(
    ids: Sequence[str], kinds: NDArray[np.integer], settings: FusionSettings, groups: Mapping[str, str]
) -> NDArray[np.int64]:
    """Returns ``[n]`` the fold of each image: every kind of images in all folds, each group in one."""
    rng = np.random.default_rng(settings.seed + 1)
    keys = [groups.get(id_, id_) for id_ in ids]
    members: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        members.setdefault(key, []).append(row)
    first = {key: kinds[rows[0]] for key, rows in members.items()}
    fold_of = np.zeros(len(ids), np.int64)
    start = 0
    for kind in np.unique(kinds):
        own = [key for key, of_group in first.items() if of_group == kind]
        for at, chosen in enumerate(rng.permutation(len(own))):
            fold_of[members[own[chosen]]] = (start + at) % settings.folds
        start += len(own)  # so that folds have the same size even if kinds have one image each
    return fold_of


def _different(ids: Iterable[str], groups: Mapping[str, str]) -> int:
    """Returns the number of different images among some; those of a group are one."""
    return len({groups.get(id_, id_) for id_ in ids})


def fit_captions(
    read: Reader,
    captions: Mapping[str, Sequence[str]],
    classes: Sequence[EncoderClasses],
    encoders: Sequence[Callable[[Sequence[str]], NDArray[np.float32]]],
    settings: FusionSettings,
    *,
    groups: Mapping[str, str] | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Generator[Progress, None, Learnt[CaptionWeights]]:
    """Learns to compare images with texts from captions, as :func:`fit` learns from labels; yields progress.

    Args:
        read: reads the nodes of samples
        captions: sample id to captions; one that several samples have is true of them all
        classes: of each encoder, what its nodes' features are about
        encoders: what embeds texts as ``[n, d]`` unit vectors, for each encoder
        settings: of the fusion
        groups: sample id to what is the same for samples that must not be parted
        memory_bytes: maximum size of the images in memory; captions beyond it are not learnt from

    Returns:
        what was learnt; its report holds ``captions`` (number learnt from), ``images`` (number of their images), and
        ``steps``, ``losses`` and ``accuracies`` as for labels
    """
    from .captioned import read_captioned

    nothing = Learnt(
        final=CaptionWeights.untrained([own.vectors.shape[1] for own in classes], settings),
        report={"captions": 0, "images": 0, "steps": None, "losses": {}, "accuracies": {}, "folds": 0},
    )
    groups = groups or {}
    if _different(captions, groups) < MIN_LABELS or len({text for texts in captions.values() for text in texts}) < 2:
        return nothing
    yield Progress(0, 0, "Reading the images with captions")
    task = read_captioned(read, captions, classes, encoders, settings, memory_bytes=memory_bytes)
    ids, image_of = task.images.ids, task.image_of.numpy()
    if _different(ids, groups) < MIN_LABELS:
        return nothing
    fold_of = folds(ids, np.zeros(len(ids), np.int64), settings, groups)
    learnt = yield from cross_validated([task], fold_of[image_of], f"{len(image_of):,} captions")
    return Learnt(
        final=learnt.final,
        by_fold=learnt.by_fold,
        fold_of=dict(zip(ids, fold_of.tolist(), strict=True)),
        report={"captions": len(image_of), "images": len(ids), **learnt.report},
    )
